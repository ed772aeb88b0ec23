"""A second opinion on every declared key result: SQL written from its wording, over the same log, day by day.

The log is random and made to be awkward: facts on both sides of local midnight, corrected ones, withdrawn ones and
stated again, customers who buy twice or never, purchases and referrals at one instant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
import pytest
from builders import empty, event, facts

from kr_definitions import catalogue
from kr_definitions.catalogue import Catalogue
from kr_definitions.compute import compute
from kr_definitions.events import RETRACTED
from pipelines.event_log import readings, statements

HERE = Path(__file__).parent
THROUGH = date(2026, 11, 20)
FIRST = date(2025, 1, 1)
MADRID = ZoneInfo("Europe/Madrid")
STARTS = datetime(2026, 11, 21, 5, tzinfo=UTC)
SEEDS = (2025, 2026)

# How many facts of each type happen in a day, on average, and what is said of them.
RATES: Mapping[str, tuple[float, Mapping[str, tuple[Any, ...]]]] = {
    "invoice.issued": (0.5, {"amount": ("1234.56", "0.1", "99999.99", "3500", None)}),
    "invoice.voided": (0.1, {"amount": ("-1234.56", "-0.1", "-3500")}),
    "lead.created": (3, {}),
    "video.published": (0.1, {"network": ("youtube", "youtube", "instagram", None)}),
    "collaboration.agreed": (0.1, {}),
    "event.attended": (0.05, {}),
    "listing.published": (
        0.1,
        {"portal": ("idealista", "idealista", "fotocasa", "pisos", "habitaclia", "yaencontre", None)},
    ),
    "listing.captured": (0.8, {"mandate": ("exclusive", "open", "open", None)}),
    "visit.held": (2, {}),
    "deal.won": (0.2, {"amount": ("250000",)}),
    "flyers.distributed": (0.5, {"quantity": ("200", "120", "80", "0.5", None)}),
    "referral.received": (0.5, {}),
    "survey.answered": (0.5, {"rating": ("good", "good", "good", "bad", None)}),
    "call.made": (4, {}),
}
ACCOUNTS = (*(f"customer {n}" for n in range(60)), None)


@cache
def declared() -> Catalogue:
    return catalogue.load("inmobiliaria")


def queries() -> dict[str, str]:
    """The oracle's SQL: `views`, and a query for each key result."""
    found, name = {"views": ""}, ""
    for line in (HERE / "inmobiliaria.sql").read_text("utf-8").splitlines():
        if line == "-- views":
            name = "views"
        elif line.startswith("-- key result: "):
            name = line.removeprefix("-- key result: ")
            found[name] = ""
        elif name:
            found[name] += line + "\n"
    return found


# --- a random log -----------------------------------------------------------------------------------------------------


def happened(random: Random) -> Iterator[dict[str, Any]]:
    for name, (rate, said) in RATES.items():
        for n in range(round(rate * (THROUGH - FIRST).days)):
            day = FIRST + timedelta(days=random.randrange((THROUGH - FIRST).days + 2))
            columns = {column: random.choice(values) for column, values in said.items()}
            account = random.choice(ACCOUNTS)
            yield event(name, moment(random, day), str(n), key=f"{name}/{n}", account_id=account, **columns)


def moment(random: Random, day: date) -> datetime:
    """An instant of a day in Madrid, often one that UTC or a clock change puts on another day."""
    minute = time(random.randrange(24), random.randrange(60))
    edges = [time.min, time.max, time(0, 30), time(1, 30), time(23, 30), time(12), minute, minute, minute]
    return datetime.combine(day, random.choice(edges), MADRID).astimezone(UTC)


def awkward_days(random: Random) -> Iterator[dict[str, Any]]:
    """What chance alone would seldom bring: every type at the edges of the days that are hardest to cut."""
    hardest = (
        "2025-12-31",
        "2026-01-01",
        "2026-01-06",
        "2026-03-29",
        "2026-03-31",
        "2026-06-30",
        "2026-10-25",
        "2026-11-20",
    )
    for name, (_, said) in RATES.items():
        for day in hardest:
            for n, clock in enumerate((time.min, time.max)):
                columns = {column: values[0] for column, values in said.items()}
                instant = datetime.combine(date.fromisoformat(day), clock, MADRID).astimezone(UTC)
                account = random.choice(ACCOUNTS)
                yield event(name, instant, f"{day}/{n}", key=f"{name}/{day}/{n}", account_id=account, **columns)
    sale = datetime(2026, 5, 5, 10, tzinfo=UTC)
    for n, after in enumerate((timedelta(0), timedelta(microseconds=1), timedelta(microseconds=-1))):
        yield event("deal.won", sale, f"at once {n}", key=f"at once {n}", account_id=f"buyer {n}")
        yield event(
            "referral.received", sale + after, f"at once {n}", key=f"referral at once {n}", account_id=f"buyer {n}"
        )


@cache
def log(seed: int) -> pl.DataFrame:
    """Four loads: what happened; corrections; withdrawals; and some of what was withdrawn stated again."""
    random = Random(seed)
    first = [*happened(random), *awkward_days(random)]
    days = [FIRST + timedelta(days=random.randrange(680)) for _ in range(200)]
    moved = zip(random.sample(first, len(days)), days, strict=True)
    corrected = [{**fact, "occurred_at": moment(random, day)} for fact, day in moved]
    gone = random.sample(first, 300)
    found = empty().collect()
    for n, (said, without) in enumerate(((first, []), (corrected, []), ([], gone), (gone[:100], []))):
        stated = facts(said)
        withdrawn = pl.LazyFrame({"record_key": [fact["record_key"] for fact in without]}, {"record_key": pl.String})
        touched = pl.concat([stated.select("record_key"), withdrawn])
        at = STARTS + timedelta(minutes=n)
        found = pl.concat([found, statements(found.lazy(), stated, touched, "test", "stream", at)])
    columns = dict.fromkeys(("covered_from", "covered_to", "read_at"), pl.Datetime("us", "UTC"))
    loads = pl.DataFrame([(None, STARTS, STARTS)], columns, orient="row")
    return pl.concat([found, readings(loads, tuple(RATES), "test", "stream", "1", STARTS)])


# --- two answers ------------------------------------------------------------------------------------------------------


@cache
def computed(seed: int) -> pl.DataFrame:
    return compute(declared().definitions, declared().organisation, log(seed).lazy(), THROUGH)


@pytest.fixture(scope="module")
def oracle(tmp_path_factory):
    """A DuckDB over the log of each seed, which it reads from a Parquet file."""
    folder, opened = tmp_path_factory.mktemp("oracle"), {}
    for seed in SEEDS:
        log(seed).write_parquet(folder / f"{seed}.parquet")
        opened[seed] = duckdb.connect()
        opened[seed].execute("SET TimeZone = 'UTC'")
        opened[seed].execute(f"CREATE TABLE log AS FROM read_parquet('{folder / f'{seed}.parquet'}')")
        opened[seed].execute(queries()["views"])
    yield opened
    for connection in opened.values():
        connection.close()


def test_the_log_is_as_awkward_as_it_is_meant_to_be():
    rows = log(SEEDS[0])
    assert rows.height > 8000
    assert rows.filter(pl.col("event_type") == RETRACTED).height > 400
    local = pl.col("occurred_at").dt.convert_time_zone("Europe/Madrid").dt.date()
    assert rows.filter(local != pl.col("occurred_at").dt.date()).height > 1000


def test_every_declared_key_result_has_an_oracle_and_every_oracle_a_key_result():
    assert {definition.id for definition in declared().definitions} == set(queries()) - {"views"}


def test_every_type_that_is_measured_happens():
    assert {name for definition in declared().definitions for name in definition.types} <= set(RATES)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("key_result", [definition.id for definition in declared().definitions])
def test_every_day_of_a_key_result_is_what_its_wording_says(oracle, key_result, seed):
    answer = oracle[seed].execute(queries()[key_result])
    said = {row["as_of"]: row for row in named(answer)}
    assert any(row["value"] for row in said.values()), "an oracle that only ever says zero proves nothing"
    (definition,) = (d for d in declared().definitions if d.id == key_result)
    found = computed(seed).filter(pl.col("key_result_id") == key_result)
    due = pl.date_range(definition.period.first, min(definition.period.last, THROUGH), eager=True).to_list()
    assert due == found.get_column("as_of").to_list()
    assert set(said) <= set(due)
    for row in found.iter_rows(named=True):
        differs = differing(said.get(row["as_of"]), row)
        assert not differs, (row["as_of"], differs)


def named(answer: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    columns = [column[0] for column in answer.description]
    return [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]


def differing(said: Mapping[str, Any] | None, found: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The columns in which two answers differ: counts and money exactly, shares by more than a billionth."""
    if said is None:
        return {} if found["value"] is None else {"value": (None, found["value"])}
    is_share = "numerator" in said
    expected = {"numerator": None if is_share else said["value"], **said}
    return {
        name: (expected[name], found[name])
        for name in expected
        if name != "as_of" and not is_same(expected[name], found[name], is_exact=name in ("numerator", "denominator"))
    }


def is_same(expected: Any, found: Any, *, is_exact: bool) -> bool:
    if expected is None or found is None:
        return expected is found
    if is_exact:
        return Decimal(expected) == found
    return float(expected) == pytest.approx(found, rel=1e-9, abs=0)
