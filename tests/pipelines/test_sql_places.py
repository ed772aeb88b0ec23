"""How far a reading got in a table: where the next one begins, which instants stored times are, what is believed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql, mysql, oracle

from pipelines.rows.declaration import Revision
from pipelines.sql.declaration import SqlStream
from pipelines.sql.due import Due
from pipelines.sql.places import Places
from pipelines.sql.tables import Table

UNTIL = datetime(2026, 7, 9, 10, tzinfo=UTC)
NOW = int(UNTIL.timestamp())


class SnowflakeNtz(sa.DateTime):
    __visit_name__ = "TIMESTAMP_NTZ"


class SnowflakeLtz(sa.DateTime):
    __visit_name__ = "TIMESTAMP_LTZ"


def places(kind: sa.types.TypeEngine[Any], dialect: str = "other", **cursor: Any) -> Places:
    stream = SqlStream.model_validate({
        "table": "deal", "delivery": "changes", "cursor": {"columns": "at", **cursor}, "key": "id",
        "zone": "Europe/Madrid", "events": [{"type": "deal.won", "at": "at", "subject": "id"}],
    })  # fmt: skip
    reflected = sa.Table("deal", sa.MetaData(), sa.Column("id", sa.Integer), sa.Column("at", kind))
    return Places(stream, Table(reflected, dialect), "Europe/Madrid")


@pytest.mark.parametrize(
    ("kind", "place", "cursor", "next_"),
    [
        (sa.BigInteger(), 5_000, {}, 4_000),
        (sa.BigInteger(), 5_000, {"overlap_numbers": 10}, 4_990),
        (sa.BigInteger(), NOW, {}, NOW - 3600),
        (sa.BigInteger(), NOW * 1_000, {"overlap_minutes": 1}, NOW * 1_000 - 60_000),
        (sa.BigInteger(), NOW * 1_000_000, {"overlap_numbers": 7}, NOW * 1_000_000 - 7),
        (sa.Numeric(20, 6), Decimal("5000.5"), {"overlap_numbers": "0.25"}, Decimal("5000.25")),
        (sa.Float(), float(NOW), {}, NOW - 3600.0),
        (sa.Date(), date(2026, 7, 9), {}, date(2026, 7, 8)),
        (sa.DateTime(), datetime(2026, 7, 9, 9), {"overlap_minutes": 90}, datetime(2026, 7, 9, 7, 30)),  # noqa: DTZ001 - without a zone
        (sa.Text(), "1773100000.10", {}, "1773096400.10"),  # dlt's load id
        (sa.Text(), "1773100000123", {"overlap_minutes": 1}, "1773099940123"),
        (sa.Text(), "2026-07-09T09:00:00Z", {}, "2026-07-09T08:00:00"),
        (sa.Text(), "2026-07-09", {}, "2026-07-08"),
    ],
)
def test_the_next_reading_begins_before_the_last_place_in_the_cursors_own_unit(
    kind: Any, place: Any, cursor: dict[str, Any], next_: Any
) -> None:
    assert places(kind, **cursor).before(place) == next_


@pytest.mark.parametrize(
    ("kind", "place", "cursor", "told"),
    [
        (sa.BigInteger(), 5_000, {"overlap_minutes": 600}, "a number, of which overlap_minutes says nothing"),
        (sa.DateTime(), UNTIL, {"overlap_numbers": 5}, "a time, of which overlap_numbers says nothing"),
        (sa.Text(), "1773100000.10", {"overlap_numbers": 5}, "a time, of which overlap_numbers says nothing"),
        (sa.Text(), "10/03/2026", {}, "a text whose order says nothing"),
    ],
)
def test_an_overlap_in_another_unit_is_told(kind: Any, place: Any, cursor: dict[str, Any], told: str) -> None:
    mistake = places(kind, **cursor).mistake(place)
    assert mistake is not None
    assert told in mistake[0]
    assert places(kind).mistake(place) is None or not cursor


@pytest.mark.parametrize(
    ("kind", "place", "cursor", "is_believed"),
    [
        (sa.Text(), "2026-07-09 12:05:00", {}, True),  # 10:05 UTC, in Madrid
        (sa.Text(), "2026-07-09 12:06:00", {}, False),
        (sa.Text(), "2026-07-09T10:05:00Z", {}, True),
        (sa.Text(), "2026-07-09T12:06:00+00:00", {}, False),
        (sa.Text(), "2026-07-09", {}, True),
        (sa.Text(), "2062-01-01", {}, False),
        (sa.Text(), f"{NOW}.5", {}, True),
        (sa.Text(), f"{NOW + 3600}.5", {}, False),
        (sa.BigInteger(), NOW + 3600, {"overlap_minutes": 60}, False),
        (sa.BigInteger(), NOW + 3600, {}, True),  # nobody said that the number is a time
    ],
)
def test_a_place_in_the_future_is_not_believed(kind: Any, place: Any, cursor: Any, is_believed: bool) -> None:
    assert places(kind, **cursor).is_believed(place, UNTIL) is is_believed


@pytest.mark.parametrize(
    ("dialect", "kind", "has_zone"),
    [
        ("mysql", mysql.TIMESTAMP(), True),
        ("mariadb", mysql.TIMESTAMP(), True),
        ("mysql", mysql.DATETIME(), False),
        ("mssql", mssql.DATETIMEOFFSET(), True),
        ("mssql", mssql.DATETIME2(), False),
        ("bigquery", sa.TIMESTAMP(), True),
        ("bigquery", sa.DATETIME(), False),
        ("snowflake", SnowflakeNtz(), False),
        ("snowflake", SnowflakeLtz(), True),
        ("oracle", oracle.TIMESTAMP(timezone=True), True),
        ("oracle", oracle.TIMESTAMP(local_timezone=True), False),
        ("postgresql", sa.TIMESTAMP(timezone=True), True),
        ("other", sa.TIMESTAMP(), False),
    ],
)
def test_which_types_say_their_zone(dialect: str, kind: Any, has_zone: bool) -> None:
    assert places(kind, dialect).table.has_zone("at") is has_zone


@pytest.mark.parametrize(
    ("dialect", "kind", "given"),
    [
        ("mysql", mysql.TIMESTAMP(), datetime(2026, 7, 9, 9)),  # noqa: DTZ001 - as its driver gives it
        ("mssql", mssql.DATETIMEOFFSET(), datetime(2026, 7, 9, 9, tzinfo=UTC)),
        ("bigquery", sa.TIMESTAMP(), datetime(2026, 7, 9, 9, tzinfo=UTC)),
    ],
)
def test_an_instant_is_one_whatever_zone_is_declared(dialect: str, kind: Any, given: datetime) -> None:
    at = places(kind, dialect)
    value = at.table.as_given("at", given)
    assert value == datetime(2026, 7, 9, 9, tzinfo=UTC)
    kept = at.kept(at.table.compared_text("at", value))
    assert at.start(kept) == given - timedelta(hours=1)
    assert at.ceiling(UNTIL) == given + timedelta(hours=1, minutes=5)


@pytest.mark.parametrize(
    ("kind", "format_", "first", "last"),
    [
        (sa.DateTime(timezone=True), "iso", UNTIL - timedelta(days=1), UNTIL + timedelta(minutes=5)),
        (sa.DateTime(), "iso", datetime(2026, 7, 8, 12), datetime(2026, 7, 9, 12, 5)),  # noqa: DTZ001 - without a zone
        (sa.Date(), "iso", date(2026, 7, 8), date(2026, 7, 9)),
        (sa.Text(), "iso", "2026-07-07", "2026-07-11"),
        (sa.BigInteger(), "unix_ms", (NOW - 86_400) * 1_000, (NOW + 300) * 1_000),
    ],
)
def test_what_was_in_the_future_is_asked_for_once_it_has_come(kind: Any, format_: str, first: Any, last: Any) -> None:
    due = Due(UNTIL - timedelta(days=1), UNTIL, "Europe/Madrid")
    asked = due.rows(Revision(column="at", format=format_), places(kind).table)
    assert asked is not None
    assert list(asked.compile().params.values()) == [first, last]


def test_of_a_revision_that_is_written_otherwise_nothing_is_asked() -> None:
    due = Due(UNTIL - timedelta(days=1), UNTIL, "Europe/Madrid")
    assert due.rows(Revision(column="at", format="%d/%m/%Y"), places(sa.Text()).table) is None
