"""Erasure of a person: who is meant, and taking them out of every file of a lake, whatever happens meanwhile.

Belongs here: finding what is a person's, and the order in which it goes. Does not: where records name people
(`people`), the list of what must not come back (`suppression`), what becomes of each table (`sweeping`), or the
published file.

An erasure is an addition to the list, and then a sweep: every table is rewritten without what the list names. A sweep
finds what it has to do by the list alone, so it can be repeated, and whoever finds that one was begun and not ended
begins it again:

1. the journal (`erasing`) says that a sweep is due: killed from here on, the next run or command completes it;
2. the list grows, in one commit: killed before it, nothing has happened; after it, nothing of the person is stored
   any more, by whoever is at work (`load`);
3. the sweep, table by table, each in one commit of its own;
4. the journal says that what was published has to be published anew; that done, it goes.

The journal says nothing of the person, and the list has only keyed digests.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from kr_definitions.events import current
from pipelines import lake
from pipelines.erased import OURSELVES, SIGNER
from pipelines.load import Lake, Source
from pipelines.people import IsErased
from pipelines.shelves import Shelf, judged, shelves
from pipelines.suppression import person_digest, record_digest, suppress
from pipelines.sweeping import sweep

_SWEEP, _PUBLISH = "sweep", "publish"


@dataclass(frozen=True)
class InStream:
    """What one stream has of a person.

    records: the keys of those that are theirs. events: those that they state now. mentions: how many others name them.
    """

    source: str
    stream: str
    records: frozenset[str]
    events: int
    mentions: int


@dataclass(frozen=True)
class Found:
    """What a lake has of a person.

    identities: the ids that they have, with source and kind of id. traces: every id by which something else could tell
    of them: theirs, their records', and those of the events that these ever stated.
    """

    identities: frozenset[tuple[str, str, str]]
    streams: tuple[InStream, ...]
    traces: frozenset[str]

    @property
    def kinds(self) -> dict[str, list[str]]:
        """Source -> the kinds of ids that they have there; of several, it may be several people."""
        found: dict[str, set[str]] = {}
        for source, kind, _ in self.identities:
            found.setdefault(source, set()).add(kind)
        return {source: sorted(kinds) for source, kinds in sorted(found.items())}


def find(
    lake_of_org: Lake,
    sources: Sequence[Source],
    person: str,
    of_source: str | None = None,
    kinds: Collection[str] = (),
) -> Found:
    """What the lake has of whoever has an id, in one source or in all; of these kinds, where some are named.

    person: the id as the source has it; where the source's ids are turned into pseudonyms, as it was before that.
    sources: all that the organisation uses, at least one.
    """
    meant: set[tuple[str, str, str]] = set()
    on = [shelf for shelf in shelves(lake_of_org, sources) if of_source in (None, shelf.source)]
    while True:
        found = [(shelf, judged(shelf, _is_meant(shelf, person, kinds, meant))) for shelf in on]
        known = frozenset((shelf.source, *one) for shelf, what in found for one in what.identities)
        if not known - meant or all(_is_named(shelf, person, known - meant) for shelf in on):
            break
        meant |= known  # merged into one another: the same person under other ids
    streams, traces = [], {id_ for _, _, id_ in known}
    for shelf, what in found:
        if what.theirs or what.mentioning:
            stated = _stated(lake_of_org.log.scan(), shelf, what.theirs)
            events = current(stated.lazy()).select(pl.len()).collect().item()
            streams.append(InStream(shelf.source, shelf.name, what.theirs, events, len(what.mentioning)))
            traces |= {*what.theirs, *stated.get_column("event_id")}
    if of_source is None and (not kinds or SIGNER in kinds):
        signer = sources[0].account.pseudonym(person.strip())
        if seals := _signed(lake_of_org, signer):
            known |= {(OURSELVES, SIGNER, signer)}
            streams.append(InStream(OURSELVES, "seals", frozenset(), 0, seals))
    return Found(known, tuple(streams), frozenset(traces))


def is_read(lake_of_org: Lake) -> bool:
    """Whether anything was ever read."""
    raw = lake_of_org.root / "raw"
    return lake.version(lake_of_org.root / "loads") is not None or any(raw.glob("*/*/_delta_log"))


def kinds_of(lake_of_org: Lake, sources: Sequence[Source], of_source: str | None = None) -> list[str]:
    """The kinds of ids that people have in what was read, of one source or of all."""
    people = [shelf.people for shelf in shelves(lake_of_org, sources) if of_source in (None, shelf.source)]
    found = {kind for one in people for kind in (*one.kinds, *(kind for kind, _ in one.in_key("1")))}
    return sorted(found | ({SIGNER} if of_source is None else set()))


def erase(lake_of_org: Lake, sources: Sequence[Source], found: Found, at: datetime) -> None:
    """Erase what was found, and whatever else has come of the person since; then the publication is due.

    Raises `Busy` where another process is writing: the sweep is then due (`resume`).
    """
    of = {OURSELVES: sources[0].account.pseudonym}
    of |= {shelf.source: shelf.pseudonym for shelf in shelves(lake_of_org, sources)}
    people = [person_digest(of[source], source, kind, id_) for source, kind, id_ in found.identities]
    records = [
        record_digest(of[one.source], one.source, one.stream, key) for one in found.streams for key in one.records
    ]
    _note(lake_of_org, _SWEEP)
    suppress(lake_of_org.root / "suppressed", [*people, *records], at)
    resume(lake_of_org, sources, at)


def resume(lake_of_org: Lake, sources: Sequence[Source], at: datetime) -> None:
    """Complete an erasure that was begun, as far as the lake is concerned; nothing to do where none was."""
    if _noted(lake_of_org) == _SWEEP:
        sweep(lake_of_org, sources, at)
        _note(lake_of_org, _PUBLISH)


def is_under_way(lake_of_org: Lake) -> bool:
    """Whether an erasure was begun that is not complete: in the lake, or in what was published."""
    return _noted(lake_of_org) is not None


def published(lake_of_org: Lake) -> None:
    """Say that what was published has been published anew: the erasure is complete."""
    if _noted(lake_of_org) == _PUBLISH:
        _journal(lake_of_org).unlink()


def _is_meant(shelf: Shelf, person: str, kinds: Collection[str], meant: Collection[tuple[str, str, str]]) -> IsErased:
    names = _names(shelf.pseudonym, person)

    def is_meant(kind: str, id_: str) -> bool:
        return (shelf.source, kind, id_) in meant or (id_ in names and (not kinds or kind in kinds))

    return is_meant


def _is_named(shelf: Shelf, person: str, identities: Collection[tuple[str, str, str]]) -> bool:
    """Whether these ids of a source are only the one that the person was named by."""
    names = _names(shelf.pseudonym, person)
    return all(id_ in names for source, _, id_ in identities if source == shelf.source)


def _names(pseudonym: Callable[[str], str], person: str) -> tuple[str, str]:
    return person.strip(), pseudonym(person.strip())


def _signed(lake_of_org: Lake, signer: str) -> int:
    """How many seals somebody has signed."""
    seals = lake_of_org.root / "seals"
    if lake.version(seals) is None:
        return 0
    return int(lake.stored(seals).filter(pl.col("sealed_by") == signer).select(pl.len()).collect().item())


def _stated(log: pl.LazyFrame, shelf: Shelf, records: Collection[str]) -> pl.DataFrame:
    """Everything that records of a stream ever stated."""
    of_stream = (pl.col("source") == shelf.source) & (pl.col("stream") == shelf.name)
    return log.filter(of_stream & pl.col("record_key").is_in(list(records))).collect()


def _journal(lake_of_org: Lake) -> Path:
    return lake_of_org.root / "erasing"


def _noted(lake_of_org: Lake) -> str | None:
    try:
        return _journal(lake_of_org).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return None


def _note(lake_of_org: Lake, what: str) -> None:
    """Note what is due, whole or not at all, and not to be lost."""
    journal = _journal(lake_of_org)
    aside = journal.with_name(f"{journal.name}.new")
    with aside.open("w", encoding="ascii") as file:
        file.write(what)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(journal)
    folder = os.open(journal.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
