"""When and of what a command that looks back may be asked: instants as they are typed, and what has no log here.

Belongs here: reading `--known-at`, and saying that something cannot be looked up in a home. Does not: looking it up.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import polars as pl

from assets.commands.deployed import NotToBeHad
from assets.home import Home
from assets.publication import PublicationError, read
from assets.report import numbers
from assets.report.words import LANGUAGES
from kr_definitions.catalogue import read_files
from kr_definitions.vocabulary import UTC_MICROSECONDS, nearest
from pipelines import lake

_ENGLISH = LANGUAGES["en"]


def zone_of(home: Home, organisation: str) -> str:
    """The zone that an organisation's days are in, whatever else is wrong with its declarations."""
    declared = read_files(organisation, home.definitions).declarations.organisation
    return "UTC" if declared is None else declared.zone


def typed_instant(text: str) -> datetime:
    """An instant as it is written on a command line. Raises `NotToBeHad` for what is none."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise NotToBeHad(f"{text!r} is no instant. Write it as 2026-11-21T06:00:00+01:00") from None


def instant_of(home: Home, organisation: str, text: str, now: datetime) -> datetime:
    """An instant as it is written on a command line; without a zone, or a day alone, in the organisation's zone.

    Raises `NotToBeHad` for what is none, and for one that has not come yet.
    """
    zone = ZoneInfo(zone_of(home, organisation))
    typed = typed_instant(text)
    found = typed if typed.tzinfo else typed.replace(tzinfo=zone)
    newest = lake.scan(home.computations(organisation), {"recorded_at": UTC_MICROSECONDS})
    last = newest.select(pl.col("recorded_at").max()).collect().item()
    present = max(now, last or now)
    if found > present:
        there = f"{present.astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"
        raise NotToBeHad(f"--known-at {text} has not come yet: it is {there}. Name an instant before it")
    return found.astimezone(UTC)


def has_log(home: Home, organisation: str) -> bool:
    """Whether anything was ever loaded here."""
    return lake.version(home.lake(organisation).log.path) is not None


def organisations_with_log(home: Home) -> list[str]:
    """Those of the declared organisations of which there is a log. Raises `NotToBeHad` where there is none of any."""
    found = [name for name in home.organisations() if has_log(home, name)]
    if not found:
        raise NotToBeHad(without_log(home))
    return found


def without_log(home: Home, organisation: str | None = None) -> str:
    """That there is no log, and what it takes."""
    of = "" if organisation is None else f" of {organisation}"
    beside = f" beside {home.published.name}" if home.published.exists() else ""
    return (
        f"there is no log{of} in {home.root}{beside}, and it takes the log to compute anything again. "
        "Name the folder of the runs (HITO_HOME), or restore its lake from a backup"
    )


def as_published(home: Home, key_result: str) -> str | None:
    """What the published file says of a key result where its log is not at hand; None where it says nothing."""
    if not home.published.exists() or has_log(home, key_result.partition(".")[0]):
        return None
    rows = pl.DataFrame()
    with suppress(PublicationError):
        tables = read(home.published, ["current_progress"])
        rows = tables["current_progress"].filter(pl.col("key_result_id") == key_result)
    if rows.is_empty():
        return None
    row = rows.row(0, named=True)
    parts = [
        "not known" if row["value"] is None else numbers.figure(row["value"], row["unit"], _ENGLISH),
        *([] if row["target_text"] is None else [f"target {row['target_text']}"]),
        _ENGLISH.statuses.get(row["status"], row["status"] or "without a status"),
    ]
    says = f"{home.published.name} says of {row['as_of']}: {' · '.join(parts)}"
    ask = f"SELECT * FROM explained('{key_result}', DATE '{row['as_of']}')"  # noqa: S608 - for people to type
    why = f"there is no log in {home.root}, and it takes the log to explain a figure"
    return f"{key_result}: {why}. {says}. Its events are in the table contributions: {ask}"


def refuse_unknown(home: Home, names: list[str], organisations: list[str]) -> None:
    """Raise `NotToBeHad` for ids of key results that begin with none of the organisations that are asked about.

    Raises `DeclarationErrors` for an organisation that is not declared.
    """
    for unknown in set(organisations) - set(home.organisations()):
        home.catalogue(unknown)
    for name in names:
        if name.partition(".")[0] in organisations:
            continue
        if organisations != home.organisations() and name.partition(".")[0] in home.organisations():
            raise NotToBeHad(f"{name} is not of {', '.join(organisations)}, which alone is asked for (-o)")
        known = [place.id for one in home.organisations() for place in home.catalogue(one).definitions]
        likely = [one for one in known if one.endswith(f".{name}")][:3] or nearest(name, known)
        do = f"Did you mean {' or '.join(likely)}?" if likely else "An id begins with its organisation: "
        begin = "" if likely else ", ".join(f"{one}." for one in home.organisations())
        raise NotToBeHad(f"there is no key result {name}. {do}{begin}")
