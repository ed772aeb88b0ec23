"""What is set aside: told at each key result that needs it, by each run, until it is mended.

Belongs here: which of it stands of the streams that are declared, whom it concerns, and what is said of it. Does not:
setting aside (`pipelines.aside`), or where it is shown (`publication`, `report`, `orchestration`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from assets.checks import Finding
from assets.home import Home
from assets.publication.results import Stream
from kr_definitions.catalogue import Catalogue
from kr_definitions.check_ins import CHECKED_IN
from pipelines import check_ins as own
from pipelines.load import Source, StreamChange

CHECK = "records.are_understood"
"""The name under which it is told among what checks find."""


@dataclass(frozen=True, slots=True)
class Aside:
    """What is set aside of a stream: how many records, and what is wrong with them, each problem once."""

    stream: Stream
    records: int
    problems: tuple[str, ...]

    @property
    def counted(self) -> str:
        """How many, and of what."""
        of = ".".join(self.stream)
        return f"1 record of {of}" if self.records == 1 else f"{self.records:,} records of {of}"

    def why(self, most: int = 3) -> str:
        """The first problems, and how many more there are."""
        more = [f"and {len(self.problems) - most:,} more like these"] if len(self.problems) > most else []
        return "; ".join([*self.problems[:most], *more])

    @property
    def found(self) -> str:
        """As a check tells it; `assets.report.sections` says it in other languages."""
        return f"{self.counted} set aside: {self.why()}"


def by_stream(rows: pl.DataFrame) -> Iterator[Aside]:
    """What is set aside (`QUARANTINE_SCHEMA`), stream by stream."""
    for (source, stream), group in rows.group_by("source", "stream", maintain_order=True):
        problems = group.get_column("problem").unique(maintain_order=True)
        yield Aside((str(source), str(stream)), group.height, tuple(problems))


def of(home: Home, organisation: str, chosen: Collection[Stream], known_at: datetime | None = None) -> list[Aside]:
    """What is set aside of some streams, or was at an instant."""
    rows = home.lake(organisation).set_aside(known_at).sort("source", "stream", "record_key").collect()
    return [one for one in by_stream(rows) if one.stream in chosen]


def streams(home: Home, catalogue: Catalogue) -> dict[Stream, frozenset[str]]:
    """The streams that an organisation declares, with the event types that each states."""
    sources = home.sources(catalogue)
    return {(source.name, stream.name): frozenset(stream.feeds) for source in sources for stream in source.streams()}


def needed(home: Home, catalogue: Catalogue) -> dict[str, list[Stream]]:
    """The streams that each key result depends on."""
    declared = streams(home, catalogue)
    return {
        definition.id: [one for one, feeds in declared.items() if not feeds.isdisjoint(definition.types)]
        for definition in catalogue.definitions
    }


def standing(home: Home, catalogue: Catalogue) -> pl.DataFrame:
    """The records of declared streams that are set aside now: `QUARANTINE_SCHEMA`."""
    schema = {"source": pl.String(), "stream": pl.String()}
    declared = pl.LazyFrame(list(streams(home, catalogue)), schema=schema, orient="row")
    rows = home.lake(catalogue.organisation.id).set_aside()
    return rows.join(declared, on=["source", "stream"], how="semi").sort("source", "stream", "record_key").collect()


def remarks(home: Home, catalogue: Catalogue, rows: pl.DataFrame) -> tuple[Finding, ...]:
    """One finding a stream of which records are set aside (`standing`). Of what people say, `check_ins` tells."""
    if rows.is_empty():
        return ()
    return tuple(_remarks(home, catalogue, rows))


def _remarks(home: Home, catalogue: Catalogue, rows: pl.DataFrame) -> Iterator[Finding]:
    declared, dependent = streams(home, catalogue), needed(home, catalogue)
    for one in by_stream(rows):
        if CHECKED_IN in declared[one.stream]:
            continue
        yield Finding(
            check=CHECK,
            severity="warning",
            says="What is read is understood, or says nothing new.",
            found=one.found,
            do="Mend them where they come from, or take them out",
            key_results=tuple(name for name, ones in dependent.items() if one.stream in ones),
            failed=one.records,
            checked=one.records,
        )


def check_ins(sources: Sequence[Source], changes: Sequence[StreamChange]) -> tuple[Finding, ...]:
    """What people said and no reader sees: told by each run until it is taken, mended or taken back."""
    of_people = {(source.name, one.name) for source in sources for one in source.streams() if CHECKED_IN in one.feeds}
    found = [one for one in changes if (one.source, one.stream) in of_people and one.quarantined]
    return tuple(_of_check_ins(one) for one in found)


def _of_check_ins(change: StreamChange, most: int = 5) -> Finding:
    """Names no one: of a sheet's row its key may be a person's."""
    is_ours = change.source == own.NAME
    told = [
        f"{' on '.join(key.split('/')[:2])}: {problem}" if is_ours else problem
        for key, problem in change.set_aside.head(most).select("record_key", "problem").iter_rows()
    ]
    more = [f"and {change.quarantined - most:,} more"] if change.quarantined > most else []
    return Finding(
        check="check_ins.are_taken",
        severity="warning",
        says="What a person says is shown beside what is computed.",
        found=f"Set aside from {change.source}.{change.stream}: {'; '.join([*told, *more])}",
        do="Take it back (hito check-in ID --withdraw) and say it again" if is_ours else "Mend the rows of the file",
        key_results=(),
        failed=change.quarantined,
        checked=change.quarantined,
    )
