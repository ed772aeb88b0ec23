"""A history that forgets nothing and computes everything anew: plain lists and dicts, from docs/semantics.md alone.

Belongs here: what each figure is by what is known, what a run says of it, and what can be read back of all that was
ever said. Does not: frames, rows that moved, or anything else of how the product does it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

DAY, TICK = timedelta(days=1), timedelta(microseconds=1)
MADRID = ZoneInfo("Europe/Madrid")

STREAM_OF = {"deal.created": "deals", "deal.won": "deals", "deal.lost": "deals", "listing.captured": "listings"}
LATE_DAYS = {"deals": 2, "listings": 0}

Kind = Literal["count", "share", "open", "each", "week", "relative"]
KINDS: tuple[Kind, ...] = ("count", "share", "open", "each", "week", "relative")
TYPES_OF: Mapping[Kind, tuple[str, ...]] = {
    "share": ("listing.captured",),
    "open": ("deal.created", "deal.won", "deal.lost"),
}


def midnight(day: date) -> datetime:
    """The first instant of a day."""
    return datetime.combine(day, time.min, MADRID).astimezone(UTC)


def days(first: date, last: date) -> Iterator[date]:
    """Each day, both included."""
    return (first + n * DAY for n in range((last - first).days + 1))


ALL_DAYS = list(days(date(2026, 2, 1), date(2026, 5, 31)))
"""From before every baseline to after every run."""


class Fact(NamedTuple):
    """What a record says. One type for its whole life."""

    type: str
    at: datetime
    subject: str
    market: str | None
    mandate: str | None
    quantity: int | None

    @property
    def day(self) -> date:
        return self.at.astimezone(MADRID).date()


class Reading(NamedTuple):
    """A stream was read from an instant (None: from the beginning) to another."""

    start: datetime | None
    end: datetime


class Meaning(NamedTuple):
    """A definition: what is measured, over which period, against which target. other: its measure is another one."""

    kind: Kind
    first: date
    last: date
    target: float
    other: bool = False

    @property
    def types(self) -> tuple[str, ...]:
        return TYPES_OF.get(self.kind, ("deal.won",))

    @property
    def stream(self) -> str:
        return STREAM_OF[self.types[0]]


class Figures(NamedTuple):
    """What is said of one key result (or member) and day; None: not known."""

    value: float | None = None
    numerator: float | None = None
    denominator: float | None = None
    events: int | None = None
    baseline: float | None = None
    target: float | None = None
    progress: float | None = None
    expected: float | None = None
    windows_met: int | None = None
    windows_closed: int | None = None
    status: str | None = None


Figure = tuple[str | None, date]
"""Which member (None: the whole), and which day."""


# --- what is known ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """What had been loaded by a load: the facts by their keys, and what had been read of each stream."""

    facts: Mapping[str, Fact] = field(default_factory=dict)
    readings: Mapping[str, Sequence[Reading]] = field(default_factory=dict)

    @cached_property
    def in_order(self) -> list[tuple[date, Fact]]:
        """The facts, each with its day, as they happened; at one instant, what closes comes last."""
        ordered = sorted(self.facts.values(), key=lambda fact: (fact.at, fact.type != "deal.created"))
        return [(fact.day, fact) for fact in ordered]

    def of(self, *types: str) -> list[tuple[date, Fact]]:
        """The facts of some types."""
        return [(day, fact) for day, fact in self.in_order if fact.type in types]

    @cached_property
    def days_read(self) -> Mapping[str, Set[date]]:
        """Of each stream, the days that were read from their first instant to their last."""
        return {
            stream: {day for day in ALL_DAYS if self._is_read(stream, midnight(day), midnight(day + DAY))}
            for stream in self.readings
        }

    @cached_property
    def days_read_with_all_before(self) -> Mapping[str, Set[date]]:
        """Of each stream, the days that were read with all of the past."""
        return {
            stream: {day for day in ALL_DAYS if self._is_read(stream, None, midnight(day + DAY))}
            for stream in self.readings
        }

    def _is_read(self, stream: str, start: datetime | None, end: datetime) -> bool:
        reached = start
        for since, until in sorted(self.readings[stream], key=lambda one: (one.start is not None, one)):
            if since is None or (reached is not None and since <= reached):
                reached = until if reached is None else max(reached, until)
        return reached is not None and reached >= end

    def knowledge(self, stream: str, first: date, last: date) -> str:
        """known: every day was read; partly: some; unknown: none."""
        read = self.days_read.get(stream, set())
        found = [day in read for day in days(first, last)]
        return "known" if all(found) else "partly" if any(found) else "unknown"

    def knowledge_of_all(self, stream: str, last: date) -> str:
        """The same of all of the past up to a day."""
        if last in self.days_read_with_all_before.get(stream, ()):
            return "known"
        return "partly" if any(day <= last for day in self.days_read.get(stream, ())) else "unknown"


# --- figures ----------------------------------------------------------------------------------------------------------


def figures_of(meaning: Meaning, known: Known, through: date) -> dict[Figure, Figures]:
    """The figures of each day from the first of the period through a day."""
    due = list(days(meaning.first, min(meaning.last, through)))
    if meaning.kind == "each":
        return _each(meaning, known, due)
    if meaning.kind == "week":
        return {(None, day): _weekly(meaning, known, day) for day in due}
    if meaning.kind == "share":
        return {(None, day): _share(meaning, known, day) for day in due}
    if meaning.kind == "open":
        return {(None, day): _open(meaning, known, day) for day in due}
    baseline = _baseline(meaning, known) if meaning.kind == "relative" else None
    return {(None, day): _count(meaning, known, day, baseline=baseline) for day in due}


def _elapsed(first: date, day: date, last: date) -> float:
    return ((day - first).days + 1) / ((last - first).days + 1)


def _judged(progress: float, expected: float) -> str:
    if progress >= expected - 1e-12:
        return "on_track"
    return "at_risk" if progress >= expected - 0.25 - 1e-12 else "off_track"


def _status(
    meaning: Meaning, day: date, knowledge: str, progress: float | None, expected: float, *, is_lacking: bool = False
) -> str:
    """is_lacking: something earlier that progress depends on is not known."""
    if knowledge == "unknown":
        return "no_data"
    if knowledge == "partly" or (progress is None and is_lacking):
        return "unreliable"
    if progress is None:
        return "not_started"
    is_total = meaning.kind in ("count", "each", "relative")
    if day == meaning.last:
        return "achieved" if progress >= 1 else "missed"
    return "achieved" if is_total and progress >= 1 else _judged(progress, expected)


def _total(meaning: Meaning, known: Known, first: date, last: date, member: str | None = None) -> tuple[int, int]:
    """How much was won from one day to another, and by how many events."""
    won = [fact for day, fact in known.of("deal.won") if first <= day <= last and member in (None, fact.market)]
    return (sum(fact.quantity or 0 for fact in won) if meaning.other else len(won)), len(won)


def _baseline(meaning: Meaning, known: Known) -> float | None:
    """The same over the span of equal length just before."""
    first, last = meaning.first - (meaning.last - meaning.first) - DAY, meaning.first - DAY
    if known.knowledge(meaning.stream, first, last) != "known":
        return None
    return _total(meaning, known, first, last)[0]


def _count(
    meaning: Meaning, known: Known, day: date, member: str | None = None, baseline: float | None = None
) -> Figures:
    knowledge = known.knowledge(meaning.stream, meaning.first, day)
    target: float | None = meaning.target
    if meaning.kind == "relative":
        target = None if baseline is None else baseline * (1 + meaning.target)
    expected = _elapsed(meaning.first, day, meaning.last)
    if knowledge != "known":
        status = _status(meaning, day, knowledge, None, expected)
        return Figures(baseline=baseline, target=target, expected=expected, status=status)
    value, events = _total(meaning, known, meaning.first, day, member)
    progress = value / target if target else None
    is_lacking = meaning.kind == "relative" and baseline is None
    status = _status(meaning, day, knowledge, progress, expected, is_lacking=is_lacking)
    return Figures(value, value, None, events, baseline, target, progress=progress, expected=expected, status=status)


def _share(meaning: Meaning, known: Known, day: date) -> Figures:
    knowledge = known.knowledge(meaning.stream, meaning.first, day)
    if knowledge != "known":
        status = _status(meaning, day, knowledge, None, 1.0)
        return Figures(target=meaning.target, expected=1.0, status=status)
    captured = [fact for at, fact in known.of("listing.captured") if meaning.first <= at <= day]
    asked = [fact.mandate for fact in captured if fact.mandate is not None]
    reached = asked.count("open" if meaning.other else "exclusive")
    value = reached / len(asked) if asked else None
    progress = None if value is None else float(value >= meaning.target)
    status = _status(meaning, day, knowledge, progress, 1.0)
    return Figures(
        value, reached, len(asked), len(asked), target=meaning.target, progress=progress, expected=1.0, status=status
    )


def _open(meaning: Meaning, known: Known, day: date) -> Figures:
    answers = (known.knowledge(meaning.stream, meaning.first, day), known.knowledge_of_all(meaning.stream, day))
    knowledge = "known" if set(answers) == {"known"} else "unknown" if "unknown" in answers else "partly"
    if knowledge != "known":
        status = _status(meaning, day, knowledge, None, 1.0)
        return Figures(target=meaning.target, expected=1.0, status=status)
    closes = ("deal.won",) if meaning.other else ("deal.won", "deal.lost")
    happened = [fact for at, fact in known.of("deal.created", *closes) if at <= day]
    last = {fact.subject: fact.type for fact in happened}
    value = list(last.values()).count("deal.created")
    progress = float(value <= meaning.target)
    status = _status(meaning, day, knowledge, progress, 1.0)
    return Figures(
        value, value, None, len(happened), target=meaning.target, progress=progress, expected=1.0, status=status
    )


def _each(meaning: Meaning, known: Known, due: Sequence[date]) -> dict[Figure, Figures]:
    """A member counts from the first day of the period on which it is named."""
    since: dict[str, date] = {}
    for day, fact in known.of("deal.won"):
        if fact.market is not None and day in due:
            since.setdefault(fact.market, day)
    said: dict[Figure, Figures] = {
        (member, day): _count(meaning, known, day, member)
        for member in sorted(since)
        for day in due
        if day >= since[member]
    }
    for day in due:
        members = [said[member, day] for member in sorted(since) if (member, day) in said]
        said[None, day] = _together(meaning, day, members, known.knowledge(meaning.stream, meaning.first, day))
    return said


def _together(meaning: Meaning, day: date, members: Sequence[Figures], knowledge: str) -> Figures:
    """Met when all are; the value is how many are met, of how many. More may come until the last day."""
    everyone = len(members)
    if knowledge != "known":
        all_lack = all(m.status == "no_data" for m in members)
        return Figures(status="no_data" if all_lack else "unreliable")
    if not members:
        none = Figures(0, 0, 0, 0, target=0, status="not_started")
        return none._replace(progress=0.0, expected=1.0, status="missed") if day == meaning.last else none
    met = sum(m.progress is not None and m.progress >= 1 for m in members)
    events = sum(m.events or 0 for m in members)
    progress = sum(min(m.progress or 0.0, 1.0) for m in members) / everyone
    expected = sum(m.expected or 0.0 for m in members) / everyone
    status = _judged(progress, expected)
    if day == meaning.last:
        status = "achieved" if met == everyone else "missed"
    return Figures(met, met, everyone, events, target=everyone, progress=progress, expected=expected, status=status)


def _weekly(meaning: Meaning, known: Known, day: date) -> Figures:
    """A week belongs to the period that holds its Thursday; a day between two shows the last one."""
    monday = meaning.first - meaning.first.weekday() * DAY
    weeks = [monday + 7 * n * DAY for n in range(((meaning.last - monday).days) // 7 + 1)]
    weeks = [week for week in weeks if meaning.first <= week + 3 * DAY <= meaning.last]
    begun = [week for week in weeks if week <= day]
    if not begun:
        return Figures(windows_met=0, windows_closed=0, target=meaning.target, status="not_started")

    def progress_of(week: date, until: date) -> float | None:
        if known.knowledge(meaning.stream, week, until) != "known":
            return None
        return _total(meaning, known, week, until)[0] / meaning.target

    closed = [progress_of(week, week + 6 * DAY) for week in begun if week + 6 * DAY <= day]
    week, until = begun[-1], min(day, begun[-1] + 6 * DAY)
    part = _elapsed(week, until, week + 6 * DAY) if week + 6 * DAY > day else 0.0
    now, knowledge = progress_of(week, until), known.knowledge(meaning.stream, week, until)
    is_complete = None not in closed
    progress = None
    if is_complete and (now is not None or not part):
        of_open = part * min((now or 0.0) / part, 1.0) if part else 0.0
        progress = (sum(min(p or 0.0, 1.0) for p in closed) + of_open) / (len(closed) + part)
    value, events = _total(meaning, known, week, until) if knowledge == "known" else (None, None)
    return Figures(
        value,
        value,
        None,
        events,
        target=meaning.target,
        progress=progress,
        expected=1.0,
        windows_met=sum((p or 0.0) >= 1 for p in closed) if is_complete else None,
        windows_closed=len(closed) if is_complete else None,
        status=_status(meaning, day, knowledge, progress, 1.0, is_lacking=not is_complete),
    )


# --- what was said ----------------------------------------------------------------------------------------------------


_CHANGES = {(False, True): "late_event", (True, False): "deletion", (True, True): "correction"}
"""What befell a fact, by whether it was known before, and is now."""


class Said(NamedTuple):
    """All that is said of a key result from an instant on, until something else is."""

    at: datetime
    edition: int
    version: str
    figures: Mapping[Figure, Figures]


class Edition(NamedTuple):
    """A meaning that began to hold, changed, or ceased to. is_kept: it was written down, and not only its figures."""

    number: int
    version: str
    change: str | None
    meaning: Meaning
    at: datetime
    is_split: bool | None
    is_kept: bool = True


class Row(NamedTuple):
    """What the history gains of a figure. figures None: it is withdrawn."""

    key_result: str
    edition: int
    version: str
    member: str | None
    day: date
    at: datetime
    figures: Figures | None
    previous: float | None
    is_restatement: bool
    causes: frozenset[str]  # what may be given as its cause: one, where only one thing happened


class Run(NamedTuple):
    """A run that computes. held: the meanings that do not pass their check. dies: after so many of its three writes."""

    at: datetime
    through: date
    declared: Mapping[str, Meaning]
    only: Collection[str] | None = None
    held: Collection[Meaning] = ()
    dies: int = 3


@dataclass
class NaiveHistory:
    """Everything that was ever known and said.

    loads: what was known after each of them. said, editions, rows: of each key result, in order. read_up_to: the load
    that each was last computed from. seen: the figures that an edition has ever said.
    """

    loads: list[Known] = field(default_factory=lambda: [Known()])
    said: dict[str, list[Said]] = field(default_factory=dict)
    editions: dict[str, list[Edition]] = field(default_factory=dict)
    read_up_to: dict[str, int] = field(default_factory=dict)
    seen: dict[tuple[str, int], set[Figure]] = field(default_factory=dict)
    stated: list[set[str]] = field(default_factory=lambda: [set()])

    @property
    def known(self) -> Known:
        return self.loads[-1]

    def load(self, facts: Mapping[str, Fact], readings: Mapping[str, Sequence[Reading]]) -> None:
        """From now on these facts are known, and these readings."""
        before = self.known.facts
        self.stated.append({key for key in {*facts, *before} if facts.get(key) != before.get(key)})
        self.loads.append(Known(dict(facts), {stream: list(found) for stream, found in readings.items()}))

    @property
    def told(self) -> list[tuple[str, int, str, str | None, datetime, bool | None]]:
        """The editions, as far as they are written down."""
        return [
            (
                name,
                one.number,
                one.version,
                one.change if one.is_kept or one.change == "retired" else None,
                one.at,
                one.is_split,
            )
            for name, editions in sorted(self.editions.items())
            for one in editions
        ]

    def meanings(self, key_result: str) -> list[Meaning]:
        """What it has meant so far."""
        return [edition.meaning for edition in self.editions.get(key_result, ())]

    # Reading back

    def view(self, key_result: str, instant: datetime | None = None) -> Said | None:
        """What was said last by an instant; by now without one."""
        said = [one for one in self.said.get(key_result, ()) if instant is None or one.at <= instant]
        return said[-1] if said else None

    # Runs

    def run(self, run: Run) -> list[Row]:
        """What the history gains by a run. It computes every day that was ever computed, at least."""
        run = run._replace(through=max([run.through, *(day for seen in self.seen.values() for _, day in seen)]))
        rows: list[Row] = []
        begun: dict[str, list[Edition]] = {}
        chosen = [name for name in run.declared if run.only is None or name in run.only]
        computed = [name for name in chosen if run.declared[name] not in run.held and not self._is_refused(name, run)]
        for name in computed:
            found, edition = self._run_one(name, run)
            rows += found
            begun[name] = [edition] if edition else []
        if run.only is None:
            for name, editions in self.editions.items():
                if name not in run.declared and editions[-1].change != "retired":
                    begun[name] = [editions[-1]._replace(change="retired", at=run.at, is_split=None)]
        self._write(run, rows, begun, computed)
        return rows

    def refused(self, run: Run) -> list[str]:
        """The declared key results whose id was retired with another meaning."""
        return [name for name in run.declared if self._is_refused(name, run) and name in (run.only or run.declared)]

    def _is_refused(self, name: str, run: Run) -> bool:
        last = self._last(name)
        return last is not None and last.change == "retired" and last.meaning != run.declared[name]

    def _last(self, name: str) -> Edition | None:
        return self.editions[name][-1] if self.editions.get(name) else None

    def _run_one(self, name: str, run: Run) -> tuple[list[Row], Edition | None]:
        """Its rows, and the edition that begins."""
        meaning, last = run.declared[name], self._last(name)
        computed = figures_of(meaning, self.known, run.through)
        if last is None:
            edition = Edition(1, "1.0", "added", meaning, run.at, None)
            return self._say(name, Said(run.at, 1, "1.0", computed)), edition
        if meaning == last.meaning:
            is_back = last.change == "retired"
            back = last._replace(change="reinstated", at=run.at, is_split=None, is_kept=True) if is_back else None
            return self._say(name, Said(run.at, last.number, last.version, computed)), back
        major, minor = (int(part) for part in last.version.split("."))
        is_measured_alike = last.is_kept and meaning._replace(target=0) == last.meaning._replace(target=0)
        change, version = ("target", f"{major}.{minor + 1}") if is_measured_alike else ("measure", f"{major + 1}.0")
        is_split = last.is_kept and last.meaning not in run.held
        rows = []
        if is_split:
            old = figures_of(last.meaning, self.known, run.through)
            rows = self._say(name, Said(run.at, last.number, last.version, old))
        edition = Edition(last.number + 1, version, change, meaning, run.at + TICK, is_split)
        cause = "target" if is_measured_alike else "definition"
        return rows + self._say(name, Said(edition.at, edition.number, version, computed), cause), edition

    def _say(self, name: str, now: Said, opens: str | None = None) -> list[Row]:
        """Say it, and how it differs from what was said before. opens: why, where another meaning was in force."""
        before = self.view(name)
        is_same = before is not None and before.edition == now.edition
        earlier = dict(before.figures) if before else {}
        seen = self.seen.setdefault((name, now.edition), set())
        rows = []
        for figure in sorted({*now.figures, *(earlier if is_same else ())}, key=str):
            then, said = earlier.get(figure), now.figures.get(figure)
            if is_same and then == said:
                continue
            is_restatement = figure in seen or (opens is not None and then is not None)
            causes = frozenset()
            if is_restatement:
                causes = frozenset({opens}) if opens is not None else self._causes(name, now.edition, figure[1])
            rows.append(
                Row(name, now.edition, now.version, *figure, now.at, said, then and then.value, is_restatement, causes)
            )
        self.said.setdefault(name, []).append(now)
        seen |= set(now.figures)
        return rows

    def _causes(self, name: str, edition: int, day: date) -> frozenset[str]:
        """What happened since it was last computed that could have moved a day."""
        meaning = next(one.meaning for one in self.editions[name] if one.number == edition)
        since = self.read_up_to[name]
        before, now = self.loads[since], self.known
        changes = {
            _CHANGES[key in before.facts, key in now.facts]
            for key in set().union(*self.stated[since + 1 :])
            for fact in [before.facts.get(key) or now.facts.get(key)]
            if fact is not None and fact.type in meaning.types
        }
        readings = [(one.days_read, one.days_read_with_all_before) for one in (before, now)]
        was_read, is_read = [[{d for d in read.get(meaning.stream, ()) if d <= day} for read in of] for of in readings]
        return frozenset(changes | ({"coverage"} if was_read != is_read else set()))

    def _write(
        self, run: Run, rows: Sequence[Row], begun: Mapping[str, Sequence[Edition]], computed: Collection[str]
    ) -> None:
        """Keep what the run wrote before it died: the rows, then the editions, then what it had computed."""
        with_rows = {(row.key_result, row.edition) for row in rows}
        for name, editions in begun.items():
            for edition in editions:
                if run.dies >= 2:
                    self.editions.setdefault(name, []).append(edition)
                elif edition.change in ("retired", "reinstated"):
                    continue
                elif (name, edition.number) in with_rows:
                    self.editions.setdefault(name, []).append(edition._replace(is_split=None, is_kept=False))
                else:
                    self.said[name].pop()
        for name in computed if run.dies >= 2 else ():  # what an earlier run left unsaid
            last = self.editions[name][-1]
            self.editions[name][-1] = last._replace(is_kept=True)
        for name in computed if run.dies >= 3 else {row.key_result for row in rows}:
            self.read_up_to[name] = len(self.loads) - 1
