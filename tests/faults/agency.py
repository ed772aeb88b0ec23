"""A small vendor whose records appear, change, change back, are deleted and return, and how its records are read.

Belongs here: the vendor over HTTP, the truth about it at any hour, and the connector that reads it. Does not: killing
anybody. Everything follows from a seed and an hour: the same hour has the same records, whoever asks and how often.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from kr_definitions.events import COVERED
from kr_definitions.vocabulary import DECIMAL
from pipelines.http import PatientSession, whole_json
from pipelines.load import Source
from pipelines.source import Account, Covered, Options, Read, Record, Stream

BEGINNING = datetime(2026, 3, 2, tzinfo=UTC)
PAGE = 25
FIRST, DAILY = 60, 9
"""Visits on the first day, and on each day after it, of which the one at noon cannot be understood at first."""
Fact = tuple[str, str, datetime, Decimal | None, Decimal | None, str | None]
"""fact_key, event_type, occurred_at, amount, quantity, and what the attribute says (outcome or mandate)."""


def at(hour: int) -> datetime:
    """An hour since the beginning, as an instant."""
    return BEGINNING + timedelta(hours=hour)


def hour_of(instant: datetime) -> int:
    """The hour since the beginning that an instant is in."""
    return int((instant - BEGINNING).total_seconds() // 3600)


def facts_in(events: pl.DataFrame) -> Counter[Fact]:
    """The facts among current events, in the shape of `Agency.facts`."""
    said = pl.coalesce("outcome", "mandate")
    rows = events.filter(pl.col("event_type") != COVERED).select(
        "fact_key", "event_type", "occurred_at", "amount", "quantity", said
    )
    return Counter(rows.iter_rows())


@dataclass(frozen=True)
class State:
    """What a record is from an hour on. A visit of `broken` minutes is one that nobody can understand."""

    hour: int
    content: dict[str, str]
    is_deleted: bool = False


@dataclass
class Agency:
    """Visits say when they changed, and that they are deleted; listings say neither, and vanish.

    hour: the vendor's present. A test moves it; while a load reads, it stands still.
    """

    days: int
    seed: int = 1
    hour: int = 24
    visits: dict[str, list[State]] = field(init=False)
    listings: dict[str, list[State]] = field(init=False)

    def __post_init__(self) -> None:
        dice = random.Random(self.seed)
        last = 24 * (self.days + 1)
        self.visits = {
            f"V{number:04d}": _life(dice, born, last, lambda: _visit(dice))
            for number, born in enumerate(_births(dice, FIRST, DAILY, self.days))
        }
        self.listings = {
            f"L{number:04d}": _life(dice, born, last, lambda: _listing(dice))
            for number, born in enumerate(_births(dice, 20, 2, self.days))
        }
        for number, states in enumerate(self.visits.values()):
            if number < FIRST or (number - FIRST) % DAILY:
                continue
            born = states[0].hour
            broken = State(born, {**states[0].content, "minutes": "broken"})
            states[:] = [broken, *(state for state in states[1:] if state.hour > born + 20)]

    def records(self, kind: str, hour: int | None = None) -> Iterator[tuple[str, datetime, State]]:
        """What the vendor shows at an hour: key, when it was created, and its state."""
        present = self.hour if hour is None else hour
        for key, states in getattr(self, kind).items():
            shown = [state for state in states if state.hour <= present]
            if shown:
                yield key, at(states[0].hour), shown[-1]

    def facts(self, hour: int | None = None) -> Counter[Fact]:
        """The truth: every fact that holds at an hour, once."""
        facts: list[Fact] = []
        for key, created, state in self.records("visits", hour):
            said = state.content
            if state.is_deleted or said["minutes"] == "broken":
                continue
            if said["outcome"] != "planned":
                minutes = Decimal(said["minutes"])
                facts.append((f"{key}/held", "visit.held", created, None, minutes, said["outcome"]))
            if said["outcome"] == "sold":
                facts.append((f"{key}/won", "deal.won", created, Decimal(said["amount"]), None, None))
        for key, created, state in self.records("listings", hour):
            if not state.is_deleted:
                price = Decimal(state.content["price"])
                facts.append((key, "listing.captured", created, price, None, state.content["mandate"]))
        return Counter(facts)

    def broken(self) -> set[str]:
        """Visits that cannot be understood at present."""
        return {
            key
            for key, _, state in self.records("visits")
            if state.content["minutes"] == "broken" and not state.is_deleted
        }

    def app(self) -> Starlette:
        """The vendor over HTTP."""
        return Starlette(routes=[Route("/visits", self._visits), Route("/listings", self._listings)])

    def _visits(self, request: Request) -> JSONResponse:
        since = datetime.fromisoformat(request.query_params.get("updated_since", BEGINNING.isoformat()))
        shown = sorted(self.records("visits"), key=lambda record: (record[2].hour, record[0]))
        return _page(request, [_item(*record, dated=True) for record in shown if at(record[2].hour) >= since])

    def _listings(self, request: Request) -> JSONResponse:
        listed = [record for record in self.records("listings") if not record[2].is_deleted]
        return _page(request, [_item(*record, dated=False) for record in listed])


def _births(dice: random.Random, first: int, daily: int, days: int) -> list[int]:
    later = [24 * day + (dice.randrange(24) if of_day else 12) for day in range(1, days + 1) for of_day in range(daily)]
    return [dice.randrange(24) for _ in range(first)] + later


def _life(dice: random.Random, born: int, last: int, content: Callable[[], dict[str, str]]) -> list[State]:
    """Changes, changes back, deletion and return; never two states in one hour."""
    states = [State(born, content())]
    hour = born
    while (hour := hour + dice.randint(5, 80)) <= last:
        what = dice.random()
        if states[-1].is_deleted or (what < 0.3 and len(states) > 1):
            states.append(State(hour, states[-2].content))
        elif what < 0.45:
            states.append(State(hour, states[-1].content, is_deleted=True))
        else:
            states.append(State(hour, content()))
    return states


def _visit(dice: random.Random) -> dict[str, str]:
    outcome = dice.choice(("planned", "completed", "no_show", "sold"))
    return {"minutes": str(dice.randrange(10, 90)), "amount": str(dice.randrange(90_000, 900_000)), "outcome": outcome}


def _listing(dice: random.Random) -> dict[str, str]:
    return {"price": str(dice.randrange(90, 99) * 1000), "mandate": dice.choice(("exclusive", "open"))}


def _item(key: str, created: datetime, state: State, *, dated: bool) -> dict[str, Any]:
    item = {"id": key, "created_at": created.isoformat(), **state.content}
    return {**item, "updated_at": at(state.hour).isoformat(), "is_deleted": state.is_deleted} if dated else item


def _page(request: Request, items: Sequence[dict[str, Any]]) -> JSONResponse:
    """Pages overlap by a record, as those of a list that moves while it is read; not where `overlap=0` is asked for."""
    start, overlap = (int(request.query_params.get(name, given)) for name, given in (("start", 0), ("overlap", 1)))
    end = start + PAGE
    return JSONResponse({"items": items[max(start - overlap, 0) : end], "next": end if end < len(items) else None})


# --- reading it -------------------------------------------------------------------------------------------------------


class _NoOptions(Options):
    pass


@dataclass(frozen=True)
class AgencyConnector:
    """How the vendor is read."""

    base_url: str
    kind: str = "agency"
    options: type[Options] = _NoOptions

    def streams(self, account: Account, options: Options) -> list[Stream]:
        created = {"created_at": pl.String}
        return [
            Stream(
                "visits",
                ("visit.held", "deal.won"),
                lambda read: self._fetch(account.source, "visits", read),
                pl.Struct({**created, "minutes": pl.String, "amount": pl.String, "outcome": pl.String}),
                visit_facts,
            ),
            Stream(
                "listings",
                ("listing.captured",),
                lambda read: self._fetch(account.source, "listings", read),
                pl.Struct({**created, "price": pl.String, "mandate": pl.String}),
                listing_facts,
                is_snapshot=True,
            ),
        ]

    def _fetch(self, source: str, kind: str, read: Read) -> Generator[list[Record], None, Covered]:
        session = PatientSession(source, read.clock)
        since = {"updated_since": read.since.isoformat()} if read.since and kind == "visits" else {}
        start: int | None = 0
        while start is not None:
            answer = session.get(f"{self.base_url}/{kind}", params={**since, "start": start})
            page = whole_json(source, answer, ("items", "next"))
            yield [_record(item) for item in page["items"]]
            start = page["next"]
        return Covered(read.since if kind == "visits" else None, read.until)


def source(base_url: str, name: str = "agency") -> Source:
    """The vendor's account as a source."""
    return Source(AgencyConnector(base_url), Account("faults", name, "Europe/Madrid"), _NoOptions())


@dataclass(frozen=True)
class PagesConnector:
    """A vendor that delivers exactly these pages of listings."""

    pages: Sequence[Sequence[dict[str, Any]]]
    kind: str = "pages"
    options: type[Options] = _NoOptions

    def streams(self, account: Account, options: Options) -> list[Stream]:
        shape = pl.Struct({"created_at": pl.String, "price": pl.String, "mandate": pl.String})
        return [Stream("listings", ("listing.captured",), self._fetch, shape, listing_facts)]

    def _fetch(self, read: Read) -> Generator[list[Record], None, Covered]:
        for page in self.pages:
            yield [
                Record(
                    item["key"],
                    None if item["revision"] is None else at(item["revision"]),
                    {"created_at": at(0).isoformat(), "price": str(item["price"]), "mandate": "open"},
                )
                for item in page
            ]
        return Covered(read.since, read.until)


def pages_source(pages: Sequence[Sequence[dict[str, Any]]]) -> Source:
    """These pages as a source."""
    return Source(PagesConnector(pages), Account("faults", "pages", "Europe/Madrid"), _NoOptions())


def _record(item: dict[str, Any]) -> Record:
    revision = datetime.fromisoformat(item["updated_at"]) if "updated_at" in item else None
    payload = {name: text for name, text in item.items() if name not in ("id", "updated_at", "is_deleted")}
    return Record(item["id"], revision, payload, item.get("is_deleted", False))


def visit_facts(visits: pl.LazyFrame) -> pl.LazyFrame:
    """A visit that took place, and a deal where it ended in one."""
    read = visits.with_columns(
        pl.col("created_at").str.to_datetime("%+", time_unit="us", time_zone="UTC").alias("occurred_at"),
        pl.col("minutes").cast(DECIMAL, strict=False).alias("quantity"),
    ).with_columns(
        pl.when(pl.col("quantity").is_null()).then(pl.lit("minutes: not a number")).alias("problem"),
    )
    shared = ["record_key", "occurred_at", pl.col("record_key").alias("subject_id"), "problem"]
    held = read.filter(pl.col("outcome") != "planned").select(
        *shared, pl.lit("visit.held").alias("event_type"), "quantity", "outcome",
        pl.format("{}/held", "record_key").alias("fact_key"),
    )  # fmt: skip
    won = read.filter(pl.col("outcome") == "sold").select(
        *shared, pl.lit("deal.won").alias("event_type"), pl.col("amount").cast(DECIMAL),
        pl.lit("EUR").alias("currency"), pl.format("{}/won", "record_key").alias("fact_key"),
    )  # fmt: skip
    strange = read.filter(pl.col("problem").is_not_null() & (pl.col("outcome") == "planned")).select(*shared)
    return pl.concat([held, won, strange], how="diagonal")


def listing_facts(listings: pl.LazyFrame) -> pl.LazyFrame:
    """A property that was taken on, at the price that is asked now."""
    return listings.select(
        "record_key",
        pl.col("record_key").alias("fact_key"),
        pl.col("record_key").alias("subject_id"),
        pl.lit("listing.captured").alias("event_type"),
        pl.col("created_at").str.to_datetime("%+", time_unit="us", time_zone="UTC").alias("occurred_at"),
        pl.col("price").cast(DECIMAL).alias("amount"),
        pl.lit("EUR").alias("currency"),
        "mandate",
    )
