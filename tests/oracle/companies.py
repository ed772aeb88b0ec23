"""Random companies: a year or three of activity of each declared organisation, made to be awkward.

Belongs here: what happens in each organisation and how often, and the awkward things that chance would seldom bring.
Does not: what any of it means for a key result (the SQL beside this file), comparing (`test_oracle`).

Facts fall on both sides of local midnight, of clock changes and of year ends. Subjects go through several events: in
order, at one instant, twice, without ever beginning, and the end before the beginning. Instants of one subject that
only the last of counts for are never equal: no wording says which of two would be the last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from types import MappingProxyType
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import polars as pl
from builders import empty, event, facts

from kr_definitions.periods import Span
from pipelines.event_log import readings, statements

FIRST = date(2025, 1, 1)
THROUGH = date(2026, 12, 31)
STARTS = datetime(2027, 1, 2, 5, tzinfo=UTC)
"""When the first load was recorded; what it covers ends then."""

BOGOTA, MADRID = ZoneInfo("America/Bogota"), ZoneInfo("Europe/Madrid")
MICROSECOND = timedelta(microseconds=1)
HARDEST_DAYS = (
    "2024-02-29", "2025-12-31", "2026-01-01", "2026-01-06", "2026-03-29", "2026-03-31", "2026-06-30", "2026-07-01",
    "2026-09-30", "2026-10-25", "2026-12-28", "2026-12-31", "2027-01-01",
)  # fmt: skip

SPRING, OCTOBER = Span(date(2026, 3, 1), date(2026, 6, 28)), Span(date(2026, 10, 1), date(2026, 10, 20))

Fact = dict[str, Any]
Values = Mapping[str, Sequence[Any]]
"""Column of a fact -> what may be said there."""


class Often(NamedTuple):
    """Facts of one type that have nothing to do with each other: how many a day, and what may be said of them."""

    event_type: str
    a_day: float
    says: Values = MappingProxyType({})


@dataclass(frozen=True)
class Company:
    """An organisation's zone, its customers, and all that happens in it.

    stories: what one subject goes through, and how many subjects do. currency: its own; some amounts are in others.
    """

    zone: ZoneInfo
    often: tuple[Often, ...]
    stories: tuple[tuple[Story, int], ...] = ()
    accounts: tuple[str | None, ...] = (*(f"customer {n}" for n in range(60)), None)

    @property
    def currency(self) -> str:
        return "COP" if self.zone is BOGOTA else "EUR"


@dataclass(frozen=True)
class Chance:
    """What a story asks for: an instant, an account, values."""

    random: Random
    company: Company

    def day(self, first: date = FIRST, last: date = THROUGH + timedelta(1)) -> date:
        """Any day; now and then one of long before."""
        if self.random.random() < 0.03:
            first, last = date(2024, 2, 1), FIRST
        return first + timedelta(days=self.random.randrange((last - first).days + 1))

    def moment(self, day: date) -> datetime:
        """An instant of a local day, often one that UTC or a clock change puts on another day."""
        minute = time(self.random.randrange(24), self.random.randrange(60))
        edges = [time.min, time.max, time(0, 30), time(1, 30), time(23, 30), time(12), minute, minute, minute]
        return self.local(day, self.random.choice(edges))

    def local(self, day: date, clock: time) -> datetime:
        return datetime.combine(day, clock, self.company.zone).astimezone(UTC)

    def account(self) -> str | None:
        """A customer: most often an old one, now and then one who comes once or twice."""
        if self.random.random() < 0.15:
            return f"stranger {self.random.randrange(500)}"
        return self.random.choice(self.company.accounts)

    def says(self, values: Values) -> Fact:
        return {column: self.random.choice(found) for column, found in values.items()}


Story = Callable[[Chance, int], Iterator[Fact]]


# --- stories ----------------------------------------------------------------------------------------------------------


def steps(name: str, *taken: tuple[str, datetime], **columns: Any) -> Iterator[Fact]:
    """Events of one subject; what happens to it a second time at one instant is another fact."""
    for n, (event_type, at) in enumerate(taken):
        yield event(event_type, at, name, key=f"{name}/{n}", **columns)


def pair(first: str, then: str, says: Values, gaps: Sequence[timedelta], of_first: Values | None = None) -> Story:
    """A subject that begins and gets somewhere: in order, never, at once, too early, twice, or without beginning.

    of_first: what only the beginnings say.
    """

    def story(chance: Chance, n: int) -> Iterator[Fact]:
        start, gap = chance.moment(chance.day()), chance.random.choice(gaps)
        begun, reached = (first, start), (then, start + gap)
        ways = {
            "reached": (6, (begun, reached)),
            "never": (4, (begun,)),
            "at once": (1, (begun, (then, start))),
            "too early": (1, (begun, (then, start - gap))),
            "early and again": (1, ((then, start - gap), begun, reached)),
            "reached twice": (1, (begun, reached, (then, start + 2 * gap + MICROSECOND))),
            "begun twice": (1, (begun, (first, start + gap / 2), reached)),
            "begun again after": (1, (begun, reached, (first, start + 2 * gap), (then, start + 3 * gap))),
            "not begun": (1, (reached,)),
        }
        (taken,) = chance.random.choices([w for _, w in ways.values()], [weight for weight, _ in ways.values()])
        name, account = f"{first}+{then} {n}", chance.account()
        for fact in steps(name, *taken, account_id=account):
            own = chance.says(of_first or {}) if fact["event_type"] == first else {}
            yield {**fact, **chance.says(says), **own}

    return story


def deal(says: Values, stages: Sequence[str | None], actors: Sequence[str | None] = (None,)) -> Story:
    """A deal: opened, through stages, its value changed, won or lost; or any of what a CRM lets people do to it."""

    def story(chance: Chance, n: int) -> Iterator[Fact]:
        random = chance.random
        start = chance.moment(chance.day())
        ends = ["deal.won", "deal.lost"]
        later = start + timedelta(days=random.randrange(1, 150), seconds=random.randrange(86400))
        beyond = later + timedelta(days=random.randrange(1, 40), microseconds=7)
        end, other = random.sample(ends, 2)
        created = ("deal.created", start)
        middle = sorted(start + (later - start) * random.random() for _ in range(random.randrange(4)))
        moves = [("deal.stage_entered" if random.random() < 0.7 else "deal.amount_changed", at) for at in middle]
        ways = {
            "closed": (8, [created, *moves, (end, later)]),
            "open": (4, [created, *moves]),
            "closed at once": (1, [created, (end, start)]),
            "reopened": (2, [created, *moves, (other, later), ("deal.stage_entered", beyond)]),
            "reopened and closed": (2, [created, *moves, ("deal.lost", later), ("deal.won", beyond)]),
            "opened again": (1, [created, (end, later), ("deal.created", beyond)]),
            "won twice": (1, [created, *moves, ("deal.won", later), ("deal.won", beyond)]),
            "won before it was opened": (1, [("deal.won", start - timedelta(days=3)), created]),
            "won without having been opened": (1, [("deal.won", later)]),
        }
        (taken,) = random.choices([w for _, w in ways.values()], [weight for weight, _ in ways.values()])
        name, said, account = f"deal {n}", chance.says(says), chance.account()
        for fact in steps(name, *taken, account_id=account):
            if random.random() < 0.15:
                said = chance.says(says)
            own = {"stage": random.choice(stages)} if fact["event_type"] == "deal.stage_entered" else {}
            yield {**fact, **said, **own, "actor": random.choice(actors)}

    return story


def funnel(pipeline: str, stages: Sequence[str], says: Values) -> Story:
    """A deal that goes through its pipeline's stages to its end: stops, skips some, begins again, goes them backwards.

    Two stages may be entered at one instant, so these say no value.
    """

    def story(chance: Chance, n: int) -> Iterator[Fact]:
        random, name = chance.random, f"funnel {n}"
        at, account = chance.moment(chance.day()), chance.account()
        said = chance.says({**says, "pipeline": (pipeline,), "amount": (None,)})
        passed = [stage for stage in stages if random.random() < 0.8]
        passed = random.choices((passed, passed[::-1], passed * 2), (6, 1, 2))[0][: random.randrange(len(stages) * 2)]
        end = random.choice((["deal.won"], ["deal.won"], ["deal.lost"], ["deal.won", "deal.won"], []))
        again = random.choice(([], [], [("deal.created", None)], [("deal.stage_entered", stages[-1])]))
        moves = [("deal.created", None), *(("deal.stage_entered", stage) for stage in passed)]
        for i, (event_type, stage) in enumerate((*moves, *((last, None) for last in end), *again)):
            own = chance.says(says) if event_type == "deal.won" else {**said, "stage": stage}
            if stage is not None and random.random() < 0.1:
                own = {**own, "pipeline": "another"}
            yield event(event_type, at, name, key=f"{name}/{i}", account_id=account, **own)
            at += random.choice((timedelta(0), timedelta(hours=2), timedelta(days=4), timedelta(days=15, minutes=7)))

    return story


def subscription(chance: Chance, n: int) -> Iterator[Fact]:
    """A subscription: it goes on, ends, is replaced in the same instant, or its customer, or who knows who, returns."""
    random = chance.random
    start = chance.moment(chance.day(date(2024, 6, 1), date(2026, 8, 1)))
    end = start + timedelta(days=random.randrange(1, 500), seconds=random.randrange(86400))
    back = end + timedelta(days=random.randrange(1, 200), seconds=random.randrange(86400))
    name, account = f"subscription {n}", chance.account()
    begun, over = ("subscription.started", start), ("subscription.ended", end)
    way = random.choice(("goes on", "goes on", "ends", "ends", "returns", "replaced", "never begun", "said twice"))
    yield from steps(name, *[begun][: way != "never begun"], account_id=account)
    if way != "goes on":
        yield event(*over, name, key=f"{name}/over", account_id=account)
    if way == "returns":
        who = random.choice((account, account, None))
        yield event("subscription.started", back, name, key=f"{name}/back", account_id=who)
    if way == "replaced":
        yield event("subscription.started", end, f"{name} b", key=f"{name}/b", account_id=account)
    if way == "said twice":
        yield event("subscription.started", start + (end - start) / 2, name, key=f"{name}/again", account_id=account)


def colleague(*teams: str) -> Story:
    """Somebody who joins a team, stays or leaves, comes back, or goes to another one in the same instant."""

    def story(chance: Chance, n: int) -> Iterator[Fact]:
        random, name = chance.random, f"staff {n}"
        start = chance.moment(chance.day(date(2024, 6, 1), date(2026, 7, 1)))
        end = start + timedelta(days=random.randrange(1, 500), seconds=random.randrange(86400))
        back = end + timedelta(days=random.randrange(1, 90), seconds=random.randrange(86400))
        team, other = random.sample(teams, 2)
        stay = [("staff.joined", start, team)]
        leave = [*stay, ("staff.left", end, team)]
        ways = [stay, stay, leave, [*leave, ("staff.joined", back, team)], [*leave, ("staff.joined", end, other)]]
        who = f"person {n % 1000}" if n % 10 else None
        for i, (event_type, at, of) in enumerate(random.choice(ways)):
            yield event(event_type, at, name, key=f"{name}/{i}", actor=who, team=of)

    return story


def profile(networks: Sequence[str]) -> Story:
    """A profile whose followers are read now and then, the first time perhaps long after the year began."""

    def story(chance: Chance, n: int) -> Iterator[Fact]:
        random, name = chance.random, f"profile {n}"
        followers, day = random.randrange(5000), chance.day(date(2025, 9, 1), date(2026, 6, 1))
        year = chance.local(date(2026, 1, 1), time.min)
        for at in (year - MICROSECOND, year) if day.year == 2025 else ():
            said = {"network": networks[n % len(networks)], "quantity": str(random.randrange(5000))}
            yield event("followers.observed", at, name, key=f"{name}/{at}", **said)
        while day <= THROUGH:
            at = chance.moment(day) + random.randrange(1, 10**6) * MICROSECOND
            said = {"network": networks[n % len(networks)], "quantity": str(followers)}
            yield event("followers.observed", at, name, key=f"{name}/{day}", **said)
            day += timedelta(days=random.choice((0, 1, 1, 2, 9)) or random.randrange(10, 60))
            followers = max(0, followers + random.randrange(-40, 120))

    return story


def forecast(chance: Chance, n: int) -> Iterator[Fact]:
    """What is expected of one deal, and when: said anew, of another month, in the first instant of the month, too late.

    Of two months nobody ever says anything; of two others, everything that is said is put off in time.
    """
    random = chance.random
    year, month = divmod(2025 * 12 + 2 + random.randrange(22), 12)
    about, begins = date(year, month + 1, 1), chance.local(date(year, month + 1, 1), time.min)
    after = (about + timedelta(days=31)).replace(day=1)
    silent, put_off = (date(2025, 7, 1), date(2026, 4, 1)), (date(2025, 9, 1), date(2026, 6, 1))
    if about in silent:
        return
    whens = [
        begins - timedelta(days=70, microseconds=n), begins - timedelta(days=40), begins - timedelta(days=9),
        begins - MICROSECOND, begins, begins + timedelta(days=3),
    ]  # fmt: skip
    said = [(at, random.choice((about, about, about, after))) for at in random.sample(whens, random.randrange(1, 4))]
    if about in put_off:
        said = [(whens[0], about), (random.choice(whens[1:4]), after)]
    for i, (at, of) in enumerate(sorted(said)):
        amount = random.choice(("4000", "8000.50", "0", "15000", "2500"))
        if of not in silent and (of not in put_off or of == about):
            yield event("forecast.stated", at, f"deal {n}", key=f"forecast {n}/{i}", forecast_month=of, amount=amount)


def launches(
    event_type: str,
    column: str,
    values: Sequence[str],
    old: Sequence[str] = (),
    meanwhile: Often | None = None,
    days: Span = SPRING,
) -> Story:
    """Something goes live in the year: first one that matters, said twice; one before it that had never happened.

    old: what went live long before. meanwhile: what is said of each in the instant of its launch, just after it, and in
    the weeks that follow. days: those on which the first may be.
    """

    def story(chance: Chance, n: int) -> Iterator[Fact]:
        for value in old:
            yield event(
                event_type, date_of(chance, "2024-11-30"), value, key=f"{event_type}/{value}", **{column: value}
            )
        first = days.first + timedelta(chance.random.randrange(days.days))
        mistaken = date_of(chance, "2025-11-30")
        yield event(event_type, mistaken, values[0], key=f"withdrawn/{event_type}", **{column: values[0]})
        for i, value in enumerate((*values, values[0])):
            at = chance.local(first + timedelta(days=25 * i), chance.random.choice((time.min, time.max)))
            yield event(event_type, at, value, key=f"{event_type}/{i}", **{column: value})
            for after in (timedelta(0), MICROSECOND, timedelta(6), timedelta(17)) if meanwhile else ():
                key = f"{meanwhile.event_type} at {event_type} {i} {after}"
                says = {**chance.says(meanwhile.says), column: value, "amount": "777"}
                yield event(meanwhile.event_type, at + after, key, key=key, **says)

    return story


def sales_in(*markets: str) -> Story:
    """A year's sales in markets that had none before: one bought on its eve, the next one in its first instant."""

    def story(chance: Chance, n: int) -> Iterator[Fact]:
        year = chance.local(date(2026, 1, 1), time.min)
        days = [date(2026, 1, 2) + timedelta(chance.random.randrange(363)) for _ in range(30)]
        at = [year - MICROSECOND, year, *map(chance.moment, days)]
        for i, moment in enumerate(at):
            says = chance.says({"market": markets, "amount": ("2500", "12000.01", "3500", None)})
            market = {"market": markets[i]} if i < 2 else {}
            yield event(
                "deal.won", moment, f"sale {i}", key=f"sale {i}", account_id=chance.account(), **{**says, **market}
            )

    return story


def date_of(chance: Chance, day: str) -> datetime:
    return chance.local(date.fromisoformat(day), time(12))


def market_months(chance: Chance, n: int) -> Iterator[Fact]:
    """The size of two markets, known at the end of each month; of some months only later, of some never."""
    for month in range(2025 * 12, 2026 * 12 + 12):
        if chance.random.random() < 0.15:
            continue
        ended = chance.local(date((month + 1) // 12, (month + 1) % 12 + 1, 1), time.min) - MICROSECOND
        for market in ("Latinoamerica", "Andina"):
            name = f"{market} {month}"
            yield event("market.measured", ended, name, key=name, market=market, amount=chance.random.choice(LARGE))


def at_once(event_type: str, says: Values | None = None, sale: Values | None = None) -> Story:
    """Sales, and what the same customer does in the same instant, just after it and just before it."""

    def story(chance: Chance, n: int) -> Iterator[Fact]:
        for i, after in enumerate((timedelta(0), MICROSECOND, -MICROSECOND)):
            name, of = f"{event_type} at once {n}/{i}", {"account_id": f"buyer {n}/{i}"}
            at = chance.local(chance.day(date(2026, 10, 1), date(2026, 12, 1)), time(10))
            yield event("deal.won", at, name, key=f"sale and {name}", **of, **chance.says(sale or {}))
            yield event(event_type, at + after, name, key=name, **of, **chance.says(says or {}))

    return story


def largest(bought: Values, then: str, says: Values, places: int) -> Story:
    """Who bought most in the second quarter of 2026, and what they did before, then and next.

    The last place is one for three of them; who bought more did so just outside the quarter, or is not known.
    bought: what their purchases say; then, says: what each of them does.
    """

    def story(chance: Chance, n: int) -> Iterator[Fact]:
        edges = [
            chance.local(date(2026, month, day), clock)
            for month, day, clock in ((3, 31, time.max), (4, 1, time.min), (6, 30, time.max), (7, 1, time.min))
        ]
        known = sorted({account for account in chance.company.accounts if account is not None})
        placed = [(account, places - i - 1) for i, account in enumerate(chance.random.sample(known, places - 1))]
        equal = [(f"equal {n} {letter}", 0) for letter in "bac"]
        buyers = [(account, above, edges[1 + i % 2]) for i, (account, above) in enumerate(placed + equal)]
        buyers += [(f"early {n}", 50, edges[0]), (f"late {n}", 50, edges[3]), (None, 50, edges[1])]
        for i, (account, above, bought_at) in enumerate(buyers):
            name, amount = f"largest {n}/{i}", str((50 + 10 * above) * 10**6)
            purchase = {**chance.says(bought), "amount": amount}
            yield event("deal.won", bought_at, name, key=name, account_id=account, **purchase)
            for at in (edges[i % 4], chance.moment(date(2026, 7, 6) + timedelta(days=3 * i))):
                yield event(then, at, name, key=f"{name} {at}", account_id=account, **chance.says(says))

    return story


# --- the companies ----------------------------------------------------------------------------------------------------

MONEY = ("1234.56", "0.1", "9999.99", "3500", "3500", None)
LARGE = ("4000000", "8000000", "12500000.5")
MINUTES = tuple(timedelta(minutes=m) for m in (1, 5, 5, 42, 500, 5000))
AROUND_MINUTES = (*MINUTES, timedelta(minutes=5) + MICROSECOND, timedelta(minutes=5) - MICROSECOND)
ANY_MINUTES = (*MINUTES, *(timedelta(minutes=m * m) for m in range(1, 60)))
ASKED: Values = {"category": ("feedback", "feedback", "feedback", None)}
DAYS = tuple(timedelta(days=d, minutes=7 * d) for d in (1, 2, 9, 30, 61, 200))
PEOPLE = (*(f"person {n}" for n in range(30)), None)
TRAINED = (*(f"person {n}" for n in range(120)), None)
LINES = ("clasico", "linea 0", "linea 1", "linea 1", "linea 2", "linea 3", None)
REVOPS_DEAL: Values = {
    "amount": ("1234.56", "8000", "3500", "12000.01", None),
    "category": ("upsell", "cross_sell", "renewal", "new", None),
    "market": ("norte", "norte", "sur", "sur", "este", None),
}
SALE: Values = {"pipeline": ("ventas",)}
B2B_DEAL: Values = {
    "pipeline": ("ventas", "ventas", "propuestas", "plan de cuenta", None),
    "product": ("A", "B", "C", "D", "crm", "crm", "Nova", "Sol", "Luna", None),
    "segment": ("KAM", "ABC", "ABC", "clave", None),
    "market": ("Andina", "Andina", "Caribe", None),
    "industry": ("tecnologia", "banca", None),
    "category": ("ampliacion", "concurso", "recurrente", "recurrente", None),
    "amount": ("1000000", "1000000", "2500000.5", "750000.25", None),
}
B2B_STAGES = (
    "preventa",
    "preventa",
    "propuesta",
    "propuesta",
    "negociacion",
    "contrato",
    "presentada",
    "preparada",
    "escrito",
    None,
)
INVOICES = (
    Often("invoice.issued", 0.5, {"amount": ("1234.56", "0.1", "99999.99", "3500", None)}),
    Often("invoice.voided", 0.1, {"amount": ("-1234.56", "-0.1", "-3500")}),
)

COMPANIES: Mapping[str, Company] = {
    "inbound": Company(
        BOGOTA,
        often=(
            Often("deal.won", 0.8),
            Often("deal.lost", 1.2),
            Often(
                "lifecycle.entered",
                4,
                {"lifecycle": ("marketingqualifiedlead", "marketingqualifiedlead", "lead", None)},
            ),
        ),
        stories=((deal({}, ("demo", None)), 200),),
    ),
    "inmobiliaria": Company(
        MADRID,
        often=(
            *INVOICES,
            Often("lead.created", 3),
            Often("video.published", 0.1, {"network": ("youtube", "youtube", "instagram", None)}),
            Often("post.published", 1.2, {"network": ("facebook", "linkedin", "instagram", "x", None)}),
            Often("article.published", 0.08),
            Often("collaboration.agreed", 0.1),
            Often("event.attended", 0.05),
            Often(
                "listing.published",
                0.1,
                {"portal": ("idealista", "idealista", "fotocasa", "pisos", "habitaclia", None)},
            ),
            Often("listing.captured", 0.8, {"mandate": ("exclusive", "open", "open", None)}),
            Often("visit.held", 2),
            Often("deal.won", 0.2, {"amount": ("250000",)}),
            Often("flyers.distributed", 0.5, {"quantity": ("200", "120", "80", "0.5", None)}),
            Often("referral.received", 0.5),
            Often("survey.answered", 0.5, {"rating": ("good", "good", "good", "bad", None)}),
            Often("call.made", 4, {"direction": ("outbound", "outbound", "inbound", None)}),
        ),
        stories=(
            (profile(("facebook", "linkedin", "youtube", "instagram", "x", "tiktok", "facebook", "x")), 8),
            (launches("listing.published", "portal", ("kyero", "yaencontre")), 1),
            (at_once("referral.received"), 1),
            (at_once("call.made", {"direction": ("outbound",)}), 1),
        ),
    ),
    "revops": Company(
        MADRID,
        often=(
            *(often._replace(says={**often.says, "product": LINES}) for often in INVOICES),
            Often("deal.won", 0.5, REVOPS_DEAL),
            Often("deal.lost", 0.6, REVOPS_DEAL),
            Often("deal.stage_entered", 0.4, {"actor": PEOPLE}),
            Often("call.made", 0.8, {"actor": PEOPLE}),
            Often("meeting.held", 0.3, {"actor": PEOPLE}),
            Often("system.used", 6, {"system": ("panel", "panel", "crm", None), "actor": PEOPLE}),
            Often("report.produced", 1, {"is_automatic": (True, False, False, None)}),
            Often("expense.recorded", 1, {"amount": MONEY}),
            Often(
                "survey.answered",
                0.4,
                {"rating": ("good", "good", "good", "bad", None), "category": (None, None, None, "feedback")},
            ),
            Often(
                "audit.completed",
                0.12,
                {"system": ("crm", "soporte", "facturacion", "erp", None), "score": ("0.97", "0.985", "1", None)},
            ),
            Often("partnership.signed", 0.02),
        ),
        stories=(
            (deal(REVOPS_DEAL, ("demo", "offer", None), PEOPLE), 350),
            (sales_in("burdeos", "lisboa", "oporto", "lyon"), 1),
            (
                launches(
                    "product.launched",
                    "product",
                    ("linea 1", "linea 2", "linea 3"),
                    ("linea 0",),
                    Often("invoice.issued", 0),
                ),
                1,
            ),
            (launches("system.launched", "system", ("crm", "panel"), ("erp",)), 1),
            (pair("survey.sent", "survey.answered", ASKED, DAYS, ASKED), 250),
            (pair("training.assigned", "training.completed", {"actor": TRAINED}, DAYS), 150),
            (subscription, 110),
            (colleague("ventas", "soporte"), 50),
            (forecast, 420),
        ),
    ),
    "ventas-b2b": Company(
        BOGOTA,
        often=(
            *(often._replace(a_day=often.a_day * 2) for often in INVOICES),
            Often("deal.won", 1.5, B2B_DEAL),
            Often(
                "deal.won",
                0.3,
                {**B2B_DEAL, "product": ("A", "B"), "category": ("ampliacion",), "segment": ("KAM", "KAM", None)},
            ),
            Often(
                "deal.won",
                0.3,
                {**B2B_DEAL, "product": ("C", "D"), "category": ("concurso",), "segment": ("KAM", "KAM", None)},
            ),
            Often("deal.won", 0.2, {**B2B_DEAL, "product": ("crm",), "market": ("Andina", "Andina", "Caribe")}),
            Often("deal.won", 0.3, {**B2B_DEAL, "category": ("recurrente",), "amount": LARGE}),
            Often("deal.stage_entered", 1, {**B2B_DEAL, "stage": B2B_STAGES}),
            Often(
                "deal.stage_entered",
                1.5,
                {
                    **B2B_DEAL,
                    "pipeline": ("propuestas",),
                    "stage": ("presentada", "preparada"),
                    "product": ("A", "B", "C"),
                },
            ),
            Often(
                "deal.stage_entered",
                0.06,
                {
                    **B2B_DEAL,
                    "pipeline": ("plan de cuenta",),
                    "stage": ("escrito", "compartido", "acordado", *[None] * 6),
                },
            ),
            Often("call.made", 2, {"category": ("prospeccion", "seguimiento", None)}),
            Often(
                "meeting.scheduled",
                2,
                {"category": ("comercial", "comercial", "interna", None), "segment": ("clave", "ABC", None)},
            ),
            Often("meeting.held", 2, {"category": ("comercial", "interna", None), "segment": ("ABC", "KAM", None)}),
            Often("lifecycle.entered", 1.5, {"lifecycle": ("salesqualifiedlead", "lead", None)}),
            Often("demo.attended", 1, {"attended_share": ("0.9", "0.899999", "1", "0.25", None)}),
        ),
        stories=(
            (deal(B2B_DEAL, B2B_STAGES), 600),
            (funnel("ventas", ("preventa", "propuesta", "negociacion", "contrato"), B2B_DEAL), 450),
            (pair("ticket.created", "ticket.first_replied", {}, AROUND_MINUTES), 700),
            (
                launches(
                    "product.launched",
                    "product",
                    ("Nova", "Sol", "Luna"),
                    ("Estrella",),
                    Often("deal.won", 0, {"pipeline": ("ventas",)}),
                    OCTOBER,
                ),
                1,
            ),
            (market_months, 1),
            (subscription, 110),
            (pair("subscription.started", "subscription.ended", {}, DAYS), 40),
            (at_once("call.made", {"category": ("prospeccion",)}, SALE), 2),
            (at_once("meeting.scheduled", {"category": ("comercial",), "segment": ("clave",)}, SALE), 2),
            (at_once("ticket.created", {}, SALE), 2),
            (
                at_once(
                    "deal.stage_entered",
                    {"pipeline": ("propuestas",), "stage": ("presentada",), "product": ("B", "C")},
                    {**SALE, "product": ("A",)},
                ),
                2,
            ),
            (
                largest(
                    {**SALE, "segment": ("ABC",)},
                    "deal.stage_entered",
                    {"pipeline": ("propuestas", "propuestas", "ventas"), "stage": ("preparada",)},
                    places=10,
                ),
                1,
            ),
            (
                largest(
                    {"pipeline": ("propuestas",), "segment": ("ABC",)},
                    "deal.won",
                    {**SALE, "amount": LARGE},
                    places=5,
                ),
                1,
            ),
        ),
        accounts=(*(f"customer {n}" for n in range(60)), *["cus_AndinaServicios"] * 6, None),
    ),
    "ventas-marketing": Company(
        MADRID,
        often=(
            *INVOICES,
            Often(
                "deal.won",
                1.5,
                {
                    "amount": MONEY,
                    "campaign": ("primavera", "otono", None),
                    "market": ("norte", "norte", "sur", "este", "oeste", "isla", "costa", "lejos", None),
                },
            ),
            Often("expense.recorded", 0.8, {"amount": MONEY, "campaign": ("primavera", "otono", None)}),
            Often("lead.created", 0.7),
            Often("lifecycle.entered", 0.5, {"lifecycle": ("customer", "lead", None)}),
            Often("market.analysed", 0.04, {"market": ("norte", "sur", "este", "oeste", "isla", "costa", None)}),
            Often("call.made", 5, {"category": ("seguimiento", "prospeccion", None)}),
            Often("meeting.held", 0.8, {"category": ("presentacion", "comercial", None)}),
            Often("survey.sent", 1),
        ),
        stories=(
            (
                pair(
                    "lead.created",
                    "lifecycle.entered",
                    {"lifecycle": ("customer", "customer", "lead", None)},
                    DAYS,
                    {"lifecycle": (None,)},
                ),
                700,
            ),
            (pair("ticket.created", "ticket.first_replied", {}, ANY_MINUTES), 700),
            (at_once("lead.created"), 2),
        ),
    ),
}


# --- money ------------------------------------------------------------------------------------------------------------

PUBLISHED = {"USD/own": ("0.95", "1.087654", "1.2"), "EUR/GBP": ("0.85023", "0.7", "0.9"), "EUR/COP": ("1.1", "0.987")}


def exchanged(random: Random, company: Company, said: Sequence[Fact]) -> Iterator[Fact]:
    """The same facts, one amount in eight in dollars or pounds; and the rates of working days, of some days twice.

    Dollars have a rate of their own, pounds one of the euro's, the wrong way round: a company that counts in pesos
    needs two. The rates are near 1, so that amounts stay what they are meant to be.
    """
    for fact in said:
        if fact.get("amount") is None:
            yield fact
        else:
            yield {**fact, "currency": random.choice(("USD", "GBP", *[company.currency] * 14))}
    for pair, values in PUBLISHED.items():
        one, other = pair.replace("own", company.currency).split("/")
        day = date(2024, 1, 15)
        while day <= THROUGH and one != other:
            for clock in (time(16), time.max)[: 1 + (random.random() < 0.05)]:
                at, rate = datetime.combine(day, clock, company.zone).astimezone(UTC), random.choice(values)
                of_pair = {"from_currency": one, "to_currency": other, "quantity": rate}
                if (one, other) != ("EUR", "COP") or company.currency == "COP":
                    yield event("rate.observed", at, f"{one}/{other}", key=f"{one}/{other} {at}", **of_pair)
            day += timedelta(days=3 if day.weekday() == 4 else 1)


# --- the log of one ---------------------------------------------------------------------------------------------------


def happens(chance: Chance) -> Iterator[Fact]:
    """Everything that a company's sources say the first time that they are read."""
    for i, (event_type, a_day, says) in enumerate(chance.company.often):
        for n in range(round(a_day * (THROUGH - FIRST).days)):
            at = chance.moment(chance.day())
            yield lone(chance, event_type, at, says, f"{event_type}/{i}/{n}")
        for day in HARDEST_DAYS:
            for clock in (time.min, time.max):
                at = chance.local(date.fromisoformat(day), clock)
                yield lone(chance, event_type, at, says, f"{event_type}/{i}/{day} {clock}")
    for i, (story, subjects) in enumerate(chance.company.stories):
        for n in range(subjects):
            yield from story(chance, 1000 * i + n)


def lone(chance: Chance, event_type: str, at: datetime, says: Values, key: str) -> Fact:
    return event(event_type, at, key, key=key, account_id=chance.account(), **chance.says(says))


def corrected(chance: Chance, found: Sequence[Fact], *, is_moved: bool) -> Fact:
    """One of these facts of one type, moved to another day, or said to be what another one of them is."""
    fact, other = chance.random.sample(found, 2) if len(found) > 1 else (found[0], found[0])
    if is_moved:
        return {**fact, "occurred_at": chance.moment(chance.day()) + chance.random.randrange(1, 1000) * MICROSECOND}
    # The team too: to leave one and to join it in one instant has no order that a wording says.
    names = ("record_key", "fact_key", "subject_id", "occurred_at", "team")
    return {**other, **{name: fact[name] for name in names if name in fact}}


def log(organisation: str, seed: int) -> pl.DataFrame:
    """Four loads: what happened; corrections; withdrawals; and some of what was withdrawn stated again."""
    chance = Chance(Random(f"{organisation} {seed}"), COMPANIES[organisation])
    first = list(exchanged(Random(f"money of {organisation} {seed}"), chance.company, list(happens(chance))))
    of_type: dict[str, list[Fact]] = {}
    for fact in first:
        of_type.setdefault(fact["event_type"], []).append(fact)
    frequent = [found for _, found in sorted(of_type.items()) if len(found) > 20]
    changed = [corrected(chance, chance.random.choice(frequent), is_moved=n % 2 == 0) for n in range(300)]
    gone = chance.random.sample([fact for found in frequent for fact in found], 300)
    mistaken = [fact for fact in first if fact["record_key"].startswith("withdrawn/")]
    rows = empty().collect()
    by_key = {fact["record_key"]: fact for fact in changed}
    for n, (said, without) in enumerate(
        ((first, []), (by_key.values(), []), ([], [*gone, *mistaken]), (gone[:100], []))
    ):
        stated = facts(said)
        withdrawn = pl.LazyFrame({"record_key": [fact["record_key"] for fact in without]}, {"record_key": pl.String})
        touched = pl.concat([stated.select("record_key"), withdrawn])
        at = STARTS + timedelta(minutes=n)
        rows = pl.concat([rows, statements(rows.lazy(), stated, touched, "test", "stream", at)])
    columns = dict.fromkeys(("covered_from", "covered_to", "read_at"), pl.Datetime("us", "UTC"))
    loads = pl.DataFrame([(None, STARTS, STARTS)], columns, orient="row")
    return pl.concat([rows, readings(loads, tuple(sorted(of_type)), "test", "stream", "1", STARTS)])
