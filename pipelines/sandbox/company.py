"""A believable company: what it did, when, and when it told its systems.

Belongs here: a company's life, as plain facts in time: an estate agency's (`agency`), or any business's (`business`).
Does not: any vendor's words or endpoints (its stand-in turns these facts into that vendor's records), or the clock.

The company is a pure function of (seed, founding day, last day): every customer, listing, sale and ticket, and every
day of calls, has a random stream of its own, seeded by its own day and number. So a later day only adds: at any instant
up to the end of the last day the company looks the same, to the byte, whatever the last day. Every value that a system
keeps as history is a tuple of (instant, value) changes, oldest first; a stand-in shows what is not later than its own
present. A thing that began by the last day is told to its end, so most of the newest ones have changes still to come.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Generic, Literal, TypeVar

T = TypeVar("T")

_HALF_OF_A_POST = 24 * 3600


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """A value from an instant on (aware, UTC)."""

    at: datetime
    value: T


Changes = tuple[Change[T], ...]


@dataclass(frozen=True, slots=True)
class Contact:
    """A person that the CRM knows.

    lifecycle values: lead, marketingqualifiedlead, salesqualifiedlead, opportunity, customer. says: what else the CRM
    keeps of them, by its property.
    """

    id: int
    lifecycle: Changes[str]  # the first one is the creation
    channel: str  # portal, web, phone, referral, walk_in
    market: str  # town
    referrer_id: int | None  # the customer who recommended them
    archived_at: datetime | None  # deleted in the CRM (a duplicate, a test)
    says: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listing:
    """A property taken on. mandate values: exclusive, open. portals values: where it is advertised; () once sold."""

    id: int
    owner_id: int  # contact
    agent: str
    captured_at: datetime
    entered_at: datetime  # when the CRM was told; hours or days later
    mandate: Changes[str]
    price: Changes[Decimal]  # EUR
    portals: Changes[tuple[str, ...]]
    market: str
    category: str  # flat, house, premises
    archived_at: datetime | None


@dataclass(frozen=True, slots=True)
class Sale:
    """A purchase in the making. stages values: appointment, offer, reservation, won, lost. amount: the agency's fee.

    Stages may be left out. One that was marked as won too early is put back to reservation, and is won later. One that
    was entered twice by mistake is there twice, the second time as won from the start, and archived.
    """

    id: int
    buyer_id: int  # contact
    listing_id: int
    agent: str
    stages: Changes[str]
    amount: Changes[Decimal]  # EUR; may be corrected after the sale was won
    archived_at: datetime | None


@dataclass(frozen=True, slots=True)
class Deal:
    """Something sold or agreed in one of a business's pipelines, in the CRM's own words.

    stages: ids of the pipeline's stages; the first one is the creation. One that was put back is there twice. says:
    what else the CRM keeps of it, by its property, each with its history.
    """

    id: int
    contact_id: int
    agent: str
    pipeline: str
    stages: Changes[str]
    amount: Changes[Decimal]  # may be corrected after it was won
    currency: str
    says: Mapping[str, Changes[str]]
    archived_at: datetime | None


@dataclass(frozen=True, slots=True)
class Activity:
    """A call, a property visit, or another meeting; or a note, a task, a mail, an answer to a survey.

    outcome None: not yet known (planned). The others' outcomes: tasks completed; mails EMAIL, INCOMING_EMAIL and the
    like; answers PROMOTER, PASSIVE, DETRACTOR; notes none. says: what else the CRM keeps of it, by its property.
    """

    id: int
    kind: str  # call, visit, meeting, note, task, email, answer
    contact_id: int
    agent: str
    starts_at: datetime
    entered_at: datetime  # before starts_at for what was planned, after it for what was logged late
    outcome: Changes[str]  # calls: connected, no_answer, busy; visits and meetings: completed, no_show, canceled
    seconds: int
    archived_at: datetime | None
    says: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A customer's request. status values: new, open, pending, solved, closed; rating values: good, bad."""

    id: int
    requester_id: int  # contact
    created_at: datetime
    channel: str  # email, web, phone
    priority: Changes[str]  # low, normal, high, urgent
    status: Changes[str]
    first_reply_at: datetime | None
    survey_sent_at: datetime | None
    rating: Changes[str]  # empty: never answered; may be changed by the customer
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class TakenBack:
    """What takes back an invoice (credit, without tax) or its payment (refund, dispute), and when that was undone.

    A credit note is declared void, a refund fails, a dispute is won.
    """

    kind: Literal["credit", "refund", "dispute"]
    at: datetime
    cents: int
    undone_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Billed:
    """A line of an invoice: what a subscription cost in a period, or (prorated) in a part of it after a change.

    off_cents: what a discount of its own, that lasts, takes off.
    """

    subscription: int
    cents: int
    start: datetime
    end: datetime
    is_prorated: bool = False
    off_cents: int = 0


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice for something sold (of the agency: its fee) or for a service. Amounts in cents of the currency."""

    id: int
    customer_id: int  # contact; for the agency's fee, the one who sells
    sale_id: int | None
    category: str  # of the agency: fee, valuation, management
    created_at: datetime
    issued_at: datetime
    net_cents: int
    tax_cents: int
    paid_at: datetime | None
    voided_at: datetime | None
    product: str | None = None
    currency: str = "EUR"
    customer: str | None = None  # what the billing calls them; made of their number where nobody chose a name
    taken_back: tuple[TakenBack, ...] = ()
    lines: tuple[Billed, ...] = ()


@dataclass(frozen=True, slots=True)
class Terms:
    """What a subscription costs, and how it stands. Amount: a period's price of one, in cents, no tax.

    percent_off: for as long as it stands here. pause: what becomes of its invoices meanwhile. is_ending: its end was
    asked for.
    """

    amount_cents: int
    quantity: int = 1
    interval: Literal["day", "week", "month", "year"] = "month"
    percent_off: int | None = None
    is_trial: bool = False
    pause: Literal["keep_as_draft", "mark_uncollectible", "void"] | None = None
    is_ending: bool = False


@dataclass(frozen=True, slots=True)
class Subscription:
    """A service that a customer pays for every month until it ends. Amount: a month's price in cents, no tax.

    terms: those that it came to have later, and from when on; or those that it began with, too.
    """

    id: int
    customer_id: int  # contact
    product: str
    amount_cents: int
    started_at: datetime
    ended_at: datetime | None
    currency: str = "EUR"
    customer: str | None = None  # as an invoice's
    terms: Changes[Terms] = ()

    def at(self, now: datetime) -> Terms:
        """Its terms at an instant."""
        held = [terms.value for terms in self.terms if terms.at <= now]
        return held[-1] if held else Terms(self.amount_cents)


@dataclass(frozen=True, slots=True)
class Video:
    """A video on the agency's channel."""

    id: str
    published_at: datetime
    seconds: int
    title: str
    removed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Post:
    """Something posted on a social network. views, likes, comments, shares: how many there will be in the end.

    kind: photo, link, video, text; image, carousel, reel; article: as the network calls for.
    """

    id: int
    network: str  # facebook, instagram, linkedin, x
    published_at: datetime
    kind: str
    edited_at: datetime | None
    removed_at: datetime | None
    views: int
    likes: int
    comments: int
    shares: int

    def so_far(self, figure: int, now: datetime) -> int:
        """How much of one of its figures there is at an instant: half of it after a day, and never less than before."""
        seconds = max(int((now - self.published_at).total_seconds()), 0)
        return figure * seconds // (seconds + _HALF_OF_A_POST)


@dataclass(frozen=True, slots=True)
class Profile:
    """The company on a social network. before: followers at the founding; followed, left: since then, in order."""

    network: str
    before: int
    followed: tuple[datetime, ...]
    left: tuple[datetime, ...]

    def followers(self, now: datetime) -> int:
        """How many follow it at an instant."""
        start = datetime.min.replace(tzinfo=UTC)
        return self.before + self.gained(start, now) - self.lost(start, now)

    def gained(self, start: datetime, end: datetime) -> int:
        """How many began to follow it in a span, whose end is not included."""
        return bisect_left(self.followed, end) - bisect_left(self.followed, start)

    def lost(self, start: datetime, end: datetime) -> int:
        """How many ceased to follow it in a span, whose end is not included."""
        return bisect_left(self.left, end) - bisect_left(self.left, start)


@dataclass(frozen=True, slots=True)
class Article:
    """An article of the agency's blog.

    published_at: when everybody could read it first; None for a draft that never was. is_scheduled: the site published
    it by itself at that time, and nobody changed it then. edited_at: when it was changed, its writing not included.
    removed_at: put in the trash, or made a draft again.
    """

    id: int
    written_at: datetime
    published_at: datetime | None
    is_scheduled: bool
    edited_at: tuple[datetime, ...]
    removed_at: datetime | None
    category: str
    title: str


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a customer was asked by mail some days after buying, and answered, if they did: from 0 to 10.

    asked_at: when the mail went. opened_at, answered_at: when they opened the form, and sent it. deleted_at: when
    somebody deleted the answer (a test, a customer who asked for it).
    """

    id: int
    contact_id: int
    asked_at: datetime
    opened_at: datetime | None
    answered_at: datetime | None
    score: int
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A row that somebody keeps by hand, or that a system exports. cells: column -> value, by Change."""

    sheet: str
    id: str
    cells: Changes[dict[str, str]]  # the first one is when it was typed in; later ones are corrections
    removed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A deal pipeline of a CRM, with the ids of its stages."""

    id: str
    label: str
    stages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Crm:
    """What somebody set up in a CRM before the first record: pipelines, activity types, and properties by type.

    properties: type of record (contacts, deals, calls, meetings) -> names.
    """

    pipelines: tuple[Pipeline, ...]
    activity_types: tuple[str, ...]
    properties: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Company:
    """Everything that the company did from its founding to the end of `last_day`, each list ordered by id."""

    seed: int
    zone: str
    founded: date
    last_day: date
    contacts: tuple[Contact, ...]
    listings: tuple[Listing, ...]
    sales: tuple[Sale, ...]
    activities: tuple[Activity, ...]
    tickets: tuple[Ticket, ...]
    invoices: tuple[Invoice, ...]
    videos: tuple[Video, ...]
    sheet_rows: tuple[SheetRow, ...]
    subscribers: dict[date, int]  # of the channel, at the end of each day
    views: dict[date, int]  # of all its videos since the founding, at the end of each day
    subscriptions: tuple[Subscription, ...] = ()
    deals: tuple[Deal, ...] = ()
    articles: tuple[Article, ...] = ()
    opinions: tuple[Opinion, ...] = ()
    crm: Crm | None = None  # None: as an estate agency has set it up
    posts: tuple[Post, ...] = ()
    profiles: Mapping[str, Profile] = field(default_factory=dict)  # network -> the company there


def estate_agency(seed: int, founded: date, last_day: date, zone: str = "Europe/Madrid") -> Company:
    """The company, from its seed. The same seed and a later last day give the same company, grown older.

    On its founding day it puts the founders' former customers into its CRM, all in the same second.
    """
    from pipelines.sandbox.agency import life  # noqa: PLC0415 - it builds on the shapes above

    return life(seed, founded, last_day, zone)


def mail_address(person: int, says: Mapping[str, str]) -> str:
    """The address that somebody gives to every system. says: what the CRM keeps of them beside the usual."""
    return says.get("email") or f"persona{person}@correo.example"


def value_at(changes: Changes[T], now: datetime) -> T | None:
    """The value in force at an instant; None before the first change."""
    held = [change.value for change in changes if change.at <= now]
    return held[-1] if held else None
