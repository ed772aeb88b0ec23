"""The same facts, in whatever order and pieces they are loaded and on however many threads, give the same bytes.

Each way of loading is a process of its own, which loads, computes, checks and publishes two days of an organisation
that declares every kind of measure, by the real steps, and tells a hash of each table. On the second day facts were
corrected, deleted and late.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest

from assets import steps
from assets.clock import SystemClock
from assets.home import Home, last_whole_day, started_at
from assets.publication import read
from assets.publishing import publish_all
from kr_definitions.catalogue import Catalogue
from kr_definitions.events import FACT_SCHEMA
from kr_definitions.vocabulary import vocabulary
from pipelines.load import Source, fetch
from pipelines.source import Account, Covered, Options, Read, Record, Stream

WHOLE = Path(__file__).parents[1] / "kr_definitions" / "whole" / "agencia"
FIRST = datetime(2026, 8, 20, 11, tzinfo=UTC)
MORNINGS = (FIRST, FIRST + timedelta(days=1))
FACTS_OF_A_TYPE = 30
Facts = dict[str, dict[str, str | None]]


@dataclass(frozen=True)
class Way:
    """A way of loading. seed: of the order (0: as they are); page: how many records at once; loads: of each day."""

    seed: int
    page: int
    loads: int


WAYS = {
    "at once": (Way(seed=0, page=10_000, loads=1), 2),
    "in small pages, shuffled, on one thread": (Way(seed=1, page=7, loads=1), 1),
    "bit by bit, shuffled otherwise": (Way(seed=2, page=100, loads=2), 2),
}
"""With the number of threads that Polars may use."""
OF_LOADS = {"published loads", "published data_quality", "known_since"}
"""What is told of loads and of when they were made: it is the same where as many are made at the same instants."""


# --- the facts --------------------------------------------------------------------------------------------------------


def happened(types: Sequence[str], texts: Sequence[str]) -> tuple[Facts, Facts, list[str]]:
    """What is known on the first morning; on the second, what is new or corrected, and what is gone. By key."""
    dice = Random(1)
    before = {f"{name}/{n}": fact(dice, name, FIRST, texts) for name in types for n in range(FACTS_OF_A_TYPE)}
    changed = dice.sample(sorted(before), len(before) // 6)
    late = {f"{name}/late": fact(dice, name, MORNINGS[1], texts) for name in types}
    corrected = {key: fact(dice, key.partition("/")[0], FIRST, texts) for key in changed}
    return before, {**late, **corrected}, dice.sample(sorted({*before} - {*changed}), len(before) // 10)


def fact(dice: Random, name: str, until: datetime, texts: Sequence[str]) -> dict[str, str | None]:
    """Something of a type, of the last ten weeks or of long ago, as text."""
    ago = timedelta(days=dice.choice([dice.randrange(70), dice.randrange(70), dice.randrange(500)]))
    about: dict[str, str | None] = {
        "event_type": name,
        "occurred_at": (until - ago - timedelta(minutes=dice.randrange(1, 1400))).isoformat(),
        "subject_id": str(dice.randrange(12)),
        "account_id": str(dice.randrange(8)),
        "actor": f"person {dice.randrange(4)}",
        "amount": dice.choice(["0.1", "100", "12.345678"]),
        "currency": "COP",
        "quantity": dice.choice(["0.3", "7", "1000000.000001"]),
    }
    return {**about, **{one: said(dice, one, until.date(), texts) for one in vocabulary().types[name].carries}}


def said(dice: Random, attribute: str, day: date, texts: Sequence[str]) -> str | None:
    known = vocabulary().attributes[attribute]
    if known.dtype == pl.Boolean:
        return dice.choice(["true", "false"])
    if known.dtype == pl.Date:
        return day.replace(day=1).isoformat()
    if isinstance(known.dtype, pl.Decimal):
        return str(dice.choice([known.domain.least or Decimal(1), Decimal("0.5"), known.domain.most or Decimal(9)]))
    return dice.choice([*(known.values or texts), None])


# --- how they are loaded ----------------------------------------------------------------------------------------------


class NoOptions(Options):
    """Nothing can be said of it."""


@dataclass(frozen=True)
class Vendor:
    """A vendor that delivers these pages, each of them to the streams that feed what is in them."""

    pages: Sequence[Sequence[Record]]
    types: Sequence[str]
    kind: str = "vendor"
    options: type[Options] = NoOptions

    def streams(self, account: Account, options: Options) -> list[Stream]:
        shape = pl.Struct(dict.fromkeys((name for name in FACT_SCHEMA if not name.endswith("_key")), pl.String()))
        return [
            Stream(name, tuple(types), self._fetch(types), shape, stated)
            for name, types in (("some", self.types[::2]), ("others", self.types[1::2]))
        ]

    def _fetch(self, types: Sequence[str]) -> Callable[[Read], Generator[list[Record], None, Covered]]:
        def pages(read: Read) -> Generator[list[Record], None, Covered]:
            for page in self.pages:
                yield [record for record in page if record.key.partition("/")[0] in types]
            return Covered(None, read.until)

        return pages


def stated(records: pl.LazyFrame) -> pl.LazyFrame:
    """The facts of records that say them in text."""
    return records.select(
        "record_key",
        pl.col("record_key").alias("fact_key"),
        *(as_type(name, dtype) for name, dtype in FACT_SCHEMA.items() if not name.endswith("_key")),
    )


def as_type(name: str, dtype: pl.DataType) -> pl.Expr:
    text = pl.col(name)
    if isinstance(dtype, pl.Datetime):
        return text.str.to_datetime("%+", time_unit="us", time_zone="UTC")
    if dtype == pl.Date:
        return text.str.to_date()
    return text == "true" if dtype == pl.Boolean else text.cast(dtype)


@dataclass(frozen=True)
class OfVendor(Home):
    """A home whose organisations have one source: a vendor."""

    vendor: Vendor | None = None

    def sources(self, catalogue: Catalogue) -> list[Source]:
        assert self.vendor is not None
        account = Account(catalogue.organisation.id, "vendor", catalogue.organisation.zone)
        return [Source(self.vendor, account, NoOptions())]


def live(root: Path, way: Way) -> Iterator[tuple[str, pl.DataFrame]]:
    """Two days of the organisation: every table that there is in the end, by name."""
    home = OfVendor(root / "home", root / "definitions")
    catalogue = home.catalogue("agencia")
    types = sorted({name for definition in catalogue.definitions for name in definition.types})
    before, after, gone = happened(types, texts_in(home.definitions))
    for n, (morning, facts, lost) in enumerate(zip(MORNINGS, (before, after), ([], gone), strict=True)):
        records = [Record(key, morning, content) for key, content in facts.items()]
        records += [Record(key, morning, {}, is_deleted=True) for key in lost]
        if way.seed:
            Random(way.seed).shuffle(records)
        for k in range(way.loads):
            os.environ["HITO_NOW"] = (morning - timedelta(hours=way.loads - 1 - k)).isoformat()
            part = records[k :: way.loads]
            pages = [part[start : start + way.page] for start in range(0, len(part), way.page)]
            home = OfVendor(home.root, home.definitions, Vendor(pages, types))
            load(home, catalogue, f"load {n}.{k}")
        day = last_whole_day(catalogue.organisation.zone, started_at())
        steps.remember_progress(home, catalogue, day, started_at(), f"run {n}")
        publish_all(home, [catalogue], started_at(), f"run {n}")
    memory = steps.memory(home, "agencia")
    yield from (("history", memory.history.collect()), ("editions", memory.editions))
    for name, rows in read(home.published).items():
        if name != "meta":
            yield f"published {name}", rows.drop("known_since", strict=False)
        if "known_since" in rows.columns:
            yield "known_since", rows.select("event_id", "known_since").unique()


def load(home: Home, catalogue: Catalogue, run_id: str) -> None:
    (source,) = home.sources(catalogue)
    loads = fetch(source, home.lake("agencia"), SystemClock(), started_at(), run_id=run_id)
    assert [one.failure for one in loads] == [None, None]
    steps.state_events(home, catalogue, started_at(), run_id)


def texts_in(definitions: Path) -> list[str]:
    """What the declared filters compare with, and the members that are declared."""
    declared = "".join(path.read_text(encoding="utf-8") for path in sorted(definitions.rglob("*.yaml")))
    return sorted({part for part in declared.split("'")[1::2] if part.isalpha()} | {"norte", "sur"})


def content(frame: pl.DataFrame) -> str:
    """A hash of all rows, whatever their order."""
    rows = sorted(map(repr, frame.select(sorted(frame.columns)).rows()))
    return f"{len(rows)} rows {hashlib.sha256(chr(10).join(rows).encode()).hexdigest()}"


# --- the law ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, str]]:
    """By way, a hash of each table."""
    return {name: in_a_process(tmp_path_factory.mktemp("way"), *how) for name, how in WAYS.items()}


def in_a_process(root: Path, way: Way, threads: int) -> dict[str, str]:
    shutil.copytree(WHOLE, root / "definitions" / "agencia", ignore=shutil.ignore_patterns("__pycache__"))
    mas = root / "definitions" / "agencia" / "mas.yaml"
    mas.write_text(mas.read_text(encoding="utf-8").replace("{year: 2025}", "{month: 2026-08}"), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, __file__, str(root), json.dumps(vars(way))],
        env={**os.environ, "POLARS_MAX_THREADS": str(threads), "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("way", list(WAYS)[1:])
def test_however_the_same_is_loaded_it_gives_the_same_bytes(told: dict[str, dict[str, str]], way: str) -> None:
    at_once = told["at once"]
    assert {"history", "editions", "published restatements", "published contributions"} <= set(at_once)
    differing = {name for name, of in at_once.items() if told[way][name] != of}
    assert differing <= (OF_LOADS if WAYS[way][0].loads > 1 else set())


def main(root: str, way: str) -> None:
    tables: Iterable[tuple[str, Any]] = live(Path(root), Way(**json.loads(way)))
    print(json.dumps({name: content(frame) for name, frame in tables}))


if __name__ == "__main__":
    main(*sys.argv[1:])
