"""Readings of Inmovilla, and what those of its list of properties share: what is due, and what is not there any more.

Belongs here: how a reading goes through the list, and goes on after an interruption. Does not: what is kept of a
property (`listings`, `publications`), HTTP (`api`).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl

from pipelines.ids import packed, unpacked
from pipelines.inmovilla.api import Api, Item, Pace
from pipelines.novelty import are_too_many
from pipelines.recent import remembered
from pipelines.source import READ_AGAIN, Account, Covered, DoubtedReading, Mark, Read, Record

if TYPE_CHECKING:
    from pipelines.inmovilla import InmovillaOptions

Pages = Generator[list[Record] | Mark, None, Covered]


@dataclass
class Reading:
    """One reading of a stream, which has its part of what a run may ask until it has ended. name: the stream's."""

    name: ClassVar[str]

    account: Account
    options: InmovillaOptions
    pace: Pace
    read: Read

    def begin(self) -> Pages:
        """The pages of the reading."""
        try:
            return (yield from self.pages(Api(self.account, self.read.clock, self.pace, self.name)))
        finally:
            self.pace.ended.add(self.name)

    def pages(self, api: Api) -> Pages:
        """What there is to read."""
        raise NotImplementedError


@dataclass
class OfProperties(Reading):
    """One that asks for properties one by one.

    held: the codes of those that are known. unread: of those that are listed, and of which nothing was said. at_once:
    how many are given on together.
    """

    at_once: ClassVar[int] = 1

    held: set[int] = field(default_factory=set)
    unread: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.held, self.unread = held_of(self.read), unread_of(self.read)

    def is_due(self, listed: Item) -> bool:
        """Whether a property is asked for."""
        raise NotImplementedError

    def record(self, api: Api, listed: Item) -> Record | None:
        """What is found of a property; None where there is nothing to keep."""
        raise NotImplementedError

    def mark(self, after: tuple[str, int], missing: Missing) -> str:
        """What another reading goes on from."""
        raise NotImplementedError

    def walk(self, api: Api, listed: list[Item]) -> Generator[list[Record] | Mark, None, set[int]]:
        """First what is not listed any more, then what is due. Gives the codes of what is known from now on."""
        there = {code_of(one) for one in listed}
        missing, after = Missing.of(self.read), after_of(self.read)
        for gone in missing.asked_for(api, self.held, there, self.options.most_removed):
            yield [Record(str(code), None, {}, is_deleted=True) for code in gone]
            yield Mark(self.mark(after, missing))
        due = still_to_do([one for one in listed if self.is_due(one)], self.read)
        for at in range(0, len(due), self.at_once):
            some = due[at : at + self.at_once]
            if found := [record for one in some if (record := self.record(api, one)) is not None]:
                yield found
            yield Mark(self.mark(place_of(some[-1]), missing))
        return there - self.unread | (self.held - missing.gone)


def code_of(listed: Item) -> int:
    """The code of a property."""
    return int(listed["cod_ofer"])


def place_of(listed: Item) -> tuple[str, int]:
    """Where a property stands in a reading: the one that was changed last comes last."""
    return str(listed.get("fechaact")), code_of(listed)


def is_so(value: Any) -> bool:
    """Whether a flag is set; Inmovilla writes true, 1 and "1"."""
    return str(value).strip().lower() in ("true", "1")


def held_of(read: Read) -> set[int]:
    """The codes of the properties that the last reading knew."""
    known = remembered(read.cursor)
    return unpacked(known["held"]) if known else set()


def unread_of(read: Read) -> set[int]:
    """The codes of the properties that were listed, and of which nothing was said, when they were asked for last."""
    return set(remembered(read.mark or read.cursor).get("unread", ()))


def still_to_do(due: list[Item], read: Read) -> list[Item]:
    """The properties in the order in which they are asked for, without those that were before an interruption."""
    return sorted((one for one in due if place_of(one) > after_of(read)), key=place_of)


def after_of(read: Read) -> tuple[str, int]:
    """Where an interrupted reading had got to."""
    changed, code = remembered(read.mark).get("after", ("", 0))
    return str(changed), int(code)


@dataclass
class Missing:
    """What was held and is not listed any more: what Inmovilla says of each alone, kept over an interruption.

    gone: what it says is not there. there: what it knows all the same.
    """

    gone: set[int] = field(default_factory=set)
    there: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, read: Read) -> Missing:
        """What an interrupted reading had asked."""
        said = remembered(read.mark).get("missing", {})
        return cls(*(unpacked(said[name]) if name in said else set() for name in ("gone", "there")))

    def said(self) -> dict[str, str]:
        """For a mark."""
        return {"gone": packed(self.gone), "there": packed(self.there)}

    def asked_for(self, api: Api, held: set[int], listed: set[int], most_removed: float) -> Iterator[list[int]]:
        """Ask for each that was not asked for yet; gives on those that are gone. Raises where too many are missing."""
        missing = sorted(held - listed)
        if are_too_many(len(missing), len(held), most_removed):
            found = f"{len(missing)} of the {len(held)} properties that were known are not listed any more"
            do = "Look at them in Inmovilla; where so many were really deleted, set most_removed to 1 for one run"
            raise DoubtedReading(api.source, found, f"{READ_AGAIN}. {do}")
        for code in missing:
            if code in self.gone or code in self.there:
                continue
            is_gone = api.property(code) is None
            (self.gone if is_gone else self.there).add(code)
            yield [code] if is_gone else []


def named(column: str, words: Mapping[int, str]) -> pl.Expr:
    """A column of Inmovilla's numbers in our words; what has none stays a number."""
    return pl.col(column).replace({str(number): word for number, word in words.items()})
