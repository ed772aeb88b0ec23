"""What declarations would do to what is deployed: key results added, removed, changed, and the figures that move by it.

Belongs here: comparing a catalogue with the editions in force, and the data with itself under either meaning. Does not:
what an edition is (`editions`), comparing figures (`effects`) or declarations (`fields`), telling it (`assets`).

What the data did is no part of it: both meanings are computed from the same log, up to the day that was last computed.
Without the log, a changed target is computed from the reported values (`rejudging`); of anything else it is said that
it takes the log.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import polars as pl

from kr_definitions import tables
from kr_definitions.catalogue import Catalogue, Definition
from kr_definitions.compute import compute, resolved
from kr_definitions.coverage import Feeds
from kr_definitions.documents import DeclarationErrors
from kr_definitions.editions import Change, Edition, Refused, following, in_force
from kr_definitions.effects import Effect, Standing, effect, standing
from kr_definitions.fields import Field, changed_fields
from kr_definitions.history import COMPUTED_SCHEMA, current
from kr_definitions.memory import Memory
from kr_definitions.organisation import Organisation
from kr_definitions.rejudging import NeedsTheLog, rejudged, with_period
from kr_definitions.remembering import predecessor

_DESCRIBED = {
    "title_es": "title.es", "title_en": "title.en", "type": "type", "level": "level", "owner": "owner", "unit": "unit",
    "supports": "supports", "feeds_from": "feeds_from", "why": "why", "objective_id": "objective.id",
}  # fmt: skip
"""What readers are told of a key result beside its figures (`KEY_RESULTS_SCHEMA`), and the field that says it."""


@dataclass(frozen=True)
class Deployed:
    """What is deployed of an organisation.

    through: the last day that was computed. log: `EVENT_SCHEMA`, with the streams in use; None: it is not at hand.
    described: `KEY_RESULTS_SCHEMA` as published. objectives: the newest published row of each (`OBJECTIVES_SCHEMA`).
    """

    memory: Memory
    through: date
    log: pl.LazyFrame | None = None
    feeds: Feeds | None = None
    described: pl.DataFrame | None = None
    objectives: pl.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class Changed:
    """A key result that is added, removed, or means something else.

    version: the one that it would get; before: the one in force. definition: None of one that is removed. fields: those
    of its meaning, where it is known what it was. stands: how it stands by the meaning in force. effect: None where it
    takes the log, and needs_log says why.
    same_as: of one that is added, the removed one that meant the same: the id is another one, the history its own.
    is_against_history: the meaning before cannot be computed any more, so the new one is compared with what was
    reported, and what the data moved since is in it.
    """

    id: str
    what: Change
    version: str
    before: str | None
    definition: Definition | None
    fields: tuple[Field, ...] = ()
    stands: Standing | None = None
    effect: Effect | None = None
    needs_log: str | None = None
    is_against_history: bool = False
    same_as: str | None = None

    @property
    def moves(self) -> bool:
        """Whether a figure moves, appears or goes, for all that is known."""
        if self.what in ("added", "retired", "reinstated") or self.effect is None:
            return True
        return self.effect.is_any


@dataclass(frozen=True, slots=True)
class Reworded:
    """A key result that is told of in other words, and means what it meant."""

    id: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Rolled:
    """What an objective comes to."""

    progress: float | None
    status: str | None


@dataclass(frozen=True, slots=True)
class RolledUp:
    """An objective that moves, on the last day that was computed. before, after: None: it is not there.

    needs_log: what it would come to takes the log.
    """

    id: str
    before: Rolled | None
    after: Rolled | None
    needs_log: bool = False


@dataclass(frozen=True)
class Changes:
    """What declarations would do. has_log: whether it was computed from the log, or from what was reported."""

    organisation: str
    through: date
    has_log: bool
    changed: tuple[Changed, ...]
    reworded: tuple[Reworded, ...]
    refused: tuple[Refused, ...]
    objectives: tuple[RolledUp, ...]

    @property
    def moves(self) -> bool:
        """Whether a figure moves, appears or goes, for all that is known."""
        return bool(self.objectives) or any(one.moves for one in self.changed)

    def of(self, *kinds: Change) -> list[Changed]:
        """The key results that are changed like that."""
        return [one for one in self.changed if one.what in kinds]


def changes(catalogue: Catalogue, deployed: Deployed) -> Changes:
    """What the declarations of an organisation would do to what is deployed of it."""
    memory = deployed.memory.complete()
    editions, refused = following(memory.editions, catalogue.definitions)
    reported = current(memory.history, memory.editions).select(COMPUTED_SCHEMA.keys()).collect()
    last = {row["key_result_id"]: row for row in in_force(memory.editions).iter_rows(named=True)}
    moving = [edition for edition in editions if edition.change is not None]
    if deployed.log is None:
        sides = [_from_what_was_reported(edition, catalogue.organisation, reported) for edition in moving]
    else:
        sides = _from_the_log(moving, catalogue.organisation, deployed, deployed.log, reported)
    changed = [_changed(side, last.get(side.edition.definition.id)) for side in sides]
    declared = {definition.id for definition in catalogue.definitions}
    gone = [row for name, row in last.items() if name not in declared and row["change"] != "retired"]
    meant = {row["definition_hash"]: row["key_result_id"] for row in gone}
    changed = [_named_anew(one, meant) for one in changed] + [_retired(row, reported) for row in gone]
    return Changes(
        organisation=catalogue.organisation.id,
        through=deployed.through,
        has_log=deployed.log is not None,
        changed=tuple(sorted(changed, key=lambda one: one.id)),
        reworded=tuple(_reworded(catalogue, [e for e in editions if e.change is None], last, deployed.described)),
        refused=tuple(refused),
        objectives=tuple(_rolled_up(catalogue, deployed.objectives, reported, sides)),
    )


# --- the figures by either meaning ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Sides:
    """The figures of a key result by the meaning in force, and by the one declared; None: `needs_log` says why."""

    edition: Edition
    before: pl.DataFrame
    after: pl.DataFrame | None
    needs_log: str | None = None
    is_against_history: bool = False


def _from_the_log(
    moving: Sequence[Edition],
    organisation: Organisation,
    deployed: Deployed,
    log: pl.LazyFrame,
    reported: pl.DataFrame,
) -> list[_Sides]:
    def figures(definitions: Sequence[Definition], of: Organisation) -> dict[str, pl.DataFrame]:
        known = resolved(definitions, of, log, deployed.through, deployed.feeds)
        return _by_key_result(compute(known, of, log, deployed.through, deployed.feeds))

    known = {edition.definition.id: predecessor(edition) for edition in moving if edition.follows is not None}
    after = figures([edition.definition for edition in moving], organisation)
    before: dict[str, pl.DataFrame] = {}
    for of, definitions in _by_organisation([one for one in known.values() if one is not None]):
        before |= figures(definitions, of)
    nothing, said = reported.clear(), _by_key_result(reported)
    return [
        _Sides(
            edition,
            (before if known.get(name) is not None else said).get(name, nothing),
            after.get(name, nothing),
            is_against_history=edition.follows is not None and known[name] is None,
        )
        for name, edition in ((edition.definition.id, edition) for edition in moving)
    ]


def _by_organisation(
    known: Iterable[tuple[Definition, Organisation]],
) -> list[tuple[Organisation, list[Definition]]]:
    """Definitions by the organisation that they meant, so that those of one share a pass."""
    found: dict[str, tuple[Organisation, list[Definition]]] = {}
    for definition, of in known:
        found.setdefault(of.model_dump_json(), (of, []))[1].append(definition)
    return list(found.values())


def _by_key_result(figures: pl.DataFrame) -> dict[str, pl.DataFrame]:
    return {str(name): rows for (name,), rows in figures.group_by(["key_result_id"], maintain_order=True)}


def _from_what_was_reported(edition: Edition, organisation: Organisation, reported: pl.DataFrame) -> _Sides:
    rows = reported.filter(pl.col("key_result_id") == edition.definition.id)
    if edition.change == "added":
        return _Sides(edition, rows, None, "nothing of it has been reported")
    if edition.change == "reinstated":
        return _Sides(edition, rows, None, "nothing of it has been reported since it was retired")
    was = predecessor(edition)
    if edition.change == "measure":
        return _Sides(edition, rows, None, "what is measured is something else")
    if was is None:
        return _Sides(edition, rows, None, "what it meant before is not understood any more")
    try:
        return _Sides(edition, rows, rejudged(was[0], edition.definition, organisation, rows))
    except NeedsTheLog as why:
        return _Sides(edition, rows, None, str(why))


# --- what is told of each ---------------------------------------------------------------------------------------------


def _changed(sides: _Sides, in_force_: Mapping[str, Any] | None) -> Changed:
    edition = sides.edition
    assert edition.change is not None
    fields = _fields(in_force_, edition.definition)
    return Changed(
        id=edition.definition.id,
        what=edition.change,
        version=edition.version,
        before=None if in_force_ is None else in_force_["definition_version"],
        definition=edition.definition,
        fields=tuple(field for field in fields if not field.is_wording),
        stands=standing(sides.before),
        effect=None if sides.after is None else effect(sides.before, sides.after),
        needs_log=sides.needs_log,
        is_against_history=sides.is_against_history,
    )


def _named_anew(one: Changed, meant: Mapping[str, str]) -> Changed:
    """With the removed key result that it means the same as, if it is added and there is one. meant: hash -> id."""
    if one.what != "added" or one.definition is None:
        return one
    return replace(one, same_as=meant.get(one.definition.meaning.content_hash))


def _fields(in_force_: Mapping[str, Any] | None, definition: Definition) -> tuple[Field, ...]:
    """What differs from the edition in force; its functions too, which are files of their own."""
    if in_force_ is None or in_force_["declared"] is None:
        return ()
    before, after = in_force_["functions_hash"], definition.meaning.functions_hash
    functions = (Field("functions", before, after),) if None not in (before, after) and before != after else ()
    try:
        return (*changed_fields(in_force_["declared"], definition.meaning.declared), *functions)
    except DeclarationErrors:
        return functions


def _retired(row: Mapping[str, Any], reported: pl.DataFrame) -> Changed:
    rows = reported.filter(pl.col("key_result_id") == row["key_result_id"])
    version = row["definition_version"]
    effect_of_all = effect(rows, rows.clear())
    return Changed(row["key_result_id"], "retired", version, version, None, stands=standing(rows), effect=effect_of_all)


def _reworded(
    catalogue: Catalogue,
    unchanged: Sequence[Edition],
    last: Mapping[str, Mapping[str, Any]],
    described: pl.DataFrame | None,
) -> Iterator[Reworded]:
    """Against what readers are told now; where that is not known, against the words that the edition began with."""
    if described is None:
        for edition in unchanged:
            if fields := _fields(last[edition.definition.id], edition.definition):
                yield Reworded(edition.definition.id, fields)
        return
    told = {row["key_result_id"]: row for row in described.iter_rows(named=True)}
    ids = {edition.definition.id for edition in unchanged}
    for row in tables.key_results(catalogue).iter_rows(named=True):
        name = row["key_result_id"]
        if name not in ids or name not in told:
            continue
        pairs = [(path, told[name][column], row[column]) for column, path in _DESCRIBED.items()]
        if fields := tuple(Field(path, before, after) for path, before, after in pairs if before != after):
            yield Reworded(name, fields)


# --- objectives -------------------------------------------------------------------------------------------------------


def _rolled_up(
    catalogue: Catalogue, published: pl.DataFrame | None, reported: pl.DataFrame, sides: Sequence[_Sides]
) -> Iterator[RolledUp]:
    """The objectives that come to something else: by their key results, or by the weights of those."""
    if published is None:
        return
    unseen = [one.edition.definition for one in sides if one.after is None]
    unknown = {one.objective.id for one in unseen if one.key_result.type != "kpi"}
    moved = [one.edition.definition.id for one in sides]
    figures = pl.concat(
        [reported.filter(~pl.col("key_result_id").is_in(moved)), *(one.after for one in sides if one.after is not None)]
    )
    firsts = dict(figures.group_by("key_result_id").agg(pl.col("as_of").min()).iter_rows())
    definitions = [with_period(one, firsts[one.id]) if one.id in firsts else one for one in catalogue.definitions]
    rolled = tables.objectives(replace(catalogue, definitions=tuple(definitions)), figures)
    before, after = _newest(published), _newest(rolled)
    declared = {objective.id for objective in catalogue.objectives}
    for name in sorted({*before, *after, *unknown}):
        (day, was), (now_day, now) = before.get(name, (None, None)), after.get(name, (None, None))
        if name in unknown:
            yield RolledUp(name, was, None, needs_log=True)
        elif name not in declared or was is None or (day == now_day and not _is_same(was, now)):
            yield RolledUp(name, was, now)


def _newest(objectives: pl.DataFrame) -> dict[str, tuple[date | None, Rolled | None]]:
    rows = objectives.sort("as_of").unique("objective_id", keep="last", maintain_order=True)
    return {
        name: (day, Rolled(progress, status))
        for name, day, progress, status in rows.select("objective_id", "as_of", "progress", "status").iter_rows()
    }


def _is_same(one: Rolled, other: Rolled | None) -> bool:
    """The same, but for how the sum of the same figures rounds."""
    if other is None or one.status != other.status:
        return False
    if one.progress is None or other.progress is None:
        return one.progress is other.progress
    return math.isclose(one.progress, other.progress, rel_tol=1e-9, abs_tol=1e-12)
