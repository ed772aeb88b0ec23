"""What a simulated business does, as data: how much of it, with whom, and what changes with time.

Belongs here: the words in which a company is declared. Does not: any company (`revops`, `ventas_b2b`, …), or how a plan
is lived (the other modules).

Names of stages, pipelines, properties and activity types are the company's own, as its CRM has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from pipelines.sandbox.tickets import Care

Weights = Mapping[str, float]
"""A value -> how often it is the one; the empty one says nothing."""

SEASON = {1: 0.92, 2: 1.0, 3: 1.05, 4: 1.02, 5: 1.04, 6: 1.04, 7: 0.95, 8: 0.84, 9: 1.04, 10: 1.08, 11: 1.05, 12: 0.88}
"""How busy each month is."""


@dataclass(frozen=True)
class Phase:
    """From a day on: factors of what is planned, until another phase begins.

    volume: how many; amount: how large; pace: how long it takes; surprise: how far from the truth forecasts are. win:
    how many are won, where that changes.
    """

    since: date
    volume: float = 1.0
    amount: float = 1.0
    pace: float = 1.0
    surprise: float = 1.0
    win: float | None = None


def in_force(phases: Sequence[Phase], day: date) -> Phase:
    """The phase that a day is in."""
    return max((one for one in phases if one.since <= day), key=lambda one: one.since, default=Phase(date.min))


# Who


@dataclass(frozen=True)
class Leads:
    """Somebody who came in the last days and has been offered nothing yet."""

    within_days: int = 60


@dataclass(frozen=True)
class Buyers:
    """Somebody who has bought before (product: this one)."""

    product: str | None = None


@dataclass(frozen=True)
class Segment:
    """The customers of a segment that were known from the beginning, one after the other."""

    name: str


Who = Leads | Buyers | Segment


@dataclass(frozen=True)
class Known:
    """Customers that were there before the CRM. customer: what the billing calls them, where it has a name for them."""

    number: int
    says: Mapping[str, Weights] = field(default_factory=dict)
    customer: str | None = None


@dataclass(frozen=True)
class People:
    """Who comes to know the company: so many a month, with these traits.

    steps: lifecycle stages after `lead`, each with the share of those before it that reaches it, and in how many days.
    """

    a_month: float
    known: tuple[Known, ...]
    steps: tuple[tuple[str, float, float], ...]
    says: Mapping[str, Weights]
    channels: Weights = field(default_factory=lambda: {"web": 6, "phone": 2, "email": 2})
    phases: tuple[Phase, ...] = ()


@dataclass(frozen=True)
class Member:
    """Somebody who works there. idle_from: since when they have not touched the CRM."""

    name: str
    team: str
    joined: date
    left: date | None = None
    idle_from: date | None = None

    def is_there(self, day: date) -> bool:
        """Whether they work there on a day."""
        return self.joined <= day and (self.left is None or day < self.left)


# What is sold


@dataclass(frozen=True)
class Flow:
    """Deals that are opened again and again.

    steps: the stages in their order, each with the days until the next, or the end. amount: the middle one, spread
    around it by a factor's logarithm, rounded to `step`. lost_after: how often a lost deal is lost from each stage.
    commits_at: the stage in which somebody names a close date. billed: whether it is invoiced once it is won.
    """

    name: str
    pipeline: str
    a_month: float
    steps: tuple[tuple[str, float], ...]
    win: float
    amount: float
    who: Who
    says: Mapping[str, Weights] = field(default_factory=dict)
    spread: float = 0.35
    step: int = 50
    lost_after: tuple[float, ...] = ()
    commits_at: str | None = None
    billed: bool = True
    phases: tuple[Phase, ...] = ()


@dataclass(frozen=True)
class Agreed:
    """One deal with the first customer of a segment, and the days on which it entered its stages."""

    pipeline: str
    segment: str
    stages: tuple[tuple[date, str], ...]
    amount: float
    says: Mapping[str, str] = field(default_factory=dict)
    billed: bool = False


@dataclass(frozen=True)
class Subscribed:
    """A service by the month.

    at_first: how many of the known customers have it. cents: its price. leaves: the share of its customers that end it
    in a month; a phase's pace is a factor of it.
    """

    product: str
    at_first: int
    a_month: float
    cents: int
    leaves: float
    phases: tuple[Phase, ...] = ()


@dataclass(frozen=True)
class Retainer:
    """What the customers of a segment are invoiced every month."""

    segment: str
    product: str
    category: str
    cents: int
    phases: tuple[Phase, ...] = ()


# What is done


@dataclass(frozen=True)
class Routine:
    """Calls or meetings of one type, so many a week."""

    kind: Literal["call", "meeting"]
    type: str
    a_week: float
    who: Who
    jitter: float = 0.12
    phases: tuple[Phase, ...] = ()


# What is kept in sheets


@dataclass(frozen=True)
class Dated:
    """Rows of a sheet about single days."""

    sheet: str
    rows: tuple[tuple[date, Mapping[str, str]], ...]


@dataclass(frozen=True)
class Number:
    """A number in a cell: the middle one, how far others are from it (a share), and its decimals."""

    middle: float
    spread: float = 0.08
    decimals: int = 0
    most: float | None = None


@dataclass(frozen=True)
class Regular:
    """Rows of a sheet that come again and again: so many of each of `cells` in every week, month or quarter.

    on: any working day, or the last day of a month. says: cells that differ; numbers: of which the phase's amount is a
    factor; volume is one of their count. who: somebody whom it is about, by their number in the CRM (`contacto`).
    """

    sheet: str
    every: Literal["week", "month", "quarter"]
    cells: tuple[Mapping[str, str], ...]
    count: float = 1
    on: Literal["any", "end"] = "any"
    says: Mapping[str, Weights] = field(default_factory=dict)
    numbers: Mapping[str, Number] = field(default_factory=dict)
    phases: tuple[Phase, ...] = ()
    who: Leads | None = None


@dataclass(frozen=True)
class Roster:
    """The sheet of everybody who works there: `fecha` (joined), `baja`, `equipo`, `propietario` (id in the CRM)."""

    sheet: str


@dataclass(frozen=True)
class Course:
    """A training to which teams were assigned on a day: `fecha`, `terminada`, `curso`, `equipo`, `propietario`.

    share: how many complete it; within_days: in how long.
    """

    sheet: str
    name: str
    assigned: date
    teams: tuple[str, ...]
    share: float
    within_days: int


@dataclass(frozen=True)
class Opened:
    """Who opened a system in each week: `fecha`, `sistema`, `propietario`. share: of a team (a phase's win, later)."""

    sheet: str
    system: str
    team: str
    share: float
    phases: tuple[Phase, ...] = ()


@dataclass(frozen=True)
class Daily:
    """Rows of a sheet that come on every working day, in the morning: what the treasury keeps."""

    sheet: str
    cells: Mapping[str, str]
    numbers: Mapping[str, Number]


Rows = Dated | Regular | Roster | Course | Opened | Daily


@dataclass(frozen=True)
class Abroad:
    """Deals that are agreed, and invoiced, in another currency: what part of them, and what one unit of it is worth."""

    currency: str
    share: float
    worth: float
    step: int


@dataclass(frozen=True)
class Survey:
    """A form that is sent to whoever has bought. good, answered: how many are content, and answer.

    sheet: the mailing's own list of those that it was sent to.
    """

    sheet: str
    good: float
    answered: float


@dataclass(frozen=True)
class Business:
    """A company: all that it plans.

    properties: of the CRM, by type of record. rows: of its sheets. survey: of those who have bought.
    """

    name: str
    country: str
    currency: str
    people: People
    staff: tuple[Member, ...]
    properties: Mapping[str, tuple[str, ...]]
    pipelines: Mapping[str, tuple[str, ...]]
    flows: tuple[Flow, ...]
    agreed: tuple[Agreed, ...] = ()
    routines: tuple[Routine, ...] = ()
    care: Care | None = None
    subscribed: tuple[Subscribed, ...] = ()
    retainers: tuple[Retainer, ...] = ()
    rows: tuple[Rows, ...] = ()
    survey: Survey | None = None
    abroad: Abroad | None = None

    def sellers(self, day: date) -> list[str]:
        """The sales people who are at work in the CRM on a day."""
        return [
            one.name
            for one in self.staff
            if one.team == "ventas" and one.is_there(day) and (one.idle_from is None or day < one.idle_from)
        ]


WON, LOST = "ganado", "perdido"
"""How every pipeline calls its ends."""
