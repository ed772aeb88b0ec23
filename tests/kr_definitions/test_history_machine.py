"""Weeks of loads, changes of mind and kills: whatever happens, the history says what a naive one says."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from typing import Any, Literal, NamedTuple

import polars as pl
import pytest
from builders import definition, empty, facts, organisation
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from naive_history import (
    DAY,
    KINDS,
    LATE_DAYS,
    MADRID,
    STREAM_OF,
    TICK,
    Fact,
    Figures,
    Kind,
    Meaning,
    NaiveHistory,
    Reading,
    Row,
    midnight,
)
from naive_history import Run as NaiveRun

from kr_definitions.catalogue import Definition
from kr_definitions.coverage import Feeds
from kr_definitions.editions import CAUSE_OF
from kr_definitions.history import COMPUTED_SCHEMA, HISTORY_SCHEMA, KEY, as_known_at, as_reported, current
from kr_definitions.memory import Check, Checked, Gained, Memory, Run
from kr_definitions.remembering import remember
from kr_definitions.replaying import replay
from pipelines.event_log import readings, statements

TEST = organisation()
FEEDS = Feeds(
    {name: frozenset({("test", stream)}) for name, stream in STREAM_OF.items()},
    {name: LATE_DAYS[stream] for name, stream in STREAM_OF.items()},
)
STREAMS = tuple(LATE_DAYS)
BEGINS = datetime(2026, 3, 24, 5, tzinfo=UTC)
PERIODS = (  # three whole weeks with a change of the clocks; from a Wednesday until a Tuesday; from Friday until Friday
    (date(2026, 3, 16), date(2026, 4, 5)),
    (date(2026, 3, 18), date(2026, 3, 31)),
    (date(2026, 3, 20), date(2026, 4, 3)),
)
TARGETS: Mapping[Kind, tuple[float, ...]] = {
    "count": (4, 8, 2), "share": (0.5, 0.75, 1), "open": (1, 2, 0),
    "each": (1, 2, 4), "week": (2, 4, 1), "relative": (0.5, 1, -0.5),
}  # fmt: skip


@cache
def declared(meaning: Meaning) -> Definition:
    """A meaning as it is declared."""
    target: dict[str, Any] = {"value": Decimal(meaning.target)}
    won: dict[str, Any] = {"sum": "quantity", "of": "deal.won"} if meaning.other else {"count": "deal.won"}
    lost = () if meaning.other else ("deal.lost",)
    content: dict[str, Any] = {
        "count": {"measure": won},
        "share": {
            "measure": {
                "share": {
                    "of": "listing.captured", "reached": f"mandate = '{'open' if meaning.other else 'exclusive'}'"
                }
            },
            "target": {"at_least": Decimal(meaning.target)},
        },
        "open": {
            "measure": {"open": {"opened_by": "deal.created", "closed_by": ("deal.won", *lost)}},
            "target": {"at_most": Decimal(meaning.target)},
        },
        "each": {"measure": won, "each": {"dimension": "market"}},
        "week": {"measure": won, "every": "week"},
        "relative": {"measure": won, "target": {"relative": Decimal(meaning.target)}},
    }[meaning.kind]  # fmt: skip
    period = {"from": meaning.first, "until": meaning.last}
    return definition(period, TEST, id=_id(meaning.kind), **{"target": target, **content})


class Happened(NamedTuple):
    """Something that happened so many days ago."""

    type: str
    ago: int
    moment: time
    subject: int
    market: str | None
    mandate: str | None
    quantity: int | None


class Load(NamedTuple):
    """A load of some streams, of what changed or (is_whole) of everything, that may be killed before it says anything.

    lag: it was read up to so many days ago; since: from where the last one ended, for two days, or from the beginning.
    """

    streams: Collection[str] = STREAMS
    lag: int = 0
    since: Literal["last", "days", "ever"] = "last"
    is_whole: bool = False
    is_killed: bool = False


class How(NamedTuple):
    """How a run goes. earlier: it is for so many days before. dies: after so many of its three writes."""

    earlier: int = 0
    only: int | None = None
    held: Collection[int] = ()
    dies: int = 3


class Done(NamedTuple):
    """A run of everything that ended well, and the definitions that it computed."""

    run: Run
    definitions: Sequence[Definition]
    gained: Gained


SELDOM = st.sampled_from((False,) * 5 + (True,))
PICKS = st.integers(0, 99)
LOADS = st.builds(
    Load,
    streams=st.sampled_from((("deals",), STREAMS, ("deals",), ("listings",))),
    lag=st.sampled_from((0, 0, 0, 1, 3)),
    since=st.sampled_from(("last",) * 6 + ("days", "ever")),
    is_whole=SELDOM,
    is_killed=SELDOM,
)
HOWS = (
    st.just(How())
    | st.none()
    | st.builds(
        How,
        earlier=st.sampled_from((0, 0, 1, 5)),
        only=st.sampled_from((None, None, 0, 1)),
        held=st.sampled_from(((), (), (0,), (1,), (0, 2))),
        dies=st.sampled_from((3, 1, 2, 3, 0)),
    )
)
MARKETS = st.sampled_from(("norte", "sur", None))
MANDATES = st.sampled_from(("exclusive", "open", None))
QUANTITIES = st.sampled_from((1, 3, None))
HAPPENED = st.builds(
    Happened,
    type=st.sampled_from(("deal.won", "listing.captured", "deal.created", "deal.lost")),
    ago=st.sampled_from((1, 2, 0, 3, 5, 9, 20)),
    moment=st.sampled_from((time(12), time(0), time(23, 59, 59, 999999))),
    subject=st.integers(0, 2),
    market=MARKETS,
    mandate=MANDATES,
    quantity=QUANTITIES,
)


class Weeks(RuleBasedStateMachine):
    """A vendor, a log and a memory, and a naive history beside them.

    vendor: what it has; gone: what it had. touched: the records of each stream that changed since they were told.
    told: what the log says. read: the readings that it knows; unstated: those of loads that were killed before they
    said so. done: the runs of everything that ended well.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = BEGINS
        self.vendor: dict[str, Fact] = {}
        self.gone: dict[str, Fact] = {}
        self.touched: dict[str, set[str]] = {stream: set() for stream in STREAMS}
        self.told: dict[str, Fact] = {}
        self.read: dict[str, list[Reading]] = {stream: [] for stream in STREAMS}
        self.unstated: dict[str, list[Reading]] = {stream: [] for stream in STREAMS}
        self.declared: dict[str, Meaning] = {}
        self.naive = NaiveHistory()
        self.log = empty().collect()
        self.history = pl.DataFrame(schema=dict(HISTORY_SCHEMA))
        self.memory = Memory()
        self.done: list[Done] = []
        self.is_agreed = False

    @initialize(
        kinds=st.lists(st.sampled_from(KINDS), min_size=3, max_size=3, unique=True),
        happened=st.lists(HAPPENED, min_size=3, max_size=8),
        since=st.sampled_from(("last", "last", "days")),
    )
    def begins(self, kinds: list[Kind], happened: list[Happened], since: Literal["last", "days"]) -> None:
        for n, kind in enumerate(kinds):
            self.declared[_id(kind)] = Meaning(kind, *PERIODS[n], TARGETS[kind][0])
        self.gains(happened)
        self._load(Load(since=since))
        self._run(How())

    # What happens at the vendor

    @rule(happened=st.lists(HAPPENED, min_size=1, max_size=3))
    def gains(self, happened: list[Happened]) -> None:
        for one in happened:
            day = self.now.astimezone(MADRID).date() - one.ago * DAY
            at = datetime.combine(day, one.moment, MADRID).astimezone(UTC)
            is_deal = STREAM_OF[one.type] == "deals"
            said = (one.market, None, one.quantity) if is_deal else (one.market, one.mandate, None)
            self._becomes(str(len(self.vendor) + len(self.gone)), Fact(one.type, at, str(one.subject), *said))

    @rule(
        pick=PICKS,
        what=st.sampled_from(("corrects", "corrects", "loses", "has again")),
        days=st.sampled_from((0, -1, 2, -6)),
        market=MARKETS,
        mandate=MANDATES,
        quantity=QUANTITIES,
    )
    def changes(
        self, pick: int, what: str, days: int, market: str | None, mandate: str | None, quantity: int | None
    ) -> None:
        among = self.gone if what == "has again" else self.vendor
        for key, fact in [sorted(among.items())[pick % len(among)]] if among else []:
            self._becomes(key, fact)
            if what == "corrects":
                is_deal = STREAM_OF[fact.type] == "deals"
                other = {"market": market, "quantity": quantity} if is_deal else {"mandate": mandate}
                self._becomes(key, fact._replace(at=min(fact.at + days * DAY, self.now), **other))
            elif what == "loses":
                self.gone[key] = self.vendor.pop(key)

    def _becomes(self, key: str, fact: Fact) -> None:
        self.gone.pop(key, None)
        self.vendor[key] = fact
        self.touched[STREAM_OF[fact.type]].add(key)

    # What people declare

    @rule(pick=PICKS, what=st.sampled_from(("target", "measure", "period", "back")), period=st.sampled_from(PERIODS))
    def is_defined_otherwise(self, pick: int, what: str, period: tuple[date, date]) -> None:
        for name in [sorted(self.declared)[pick % len(self.declared)]] if self.declared else []:
            meaning, ended = self.declared[name], self.naive.meanings(name)
            if what == "target":
                targets = TARGETS[meaning.kind]
                meaning = meaning._replace(target=targets[targets.index(meaning.target) - 1])
            elif what == "measure":
                meaning = meaning._replace(other=not meaning.other)
            elif what == "period":
                meaning = meaning._replace(first=period[0], last=period[1])
            elif ended:
                meaning = ended[pick % len(ended)]
            self.declared[name] = meaning

    @rule(kind=st.sampled_from(KINDS), is_otherwise=SELDOM, period=st.sampled_from(PERIODS))
    def comes_or_goes(self, kind: Kind, is_otherwise: bool, period: tuple[date, date]) -> None:
        """A key result is declared, or no longer; again mostly with the meaning that it had."""
        name = _id(kind)
        if self.declared.pop(name, None) is None and len(self.declared) < 5:
            ended = [] if is_otherwise else self.naive.meanings(name)
            self.declared[name] = ended[-1] if ended else Meaning(kind, *period, TARGETS[kind][1])

    # What runs

    @rule(nights=st.sampled_from((1, 1, 2, 0)), load=LOADS, how=HOWS)
    def night(self, nights: int, load: Load, how: How | None) -> None:
        self.now += nights * DAY
        self._load(load)
        if how is not None:
            self._run(how)

    @rule(load=LOADS, how=HOWS)
    def weekend(self, load: Load, how: How | None) -> None:
        self.night(3, load, how)

    # Loads

    def _load(self, load: Load) -> None:
        """The log is told of what changed at the vendor, and of what was read."""
        at = self._next_instant()
        for stream in load.streams:
            before = [*self.read[stream], *self.unstated[stream]]
            end = self.now - load.lag * DAY
            last = max((one.end for one in before), default=None)
            start = {"last": last, "days": end - 2 * DAY, "ever": None}[load.since]
            self.unstated[stream].append(Reading(start, end if start is None else max(start, end)))
        if load.is_killed:
            return
        for stream in load.streams:
            self._tell(stream, at, is_whole=load.is_whole)
            self._state_readings(stream, at)
        self.naive.load(self.told, self.read)

    def _tell(self, stream: str, at: datetime, *, is_whole: bool) -> None:
        """Of what changed; of everything, if asked to: that it is read again changes nothing."""
        everything = {key for key, fact in {**self.vendor, **self.told}.items() if STREAM_OF[fact.type] == stream}
        keys = sorted(everything if is_whole else self.touched[stream])
        if keys:
            stated = facts([_event(key, self.vendor[key]) for key in keys if key in self.vendor])
            rows = statements(self.log.lazy(), stated, pl.LazyFrame({"record_key": keys}), "test", stream, at)
            self.log = pl.concat([self.log, rows])
        self.told = {key: fact for key, fact in self.told.items() if key not in keys}
        self.told |= {key: self.vendor[key] for key in keys if key in self.vendor}
        self.touched[stream] = set()

    def _state_readings(self, stream: str, at: datetime) -> None:
        found = self.unstated[stream]
        rows = [(*reading, at - n * TICK) for n, reading in enumerate(found)]
        columns = dict.fromkeys(("covered_from", "covered_to", "read_at"), pl.Datetime("us", "UTC"))
        types = tuple(name for name, of in STREAM_OF.items() if of == stream)
        loads = pl.DataFrame(rows, columns, orient="row")
        self.log = pl.concat([self.log, readings(loads, types, "test", stream, "1", at)])
        self.read[stream] = [*self.read[stream], *found]
        self.unstated[stream] = []

    def _next_instant(self) -> datetime:
        """Later than everything that was recorded, even if the clock stands still."""
        recorded = (self.log, self.history, self.memory.editions, self.memory.computations)
        newest = [frame.get_column("recorded_at").max() for frame in recorded]
        return max([self.now, *(instant + TICK for instant in newest if instant is not None)])

    # Runs

    def _run(self, how: How) -> None:
        self.is_agreed = False
        names = sorted(self.declared)
        held = {self.declared[names[n % len(names)]] for n in how.held if names}
        only = None if how.only is None or not names else [names[how.only % len(names)]]
        through = self.now.astimezone(MADRID).date() - (1 + how.earlier) * DAY
        definitions = [declared(self.declared[name]) for name in names]
        run = Run(f"run {len(self.done)}", self._next_instant(), through, TEST, FEEDS)
        gained = remember(run, self.memory, definitions, self.log.lazy(), _holding(held), only)
        if how.dies > 0:
            told = NaiveRun(run.recorded_at, through, dict(self.declared), only, held, how.dies)
            refused = sorted(self.naive.refused(told))
            assert refused == sorted(one.definition.id for one in gained.refused)
            self._rows_agree(self.naive.run(told), gained)
            self._keep(gained, how.dies)
            self._views_agree()
            if how.dies == 3 and not held and only is None:
                self.done.append(Done(run, [one for one in definitions if one.id not in refused], gained))
        self.is_agreed = True

    def _keep(self, gained: Gained, writes: int) -> None:
        """What a run wrote before it died: the rows, the editions, and what it computed."""
        before = self.memory
        self.history = pl.concat([self.history, gained.history])
        self.memory = Memory(
            self.history.lazy(),
            pl.concat([before.editions, gained.editions]) if writes > 1 else before.editions,
            pl.concat([before.computations, gained.computations]) if writes > 2 else before.computations,
        )

    # Agreement

    def _rows_agree(self, expected: Sequence[Row], gained: Gained) -> None:
        """A run gains these rows, and no other."""
        found = {(r["key_result_id"], r["edition"], r["member"], r["as_of"]): r for r in _rows(gained.history)}
        assert len(found) == gained.history.height
        assert {(row.key_result, row.edition, row.member, row.day) for row in expected} == set(found)
        for row in expected:
            real = found[row.key_result, row.edition, row.member, row.day]
            assert row.causes or {None} >= {real["cause"]}, (row, real)
            assert (row.figures is None, row.is_restatement) == (real["is_withdrawn"], real["is_restatement"])
            assert (row.at, row.version) == (real["recorded_at"], real["definition_version"])
            assert _plain([row.previous]) == _plain([real["previous_value"]])
            assert _plain(row.figures or Figures()) == _figures(real), (row, real)

    def _views_agree(self) -> None:
        """What holds now, and the editions, are as they were said."""
        memory = self.memory.complete()
        _same(self._said(None), _view(current(memory.history, memory.editions)))
        columns = ("key_result_id", "edition", "definition_version", "change", "recorded_at", "is_split")
        assert self.naive.told == memory.editions.select(columns).rows()

    @rule(pick=PICKS, ticks=st.sampled_from((0, -1, 1)), is_replayed=SELDOM)
    def somebody_looks_back(self, pick: int, ticks: int, is_replayed: bool) -> None:
        if is_replayed and self.done:
            self._replays(self.done[pick % len(self.done)])
            return
        memory = self.memory.complete()
        instants = [one.at for said in self.naive.said.values() for one in said]
        instant = instants[pick % len(instants)] + ticks * TICK
        _same(self._said(instant), _view(as_known_at(memory.history, memory.editions, instant)))
        day = instant.astimezone(MADRID).date()
        reported = as_reported(memory.history, memory.editions, day, str(MADRID))
        _same(self._said(midnight(day + DAY) - TICK, day), _view(reported))

    def _said(self, instant: datetime | None, until: date = date.max) -> dict[Any, Any]:
        views = ((name, self.naive.view(name, instant)) for name in self.naive.said)
        return {
            (name, *figure): (said.edition, said.version, _plain(figures))
            for name, said in views
            if said is not None
            for figure, figures in said.figures.items()
            if figure[1] <= until
        }

    def _replays(self, done: Done) -> None:
        """What a run was made from gives what was reported then."""
        run, definitions, gained = done
        ends = [frame.get_column("recorded_at").max() for frame in (gained.history, gained.editions) if frame.height]
        at = max([run.recorded_at, *ends])
        told = replay(self.log.lazy(), self.memory, definitions, TEST, at, FEEDS)
        assert told.differences.is_empty(), (told.reasons, told.differences)

    def teardown(self) -> None:
        """One run more of all that is declared says what a first one would say."""
        if not self.is_agreed:  # it has failed: let that be told
            return
        self._run(How())
        run, definitions, _ = self.done[-1]
        fresh = remember(run, Memory(), definitions, self.log.lazy())
        memory = self.memory.complete()
        of_those = pl.col("key_result_id").is_in([one.id for one in definitions])
        now = current(memory.history, memory.editions).filter(of_those)
        same = [name for name in COMPUTED_SCHEMA if name != "is_provisional"]
        first = current(fresh.history.lazy(), fresh.editions)
        assert first.select(same).sort(KEY).collect().equals(now.select(same).sort(KEY).collect())
        self._rows_follow()

    def _rows_follow(self) -> None:
        """Each row of a figure says what the one before it said: what the data did and what a definition did add up."""
        last: dict[Any, dict[str, Any]] = {}
        for row in _rows(self.history.sort("edition", "recorded_at")):
            figure = row["key_result_id"], row["member"], row["as_of"]
            before = last.get(figure, {"edition": 0, "value": None, "is_withdrawn": True, "recorded_at": BEGINS})
            is_of_edition = before["edition"] == row["edition"]
            follows = is_of_edition or (before["edition"] == row["edition"] - 1 and not before["is_withdrawn"])
            assert before["recorded_at"] < row["recorded_at"]
            assert row["is_restatement"] == follows == (row["cause"] is not None)
            assert row["previous_value"] == (before["value"] if follows else None)
            assert (row["cause"] in CAUSE_OF.values()) == (follows and not is_of_edition)
            last[figure] = row


def _id(kind: Kind) -> str:
    return f"test.team.{kind}"


def _holding(held: Collection[Meaning]) -> Check:
    """A check that these meanings do not pass."""
    hashes = {declared(meaning).meaning.content_hash for meaning in held}

    def check(figures: pl.DataFrame, definitions: Sequence[Definition]) -> Checked:
        ids = [one.id for one in definitions if one.meaning.content_hash in hashes]
        return Checked(figures.filter(~pl.col("key_result_id").is_in(ids)), ids)

    return check


def _rows(frame: pl.DataFrame) -> Iterator[dict[str, Any]]:
    return frame.iter_rows(named=True)


def _same(expected: Mapping[Any, Any], found: Mapping[Any, Any]) -> None:
    """Both have the same; of what differs, tell the first few."""
    keys = [key for key in {**expected, **found} if expected.get(key) != found.get(key)]
    assert not keys, [(key, expected.get(key), found.get(key)) for key in sorted(keys, key=str)[:5]]


def _event(key: str, fact: Fact) -> dict[str, Any]:
    return {
        "record_key": key,
        "fact_key": key,
        "event_type": fact.type,
        "subject_id": fact.subject,
        "occurred_at": fact.at,
        "market": fact.market,
        "mandate": fact.mandate,
        "quantity": fact.quantity,
    }


def _figures(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return _plain([row[name] for name in Figures._fields])


def _plain(figures: Iterable[Any]) -> tuple[Any, ...]:
    """Figures that can be compared, whatever kinds of numbers they are."""
    return tuple(one if one is None or isinstance(one, str) else round(float(one), 9) for one in figures)


def _view(rows: pl.LazyFrame) -> dict[Any, Any]:
    return {
        (row["key_result_id"], row["member"], row["as_of"]): (row["edition"], row["definition_version"], _figures(row))
        for row in _rows(rows.collect())
    }


def test_weeks_of_anything_are_remembered_as_a_naive_history_remembers_them() -> None:
    run_state_machine_as_test(Weeks, settings=settings(max_examples=200, stateful_step_count=30))


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_thousands_of_weeks_are_remembered_as_a_naive_history_remembers_them() -> None:
    run_state_machine_as_test(Weeks, settings=settings(max_examples=5000, stateful_step_count=30))
