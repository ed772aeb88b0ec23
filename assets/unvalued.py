"""What counts as nothing in a figure of money, as nobody says its amount: told at each key result, by each run.

Belongs here: what is said of it. Does not: which events those are (`kr_definitions.unvalued`), or records that are
not understood (`set_aside`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import polars as pl

from assets.checks import Finding
from assets.home import Home
from kr_definitions.catalogue import Catalogue
from kr_definitions.coverage import Feeds
from kr_definitions.unvalued import unvalued


def remarks(home: Home, catalogue: Catalogue, through: date, feeds: Feeds) -> tuple[Finding, ...]:
    """One finding a source and type of event of which some count without an amount on a day."""
    log = home.lake(catalogue.organisation.id).log.scan()
    return tuple(_remarks(unvalued(catalogue.definitions, catalogue.organisation, log, through, feeds)))


def _remarks(found: pl.DataFrame, most: int = 3) -> Iterator[Finding]:
    for (source, event_type), group in found.group_by("source", "event_type", maintain_order=True):
        subjects = group.get_column("subject_id").unique().sort()
        more = [f"and {len(subjects) - most:,} more"] if len(subjects) > most else []
        events = "1 event" if len(subjects) == 1 else f"{len(subjects):,} events"
        yield Finding(
            check="amounts.are_known",
            severity="warning",
            says="What is counted by its amount has one.",
            found=f"{events} {event_type} of {source} without an amount, which count as nothing: "
            f"{', '.join([*subjects.head(most), *more])}",
            do="Say the amount where it is kept; docs/sources.md says of which ones a source knows none",
            key_results=tuple(group.get_column("key_result_id").unique().sort()),
            failed=len(subjects),
            checked=len(subjects),
        )
