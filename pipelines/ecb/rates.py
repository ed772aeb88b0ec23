"""Reference rates: what one euro is worth in a currency, of each day on which it was published.

Belongs here: which table is read, how far it reaches, and the facts. Does not: HTTP and XML (`tables`).

A rate is dated at 16:00 in Frankfurt on its day, when it is published: in a zone where it is the next day by then, it
is the next day's. Past rates are not revised as a rule; those of the last ninety days are compared at every reading,
and one that was put right is a correction. The table begins in 1999; nothing is known of a time before 2000
(`plausibility`), so neither are its rates.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import polars as pl

from kr_definitions.events import RATE
from kr_definitions.vocabulary import DECIMAL, nearest
from pipelines.ecb.tables import RECENT, WHOLE, Rate, Table, Tables
from pipelines.plausibility import EARLIEST
from pipelines.source import READ_AGAIN, Account, Covered, Read, Record, SourceConfigError, Stream, VendorError

FRANKFURT = ZoneInfo("Europe/Berlin")
PUBLISHED = time(16)

_RECENT_DAYS = timedelta(days=80)
_LONGEST_SILENCE = timedelta(days=6)
"""No holidays of the bank are so many days on end: a newest table that is older is a file that nobody keeps up."""

_RECORDS_A_PAGE = 1_000

PAYLOAD = pl.Struct({"day": pl.String(), "currency": pl.String(), "rate": pl.String()})


def reference_rates(account: Account, currencies: Sequence[str]) -> Stream:
    """The stream."""
    return Stream(
        name="reference_rates",
        feeds=(RATE,),
        fetch=lambda read: _fetch(account, sorted(currencies), read),
        payload=PAYLOAD,
        facts=facts,
        overlap=timedelta(0),
        lateness=timedelta(days=1),
    )


def _fetch(account: Account, currencies: Sequence[str], read: Read) -> Generator[list[Record], None, Covered]:
    """The last ninety days where all before them has been read of these currencies; else everything."""
    asked = ",".join(currencies)
    is_recent = read.since is not None and read.cursor == asked and read.until - read.since < _RECENT_DAYS
    table = Tables(account, read.clock).whole(RECENT if is_recent else WHOLE)
    if not is_recent:
        _refuse_unknown(table, currencies)
    _refuse_old(table.source, table.newest, read.until)
    records: list[Record] = []
    for day, rates in table.days():
        if day < EARLIEST.date():
            continue
        records += [_record(one) for one in rates if one.currency in currencies]
        if len(records) >= _RECORDS_A_PAGE:
            yield records
            records = []
    yield records
    return Covered(read.since if is_recent else None, _read_until(table.newest, read.until), asked)


def _record(one: Rate) -> Record:
    return Record(f"{one.day}/{one.currency}", None, {"day": str(one.day), "currency": one.currency, "rate": one.rate})


def _refuse_unknown(table: Table, currencies: Sequence[str]) -> None:
    for currency in currencies:
        if currency not in table.currencies:
            like = nearest(currency, sorted(table.currencies))
            raise SourceConfigError(
                table.source,
                f"the European Central Bank publishes no rate of {currency}",
                "Keep a file of its rates (kind: files)" + (f", or name another: {', '.join(like)}" if like else ""),
            )


def _refuse_old(source: str, newest: date, now: datetime) -> None:
    today = now.astimezone(FRANKFURT).date()
    if not today - _LONGEST_SILENCE <= newest <= today:
        raise VendorError(source, f"the newest rates are of {newest}, and it is {today} in Frankfurt", READ_AGAIN)


def _read_until(newest: date, now: datetime) -> datetime:
    """Today's rates have been read once they are there; on a day that has none, up to when they would be there."""
    today = now.astimezone(FRANKFURT).date()
    return now if newest == today else min(now, published_at(today))


def published_at(day: date) -> datetime:
    """When the rates of a day are published."""
    return datetime.combine(day, PUBLISHED, FRANKFURT).astimezone(UTC)


def facts(records: pl.LazyFrame) -> pl.LazyFrame:
    """What a day's rate states."""
    is_exact = pl.col("rate").str.contains(r"^\d{1,12}(\.\d{1,6})?$")
    rate = pl.when(is_exact).then(pl.col("rate")).cast(DECIMAL)
    day = pl.col("day").str.to_date("%Y-%m-%d", strict=False)
    at = day.cast(pl.Datetime("us")).dt.offset_by(f"{PUBLISHED.hour}h").dt.replace_time_zone(FRANKFURT.key)
    problem = (
        pl.when(day.is_null())
        .then(pl.format("day: not a day ({})", pl.col("day").fill_null("nothing")))
        .when(~pl.col("currency").fill_null("").str.contains("^[A-Z]{3}$"))
        .then(pl.lit("currency: not a currency's code"))
        .when((rate > 0).not_().fill_null(value=True))
        .then(pl.format("rate: not a number above 0 of six decimals at most ({})", pl.col("rate").fill_null("nothing")))
    )
    return records.select(
        "record_key",
        fact_key="record_key",
        event_type=pl.lit(RATE),
        subject_id=pl.format("EUR/{}", "currency"),
        occurred_at=at.dt.convert_time_zone("UTC"),
        quantity=rate,
        from_currency=pl.lit("EUR"),
        to_currency="currency",
        source_url=pl.format(
            "https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates/html/"
            "eurofxref-graph-{}.en.html",
            pl.col("currency").str.to_lowercase(),
        ),
        problem=problem,
    )
