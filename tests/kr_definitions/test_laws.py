"""The laws of measuring, for every declared key result of every declared organisation, over random small logs.

One organisation more, `agencia`, declares every kind of measure, target, window, period and cohort once (`whole/`). A
law says of whole figures, column by column, what must not differ. Where it leaves a column out, it says why.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property, lru_cache
from math import fsum
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from builders import empty, event, facts
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from kr_definitions import catalogue
from kr_definitions.catalogue import Definition, happening
from kr_definitions.compute import compute
from kr_definitions.contributions import contributions, made_of, on_day
from kr_definitions.coverage import Feeds
from kr_definitions.declared_periods import MonthOf, MonthsFrom
from kr_definitions.events import RATE, as_known_at, current
from kr_definitions.history import COMPUTED_SCHEMA
from kr_definitions.measures import Gain, Ratio, Steps
from kr_definitions.organisation import Organisation
from kr_definitions.periods import Span, shift_months
from kr_definitions.vocabulary import DECIMAL, vocabulary
from pipelines.event_log import readings, statements

WHOLE = Path(__file__).parent / "whole"
FEW = settings(max_examples=max(2, settings.default.max_examples // 50), phases=[Phase.generate])
"""Each key result is computed a few times for each law. A smaller seed is no simpler a log: none is looked for."""

SEEDS = st.integers(0, 2**32)
STARTS = datetime(2026, 11, 21, 5, tzinfo=UTC)
FIGURES = [name for name in COMPUTED_SCHEMA if name != "is_provisional"]
"""All columns but the one that says what held when it was computed, and so depends on that day."""

Facts = list[dict[str, Any]]
Spans = Sequence[tuple[date, date]]


@dataclass(frozen=True, eq=False)
class Case:
    """A key result with its organisation, and the facts that matter for it."""

    definition: Definition
    organisation: Organisation

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.organisation.zone)

    @cached_property
    def period(self) -> Span:
        """Its period; of one that an event names, some months of its objective's, in which the event happens."""
        whole = self.definition.objective.period.span(self.organisation.calendar)
        return self.definition.period or Span(whole.first + timedelta(days=60), whole.first + timedelta(days=180))

    @cached_property
    def literals(self) -> dict[str, list[str]]:
        """By column, what the declared filters compare it with, and the members that are declared."""
        kr, found = self.definition.key_result, {}
        texts = [text for _, measure in kr.measures() for _, text, _ in measure.filters()]
        if isinstance(kr.period, MonthsFrom | MonthOf):
            texts.append(happening(kr.period).where or "")
        for text in texts:
            column = ""
            for word, literal in re.findall(r"([a-z_]+)|('[^']*'|[0-9.]+)", text):
                column = word if word in {*vocabulary().attributes, *COLUMNS} else column
                if literal:
                    found.setdefault(column, []).append(literal.strip("'"))
        if kr.each is not None and kr.each.members is not None:
            found.setdefault(kr.each.dimension, []).extend(kr.each.members)
        return found

    def days(self, *, until: int = 20) -> Span:
        """From before every baseline to after the period."""
        return Span(self.period.first - timedelta(days=400), self.period.last + timedelta(days=until))

    def day(self, random: Random) -> date:
        """A day of the period or about it; sometimes one of long before, but not before the event that names it."""
        whole = self.days()
        near = Span(max(whole.first, self.period.first - timedelta(days=10)), whole.last)
        span = near if self.definition.period is None else random.choice([whole, near, near])
        return span.first + timedelta(days=random.randrange(span.days))

    def through(self, seed: int) -> date:
        """A day up to which to compute: often the last one, and else one of the period."""
        random = Random(seed)
        return random.choice([self.period.last, self.period.first + timedelta(random.randrange(self.period.days))])

    def midnight(self, day: date) -> datetime:
        """The first instant of a day."""
        return datetime.combine(day, time.min, self.zone).astimezone(UTC)

    @property
    def feeds(self) -> Feeds:
        types = (*self.definition.types, RATE)
        return Feeds(dict.fromkeys(types, frozenset({("test", "stream")})), late_days=dict.fromkeys(types, 3))

    def figures(self, log: pl.DataFrame | pl.LazyFrame, through: date) -> pl.DataFrame:
        return compute([self.definition], self.organisation, log.lazy(), through, self.feeds)

    def contributions(self, log: pl.DataFrame, through: date) -> pl.DataFrame:
        return contributions([self.definition], self.organisation, log.lazy(), through, self.feeds)


ELSEWHERE = ("GBP", "JPY")
COLUMNS = ("account_id", "actor", "subject_id", "amount", "quantity")


def cases() -> Iterator[Case]:
    for folder in (catalogue.FOLDER, WHOLE):
        for name in catalogue.organisations(folder):
            whole = catalogue.load(name, folder)
            yield from (Case(definition, whole.organisation) for definition in whole.definitions)


CASES = {case.definition.id: case for case in cases()}
remembered = lru_cache(maxsize=250)
"""The first example of each key result is the same for every law: it is made, and measured, once for all of them."""
EVERY = pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES.items()])


# --- random logs ------------------------------------------------------------------------------------------------------


@remembered
def happened(case: Case, seed: int) -> Facts:
    """Random facts of what matters for a key result: before, in and after its period, many at local midnight."""
    random = Random(f"{case.definition.id}/{seed}")
    crowd = random.choice([3, 40, 40])
    said = [stated(case, random, n, crowd) for n in range(random.choice([6, 90, 90, 90]))]
    return [*said, *rates(case, random, said)]


def stated(case: Case, random: Random, n: int, crowd: int) -> dict[str, Any]:
    """A fact of one of so many subjects, of one of so many accounts."""
    name, day = random.choice(case.definition.types), case.day(random)
    clock = random.choice([time.min, time.max, time(random.randrange(24), random.randrange(60))])
    instant = datetime.combine(day, clock, case.zone).astimezone(UTC)
    names = [f"name {m}" for m in range(crowd)]
    columns = {attribute: some(case, random, attribute, day) for attribute in vocabulary().types[name].carries}
    columns |= {column: some_of(case, random, column, names) for column in ("account_id", "actor")}
    columns |= {"currency": random.choice([*[case.organisation.currency] * 9, *ELSEWHERE])}
    columns |= {number: random.choice([None, "0.1", "100", "12.345678", "-7"]) for number in ("amount", "quantity")}
    return event(name, instant, str(random.randrange(crowd)), key=str(n), **columns)


def rates(case: Case, random: Random, said: Facts) -> Facts:
    """Of most amounts in other currencies a rate of the day or of shortly before, straight, inverse or through another.

    Some are of no day that helps, and some of a day that has one already.
    """
    own, found = case.organisation.currency, []
    for n, fact in enumerate(fact for fact in said if fact["currency"] in ELSEWHERE):
        pairs = {
            "GBP": [(fact["currency"], own)],
            "JPY": [("EUR", "JPY")] if own == "EUR" else [("EUR", "JPY"), (own, "EUR")],
        }
        for one, other in pairs[fact["currency"]]:
            at = fact["occurred_at"] - timedelta(days=random.choice([0, 0, 1, 6, 9]))
            of_pair = {"from_currency": one, "to_currency": other, "quantity": random.choice(["0.7", "163.27", "3"])}
            found.append(event(RATE, at, f"{one}/{other}", key=f"rate {n} {one}", **of_pair))
    return found


def some(case: Case, random: Random, attribute: str, day: date) -> Any:
    kind = vocabulary().attributes[attribute].dtype
    if kind == pl.Boolean:
        return random.choice([True, False, None])
    if kind == pl.Date:
        return shift_months(day.replace(day=1), random.randrange(3))
    if kind == DECIMAL:
        return random.choice([*case.literals.get(attribute, []), "1", "9.5", None])
    return some_of(case, random, attribute, ["uno", "dos"])


def some_of(case: Case, random: Random, column: str, others: Sequence[str]) -> str | None:
    """Mostly a value that a filter asks for."""
    asked = case.literals.get(column)
    return random.choice(asked) if asked and random.random() < 0.85 else random.choice([*others, None])


def told(log: pl.DataFrame, said: Facts, n: int, gone: Iterable[str] = ()) -> pl.DataFrame:
    """The log after the n-th load, which said these facts and that the records `gone` state none any more."""
    these = facts(said)
    withdrawn = pl.LazyFrame({"record_key": list(gone)}, {"record_key": pl.String})
    touched = pl.concat([these.select("record_key"), withdrawn])
    return pl.concat([log, statements(log.lazy(), these, touched, "test", "stream", STARTS + timedelta(minutes=n))])


def read(case: Case, spans: Spans | None = None) -> pl.DataFrame:
    """Statements that each measured type was read over spans of whole days; without spans, all that there ever was."""
    bounds: list[tuple[datetime | None, datetime]] = [(None, datetime(2200, 1, 1, tzinfo=UTC))]
    if spans is not None:
        bounds = [(case.midnight(first), case.midnight(last + timedelta(1))) for first, last in spans]
    rows = [(start, end, STARTS + timedelta(seconds=n)) for n, (start, end) in enumerate(bounds)]
    columns = dict.fromkeys(("covered_from", "covered_to", "read_at"), pl.Datetime("us", "UTC"))
    loads = pl.DataFrame(rows, columns, orient="row")
    return readings(loads, (*case.definition.types, RATE), "test", "stream", "1", STARTS)


@remembered
def restated(case: Case, seed: int) -> tuple[pl.DataFrame, Facts]:
    """A log in which some facts were corrected and some withdrawn after they had been stated; what holds in the end."""
    random, first = Random(seed), happened(case, seed)
    by_key = {fact["fact_key"]: fact for fact in first}
    corrected = {}
    for key in random.sample(sorted(by_key), len(by_key) // 4):
        later = by_key[key]["occurred_at"] + timedelta(hours=random.choice([-30, 1, 50]))
        corrected[key] = {**by_key[key], "occurred_at": later}
    gone = random.sample(sorted(by_key), len(by_key) // 5)
    log = told(told(told(read(case), first, 1), list(corrected.values()), 2), [], 3, gone)
    return log, [fact for key, fact in {**by_key, **corrected}.items() if key not in gone]


@remembered
def restated_figures(case: Case, seed: int) -> pl.DataFrame:
    """Those of that log, up to `case.through(seed)`."""
    return case.figures(restated(case, seed)[0], case.through(seed))


# --- the laws ---------------------------------------------------------------------------------------------------------


@EVERY
@FEW
@given(seed=SEEDS, offset=st.floats(0, 1, exclude_max=True))
def test_what_happens_after_a_day_never_moves_the_figures_of_that_day(case, seed, offset):
    day = case.period.first + timedelta(days=int(case.period.days * offset))
    everything = happened(case, seed)
    until_then = [fact for fact in everything if fact["occurred_at"] < case.midnight(day + timedelta(1))]
    through = day + timedelta(days=20)
    then, now = (told(read(case), said, 1) for said in (until_then, everything))
    past = pl.col("as_of") <= day
    known, before = (case.figures(log, through).filter(past) for log in (now, then))
    if isinstance(case.definition.key_result.period, MonthOf) and before.is_empty():
        return  # the month of an event has its first days only once the event has happened
    assert before.equals(known)
    # Computed on the day itself, from what had been read by then: the same but for what is still provisional.
    on_the_day = told(read(case, [(date(1800, 1, 1), day)]), until_then, 1)
    assert case.figures(on_the_day, day).select(FIGURES).equals(known.select(FIGURES))


@EVERY
@FEW
@given(seed=SEEDS)
def test_neither_order_nor_split_nor_repetition_of_what_was_loaded_moves_a_figure(case, seed):
    through, said = case.through(seed), happened(case, seed)
    at_once = told(read(case), said, 1)
    shuffled = Random(seed).sample(said, len(said))
    log, cut = read(case), len(said) // 3
    for n, part in enumerate((shuffled[cut:], shuffled[: 2 * cut], shuffled)):
        log = told(log, part, n)
    mixed = log.sample(fraction=1, shuffle=True, seed=seed)
    assert case.figures(at_once, through).equals(case.figures(mixed, through))
    assert case.contributions(at_once, through).equals(case.contributions(mixed, through))


@EVERY
@FEW
@given(seed=SEEDS)
def test_a_log_that_was_corrected_measures_as_one_that_was_right_from_the_start(case, seed):
    _, holds = restated(case, seed)
    assert case.figures(told(read(case), holds, 1), case.through(seed)).equals(restated_figures(case, seed))


@EVERY
@FEW
@given(seed=SEEDS)
def test_as_known_at_the_latest_instant_measures_as_the_current_log(case, seed):
    log, _ = restated(case, seed)
    known = as_known_at(log.lazy(), log.get_column("recorded_at").max())
    assert case.figures(known, case.through(seed)).equals(restated_figures(case, seed))


@EVERY
@FEW
@given(seed=SEEDS)
def test_contributions_add_up_to_the_figures(case, seed):
    """Exactly: to numerator and denominator, and to the value where no numerator says it. Floats but for a rounding."""
    through = case.through(seed)
    log, _ = restated(case, seed)
    figures, keys = restated_figures(case, seed), ["key_result_id", "member", "as_of"]
    given = case.contributions(log, through)
    assert_of_events(case, given, log)
    parts = made_of(case.definition, figures).with_columns(
        member=pl.lit(None, pl.String), contribution=pl.col("numerator").cast(pl.Float64)
    )
    numbers = ["numerator", "denominator", "contribution"]
    each = pl.concat([frame.select(*keys, *numbers) for frame in (on_day(given, figures), parts)])
    sums = each.group_by(keys).agg(
        pl.col("numerator", "denominator").sum().name.prefix("given_"),
        pl.col("contribution").drop_nulls().alias("each"),
        pl.col("contribution").abs().sum().alias("size"),
    )
    sums = sums.with_columns(pl.Series("contribution", map(fsum, sums.get_column("each")), pl.Float64))
    both = figures.join(sums, on=keys, how="left", nulls_equal=True, validate="1:1").with_columns(
        pl.col("^given_.*$").fill_null(0), pl.col("contribution", "size").fill_null(0.0)
    )
    for name in ("numerator", "denominator"):
        amiss = both.filter(pl.col(name) != pl.col(f"given_{name}"))
        assert amiss.is_empty(), amiss.select(*keys, name, f"given_{name}")
    is_exact = pl.col("numerator").is_null()
    error = (pl.col("value") - pl.col("contribution")).abs()
    amiss = both.filter(pl.when(is_exact).then(error > 0).otherwise(error > 1e-9 * pl.col("size")))
    assert amiss.is_empty(), amiss.select(*keys, "value", "contribution")


def assert_of_events(case: Case, given: pl.DataFrame, log: pl.DataFrame) -> None:
    """Each is of an event that holds, and of none before it happened; of no event only what a declaration states."""
    day = pl.col("occurred_at").dt.convert_time_zone(case.organisation.zone).dt.date().alias("day")
    days = current(log.lazy()).select("event_id", day).collect()
    assert (given.get_column("first_day") <= given.get_column("last_day")).all()
    for name in ("event_id", "with_event_id"):
        named = given.filter(pl.col(name).is_not_null())
        happened_on = named.join(days, left_on=name, right_on="event_id", validate="m:1")
        assert happened_on.height == named.height
        assert (happened_on.get_column("day") <= happened_on.get_column("first_day")).all()
    measures = case.definition.measures
    is_stated = any(isinstance(m, Steps) or (isinstance(m, Ratio) and "figure" in str(m)) for m in measures)
    assert is_stated or not given.get_column("event_id").null_count()


@EVERY
def test_an_empty_log_measures_and_pretends_nothing(case):
    found = case.figures(empty(), case.period.last)
    measured = found.select("value", "numerator", "denominator", "events", "progress", "score", "forecast", "baseline")
    assert {found.height} == set(measured.null_count().row(0))
    assert {"no_data", "not_started", None} >= set(found.get_column("status"))
    assert (case.definition.period is not None) == (found.height > 0)


@EVERY
@FEW
@given(
    seed=SEEDS,
    spans=st.lists(st.tuples(st.integers(-400, 360), st.integers(0, 500)), max_size=3),
    is_whole=st.booleans(),
)
def test_a_partly_loaded_log_says_what_is_true_or_nothing(case, seed, spans, is_whole):
    """Each figure is null or what it is once everything has been read.

    Left out: the status, which says that something is missing, and `windows_met` and `breached`, of which the least is
    known. A gain is of what has been observed: it begins with the first observation that was read, whatever there was
    before.
    """
    first, through = case.period.first, case.period.last
    days = [(first + timedelta(start), first + timedelta(start + length)) for start, length in spans]
    days += [(date(1800, 1, 1), first + timedelta(100))] if is_whole else []
    everything = happened(case, seed)
    loaded = [
        fact for fact in everything if any(a <= fact["occurred_at"].astimezone(case.zone).date() <= b for a, b in days)
    ]
    keys = ["key_result_id", "member", "as_of"]
    is_gain = any(isinstance(measure, Gain) for measure in case.definition.measures)
    wholly = case.figures(told(read(case), loaded if is_gain else everything, 1), through)
    partly = case.figures(told(read(case, days), loaded, 1), through)
    both = partly.join(wholly, on=keys, how="left", nulls_equal=True, suffix="_wholly")
    for name in set(COMPUTED_SCHEMA) - {*keys, "status", "windows_met", "breached"}:
        pretended = both.filter(pl.col(name).is_not_null() & pl.col(name).ne_missing(pl.col(f"{name}_wholly")))
        assert pretended.is_empty(), pretended.select(*keys, name, f"{name}_wholly")
    assert (both.get_column("windows_met") <= both.get_column("windows_met_wholly")).all()
    named = [pl.col(name).fill_null("").str.split(", ") for name in ("breached", "breached_wholly")]
    assert (
        both.filter(pl.col("breached").is_not_null())
        .select(named[0].list.set_difference(named[1]).list.len() == 0)
        .to_series()
        .all()
    )
    lacks = both.filter(
        pl.col("value").is_null() & pl.col("value_wholly").is_not_null(), pl.col("status").is_not_null()
    )
    assert {"no_data", "unreliable", "not_started"} >= set(lacks.get_column("status"))
