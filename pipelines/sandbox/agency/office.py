"""The office: invoices, the video channel, and the sheets that somebody keeps by hand.

Belongs here: what is billed, published and written down. Does not: the sales that are billed (`crm`).
"""

from __future__ import annotations

import random
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from hashlib import sha256

from pipelines.sandbox.agency.ground import (
    DAY,
    HOUR,
    MARKETS,
    MINUTE,
    OPENING,
    Ground,
    Kind,
    Pool,
    identity,
    numbered,
)
from pipelines.sandbox.company import Change, Changes, Invoice, Listing, Sale, SheetRow, Video, value_at

# Invoices


def invoices(ground: Ground, sales: Sequence[Sale], listings: Sequence[Listing], people: Pool) -> list[Invoice]:
    """Every invoice drawn up, in order: fees of sales won, valuations, and the management of let properties."""
    owners = {listing.id: listing.owner_id for listing in listings}
    drafts = [draft for sale in sales for draft in _fees(ground, sale, owners[sale.listing_id])]
    for month in ground.months():
        drafts += _valuations(ground, month, people) + _managements(ground, month, people)
    drafts.sort(key=lambda draft: (draft.created_at, draft.category, draft.customer_id, draft.net_cents))
    days = [ground.day_of(draft.created_at) for draft in drafts]
    return [
        _invoice(day, n, draft)
        for draft, (day, n) in zip(drafts, numbered(days), strict=True)
        if day <= ground.last_day
    ]


@dataclass(frozen=True)
class _Draft:
    customer_id: int
    sale_id: int | None
    category: str
    created_at: datetime
    issued_at: datetime
    net_cents: int
    paid_at: datetime | None
    voided_at: datetime | None


def _invoice(day: date, number: int, draft: _Draft) -> Invoice:
    tax_cents = round(draft.net_cents * 21 / 100)
    return Invoice(
        identity(Kind.INVOICE, day, number), draft.customer_id, draft.sale_id, draft.category, draft.created_at,
        draft.issued_at, draft.net_cents, tax_cents, draft.paid_at, draft.voided_at,
    )  # fmt: skip


def _fees(ground: Ground, sale: Sale, owner_id: int) -> list[_Draft]:
    """The seller's invoice after the sale is won; voided and drawn up again when the amount was wrong."""
    if sale.archived_at is not None or sale.stages[-1].value != "won":
        return []
    rng = ground.chance("fee", ground.founded, sale.id)
    created_at = ground.answered_after(sale.stages[-1].at, rng.randrange(HOUR, 40 * HOUR))
    first = _draft(ground, rng, sale, owner_id, created_at)
    if sale.amount[-1].at <= first.issued_at and rng.random() >= 0.03:
        return [first]
    if sale.amount[-1].at > first.issued_at and rng.random() < 0.3:
        return [first]  # settled between them; the CRM and the books differ from now on
    voided_at = ground.answered_after(max(sale.amount[-1].at, first.issued_at), rng.randrange(HOUR, 60 * HOUR))
    again = _draft(ground, rng, sale, owner_id, voided_at + timedelta(seconds=rng.randrange(MINUTE, 2 * HOUR)))
    return [_voided(first, voided_at), again]


def _voided(draft: _Draft, at: datetime) -> _Draft:
    return _Draft(
        draft.customer_id, draft.sale_id, draft.category, draft.created_at, draft.issued_at, draft.net_cents, None, at
    )


def _draft(ground: Ground, rng: random.Random, sale: Sale, owner_id: int, created_at: datetime) -> _Draft:
    issued_at = _issued_at(ground, rng, created_at)
    amount = value_at(sale.amount, issued_at)
    assert amount is not None
    return _Draft(
        owner_id, sale.id, "fee", created_at, issued_at, int(amount * 100), _paid_at(ground, rng, issued_at), None
    )


def _issued_at(ground: Ground, rng: random.Random, created_at: datetime) -> datetime:
    if rng.random() < 0.15:
        return ground.answered_after(created_at, rng.randrange(24 * HOUR, 96 * HOUR))
    return created_at + timedelta(seconds=rng.randrange(MINUTE, 30 * MINUTE))


def _paid_at(ground: Ground, rng: random.Random, issued_at: datetime) -> datetime | None:
    return None if rng.random() < 0.04 else ground.answered_after(issued_at, rng.randrange(24 * HOUR, 40 * 24 * HOUR))


def _valuations(ground: Ground, month: date, people: Pool) -> list[_Draft]:
    days = ground.spread("valuations", month, ground.volume("valuations", month, 6, 0.3), weekend=0.0)
    drafts = []
    for day, number in numbered(days):
        rng = ground.chance("valuation", day, number)
        customer_id = people.draw(rng, day, 200, frozenset())
        if customer_id is None:
            continue
        created_at = ground.office_moment(rng, day)
        issued_at = _issued_at(ground, rng, created_at)
        voided_at = ground.answered_after(issued_at, rng.randrange(HOUR, 90 * HOUR)) if rng.random() < 0.03 else None
        paid_at = None if voided_at else _paid_at(ground, rng, issued_at)
        net = rng.randrange(240_00, 420_00, 5_00)
        drafts.append(_Draft(customer_id, None, "valuation", created_at, issued_at, net, paid_at, voided_at))
    return drafts


def _managements(ground: Ground, month: date, people: Pool) -> list[_Draft]:
    """One invoice a month for each property managed, all written by a batch in the same second."""
    day = ground.working_day_on_or_after(max(month, ground.founded + DAY * 40))
    if day.month != month.month or day > ground.last_day:
        return []
    at = ground.at(day, 7 * HOUR)
    drafts = []
    for number in range(6 + ground.months_old(month) // 3):
        contract = ground.chance("contract", ground.founded, number)
        customer_id, net = (
            people.ids[contract.randrange(people.before(ground.founded + DAY))],
            contract.randrange(70_00, 140_00, 5_00),
        )
        rng = ground.chance("management", month, number)
        drafts.append(_Draft(customer_id, None, "management", at, at, net, _paid_at(ground, rng, at), None))
    return drafts


# Videos

TITLES = (
    "Cómo preparar tu piso para venderlo", "Qué gastos tiene comprar una casa", "Vivir en {market}: lo que debes saber",
    "Visitamos un ático en {market}", "Errores al fijar el precio", "El mercado en {market}, explicado",
    "Alquilar o vender: cómo decidir", "La nota simple en tres minutos",
)  # fmt: skip


def videos(ground: Ground) -> list[Video]:
    """The channel's videos: one a month; each year a month without, and some with two, of which one is withdrawn."""
    made = [video for month in ground.months() for video in _videos_of(ground, month)]
    return sorted(made, key=lambda video: video.id)


def _videos_of(ground: Ground, month: date) -> Iterator[Video]:
    year = date(month.year, 1, 1)
    silent, busy = ground.chance("silence", year).choice((3, 5, 7, 8)), ground.chance("busy", year).choice((4, 6, 9))
    count = 0 if month.month == silent else 2 if month.month in (busy, 10) else 1
    working = [day for day in ground.days_in(month) if ground.is_working(day)]
    for number in range(count):
        rng = ground.chance("video", month, number)
        day = working[rng.randrange(len(working))]
        if day <= ground.last_day:
            yield _video(ground, rng, day, f"{month}:{number}", is_withdrawn=month.month == busy and number == 1)


def _video(ground: Ground, rng: random.Random, day: date, name: str, *, is_withdrawn: bool) -> Video:
    published_at = ground.office_moment(rng, day)
    id_ = urlsafe_b64encode(sha256(f"{ground.seed}:{name}".encode()).digest())[:11].decode()
    removed_at = (
        published_at + timedelta(seconds=rng.randrange(2 * 24 * HOUR, 30 * 24 * HOUR)) if is_withdrawn else None
    )
    title = rng.choice(TITLES).format(market=rng.choice(MARKETS))
    return Video(id_, published_at, rng.randrange(60, 700), title, removed_at)


def subscribers(ground: Ground) -> dict[date, int]:
    """How many follow the channel at the end of each day; a few leave."""
    total, counts = 40, {}
    for n in range((ground.last_day - ground.founded).days + 1):
        day = ground.founded + DAY * n
        total = max(total + round(ground.chance("subscribers", day).triangular(-2, 8.4, 2.1)), 0)
        counts[day] = total
    return counts


def views(ground: Ground) -> dict[date, int]:
    """How often the channel's videos have been seen altogether, at the end of each day."""
    total, counts = 0, {}
    for n in range((ground.last_day - ground.founded).days + 1):
        day = ground.founded + DAY * n
        total += int(ground.chance("views", day).lognormvariate(4.6 + 0.4 * ground.years_old(day), 0.5))
        counts[day] = total
    return counts


# Sheets

PARTNERS = (
    "Notaría Retiro", "Reformas Duero", "Hipotecas Claras", "Mudanzas Ebro", "Estudio Ático", "Seguros Lince",
    "Gestoría Alameda", "Cerrajería Norte", "Fotografía Luz Alta", "Certificados Tajo",
)  # fmt: skip
FAIRS = ("SIMA", "Jornada MLS Madrid", "Inmociónate", "Desayuno inmobiliario", "Foro Vivienda", "Puertas abiertas")


def sheet_rows(ground: Ground) -> list[SheetRow]:
    """Every row ever typed into the three sheets, in the order of their ids."""
    rows = [row for month in ground.months() for row in _collaborations(ground, month)]
    rows += [row for month in ground.months() for row in _events(ground, month)]
    weeks = (ground.last_day - ground.founded).days // 7 + 2
    monday = ground.founded - DAY * ground.founded.weekday()
    rows += [row for n in range(weeks) for row in _rounds(ground, monday + DAY * 7 * n)]
    return sorted((row for row in rows if ground.has_opened(row.cells[0].at)), key=lambda row: row.id)


def _typed_at(ground: Ground, rng: random.Random, day: date) -> datetime:
    """The same evening, or when somebody thinks of it."""
    if rng.random() < 0.6:
        return ground.at(day, rng.randrange(18 * HOUR, 21 * HOUR))
    return ground.answered_after(ground.at(day, OPENING), rng.randrange(24 * HOUR, 10 * 24 * HOUR))


def _as_typed(rng: random.Random, day: date) -> str:
    """A date as people write it: with or without the zeros."""
    return f"{day.day}/{day.month}/{day.year}" if rng.random() < 0.6 else f"{day:%d/%m/%Y}"


def _row(ground: Ground, rng: random.Random, sheet: str, day: date, number: int, cells: dict[str, str]) -> SheetRow:
    typed: Changes[dict[str, str]] = (Change(_typed_at(ground, rng, day), {"fecha": _as_typed(rng, day), **cells}),)
    removed_at = typed[0].at + timedelta(seconds=rng.randrange(HOUR, 20 * 24 * HOUR)) if rng.random() < 0.02 else None
    return SheetRow(sheet, f"{sheet[0].upper()}{day:%y%m%d}-{number + 1}", typed, removed_at)


def _collaborations(ground: Ground, month: date) -> Iterator[SheetRow]:
    plan = ground.chance("collaborations", month)
    working = [day for day in ground.days_in(month) if ground.is_working(day)]
    days = sorted(plan.choices(working, k=plan.choices((0, 1, 2), (18, 66, 16))[0]))
    for day, number in numbered(days):
        rng = ground.chance("collaboration", day, number)
        cells = {"empresa": rng.choice(PARTNERS), "tipo": rng.choice(("derivación", "acuerdo", "campaña conjunta"))}
        yield _row(ground, rng, "collaborations", day, number, cells)


def _events(ground: Ground, month: date) -> Iterator[SheetRow]:
    """Most quarters have one, in a month of its own."""
    quarter = month.replace(month=(month.month - 1) // 3 * 3 + 1)
    plan = ground.chance("events", quarter)
    months = plan.sample((0, 1, 2), plan.choices((0, 1, 2), (15, 60, 25))[0])
    working = [day for day in ground.days_in(month) if ground.is_working(day)]
    if month.month - quarter.month in months:
        rng = ground.chance("event", month)
        day = rng.choice(working)
        name = rng.choice(FAIRS)
        cells = {"evento": name, "tipo": "propio" if name == "Puertas abiertas" else "feria"}
        yield _row(ground, rng, "events", day, 0, cells)


def _rounds(ground: Ground, monday: date) -> Iterator[SheetRow]:
    """A week's mailbox drops: most weeks one day with 200 flyers or more; some weeks it rains."""
    plan = ground.chance("rounds", monday)
    days = [day for day in (monday + DAY * n for n in range(5)) if ground.is_working(day) and day >= ground.founded]
    count = plan.choices((0, 1, 2, 3), (30, 50, 20, 0) if monday.month == 8 else (4, 30, 46, 20))[0]
    for day, number in numbered(sorted(plan.choices(days, k=count)) if days else []):
        rng = ground.chance("round", day, number)
        flyers = rng.randrange(200, 420, 10) if rng.random() < 0.62 else rng.randrange(80, 200, 10)
        cells = {"zona": rng.choice(MARKETS), "folletos": str(flyers)}
        yield _recounted(rng, _row(ground, rng, "flyers", day, number, cells), flyers)


def _recounted(rng: random.Random, row: SheetRow, flyers: int) -> SheetRow:
    """Some days later somebody counts what is left in the boxes, and corrects the sheet."""
    if rng.random() >= 0.07:
        return row
    at = row.cells[0].at + timedelta(seconds=rng.randrange(24 * HOUR, 12 * 24 * HOUR))
    cells = {**row.cells[0].value, "folletos": str(max(flyers + rng.choice((-90, -60, -40, 30, 60, 110)), 20))}
    return SheetRow(row.sheet, row.id, (*row.cells, Change(at, cells)), row.removed_at)
