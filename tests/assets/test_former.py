"""Streams that are read no more: their past counts or is withdrawn, as is said; until then, every run tells."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from assets import steps
from assets.checks import Finding
from assets.home import Home
from kr_definitions.catalogue import FOLDER
from kr_definitions.documents import DeclarationErrors
from kr_definitions.events import current
from pipelines.load import fetch

FLYERS = "inmobiliaria.ventas.buzoneo"
NOW = datetime(2026, 3, 11, 5, tzinfo=UTC)


class Office:
    """An agency that exports a sheet of two rows, loaded by what `organisation.yaml` says at the time."""

    def __init__(self, root: Path) -> None:
        self.home, self.loads = Home(root / "home", root / "definitions"), 0
        shutil.copytree(FOLDER / "inmobiliaria", root / "definitions" / "inmobiliaria")
        self.declared = (FOLDER / "inmobiliaria" / "organisation.yaml").read_text("utf-8")

    def say(self, name: str, former: str = "") -> None:
        """The sheet's source is called so, and this is said of former ones."""
        text = self.declared.replace("\n  buzoneo:\n", f"\n  {name}:\n", 1)
        assert (text == self.declared) == (name == "buzoneo")
        said = f"former: {former}\n" if former else ""
        (self.home.definitions / "inmobiliaria" / "organisation.yaml").write_text(text + said, encoding="utf-8")

    def load(self) -> list[Finding]:
        """What is told of former streams by a load."""
        self.loads += 1
        now, catalogue = NOW + timedelta(hours=self.loads), self.home.catalogue("inmobiliaria")
        for source in self.home.sources(catalogue):
            if source.name in ("buzoneo", "reparto"):
                fetch(source, self.home.lake("inmobiliaria"), None, now)
        _, audit = steps.state_events(self.home, catalogue, now, f"load {self.loads}")
        return [one for one in audit.findings if one.check == "log.is_of_what_is_declared"]

    @property
    def counted(self) -> dict[str, int]:
        """How many flyers' events count, by source."""
        log = current(self.home.lake("inmobiliaria").log.scan())
        return Counter(log.filter(pl.col("event_type") == "flyers.distributed").collect().get_column("source"))


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    sheet = tmp_path / "buzoneo.csv"
    sheet.write_text("id;fecha;zona;folletos\n1;05/03/2026;Getafe;200\n2;06/03/2026;Getafe;100\n", encoding="utf-8")
    for name in ("BUZONEO", "REPARTO"):
        monkeypatch.setenv(f"SOURCES__INMOBILIARIA__{name}__FOLDER", str(tmp_path))
    return Office(tmp_path)


def test_what_counts_of_a_stream_that_is_declared_no_more_is_told_until_it_is_said_what_becomes_of_it(
    office: Office,
) -> None:
    office.say("buzoneo")
    assert office.load() == []
    office.say("reparto")
    for _ in range(2):
        (told,) = office.load()
        assert told.found.startswith(
            "buzoneo.buzoneo is declared no more, and 2 events of it (flyers.distributed) count"
        )
        assert "`former: {buzoneo.buzoneo: withdrawn}`" in told.do
        assert FLYERS in told.key_results
    assert office.counted == {"buzoneo": 2, "reparto": 2}
    office.say("reparto", "{buzoneo.buzoneo: counts}")
    assert (office.load(), office.counted) == ([], {"buzoneo": 2, "reparto": 2})


def test_what_is_withdrawn_counts_no_more_and_is_back_with_its_stream(office: Office) -> None:
    office.say("buzoneo")
    office.load()
    office.say("reparto", "{buzoneo: withdrawn}")
    for _ in range(2):
        assert (office.load(), office.counted) == ([], {"reparto": 2})
    withdrawn = office.home.lake("inmobiliaria").log.scan().filter(pl.col("retracts").is_not_null()).collect()
    assert withdrawn.get_column("reason").to_list() == ["mapping"] * 2
    office.say("buzoneo", "{reparto: withdrawn}")
    assert (office.load(), office.counted) == ([], {"buzoneo": 2})


def test_a_source_is_not_former(office: Office) -> None:
    office.say("buzoneo", "{buzoneo: withdrawn}")
    with pytest.raises(DeclarationErrors, match="former names buzoneo, which is a source"):
        office.load()
