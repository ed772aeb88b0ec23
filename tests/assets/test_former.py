"""Streams that are read no more: their past counts or is withdrawn, as is said; until then, every run tells."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from assets import steps
from assets.checks import Finding
from assets.clock import SystemClock
from assets.home import Home
from kr_definitions.documents import DeclarationErrors
from kr_definitions.events import current
from pipelines.load import fetch

NOW = datetime(2026, 3, 11, 5, tzinfo=UTC)
ORGANISATION = """
id: agencia
title: {es: Agencia, en: Agency}
zone: Europe/Madrid
country: ES-MD
currency: EUR
sources:
  SOURCE:
    kind: files
    options:
      streams:
        rows:
          path: flyers.csv
          format: {type: csv, separator: ;}
          delivery: snapshot
          key: id
          columns: {fecha: {type: date, format: "%d/%m/%Y"}}
          events: [{type: flyers.distributed, at: fecha, subject: id}]
former: FORMER
"""
OBJECTIVE = """
objective: {id: agencia.o, title: {es: Buzoneo, en: Flyers}, owner: equipo, period: {year: 2026}}
key_results:
  - id: agencia.flyers
    title: {es: Buzoneos, en: Rounds}
    type: outcome
    level: company
    owner: equipo
    measure: {count: flyers.distributed}
    target: {value: 40}
    why: They bring listings.
"""


class Office:
    """An agency that exports a sheet of two rows, loaded by what `organisation.yaml` says at the time."""

    def __init__(self, root: Path) -> None:
        self.home, self.loads = Home(root / "home", root / "definitions"), 0
        self.folder = root / "definitions" / "agencia"
        self.folder.mkdir(parents=True)
        (self.folder / "o.yaml").write_text(OBJECTIVE, encoding="utf-8")

    def say(self, source: str, former: str = "{}") -> None:
        """The sheet's source is called so, and this is said of former ones."""
        text = ORGANISATION.replace("SOURCE", source).replace("FORMER", former)
        (self.folder / "organisation.yaml").write_text(text, encoding="utf-8")

    def load(self) -> list[Finding]:
        """What is told of former streams by a load."""
        self.loads += 1
        now, catalogue = NOW + timedelta(hours=self.loads), self.home.catalogue("agencia")
        for source in self.home.sources(catalogue):
            if source.connector.kind == "files":
                fetch(source, self.home.lake("agencia"), SystemClock(), now)
        _, audit = steps.state_events(self.home, catalogue, now, f"load {self.loads}")
        return [one for one in audit.findings if one.check == "log.is_of_what_is_declared"]

    @property
    def counted(self) -> dict[str, int]:
        """How many events count, by source."""
        log = current(self.home.lake("agencia").log.scan())
        return Counter(log.filter(pl.col("event_type") == "flyers.distributed").collect().get_column("source"))


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    (tmp_path / "flyers.csv").write_text("id;fecha\n1;05/03/2026\n2;06/03/2026\n", encoding="utf-8")
    for name in ("OLD", "NEW"):
        monkeypatch.setenv(f"SOURCES__AGENCIA__{name}__FOLDER", str(tmp_path))
    return Office(tmp_path)


def test_what_counts_of_a_stream_that_is_declared_no_more_is_told_until_it_is_said_what_becomes_of_it(
    office: Office,
) -> None:
    office.say("old")
    assert office.load() == []
    office.say("new")
    for _ in range(2):
        (told,) = office.load()
        assert told.found.startswith("old.rows is declared no more, and 2 events of it (flyers.distributed) count")
        assert "`former: {old.rows: withdrawn}`" in told.do
        assert told.key_results == ("agencia.flyers",)
    assert office.counted == {"old": 2, "new": 2}
    office.say("new", "{old.rows: counts}")
    assert (office.load(), office.counted) == ([], {"old": 2, "new": 2})


def test_what_is_withdrawn_counts_no_more_and_is_back_with_its_stream(office: Office) -> None:
    office.say("old")
    office.load()
    office.say("new", "{old: withdrawn}")
    for _ in range(2):
        assert (office.load(), office.counted) == ([], {"new": 2})
    withdrawn = office.home.lake("agencia").log.scan().filter(pl.col("retracts").is_not_null()).collect()
    assert withdrawn.get_column("reason").to_list() == ["mapping"] * 2
    office.say("old", "{new: withdrawn}")
    assert (office.load(), office.counted) == ([], {"old": 2})


@pytest.mark.parametrize(
    ("former", "told"), [("old", "former names old, which is a source"), ("old.rows", "it is a stream that is read")]
)
def test_what_is_read_is_not_former(office: Office, former: str, told: str) -> None:
    office.say("old", f"{{{former}: withdrawn}}")
    with pytest.raises(DeclarationErrors, match=told):
        office.load()
