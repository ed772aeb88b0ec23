"""Check-ins on their way into the log: kept whole until they are read, read once, withdrawn, and refused in a file."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
import yaml

from kr_definitions.catalogue import load
from kr_definitions.check_ins import CHECKED_IN, stated
from kr_definitions.documents import DeclarationErrors
from kr_definitions.events import RETRACTED, as_known_at
from pipelines import erasure
from pipelines.check_ins import NAME, CheckIn, Inbox, latest, source
from pipelines.connectors import sources
from pipelines.load import Lake, Source, bring_up_to_date, fetch
from pipelines.sandbox.stand_in import SharedClock
from pipelines.source import Covered, Read, SourceError

DOCS = Path(__file__).resolve().parents[2] / "docs" / "check-ins.md"
KR = "inbound.ventas.cierres"
ON = date(2026, 11, 20)
NOW = datetime(2026, 11, 21, 15, tzinfo=UTC)
SURE = CheckIn(KR, ON, by="p-ana", confidence=Decimal("0.7"), note="Bien, ¡por fin!", value=Decimal("12.5"))


@pytest.fixture
def inbox(tmp_path) -> Inbox:
    return Inbox(tmp_path / "check_ins" / "inbound.jsonl")


# --- the inbox --------------------------------------------------------------------------------------------------------


def test_what_was_left_is_there_for_another_process_with_all_that_was_said(inbox):
    left = inbox.add(SURE, NOW)
    (found,) = Inbox(inbox.path).waiting()
    assert (left.key, left.revision, left.payload) == (found.key, found.revision, found.payload)
    assert ("0.7", "12.5", "Bien, ¡por fin!") == tuple(found.payload[name] for name in ("confidence", "value", "note"))


def test_what_a_killed_writer_left_of_a_line_is_nothing_and_the_next_line_takes_its_place(inbox):
    inbox.add(SURE, NOW)
    whole = inbox.path.read_bytes()
    for torn in (len(whole) // 3, len(whole) - 1):
        inbox.path.write_bytes(whole + whole[:torn])
        assert 1 == len(inbox.waiting())
        inbox.add(SURE, NOW)
        assert 2 == len(inbox.waiting())
        inbox.path.write_bytes(whole)


def test_a_line_that_does_not_fit_on_the_disk_is_not_left_in_part(inbox, monkeypatch):
    inbox.add(SURE, NOW)
    before = inbox.path.read_bytes()
    write = os.pwrite

    def runs_full(handle: int, content: bytes, at: int) -> int:
        if at > len(before):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(handle, content[:20], at)

    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", runs_full)
        with pytest.raises(OSError, match="No space"):
            inbox.add(SURE, NOW)
    assert before == inbox.path.read_bytes()


def test_a_damaged_line_is_told_with_its_number(inbox):
    inbox.add(SURE, NOW)
    inbox.path.write_bytes(inbox.path.read_bytes() + b"nonsense\n")
    with pytest.raises(SourceError, match=r"inbound\.jsonl: line 2 is no check-in\. Restore it"):
        inbox.waiting()


def test_nobody_else_may_read_what_was_left(inbox):
    inbox.add(SURE, NOW)
    assert 0o600 == inbox.path.stat().st_mode & 0o777


def test_each_is_later_than_the_one_before_even_if_the_clock_goes_back_or_everything_was_taken(inbox):
    first, second = inbox.add(SURE, NOW), inbox.add(SURE, NOW - timedelta(days=1))
    assert (NOW, NOW + timedelta(microseconds=1)) == (first.revision, second.revision)
    last = second.revision.isoformat(timespec="microseconds")
    assert [second.key] == [one.key for one in inbox.taken(first.revision.isoformat(timespec="microseconds"))]
    assert [] == inbox.taken(last)
    assert [] == inbox.waiting()
    third = inbox.add(SURE, NOW - timedelta(days=1))
    assert [third.key] == [one.key for one in inbox.taken(last)]


def test_those_of_one_instant_are_said_one_after_the_other_also_after_some_were_taken(inbox):
    first, second = inbox.add(SURE, NOW), inbox.add(SURE, NOW)
    inbox.taken(second.revision.isoformat(timespec="microseconds"))
    third = inbox.add(SURE, NOW)
    said = [one.payload["at"] for one in (first, second, third)]
    assert said == sorted(set(said))


# --- from the inbox to the log ----------------------------------------------------------------------------------------


@dataclass
class Company:
    """An organisation that loads its check-ins, an hour later each time."""

    root: Path
    inbox: Inbox
    now: datetime = NOW

    @property
    def lake(self) -> Lake:
        return Lake(self.root / "lake")

    @property
    def source(self) -> Source:
        return source(load("inbound"), self.inbox, lambda person: f"p-{person}")

    def load(self, *used: Source) -> None:
        self.now += timedelta(hours=1)
        for one in used or (self.source,):
            (loaded,) = fetch(one, self.lake, SharedClock(self.root / "clock.json", self.now), self.now)
            assert loaded.failure is None
        bring_up_to_date(used or (self.source,), self.lake, self.now)

    def says(self) -> list[tuple[str, float | None]]:
        """What holds now: of which key result, with which confidence."""
        found = stated(self.lake.log.scan()).sort("checked_in_at", "key_result_id")
        return found.select("key_result_id", "confidence").collect().rows()

    def problems(self) -> list[str]:
        return self.lake.quarantine().select("problem").collect().to_series().sort().to_list()


@pytest.fixture
def company(tmp_path, inbox) -> Company:
    return Company(tmp_path, inbox)


def test_a_check_in_is_an_event_with_the_instant_it_was_said_and_the_one_it_was_known(company):
    company.inbox.add(SURE, NOW)
    company.load()
    event = company.lake.log.scan().filter(pl.col("event_type") == CHECKED_IN).collect().row(0, named=True)
    assert (KR, "p-ana", NOW, NOW + timedelta(hours=1)) == tuple(
        event[name] for name in ("subject_id", "actor", "occurred_at", "recorded_at")
    )
    assert (Decimal("0.7"), "Bien, ¡por fin!", ON, Decimal("12.5")) == tuple(
        event[name] for name in ("confidence", "note", "as_of", "stated_value")
    )
    assert (event["amount"], event["quantity"]) == (None, None)


def test_what_was_read_is_read_once_and_then_leaves_the_inbox(company):
    company.inbox.add(SURE, NOW)
    company.load()
    before = company.lake.raw.scan(NAME, NAME).collect()
    company.load()
    company.load()
    assert before.equals(company.lake.raw.scan(NAME, NAME).collect())
    assert [] == company.inbox.waiting()
    assert [(KR, 0.7)] == company.says()
    assert b"Bien" not in company.inbox.path.read_bytes()


def test_what_is_read_and_not_noted_as_read_is_read_again_and_counts_once(company):
    company.inbox.add(SURE, NOW)
    for _ in range(2):  # a reading whose run is killed before it notes how far it has read
        pages = company.source.streams()[0].fetch(Read(None, NOW, None, SharedClock(company.root / "clock.json", NOW)))
        assert 1 == len(next(pages))
    company.load()
    assert [(KR, 0.7)] == company.says()


def test_one_that_was_left_by_a_clock_that_was_ahead_spoils_no_other(company):
    company.inbox.add(SURE, NOW + timedelta(days=300))
    company.inbox.add(CheckIn(KR, ON, "p-luis", Decimal("0.2")), NOW)
    company.load()
    company.inbox.add(CheckIn(KR, ON, "p-luis", Decimal("0.3")), company.now)
    company.load()
    assert [(KR, 0.2), (KR, 0.3)] == company.says()
    (problem,) = company.problems()
    assert "is in the future" in problem
    company.inbox.withdraw(latest(company.inbox, company.lake.raw, KR, "p-ana", None), company.now)
    company.load()
    assert [(KR, 0.2), (KR, 0.3)] == company.says()


def test_nobody_said_anything_is_known_too(company):
    company.load()
    covered = company.lake.log.readings()
    assert [(NAME, NAME)] == covered.select("source", "stream").rows()
    assert not company.inbox.path.exists()


def test_how_far_was_read_is_the_last_entry_and_stays_where_there_is_nothing_new(company):
    pages = company.source.streams()[0].fetch(Read(None, NOW, "2026-11-01T00:00:00.000000+00:00", SharedClock(Path())))
    assert [] == next(pages)
    with pytest.raises(StopIteration) as end:
        next(pages)
    assert Covered(None, NOW, "2026-11-01T00:00:00.000000+00:00") == end.value.value


def test_what_is_withdrawn_is_retracted_and_what_was_said_before_holds_again(company):
    company.inbox.add(CheckIn(KR, ON, "p-ana", Decimal("0.2")), NOW)
    company.inbox.add(CheckIn(KR, ON, "p-ana", Decimal("0.9")), NOW)
    company.load()
    assert [(KR, 0.2), (KR, 0.9)] == company.says()
    key = latest(company.inbox, company.lake.raw, KR, "p-ana", ON)
    company.inbox.withdraw(key, NOW)
    company.load()
    assert [(KR, 0.2)] == company.says()
    assert 1 == company.lake.log.scan().filter(pl.col("event_type") == RETRACTED).collect().height
    before = stated(as_known_at(company.lake.log.scan(), NOW + timedelta(hours=1))).collect()
    assert [0.2, 0.9] == before.get_column("confidence").sort().to_list()


def test_what_is_withdrawn_before_it_was_read_was_never_said(company):
    key = company.inbox.add(SURE, NOW).key
    company.inbox.withdraw(key, NOW)
    company.load()
    assert [] == company.says()
    assert company.lake.log.scan().filter(pl.col("event_type") == CHECKED_IN).collect().is_empty()


def test_the_latest_is_found_by_person_and_day_in_the_inbox_and_behind_it(company):
    def found(by: str | None, on: date | None = None) -> str | None:
        return latest(company.inbox, company.lake.raw, KR, by, on)

    assert found("p-ana") is None
    old = company.inbox.add(SURE, NOW).key
    nobodys = company.inbox.add(CheckIn(KR, ON, None, Decimal("0.1")), NOW).key
    company.load()
    company.load()
    new = company.inbox.add(CheckIn(KR, date(2026, 11, 19), "p-ana", Decimal("0.3")), NOW).key
    assert (new, old, nobodys, None) == (found("p-ana"), found("p-ana", ON), found(None), found("p-luis"))
    company.inbox.withdraw(new, NOW)
    assert old == found("p-ana")
    company.inbox.withdraw(old, NOW)
    assert found("p-ana") is None


def test_one_that_is_no_longer_declared_when_it_is_read_is_set_aside(company):
    company.inbox.add(CheckIn("inbound.ventas.cierre", ON, None, Decimal("0.5")), NOW)
    company.load()
    (problem,) = company.problems()
    assert problem.startswith(f"there is no key result 'inbound.ventas.cierre'. Did you mean {KR} or ")


def test_what_somebody_said_goes_with_them_and_what_still_waits_does_not_come_back(company):
    company.inbox.add(SURE, NOW)
    company.inbox.add(CheckIn(KR, ON, "p-luis", Decimal("0.1")), NOW)
    company.load()
    company.inbox.add(CheckIn(KR, ON, "p-ana", Decimal("0.9"), note="Otra vez"), NOW)
    found = erasure.find(company.lake, [company.source], "ana")
    assert [(NAME, 1, 1)] == [(one.stream, len(one.records), one.events) for one in found.streams]
    erasure.erase(company.lake, [company.source], found, company.now)
    assert [(KR, 0.1)] == company.says()
    company.load()
    company.load()
    assert [(KR, 0.1)] == company.says()
    files = [path for path in company.root.rglob("*") if path.is_file() and "suppressed" not in path.parts]
    assert not [path for path in files if b"p-ana" in path.read_bytes() or b"Otra vez" in path.read_bytes()]


# --- from a file ------------------------------------------------------------------------------------------------------


def blocks(language: str) -> list[str]:
    """The blocks of a language in the documentation."""
    return [part.partition("```")[0] for part in DOCS.read_text(encoding="utf-8").split(f"```{language}\n")[1:]]


@pytest.fixture
def sheet(company, tmp_path, monkeypatch):
    """The sheet of the documentation, mapped as it says; gives the function that writes it and loads it."""
    definitions = tmp_path / "kr_definitions"
    folder = definitions / "inbound"
    folder.mkdir(parents=True)
    shipped = Path(__file__).resolve().parents[2] / "kr_definitions" / "inbound"
    for path in shipped.glob("*.yaml"):
        (folder / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    whole = (shipped / "organisation.yaml").read_text(encoding="utf-8").partition("\nsources:")[0]
    (folder / "organisation.yaml").write_text(f"{whole}\n{blocks('yaml')[0]}", encoding="utf-8")
    files = tmp_path / "files"
    files.mkdir()
    monkeypatch.setenv("SOURCES__INBOUND__CHECK_IN_SHEET__FOLDER", str(files))
    (declared,) = sources(load("inbound", definitions), lambda person: f"p-{len(person)}")

    def write(*rows: str) -> None:
        header = blocks("csv")[0].splitlines()[0]
        (files / "check-ins.csv").write_text("\n".join([header, *rows, ""]), encoding="utf-8")
        company.load(declared)

    return write


def test_the_sheet_of_the_documentation_is_read_as_it_says(company, sheet):
    sheet(*blocks("csv")[0].splitlines()[1:])
    said = stated(company.lake.log.scan()).sort("key_result_id", descending=True).collect()
    assert [(KR, 0.7, 50.0), ("inbound.marketing.mql", 0.4, None)] == said.select(
        "key_result_id", "confidence", "stated_value"
    ).rows()
    assert [ON, ON] == said.get_column("checked_in_on").to_list()
    assert ["p-3", "p-4"] == said.get_column("checked_in_by").to_list()
    assert [] == company.problems()


def test_an_edited_row_is_a_correction_and_a_removed_one_a_withdrawal(company, sheet):
    sheet(f"{KR},2026-11-20,ana,0.7,,", "inbound.marketing.mql,2026-11-20,ana,0.5,,")
    sheet(f"{KR},2026-11-20,ana,0.9,,", "inbound.marketing.mql,2026-11-20,ana,0.5,,")
    assert [("inbound.marketing.mql", 0.5), (KR, 0.9)] == company.says()
    sheet("inbound.marketing.mql,2026-11-20,ana,0.5,,")
    assert [("inbound.marketing.mql", 0.5)] == company.says()


def test_rows_that_the_command_would_refuse_are_set_aside_and_stop_no_other(company, sheet):
    refused = {
        "inbound.ventas.cierre,2026-11-20,ana,0.7,,": f"no key result 'inbound.ventas.cierre'. Did you mean {KR} or",
        f"{KR},2026-11-01,ana,70,,": "confidence is a number from 0 to 1, not 70",
        f"{KR},2026-11-02,ana,high,,": "confidence: 'aaaa' is not a number",
        f"{KR},2026-11-03,ana,,many,": "value: 'aaaa' is not a number",
        f"{KR},2025-12-31,ana,0.7,,": "2025-12-31 is not in the period",
        f"{KR},2026-12-01,ana,0.7,,": "is in the future",
        f"{KR},2026-11-04,ana,,,": "it says nothing",
        f"{KR},2026-11-06,ana,,-3,": "value is a number not below 0, not -3",
        f"{KR},2026-11-07,ana,0.5,,tel. 612 345 678": "a telephone number, which is never stored",
        f"{KR},2026-11-05,ana,,,write to ana@example.com": "a mail address, which is never stored",
        "Ana Pérez,2026-11-20,ana,0.5,,": "there is no key result of that name",
    }
    sheet(*refused, "inbound.marketing.mql,2026-11-20,ana,0.5,,")
    assert [("inbound.marketing.mql", 0.5)] == company.says()
    found = company.problems()
    assert len(refused) == len(found)
    for problem in refused.values():
        assert 1 == sum(problem in one for one in found), problem


def test_no_declared_source_may_be_called_as_the_built_in_one(tmp_path):
    shipped = Path(__file__).resolve().parents[2] / "kr_definitions" / "inbound"
    folder = tmp_path / "inbound"
    folder.mkdir()
    for path in shipped.glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        (folder / path.name).write_text(text.replace("\n  hubspot:\n", "\n  check_ins:\n"), encoding="utf-8")
    with pytest.raises(DeclarationErrors, match="called as the source of the check-ins") as refused:
        sources(load("inbound", tmp_path), str)
    assert "source check_ins" in str(refused.value.problems[0])


def test_the_mapping_in_the_documentation_is_yaml_of_one_source():
    assert ["check_in_sheet"] == list(yaml.safe_load(blocks("yaml")[0])["sources"])
