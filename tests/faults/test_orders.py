"""Loading the same again, in any order, in any batches, under another name: what is true stays the same."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Generator
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

import dlt
import polars as pl
import pytest
from faults.agency import at, listing_facts
from faults.attack import Arena, Loader
from hypothesis import example, given, settings
from hypothesis import strategies as st

from assets.clock import SystemClock
from kr_definitions.events import COVERED, current
from pipelines.load import Lake
from pipelines.raw_zone import RAW_SCHEMA, RawZone
from pipelines.source import Covered, Read, Record, Stream, can_be_stored
from pipelines.understanding import understand


def stored(days: Arena) -> list[pl.DataFrame]:
    """All that a lake holds, but for the notes that it was read once more."""
    lake = days.lake
    return [
        lake.raw.scan("agency", "visits").sort("record_id").collect(),
        lake.raw.scan("agency", "listings").sort("record_id").collect(),
        lake.quarantine().sort("record_id").collect(),
        lake.log.scan().filter(pl.col("event_type") != COVERED).sort("event_id").collect(),
    ]


def test_loading_the_same_again_and_under_another_name_changes_nothing(days: Arena) -> None:
    days.run(24)
    days.run(48)
    before = stored(days)
    days.run(48)
    status, _ = days.loader.end(days.begin(48, other_name=True))
    assert status == 0, days.loader.told()
    assert all(now.equals(then) for now, then in zip(stored(days), before, strict=True))
    days.assert_whole()


DELIVERED = st.fixed_dictionaries(
    {"key": st.sampled_from("ABC"), "revision": st.integers(1, 3), "price": st.integers(1, 2)}
)
UNDATED = DELIVERED.map(lambda item: {**item, "revision": None})


@st.composite
def deliveries(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Some loads of some pages; the clock may stand still between them, or go back."""
    records = draw(st.lists(draw(st.sampled_from((DELIVERED, UNDATED))), min_size=1, max_size=14))
    cuts = sorted(draw(st.lists(st.integers(0, len(records)), max_size=3)))
    pages = [records[start:end] for start, end in zip([0, *cuts], [*cuts, len(records)], strict=True)]
    of_first = draw(st.integers(0, len(pages)))
    hours = draw(st.lists(st.integers(24, 26), min_size=2, max_size=2))
    return [
        {"at": at(hour).isoformat(), "pages": batch}
        for hour, batch in zip(hours, (pages[:of_first], pages[of_first:]), strict=True)
    ]


def back_and_forth(*hours: int) -> list[dict[str, Any]]:
    """Eight records that change from load to load, the last of which reads them changed and changed back."""

    def page(price: int) -> list[dict[str, Any]]:
        return [{"key": key, "revision": None, "price": price} for key in "ABCDEFGH"]

    loads = [{"at": at(hour).isoformat(), "pages": [page(2 - number % 2)]} for number, hour in enumerate(hours)]
    loads[-1]["pages"] += [page(1), page(2), page(1)]
    return loads


@settings(max_examples=10)
@given(loads=deliveries())
@example(back_and_forth(24))
@example(back_and_forth(26, 26, 24, 24))
def test_the_newest_revision_holds_and_among_equal_ones_the_last_to_arrive(
    loader: Loader, loads: list[dict[str, Any]]
) -> None:
    assert_newest_holds(loader, loads)


@pytest.mark.soak
@pytest.mark.timeout(0)
@settings(max_examples=400)
@given(loads=deliveries())
def test_the_newest_revision_holds_in_hundreds_of_orders(loader: Loader, loads: list[dict[str, Any]]) -> None:
    assert_newest_holds(loader, loads)


def assert_newest_holds(loader: Loader, loads: list[dict[str, Any]]) -> None:
    """Make the loads; of each key the log states the newest, and the raw zone has each change once."""
    newest: dict[str, dict[str, Any]] = {}
    told: dict[tuple[str, int | None], list[int]] = {}
    for record in (record for load in loads for page in load["pages"] for record in page):
        if record["revision"] is None or record["revision"] >= newest.get(record["key"], record)["revision"]:
            newest[record["key"]] = record
        prices = told.setdefault((record["key"], record["revision"]), [])
        if prices[-1:] != [record["price"]]:
            prices.append(record["price"])
    with tempfile.TemporaryDirectory() as folder:
        status, _ = loader.end(loader.start("pages", lake=folder, loads=loads))
        assert status == 0, loader.told()
        lake = Lake(Path(folder))
        events = current(lake.log.scan()).filter(pl.col("event_type") != COVERED).select("fact_key", "amount").collect()
        raw = lake.raw.scan("pages", "listings").collect()
    assert Counter((key, Decimal(record["price"])) for key, record in newest.items()) == Counter(events.iter_rows())
    assert sum(len(prices) for prices in told.values()) == raw.height
    assert raw.get_column("record_id").is_unique().all()


def nothing(read: Read) -> Generator[list[Record], None, Covered]:
    """A vendor that has nothing."""
    yield []
    return Covered(None, read.until)


def test_records_are_understood_however_they_lie_in_memory() -> None:
    stream = Stream(
        "listings",
        ("listing.captured",),
        nothing,
        pl.Struct({"created_at": pl.String, "price": pl.String, "mandate": pl.String}),
        lambda listings: listing_facts(listings.filter(pl.col("mandate") == "open")).with_columns(
            fact_key=pl.format("listing/{}", "record_key")
        ),
    )
    dice = random.Random(1)
    for _ in range(60):
        mandates = [[dice.choice(("open", "exclusive")) for _ in range(dice.randint(1, 5))] for _ in range(3)]
        in_pieces = pl.concat([listed(number, of_piece) for number, of_piece in enumerate(mandates)], rechunk=False)
        assert in_pieces.n_chunks() == 3
        facts = understand(stream, "pages", in_pieces, at(24)).facts.collect()
        mandate_of = zip(in_pieces["record_key"], chain(*mandates), strict=True)
        is_open = [f"listing/{key}" for key, mandate in mandate_of if mandate == "open"]
        assert sorted(is_open) == sorted(facts.get_column("fact_key"))


def test_a_stream_that_dlt_would_store_under_another_name_is_refused_and_stops_no_other(tmp_path: Path) -> None:
    def one(read: Read) -> Generator[list[Record], None, Covered]:
        yield [Record("1", None, {})]
        return Covered(None, read.until)

    streams = [Stream(name, ("visit.held",), one, pl.Struct({}), listing_facts) for name in ("visitsOfDay", "visits")]
    read = Read(None, at(24), None, SystemClock())
    refused, loaded = RawZone(tmp_path).load("agency", streams, lambda _: read, at(24))
    assert "agency.visitsOfDay: a stream of this name cannot be stored" in str(refused.failure)
    assert (refused.covered, loaded.failure, loaded.inserted) == (None, None, 1)
    assert not RawZone(tmp_path).path("agency", "visitsOfDay").exists()


@pytest.mark.parametrize(
    "name", ["visits", "a1b", "a_1", "a" * 63, "visitsOfDay", "a-b", "a__b", "a_", "_a", "1a", "", "a" * 64, "a\n"]
)
def test_names_that_can_be_stored_are_those_that_dlt_leaves_as_they_are(name: str) -> None:
    kept = name != "" and len(name) < 64 and dlt.Schema("raw").naming.normalize_table_identifier(name) == name
    assert can_be_stored(name) == (kept and not name.startswith("_"))


def listed(piece: int, mandates: list[str]) -> pl.DataFrame:
    """Rows of the raw zone, in one piece."""
    payload = '{"created_at": "2026-03-02T00:00:00+00:00", "price": "1", "mandate": "%s"}'
    return pl.DataFrame(
        [
            {
                "record_id": f"{piece}.{number}",
                "record_key": f"{piece}.{number}",
                "is_deleted": False,
                "payload": payload % mandate,
            }
            for number, mandate in enumerate(mandates)
        ],
        schema=RAW_SCHEMA,
    )
