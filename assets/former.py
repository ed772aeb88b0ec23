"""What streams said that are read no more: told at the key results that count it, until it is said what becomes of it.

Belongs here: whom it concerns, and what is said of it. Does not: which streams they are, or withdrawing them
(`pipelines.former`).
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from assets.checks import Finding
from assets.home import Home
from assets.set_aside import streams
from kr_definitions.catalogue import Catalogue
from pipelines import former

CHECK = "log.is_of_what_is_declared"
"""The name under which it is told among what checks find."""


def remarks(home: Home, catalogue: Catalogue) -> tuple[Finding, ...]:
    """One finding for each stream of which nothing is declared, and whose events count beside others of their types."""
    return tuple(_remarks(home, catalogue))


def _remarks(home: Home, catalogue: Catalogue) -> Iterator[Finding]:
    log, declared = home.lake(catalogue.organisation.id).log, streams(home, catalogue)
    read = frozenset[str]().union(*declared.values())
    for stream in former.undeclared(log, declared):
        if former.said(catalogue.organisation.former, stream) is not None:
            continue
        counted = former.held(log.scan(), stream).filter(pl.col("event_type").is_in(sorted(read)))
        types = dict(counted.group_by("event_type").len().sort("event_type").collect().iter_rows())
        concerned = tuple(one.id for one in catalogue.definitions if types.keys() & {*one.types})
        if not concerned:
            continue
        name, events = ".".join(stream), sum(types.values())
        yield Finding(
            check=CHECK,
            severity="warning",
            says="What counts is of a stream that is declared, or of one of which it is said that it counts on.",
            found=f"{name} is declared no more, and {events:,} events of it ({', '.join(types)}) count beside those of "
            "other streams",
            do=f"Say in organisation.yaml what becomes of them: `former: {{{name}: withdrawn}}` where it was renamed, "
            "so that all is said again under another name, `counts` where it was left for another system",
            key_results=concerned,
            failed=events,
            checked=events,
        )
