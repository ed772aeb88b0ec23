"""One impossible fact sets its own record aside, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from pipelines import plausibility
from pipelines.load import Lake, Source, bring_up_to_date, fetch
from pipelines.novelty import Novelty
from pipelines.raw_zone import RAW_SCHEMA
from pipelines.source import Account, Covered, Options, Read, Record, Stream

NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)
GOOD = {"type": "deal.won", "at": "2026-11-20T10:00:00Z", "subject": "1", "amount": "10", "currency": "EUR"}


class Stated:
    """A source that states one fact for each of the records that it is given."""

    kind = "stated"
    options = Options

    def __init__(self, records: dict[str, dict[str, str]]) -> None:
        self.records = records

    def streams(self, account: Account, options: Options) -> list[Stream]:
        names = ("type", "at", "subject", "amount", "currency", "quantity", "network", "attended_share")
        payload = pl.Struct(dict.fromkeys(names, pl.String))
        return [Stream("deals", ("deal.won",), self.fetch, payload, self.facts)]

    def fetch(self, read: Read) -> Iterator[list[Record]]:
        yield [Record(key, None, payload) for key, payload in self.records.items()]
        return Covered(None, read.until)

    @staticmethod
    def facts(records: pl.LazyFrame) -> pl.LazyFrame:
        return records.select(
            "record_key",
            pl.col("record_key").alias("fact_key"),
            pl.col("type").alias("event_type"),
            pl.col("subject").alias("subject_id"),
            pl.col("at").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC", strict=False).alias("occurred_at"),
            pl.col("amount", "quantity", "attended_share").cast(pl.Decimal(38, 6)),
            "currency",
            "network",
        )


@pytest.fixture
def loaded(tmp_path) -> Callable[..., tuple[set[str], dict[str, str]]]:
    """Load records at an instant; gives the keys of the events that the log states, and key -> problem."""
    lake = Lake(tmp_path)

    def load(records: dict[str, dict[str, str]], now: datetime = NOW) -> tuple[set[str], dict[str, str]]:
        source = Source(Stated(records), Account("test", "stated", "UTC"), Options())
        fetch(source, lake, None, now)
        bring_up_to_date([source], lake, now)
        stated = lake.log.scan().filter(pl.col("event_type") == "deal.won").collect().get_column("record_key")
        return set(stated), dict(lake.quarantine().select("record_key", "problem").collect().iter_rows())

    return load


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"at": "2062-01-01T00:00:00Z"}, "deal.won: 2062-01-01 00:00 UTC is in the future"),
        ({"at": "2026-11-21T06:05:01Z"}, "deal.won: 2026-11-21 06:05 UTC is in the future"),
        ({"at": "0026-11-20T10:00:00Z"}, "deal.won: 0026-11-20 10:00 UTC is before the year 2000"),
        ({"at": "yesterday"}, "deal.won: no time is given"),
        ({"subject": ""}, "deal.won: nothing says whom or what it is about"),
        ({"currency": "EURO"}, "deal.won: EURO is no ISO 4217 currency"),
        ({"currency": None}, "deal.won: an amount without a currency"),
        ({"quantity": "-50"}, "deal.won: a negative quantity (-50.000000)"),
        ({"subject": "ana@correo.example"}, "deal.won: a text holds a mail address, which is never stored"),
        (
            {"network": "youtoube"},
            "deal.won: youtoube is no network that is known (facebook, instagram, linkedin, x, youtube)",
        ),
        ({"attended_share": "90"}, "deal.won: attended_share is a number from 0 to 1, not 90"),
        ({"type": "deal.lost"}, "deal.lost: the stream does not declare that it feeds it"),
    ],
)
def test_an_impossible_fact_sets_its_record_aside_and_the_others_are_stated(loaded, change, problem):
    assert loaded({"good": GOOD, "bad": {**GOOD, **change}}) == ({"good"}, {"bad": problem})


def test_a_clock_that_is_five_minutes_ahead_is_forgiven(loaded):
    assert loaded({"ahead": {**GOOD, "at": "2026-11-21T06:05:00Z"}}) == ({"ahead"}, {})


def test_what_lay_in_the_future_counts_when_it_has_come(loaded):
    planned = {"planned": {**GOOD, "at": "2026-11-25T10:00:00Z"}}
    assert loaded(planned)[0] == set()
    assert loaded(planned, NOW + timedelta(days=3))[0] == set()
    assert loaded(planned, NOW + timedelta(days=5))[0] == {"planned"}


def test_a_record_that_was_mended_is_stated(loaded):
    assert loaded({"deal": {**GOOD, "at": "2062-01-01T00:00:00Z"}}, NOW)[0] == set()
    assert loaded({"deal": GOOD}, NOW + timedelta(days=1))[0] == {"deal"}


def test_what_a_record_said_before_stays_while_what_it_says_now_is_impossible(loaded):
    loaded({"deal": GOOD}, NOW)
    stated, problems = loaded({"deal": {**GOOD, "amount": "20", "currency": "EURO"}}, NOW + timedelta(days=1))
    assert (stated, problems) == ({"deal"}, {"deal": "deal.won: EURO is no ISO 4217 currency"})


TELEPHONES = [
    "call her at 612 345 678",
    "llámale al 612345678",
    "tel. 91 123 45 67, mañanas",
    "+34 612345678",
    "+34 612 345 678.",
    "(+57) 300 123 4567",
    "WhatsApp 3001234567",
    "0034 91 123 45 67",
    "+1 (212) 555-0123",
    "612-34-56-78",
    "93 123 45 67",
]
NO_TELEPHONES = [
    "two contracts are signed, 1.250.000 € in all",
    "1 250 000 EUR more than in 2025",
    "612 345 678 € of pipeline",
    "+12.345.678 €",
    "$300000000 this quarter, COP 3000000000 the next",
    "3000000000 pesos",
    "USD 612345678",
    "from 2026-11-20 to 2026-12-31",
    "20/11/2026 10:30, 21.11.2026 and 2026-11-22T10:30:00",
    "2025-2026: 45, 46, 47 48 49 50",
    "12 345 678,50 €; 345.678.912,00",
    "deal 9876543210 and ticket 612345678",
    "negocio #612345678, factura 2026-000123",
    "https://app.hubspot.com/contacts/1/record/0-3/612345678",
    "95 % of 600 000 000",
    "10 20 30 40 50 60 70",
    "weeks 45-46-47-48",
]


@pytest.mark.parametrize("note", TELEPHONES)
def test_a_note_with_a_telephone_number_may_not_be_stored(note):
    assert plausibility.holds_a_telephone_number(note)


@pytest.mark.parametrize("note", NO_TELEPHONES)
def test_amounts_dates_and_numbers_of_records_are_no_telephones(note):
    assert not plausibility.holds_a_telephone_number(note)


# Last changes


def test_a_last_change_that_is_yet_to_come_outlives_no_later_one() -> None:
    """Whatever a vendor says of it: what it says of the record afterwards holds."""
    novelty = Novelty("crm", "deals", NOW, pl.LazyFrame(schema=RAW_SCHEMA))
    far = novelty.row(Record("a", datetime(2062, 1, 1, tzinfo=UTC), {"n": 1}))
    meanwhile = novelty.row(Record("b", NOW + timedelta(hours=3), {"n": 1}))  # while a long reading lasts
    novelty.recorded_at += 86_400_000_000
    later = novelty.row(Record("a", NOW + timedelta(hours=20), {"n": 2}))
    assert [row and row["revision"] for row in (far, meanwhile, later)] == [
        NOW,
        NOW + timedelta(hours=3),
        NOW + timedelta(hours=20),
    ]
