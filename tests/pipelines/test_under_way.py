"""A long reading that is killed, or stopped by a quota, goes on where it was: nothing is read twice, nothing missed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from dlt.load.load import Load

from assets.clock import SystemClock
from kr_definitions.events import current
from pipelines import raw_zone
from pipelines.lake import version
from pipelines.load import Lake, Source, bring_up_to_date, fetch
from pipelines.raw_zone import StreamLoad
from pipelines.source import (
    Account,
    Covered,
    Mark,
    Options,
    Read,
    Record,
    RequestRefused,
    Stream,
    UnforeseenError,
    VendorError,
)

MONDAY = datetime(2026, 3, 2, 6, tzinfo=UTC)
TUESDAY, WEDNESDAY = MONDAY + timedelta(days=1), MONDAY + timedelta(days=2)
PAGES, PAGE = 6, 3


class Asked(Options):
    """What the account is asked for."""

    detail: str = "little"


@dataclass
class Ledger:
    """An account with calls in pages, of which a day allows only so many; and which pages were asked for.

    changed: numbers of the calls that were changed on Tuesday. killed_at: before which page its reader is killed.
    refuses: what a mark comes to. has_marks: whether it passes any.
    """

    allowed: int = PAGES
    changed: tuple[int, ...] = ()
    killed_at: int | None = None
    refuses: Exception | None = None
    is_snapshot: bool = False
    has_marks: bool = True
    kind: str = "ledger"
    options: type[Options] = Asked
    asked_for: list[int | str] = field(default_factory=list)

    def streams(self, account: Account, options: Options) -> list[Stream]:
        payload = pl.Struct({"at": pl.String()})
        return [Stream("calls", ("call.made",), self._fetch, payload, facts, is_snapshot=self.is_snapshot)]

    def _fetch(self, read: Read) -> Generator[list[Record] | Mark, None, Covered]:
        if read.since is not None:
            self.asked_for.append("changes")
            yield [call(number, TUESDAY) for number in self.changed]
            return Covered(read.since, read.until)
        if read.mark is not None and self.refuses is not None:
            raise self.refuses
        for number in range(int(read.mark or 0), PAGES):
            if number == self.killed_at:
                os.kill(os.getpid(), signal.SIGKILL)
            if sum(isinstance(page, int) for page in self.asked_for) == self.allowed:
                raise VendorError("ledger", "the day's quota is used up", "The next run goes on")
            self.asked_for.append(number)
            yield [call(number * PAGE + n, MONDAY) for n in range(PAGE)]
            if self.has_marks:
                yield Mark(str(number + 1))
        return Covered(None, read.until)


def call(number: int, changed_at: datetime) -> Record:
    return Record(str(number), changed_at, {"at": (changed_at - timedelta(hours=number)).isoformat()})


def facts(records: pl.LazyFrame) -> pl.LazyFrame:
    return records.select(
        "record_key",
        fact_key="record_key",
        event_type=pl.lit("call.made"),
        subject_id="record_key",
        occurred_at=pl.col("at").str.to_datetime("%+", time_unit="us", time_zone="UTC"),
    )


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raw_zone, "_RECORDS_A_PART", 2 * PAGE)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def run(lake: Lake, ledger: Ledger, at: datetime, detail: str = "little") -> StreamLoad:
    source = Source(ledger, Account("agency", "ledger", "Europe/Madrid"), Asked(detail=detail))
    (load,) = fetch(source, lake, SystemClock(), at)
    bring_up_to_date([source], lake, at)
    return load


def calls(lake: Lake) -> dict[str, datetime]:
    found = current(lake.log.scan()).filter(pl.col("event_type") == "call.made").select("subject_id", "occurred_at")
    return dict(found.collect().iter_rows())


EVERY_CALL = {str(number): MONDAY - timedelta(hours=number) for number in range(PAGES * PAGE)}


def test_what_a_quota_leaves_is_fetched_on_the_next_day(lake: Lake) -> None:
    monday = run(lake, Ledger(allowed=4), MONDAY)
    assert (monday.inserted, monday.covered) == (4 * PAGE, None)
    assert "quota" in str(monday.failure)
    assert len(calls(lake)) == 4 * PAGE
    ledger = Ledger()
    tuesday = run(lake, ledger, TUESDAY)
    assert ledger.asked_for == [4, 5, "changes"]
    assert (tuesday.inserted, tuesday.duplicates) == (2 * PAGE, 0)
    assert calls(lake) == EVERY_CALL


@pytest.mark.parametrize(("is_snapshot", "parts"), [(False, 3), (True, 1)])
def test_without_marks_it_is_stored_in_parts_as_well_but_a_snapshot_at_once(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, *, is_snapshot: bool, parts: int
) -> None:
    monkeypatch.setattr(raw_zone, "_RECORDS_WITHOUT_A_MARK", 2 * PAGE)
    load = run(lake, Ledger(has_marks=False, is_snapshot=is_snapshot), MONDAY)
    assert (load.inserted, version(lake.raw.path("ledger", "calls"))) == (len(EVERY_CALL), parts)
    assert calls(lake) == EVERY_CALL


def test_what_changed_behind_an_interrupted_reading_is_read_as_well(lake: Lake) -> None:
    run(lake, Ledger(allowed=4), MONDAY)
    load = run(lake, Ledger(changed=(1, 17)), TUESDAY)
    assert load.covered == Covered(MONDAY - timedelta(hours=1), TUESDAY)
    expected = {str(number): TUESDAY - timedelta(hours=number) for number in (1, 17)}
    assert calls(lake) == {**EVERY_CALL, **expected}


def test_it_covers_what_it_was_asked_for_at_first_and_then_the_rest(lake: Lake) -> None:
    run(lake, Ledger(allowed=4), MONDAY)
    run(lake, Ledger(), TUESDAY)
    spans = lake.loads().sort("recorded_at").select("covered_from", "covered_to").collect().rows()
    assert spans == [(None, None), (None, MONDAY), (MONDAY - timedelta(hours=1), TUESDAY)]


def test_several_days_of_quota_make_one_reading(lake: Lake) -> None:
    for n in range(PAGES - 1):
        assert run(lake, Ledger(allowed=1), MONDAY + timedelta(days=n)).covered is None
    ledger = Ledger(allowed=2)
    assert run(lake, ledger, MONDAY + timedelta(days=PAGES)).covered is not None
    assert ledger.asked_for == [PAGES - 1, "changes"]
    assert calls(lake) == EVERY_CALL


@pytest.mark.parametrize(("killed_at", "begins_with"), [(1, 0), (3, 2), (5, 4)])
def test_a_killed_reading_goes_on_from_the_last_part_that_was_stored(
    lake: Lake, killed_at: int, begins_with: int
) -> None:
    died = subprocess.run(
        [sys.executable, __file__, str(lake.root), str(killed_at)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert died.returncode == -signal.SIGKILL
    ledger = Ledger()
    run(lake, ledger, TUESDAY)
    assert ledger.asked_for[0] == begins_with
    assert calls(lake) == EVERY_CALL


def test_a_finished_reading_leaves_nothing_to_go_on_from(lake: Lake) -> None:
    run(lake, Ledger(), MONDAY)
    ledger = Ledger()
    run(lake, ledger, TUESDAY)
    assert ledger.asked_for == ["changes"]
    assert not list((lake.root / "under_way").rglob("*.json"))


def test_a_reading_that_asks_for_more_begins_anew(lake: Lake) -> None:
    run(lake, Ledger(allowed=4), MONDAY)
    ledger = Ledger()
    run(lake, ledger, TUESDAY, detail="much")
    assert ledger.asked_for == list(range(PAGES))


def test_a_table_from_a_backup_is_read_anew(lake: Lake) -> None:
    run(lake, Ledger(allowed=2), MONDAY)
    shutil.copytree(lake.root / "raw", lake.root / "backup")
    run(lake, Ledger(allowed=2), TUESDAY)
    shutil.rmtree(lake.root / "raw")
    (lake.root / "backup").rename(lake.root / "raw")
    ledger = Ledger()
    run(lake, ledger, WEDNESDAY)
    assert ledger.asked_for == list(range(PAGES))
    assert calls(lake) == EVERY_CALL


@pytest.mark.parametrize(
    "refusal",
    [RequestRefused("ledger", "the cursor is not known any more", "x"), KeyError("a mark of another version")],
)
def test_a_mark_that_is_refused_is_not_followed_for_ever(lake: Lake, refusal: Exception) -> None:
    run(lake, Ledger(allowed=4), MONDAY)
    assert isinstance(run(lake, Ledger(refuses=refusal), TUESDAY).failure, RequestRefused | UnforeseenError)
    ledger = Ledger(refuses=refusal)
    run(lake, ledger, WEDNESDAY)
    assert ledger.asked_for == list(range(PAGES))
    assert calls(lake) == EVERY_CALL


@dataclass
class TwoStreams(Ledger):
    """A ledger beside a stream whose fetch breaks off after a page."""

    def streams(self, account: Account, options: Options) -> list[Stream]:
        (calls_made,) = super().streams(account, options)

        def breaks_off(read: Read) -> Generator[list[Record] | Mark, None, Covered]:
            yield [call(900, MONDAY)]
            raise KeyError("Marta Ruiz, 600 123 456")

        payload = pl.Struct({"at": pl.String()})
        return [Stream("broken", ("call.made",), breaks_off, payload, facts), calls_made]


def test_what_nobody_foresaw_fails_its_stream_alone_and_is_in_the_log(
    lake: Lake, caplog: pytest.LogCaptureFixture
) -> None:
    source = Source(TwoStreams(), Account("agency", "ledger", "Europe/Madrid"), Asked())
    broken, whole = fetch(source, lake, SystemClock(), MONDAY)
    assert (broken.covered, broken.inserted) == (None, 1)
    assert "ledger.broken: its reading broke off where that was not foreseen (KeyError)" in str(broken.failure)
    assert (whole.failure, whole.inserted) == (None, PAGES * PAGE)
    noted = lake.loads().select("stream", pl.col("failure").is_null(), pl.col("covered_to").is_null()).collect()
    assert sorted(noted.rows()) == [("broken", False, True), ("calls", True, False)]
    assert "breaks_off" in caplog.text
    assert "Marta" not in str(broken.failure)


def test_a_quota_that_lets_nothing_through_keeps_the_mark(lake: Lake) -> None:
    run(lake, Ledger(allowed=4), MONDAY)
    run(lake, Ledger(allowed=0), TUESDAY)
    ledger = Ledger()
    run(lake, ledger, WEDNESDAY)
    assert ledger.asked_for == [4, 5, "changes"]


def test_a_note_of_a_reading_that_ended_is_none(lake: Lake) -> None:
    """Killed after it was noted that all is read, and before the reading was forgotten."""
    run(lake, Ledger(allowed=4), MONDAY)
    (note,) = (lake.root / "under_way").rglob("*.json")
    content = note.read_bytes()
    run(lake, Ledger(), TUESDAY)
    note.write_bytes(content)
    ledger = Ledger()
    run(lake, ledger, WEDNESDAY)
    assert (ledger.asked_for, note.exists()) == (["changes"], False)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"asked": 1}'])
def test_a_damaged_note_is_none(lake: Lake, damage: bytes) -> None:
    run(lake, Ledger(allowed=4), MONDAY)
    (note,) = (lake.root / "under_way").rglob("*.json")
    note.write_bytes(damage)
    ledger = Ledger()
    run(lake, ledger, TUESDAY)
    assert ledger.asked_for == list(range(PAGES))


def test_a_snapshot_has_no_marks(lake: Lake) -> None:
    with pytest.raises(Exception, match="a snapshot is read whole"):
        run(lake, Ledger(is_snapshot=True), MONDAY)


def test_dlt_still_waits_by_what_is_set_for_it() -> None:
    assert raw_zone._LOOK_AGAIN in Load.load_single_package.__code__.co_names


if __name__ == "__main__":
    raw_zone._RECORDS_A_PART = 2 * PAGE
    run(Lake(Path(sys.argv[1])), Ledger(killed_at=int(sys.argv[2])), MONDAY)
