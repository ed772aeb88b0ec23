"""`hito replay`: the history as it would have been computed at an instant, beside what was reported then.

Belongs here: what is asked, and how the answer is told. Does not: computing it (`kr_definitions.replaying`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import orjson
import polars as pl
from rich.console import Console

from assets import steps
from assets.commands.deployed import NotToBeHad, declared_or_deployed
from assets.commands.known import has_log, without_log
from assets.home import Home
from assets.report.words import LANGUAGES
from kr_definitions.replaying import Reason, Replay, replay
from kr_definitions.vocabulary import nearest

SAYS: dict[Reason, str] = {
    "definition": "its definition was another one then",
    "erasure": "records were erased since",
    "not_computed_yet": "what had reached the log by then, no run had computed yet",
    "not_computed": "no run had computed it by then, or a check held it back",
    "sources": "other streams were in use then",
    "unexplained": "nothing that is known of explains it",
}


@dataclass(frozen=True)
class Replayed:
    """What was replayed. is_readable: by what is declared; else that is wrong, and what is deployed was taken."""

    found: Replay
    is_readable: bool


_SHOWN = ("value", "target", "progress", "status")
_ENGLISH = LANGUAGES["en"]


def replayed(home: Home, organisation: str, known_at: datetime, only: Collection[str] = ()) -> Replayed:
    """The replay of an organisation, or of some of its key results. Raises `NotToBeHad`."""
    if not has_log(home, organisation):
        raise NotToBeHad(without_log(home, organisation))
    memory = steps.memory(home, organisation)
    catalogue, is_readable = declared_or_deployed(home, organisation, memory.complete())
    known = [definition.id for definition in catalogue.definitions]
    for name in only:
        if name not in known:
            likely = nearest(name, known)
            raise NotToBeHad(f"{name} is not declared" + (f". Did you mean {' or '.join(likely)}?" if likely else ""))
    definitions = [definition for definition in catalogue.definitions if not only or definition.id in only]
    log = home.lake(organisation).log.scan()
    feeds = steps.feeds(home.sources(catalogue)) if is_readable else None
    found = replay(log, memory, definitions, catalogue.organisation, known_at, feeds)
    if found.figures.is_empty() and found.reported.is_empty():
        raise NotToBeHad(f"{organisation}: {_nothing(log, known_at, catalogue.organisation.zone)}")
    return Replayed(found, is_readable)


def _nothing(log: pl.LazyFrame, known_at: datetime, zone: str) -> str:
    """Why nothing is replayed of an instant."""
    first = log.select(pl.col("recorded_at").min()).collect().item()
    begins = "it is empty" if first is None else f"it begins at {first.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"
    at = f"{known_at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"
    return f"nothing was computed of it at {at}, and its log says nothing of then: {begins}"


def tell(console: Console, organisation: str, of: Replayed, most: int = 10) -> None:
    """How the replay and what was reported compare, on a terminal."""
    found = of.found
    own = found.figures.filter(pl.col("member").is_null())
    computed = own.get_column("key_result_id").n_unique()
    console.print(
        f"{organisation}: as known at {found.known_at:%Y-%m-%d %H:%M %Z}, up to {found.through}: "
        f"{_counted(computed, 'key result')}, {_counted(found.figures.height, 'figure')}",
        highlight=False,
        soft_wrap=True,
    )
    if not of.is_readable:
        console.print("  what is declared is wrong (hito validate): by what is deployed", style="yellow")
    if not found.differences.height:
        console.print("  every figure is what was reported then", style="green")
        return
    same, others = computed - len(found.reasons), len(found.reasons)
    console.print(f"  {same} {_are(same)} what was reported then; {others} {_are(others)} not:", highlight=False)
    for name, reasons in found.reasons.items():
        rows = found.differences.filter(pl.col("key_result_id") == name)
        style = "red" if "unexplained" in reasons else "yellow"
        console.print(
            f"  {name}: {_counted(rows.height, 'figure')}: {'; '.join(SAYS[one] for one in reasons)}",
            style=style,
            highlight=False,
            soft_wrap=True,
        )
        for row in rows.sort("as_of", descending=True).head(min(most, 1)).iter_rows(named=True):
            member = f" {row['member']}" if row["member"] else ""
            differing = [name for name in _SHOWN if row[name] != row[f"{name}_reported"]] or ["value"]
            told = "; ".join(
                f"{name} replayed {_shown(row[name])}, reported {_shown(row[f'{name}_reported'])}" for name in differing
            )
            console.print(f"    {row['as_of']}{member}: {told}", highlight=False, soft_wrap=True)


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _shown(found: float | str | None) -> str:
    """A figure as short as it can be told, or a status in words."""
    if found is None:
        return "not known"
    return _ENGLISH.statuses.get(found, found) if isinstance(found, str) else f"{found:,.10g}"


def as_json(organisation: str, of: Replayed) -> bytes:
    """The replay for another program."""
    found = of.found
    return orjson.dumps(
        {
            "organisation": organisation,
            "known_at": found.known_at,
            "definitions": "declared" if of.is_readable else "deployed",
            "through": found.through,
            "figures": found.figures.height,
            "reasons": {name: list(reasons) for name, reasons in found.reasons.items()},
            "differences": found.differences.to_dicts(),
        },
        default=str,
    )
