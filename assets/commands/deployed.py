"""What is deployed of one key result: its definition in force, what was reported of it, and what it was made from.

Belongs here: what commands need that look at one key result. Does not: what they say of it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from assets import steps
from assets.home import Home
from kr_definitions.catalogue import Catalogue, Definition, recalled
from kr_definitions.coverage import Feeds, feeds_of
from kr_definitions.documents import DeclarationErrors
from kr_definitions.editions import in_force
from kr_definitions.history import current
from kr_definitions.memory import Memory
from kr_definitions.organisation import Organisation
from kr_definitions.vocabulary import nearest


class NotToBeHad(Exception):
    """What a command was asked for is not there: says what is, and what to do."""


@dataclass(frozen=True)
class Deployed:
    """A key result as it was last computed.

    definition, organisation: of the edition in force. is_as_declared: the declaration in the working tree means the
    same; None: there is none. edition: its row (`EDITIONS_SCHEMA`); retired: the one by which it was retired, if it is.
    is_readable: the declarations in the working tree are right; else nothing is known of them.
    is_of_then: it was asked for an earlier time, and another edition is in force now. reported: the rows that held
    (`HISTORY_SCHEMA`). known_until: the newest statement of the log that they were made from. feeds: the streams that
    were in use then.
    """

    definition: Definition
    organisation: Organisation
    is_as_declared: bool | None
    edition: dict[str, Any]
    retired: dict[str, Any] | None
    is_readable: bool
    is_of_then: bool
    reported: pl.DataFrame
    log: pl.LazyFrame
    known_until: datetime | None
    feeds: Feeds | None


def deployed(home: Home, key_result: str, known_at: datetime | None = None) -> Deployed:
    """The key result with this id, as it was remembered at an instant; as it is now, without one.

    Raises `NotToBeHad` where no run has computed it, or none had by then.
    """
    from assets.commands.known import as_published

    organisation, _, rest = key_result.partition(".")
    if organisation not in home.organisations() or not rest:
        known = [f"{name}." for name in home.organisations()]
        raise NotToBeHad(f"{key_result}: an id begins with its organisation: {', '.join(known)}")
    now = steps.memory(home, organisation).complete()
    catalogue, is_readable = declared_or_deployed(home, organisation, now)
    ever = now.editions.filter(pl.col("key_result_id") == key_result).sort("recorded_at")
    if not ever.height:
        raise NotToBeHad(as_published(home, key_result) or _unknown(key_result, now, catalogue, home))
    memory = now if known_at is None else _as_of(now, known_at)
    rows = memory.editions.filter(pl.col("key_result_id") == key_result).sort("recorded_at")
    if not rows.height:
        first = ever.item(0, "recorded_at")
        raise NotToBeHad(
            f"{key_result}: no run had computed it by then; the first one did at {first:%Y-%m-%d %H:%M} UTC"
        )
    newest = rows.row(-1, named=True)
    retired = newest if newest["change"] == "retired" else None
    edition = rows.filter(pl.col("change") != "retired").row(-1, named=True)
    definition, of = _in_force(edition, catalogue)
    history = current(memory.history, memory.editions).filter(pl.col("key_result_id") == key_result)
    run = memory.computations.filter(pl.col("key_results").list.contains(key_result)).sort("recorded_at").tail(1)
    last = run.row(0, named=True) if run.height else {}
    declared = next((one for one in catalogue.definitions if one.id == key_result), None)
    return Deployed(
        definition=definition,
        organisation=of,
        is_as_declared=None if declared is None else declared.meaning.content_hash == edition["definition_hash"],
        edition=edition,
        retired=retired,
        is_readable=is_readable,
        is_of_then=ever.item(-1, "definition_hash") != edition["definition_hash"],
        reported=history.sort("as_of", "member").collect(),
        log=home.lake(organisation).log.scan(),
        known_until=last.get("known_until"),
        feeds=feeds_of(last.get("feeds")),
    )


def declared_or_deployed(home: Home, organisation: str, memory: Memory) -> tuple[Catalogue, bool]:
    """What is declared of an organisation; where that is wrong, what is deployed of it, and False.

    Raises `DeclarationErrors` where it is wrong and nothing was ever deployed.
    """
    try:
        return home.catalogue(organisation), True
    except DeclarationErrors:
        found = []
        for edition in in_force(memory.editions).filter(pl.col("declared").is_not_null()).iter_rows(named=True):
            with suppress(DeclarationErrors):
                found.append(recalled(edition["declared"], edition["definition_file"] or "", None))
        if not found:
            raise
        return Catalogue(found[-1][1], (), tuple(definition for definition, _ in found)), False


def _as_of(memory: Memory, instant: datetime) -> Memory:
    """What was remembered at an instant."""
    then = pl.col("recorded_at") <= instant
    return Memory(memory.history.filter(then), memory.editions.filter(then), memory.computations.filter(then))


def _unknown(key_result: str, memory: Memory, catalogue: Catalogue, home: Home) -> str:
    declared = [definition.id for definition in catalogue.definitions]
    if key_result in declared:
        return f"{key_result} is declared, and no run has computed it in {home.root} yet. Run hito run"
    known = sorted({*declared, *memory.editions.get_column("key_result_id")})
    likely = nearest(key_result, known)
    return f"there is no key result {key_result}" + (f". Did you mean {' or '.join(likely)}?" if likely else "")


def _in_force(edition: dict[str, Any], catalogue: Catalogue) -> tuple[Definition, Organisation]:
    for definition in catalogue.definitions:
        if definition.id == edition["key_result_id"] and definition.meaning.content_hash == edition["definition_hash"]:
            return definition, catalogue.organisation
    try:
        if edition["declared"] is not None:
            return recalled(edition["declared"], edition["definition_file"] or "", None)
    except DeclarationErrors:
        pass
    raise NotToBeHad(
        f"{edition['key_result_id']}: its definition {edition['definition_version']} is not declared any more, "
        "and this version of Hito cannot compute it as it was. Run hito run, so that the declared one holds"
    )
