"""A second opinion on every declared key result: SQL written from its wording, over the same log, day by day.

`<organisation>.sql` holds a query for each key result of an organisation; `companies` makes the random logs. A query
gives a row for each day (as_of) on which the key result is counted: its `value`, and where it has them `numerator`,
`denominator`, `baseline` and `target`. A row of a member (of an `each`, a part of an `all_of`, a guardrail, a window of
a KPI) names it in the column `member`; the row of the whole says null there. Without a `numerator` the value is one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
import yaml
from oracle import companies
from oracle.companies import COMPANIES, THROUGH

from kr_definitions import catalogue
from kr_definitions.catalogue import Catalogue, Definition
from kr_definitions.compute import compute
from kr_definitions.events import RETRACTED
from kr_definitions.vocabulary import vocabulary

HERE = Path(__file__).parent
ORGANISATIONS = catalogue.organisations()
SEEDS = (2025, 2026)

# log:      every statement ever made, retractions included (columns of the event log)
# days:     as_of: each day of 2026 up to the last one that is known
# happened: the events that hold, with `day`, the date on a clock in the organisation's zone; without the day that a
#           check-in is said of, which is called as the days that are asked for; amounts are in the organisation's
#           currency: dollars by the last rate of the day or before it, pounds by two that meet in the euro, exact in
#           millionths and rounded once, half away from zero
VIEWS = """
CREATE TABLE days AS
SELECT CAST(day AS DATE) AS as_of
FROM range(DATE '2026-01-01', DATE '{through}' + INTERVAL 1 DAY, INTERVAL 1 DAY) AS calendar(day);

CREATE TABLE stated AS
SELECT * EXCLUDE (as_of), CAST(timezone('{zone}', occurred_at) AS DATE) AS day
FROM log
WHERE event_type <> 'fact.retracted'
  AND NOT EXISTS (
    FROM log AS withdrawal WHERE withdrawal.event_type = 'fact.retracted' AND withdrawal.retracts = log.event_id
  );

CREATE TABLE rates AS
SELECT
  from_currency || '/' || to_currency AS pair,
  day,
  CAST(CAST(arg_max(quantity, (occurred_at, event_id)) AS DECIMAL(25, 6)) * 1000000 AS HUGEINT) AS millionths
FROM stated
WHERE event_type = 'rate.observed'
GROUP BY ALL;

CREATE TABLE happened AS
WITH asked AS (
  SELECT DISTINCT day, currency, 'USD/{own}' AS straight, 'EUR/GBP' AS inverse, 'EUR/{own}' AS other FROM stated
),
worth AS (
  SELECT
    asked.day,
    asked.currency,
    CASE
      WHEN asked.currency = 'USD' THEN straight.millionths
      WHEN asked.currency = 'GBP' THEN coalesce(other.millionths, 1000000)
    END AS times,
    CASE asked.currency WHEN 'USD' THEN 1000000 WHEN 'GBP' THEN inverse.millionths END AS over
  FROM asked
  ASOF LEFT JOIN rates AS straight ON asked.straight = straight.pair AND asked.day >= straight.day
  ASOF LEFT JOIN rates AS inverse ON asked.inverse = inverse.pair AND asked.day >= inverse.day
  ASOF LEFT JOIN rates AS other ON asked.other = other.pair AND asked.day >= other.day
),
converted AS (
  SELECT
    stated.*,
    times,
    over,
    CAST(CAST(abs(stated.amount) AS DECIMAL(25, 6)) * 1000000 AS HUGEINT) AS size
  FROM stated
  LEFT JOIN worth ON stated.day = worth.day AND stated.currency = worth.currency
)
SELECT
  * EXCLUDE (times, over, size)
  REPLACE (
    CASE
      WHEN times IS NULL THEN amount
      ELSE CAST(
        sign(amount) * CAST((2 * size * times + over) // (2 * over) AS DECIMAL(30, 0)) * CAST(0.000001 AS DECIMAL(7, 6))
        AS DECIMAL(38, 6)
      )
    END AS amount
  )
FROM converted;
"""

Key = tuple[str | None, date]
"""The member (None: the whole) and the day that a row is of."""


@cache
def declared(organisation: str) -> Catalogue:
    return catalogue.load(organisation)


@cache
def queries(organisation: str) -> dict[str, str]:
    """The oracle's SQL: `views` of its own, if it needs any, and a query for each key result."""
    found, name = {"views": ""}, ""
    path = HERE / f"{organisation}.sql"
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        if line == "-- views":
            name = "views"
        elif line.startswith("-- key result: "):
            name = line.removeprefix("-- key result: ")
            found[name] = ""
        elif name:
            found[name] += line + "\n"
    return found


# --- two answers ------------------------------------------------------------------------------------------------------


@cache
def log(organisation: str, seed: int) -> pl.DataFrame:
    return companies.log(organisation, seed)


@cache
def computed(organisation: str, seed: int) -> pl.DataFrame:
    content = declared(organisation)
    return compute(content.definitions, content.organisation, log(organisation, seed).lazy(), THROUGH)


@cache
def oracle(organisation: str, seed: int) -> duckdb.DuckDBPyConnection:
    """A DuckDB over the log of an organisation and a seed, with its views."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.register("rows", log(organisation, seed).to_arrow())
    connection.execute("CREATE TABLE log AS FROM rows")
    connection.execute(VIEWS.format(**of_company(organisation)))
    connection.execute(queries(organisation)["views"] or "SELECT 1")
    return connection


def of_company(organisation: str) -> dict[str, Any]:
    company = COMPANIES[organisation]
    return {"zone": company.zone, "own": company.currency, "through": THROUGH}


def every_answer() -> Iterator[Any]:
    """Each key result of each organisation and seed."""
    for organisation in ORGANISATIONS:
        for seed in SEEDS:
            for definition in declared(organisation).definitions:
                yield pytest.param(organisation, definition, seed, id=f"{definition.id}-{seed}")


# --- the logs, and what is asked of them ------------------------------------------------------------------------------


@pytest.mark.parametrize("organisation", ORGANISATIONS)
def test_a_log_is_as_awkward_as_it_is_meant_to_be(organisation):
    rows = log(organisation, SEEDS[0])
    assert rows.height > 5000
    assert rows.filter(pl.col("event_type") == RETRACTED).height > 400
    local = pl.col("occurred_at").dt.convert_time_zone(str(COMPANIES[organisation].zone)).dt.date()
    assert rows.filter(local != pl.col("occurred_at").dt.date()).height > 500
    assert rows.filter(local == date(2024, 2, 29)).height > 0


@pytest.mark.parametrize("organisation", ORGANISATIONS)
def test_every_declared_key_result_has_an_oracle_and_every_oracle_a_key_result(organisation):
    assert {definition.id for definition in declared(organisation).definitions} == set(queries(organisation)) - {
        "views"
    }


@pytest.mark.parametrize("organisation", ORGANISATIONS)
def test_every_type_that_is_measured_happens(organisation):
    measured = {name for definition in declared(organisation).definitions for name in definition.types}
    assert measured <= set(log(organisation, SEEDS[0]).get_column("event_type").unique())


@pytest.mark.parametrize("organisation", ORGANISATIONS)
def test_every_declared_filter_holds_of_some_events_and_not_of_others(organisation):
    for seed in SEEDS:
        for types, predicate in filters(organisation):
            names = ", ".join(f"'{name}'" for name in types)
            counted = f"SELECT count(*) FILTER ({predicate}), count(*) FILTER (({predicate}) IS NOT TRUE) FROM happened"
            row = oracle(organisation, seed).execute(f"{counted} WHERE event_type IN ({names})").fetchone()
            assert row is not None
            assert all(row), (predicate, types, row)


def filters(organisation: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each filter that an organisation's YAML declares, with the event types beside it. It is SQL as it stands."""
    for path in sorted((catalogue.FOLDER / organisation).glob("*.yaml")):
        yield from filters_in(yaml.safe_load(path.read_text("utf-8")))


def filters_in(node: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(node, Mapping):
        begun, rest = {"from": node.get("from")}, {name: value for name, value in node.items() if name != "from"}
        for name, beside in (("where", rest), ("reached", rest), ("from_where", begun)):
            if isinstance(node.get(name), str):
                yield types_in(beside), node[name]
        for value in node.values():
            yield from filters_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from filters_in(value)


def types_in(node: Mapping[str, Any]) -> tuple[str, ...]:
    named = [name for value in node.values() for name in (value if isinstance(value, list) else [value])]
    return tuple(name for name in named if isinstance(name, str) and name in vocabulary().types)


# --- the comparison ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("organisation", "definition", "seed"), list(every_answer()))
def test_every_day_of_a_key_result_is_what_its_wording_says(organisation, definition, seed):
    said = {key_of(row): row for row in answered(organisation, definition, seed)}
    rows = computed(organisation, seed).filter(pl.col("key_result_id") == definition.id)
    found = {key_of(row): row for row in rows.iter_rows(named=True)}
    assert [day for member, day in found if member is None] == due(definition, said)
    assert set(said) <= set(found)
    for member in {member for member, _ in found}:
        figures = [row["value"] for (name, _), row in said.items() if name == member]
        assert any(figures), f"an oracle that only ever says zero of {member or 'the whole'} proves nothing"
    for key, row in found.items():
        differs = differing(said.get(key), row)
        assert not differs, (*key, differs)


def answered(organisation: str, definition: Definition, seed: int) -> Sequence[Mapping[str, Any]]:
    answer = oracle(organisation, seed).execute(queries(organisation)[definition.id])
    columns = [column[0] for column in answer.description]
    return [dict(zip(columns, row, strict=True)) for row in answer.fetchall()]


def key_of(row: Mapping[str, Any]) -> Key:
    return row.get("member"), row["as_of"]


def due(definition: Definition, said: Mapping[Key, Any]) -> list[date]:
    """The days of the period so far; those that the oracle answers for, where it is an event that says the period."""
    if definition.period is None:
        return sorted(day for member, day in said if member is None)
    return pl.date_range(definition.period.first, min(definition.period.last, THROUGH), eager=True).to_list()


def differing(said: Mapping[str, Any] | None, found: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The columns in which two answers differ: counts and money exactly, the rest by more than a billionth."""
    if said is None:
        return {} if found["value"] is None else {"value": (None, found["value"])}
    expected = {"numerator": said["value"], **said}
    return {
        name: (expected[name], found[name])
        for name in expected
        if name not in ("as_of", "member")
        and not is_same(expected[name], found[name], is_exact=name in ("numerator", "denominator"))
    }


def is_same(expected: Any, found: Any, *, is_exact: bool) -> bool:
    if expected is None or found is None:
        return expected is found
    if is_exact:
        return Decimal(expected) == found
    return float(expected) == pytest.approx(found, rel=1e-9, abs=0)
