"""The laws of measuring, for every declared key result of every declared organisation, over random small logs.

One organisation more, `agencia`, declares every kind of measure, target, window and period once (`whole/`). A law says
of whole figures, column by column, what must not differ. Where it leaves a column out, it says why.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from builders import empty, event, facts
from hypothesis import given, settings
from hypothesis import strategies as st

from kr_definitions import catalogue
from kr_definitions.catalogue import Catalogue
from kr_definitions.compute import compute
from kr_definitions.coverage import Feeds
from kr_definitions.events import as_known_at
from kr_definitions.history import COMPUTED_SCHEMA
from kr_definitions.lint import predicates
from kr_definitions.vocabulary import vocabulary
from pipelines.event_log import readings, statements

WHOLE = Path(__file__).parent / "whole"
FOLDERS = {
    **dict.fromkeys(catalogue.organisations(), catalogue.FOLDER),
    **dict.fromkeys(catalogue.organisations(WHOLE), WHOLE),
}
ORGANISATIONS = pytest.mark.parametrize("organisation", FOLDERS)
SOME = settings(max_examples=settings.default.max_examples // 16)
"""Each example computes every key result of an organisation several times."""

SEEDS = st.integers(0, 2**32)
STARTS = datetime(2026, 11, 21, 5, tzinfo=UTC)
FIGURES = [name for name in COMPUTED_SCHEMA if name != "is_provisional"]
"""All columns but the one that says what held when it was computed, and so depends on that day."""

Facts = list[dict[str, Any]]
Spans = Sequence[tuple[date, date]]


@cache
def declared(organisation: str) -> Catalogue:
    return catalogue.load(organisation, FOLDERS[organisation])


def types_of(whole: Catalogue) -> list[str]:
    return sorted({name for definition in whole.definitions for name in definition.types})


def figures(whole: Catalogue, log: pl.DataFrame | pl.LazyFrame, through: date) -> pl.DataFrame:
    streams = dict.fromkeys(types_of(whole), frozenset({("test", "stream")}))
    feeds = Feeds(streams, late_days=dict.fromkeys(streams, 3))
    return compute(whole.definitions, whole.organisation, log.lazy(), through, feeds)


# --- random logs ------------------------------------------------------------------------------------------------------


def happened(whole: Catalogue, seed: int) -> Facts:
    """Random facts of the types that are measured, before, in and after the periods, many of them at local midnight."""
    random = Random(seed)
    texts = [
        text
        for d in whole.definitions
        for _, said, _ in predicates(d.key_result)
        for text in re.findall("'(.*?)'", said)
    ]
    first = min(d.period.first for d in whole.definitions) - timedelta(days=380)
    last = max(d.period.last for d in whole.definitions) + timedelta(days=20)
    found = []
    for n in range(random.choice([5, 250, 250])):
        name = random.choice(types_of(whole))
        day = first + timedelta(days=random.randrange((last - first).days))
        clock = random.choice([time.min, time.max, time(random.randrange(24), random.randrange(60))])
        instant = datetime.combine(day, clock, ZoneInfo(whole.organisation.zone)).astimezone(UTC)
        columns = {attribute: some(random, attribute, texts) for attribute in vocabulary().types[name].carries}
        columns |= {"account_id": random.choice([None, "a", "b", "c"]), "currency": "EUR"}
        columns |= {
            number: random.choice([None, "0.1", "100", "12.345678", "-7", "5000"]) for number in ("amount", "quantity")
        }
        found.append(event(name, instant, str(random.randrange(3)), key=str(n), **columns))
    return found


def some(random: Random, attribute: str, texts: Sequence[str]) -> Any:
    kind = vocabulary().attributes[attribute].dtype
    if kind == pl.Boolean:
        return random.choice([True, False, None])
    return random.choice([*texts, "something else", None]) if kind == pl.String else random.choice(["1", "9.5", None])


def told(log: pl.DataFrame, said: Facts, n: int, gone: Iterable[str] = ()) -> pl.DataFrame:
    """The log after the n-th load, which said these facts and that the records `gone` state none any more."""
    stated = facts(said)
    withdrawn = pl.LazyFrame({"record_key": list(gone)}, {"record_key": pl.String})
    touched = pl.concat([stated.select("record_key"), withdrawn])
    return pl.concat([log, statements(log.lazy(), stated, touched, "test", "stream", STARTS + timedelta(minutes=n))])


def read(whole: Catalogue, spans: Spans | None = None) -> pl.DataFrame:
    """Statements that each measured type was read over spans of whole days; without spans, all that there ever was."""
    zone = ZoneInfo(whole.organisation.zone)
    bounds: list[tuple[datetime | None, ...]] = [(None, datetime(2200, 1, 1, tzinfo=UTC))]
    if spans is not None:
        edges = [
            [datetime.combine(day, time.min, zone).astimezone(UTC) for day in (a, b + timedelta(1))] for a, b in spans
        ]
        bounds = [(start, end) for start, end in edges]
    rows = [(start, end, STARTS + timedelta(seconds=n)) for n, (start, end) in enumerate(bounds)]
    columns = dict.fromkeys(("covered_from", "covered_to", "read_at"), pl.Datetime("us", "UTC"))
    loads = pl.DataFrame(rows, columns, orient="row")
    return readings(loads, tuple(types_of(whole)), "test", "stream", "1", STARTS)


def restated(whole: Catalogue, seed: int) -> tuple[pl.DataFrame, Facts]:
    """A log in which some facts were corrected and some withdrawn after they had been stated; what holds in the end."""
    random, first = Random(seed), happened(whole, seed)
    by_key = {fact["fact_key"]: fact for fact in first}
    corrected = {}
    for key in random.sample(sorted(by_key), len(by_key) // 4):
        later = by_key[key]["occurred_at"] + timedelta(hours=random.choice([-30, 1, 50]))
        corrected[key] = {**by_key[key], "occurred_at": later}
    gone = random.sample(sorted(by_key), len(by_key) // 5)
    log = told(told(told(read(whole), first, 1), list(corrected.values()), 2), [], 3, gone)
    return log, [fact for key, fact in {**by_key, **corrected}.items() if key not in gone]


# --- the laws ---------------------------------------------------------------------------------------------------------


@ORGANISATIONS
@SOME
@given(seed=SEEDS, offset=st.integers(0, 330))
def test_what_happens_after_a_day_never_moves_the_figures_of_that_day(organisation, seed, offset):
    whole = declared(organisation)
    day = min(d.period.first for d in whole.definitions) + timedelta(days=offset)
    midnight = datetime.combine(day + timedelta(1), time.min, ZoneInfo(whole.organisation.zone)).astimezone(UTC)
    everything = happened(whole, seed)
    until_then = [fact for fact in everything if fact["occurred_at"] < midnight]
    through = day + timedelta(days=20)
    then, now = (told(read(whole), said, 1) for said in (until_then, everything))
    past = pl.col("as_of") <= day
    assert figures(whole, then, through).filter(past).equals(figures(whole, now, through).filter(past))
    # Computed on the day itself, from what had been read by then: the same but for what is still provisional.
    on_the_day = told(read(whole, [(date(1800, 1, 1), day)]), until_then, 1)
    assert (
        figures(whole, on_the_day, day)
        .select(FIGURES)
        .equals(figures(whole, now, through).filter(past).select(FIGURES))
    )


@ORGANISATIONS
@SOME
@given(seed=SEEDS)
def test_neither_order_nor_split_nor_repetition_of_what_was_loaded_moves_a_figure(organisation, seed):
    whole, through = declared(organisation), date(2026, 8, 20)
    said = happened(whole, seed)
    at_once = figures(whole, told(read(whole), said, 1), through)
    shuffled = Random(seed).sample(said, len(said))
    log, cut = read(whole), len(said) // 3
    for n, part in enumerate((shuffled[cut:], shuffled[: 2 * cut], shuffled)):
        log = told(log, part, n)
    assert at_once.equals(figures(whole, log.sample(fraction=1, shuffle=True, seed=seed), through))


@ORGANISATIONS
@SOME
@given(seed=SEEDS)
def test_a_log_that_was_corrected_measures_as_one_that_was_right_from_the_start(organisation, seed):
    whole, through = declared(organisation), date(2026, 8, 20)
    log, holds = restated(whole, seed)
    assert figures(whole, told(read(whole), holds, 1), through).equals(figures(whole, log, through))


@ORGANISATIONS
@SOME
@given(seed=SEEDS)
def test_as_known_at_the_latest_instant_measures_as_the_current_log(organisation, seed):
    whole, through = declared(organisation), date(2026, 8, 20)
    log, _ = restated(whole, seed)
    latest = log.get_column("recorded_at").max()
    assert figures(whole, log, through).equals(figures(whole, as_known_at(log.lazy(), latest), through))


@ORGANISATIONS
def test_an_empty_log_measures_and_pretends_nothing(organisation):
    whole = declared(organisation)
    found = figures(whole, empty(), date(2026, 12, 31))
    measured = found.select("value", "numerator", "denominator", "events", "progress", "score", "forecast", "baseline")
    assert {found.height} == set(measured.null_count().row(0))
    assert {"no_data", "not_started", None} >= set(found.get_column("status"))
    assert {d.id for d in whole.definitions if d.period.first <= date(2026, 12, 31)} == set(found["key_result_id"])


@ORGANISATIONS
@SOME
@given(
    seed=SEEDS,
    spans=st.lists(st.tuples(st.integers(-400, 360), st.integers(0, 500)), max_size=3),
    is_whole=st.booleans(),
)
def test_a_partly_loaded_log_says_what_is_true_or_nothing(organisation, seed, spans, is_whole):
    """Each figure is null or what it is once everything has been read.

    Left out: the status, which says that something is missing, and `windows_met`, of which the least is known.
    """
    whole, through = declared(organisation), date(2026, 12, 31)
    first = min(d.period.first for d in whole.definitions)
    days = [(first + timedelta(start), first + timedelta(start + length)) for start, length in spans]
    days += [(date(1800, 1, 1), first + timedelta(100))] if is_whole else []
    zone = ZoneInfo(whole.organisation.zone)
    everything = happened(whole, seed)
    loaded = [
        fact for fact in everything if any(a <= fact["occurred_at"].astimezone(zone).date() <= b for a, b in days)
    ]
    partly = figures(whole, told(read(whole, days), loaded, 1), through)
    wholly = figures(whole, told(read(whole), everything, 1), through)
    for name in set(COMPUTED_SCHEMA) - {"status", "windows_met"}:
        pretended = partly.get_column(name).is_not_null() & partly.get_column(name).ne_missing(wholly.get_column(name))
        assert not pretended.any(), partly.filter(pretended).select("key_result_id", "as_of", name)
    assert (partly.get_column("windows_met") <= wholly.get_column("windows_met")).all()
    has_value = partly.filter(pl.col("value").is_null() & pl.col("status").is_not_null())
    assert {"no_data", "unreliable", "not_started"} >= set(has_value.get_column("status"))
