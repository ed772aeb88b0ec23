"""A stand-in for Holded: a company's invoices, credit notes and purchases as documents, with its paths and limits.

Belongs here: requests, answers, and what the documents look like. Does not: what they mean (`pipelines.holded`).

Like the vendor: a bearer token, whose permissions an answer with 403 tells; pages of up to 200, whatever is asked for,
whose cursor is the number of the next one; totals as texts with a decimal comma, payments with a point; a date is a
day; a draft has no number; how much was paid is in the list, when is in the document that is asked for by itself, in
the account's currency; an annulled document does not say since when; a deleted one is gone. A purchase has the number
of its supplier, or none; asked for by days, only those purchases are told that were booked on one, and none was. So
many requests a minute and a month; an answer with 429 says which of the two it was, and how long to wait.

Purchases are the rows `BOOKS` of what a company keeps: whoever types them in types them in here.

Names, addresses and texts of people are in the documents, as they are in the vendor's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from hashlib import sha256
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipelines.sandbox.company import Invoice, SheetRow, TakenBack, value_at
from pipelines.sandbox.sheets import standing
from pipelines.sandbox.stand_in import Desk, Limit

CREDENTIALS: dict[str, str] = {"api_key": "pat_sandbox-holded-key"}
MAY_READ = {
    "invoices": "sales:invoices.read",
    "credit-notes": "sales:invoices.read",
    "purchases": "accounting:purchases.read",
}
BOOKS = "gastos"
REQUESTS_A_MINUTE = 60
REQUESTS_A_MONTH = 100_000
PAGE_SIZE = 200
DEFAULT_SIZE = 25
RATES = {"EUR": Decimal(1), "USD": Decimal("1.0905"), "GBP": Decimal("0.8641")}
"""So many of a currency for one of the account's."""

Json = dict[str, Any]

_MONTH_SECONDS = 30 * 24 * 3600
_NONE_DELETED: Mapping[int, datetime] = {}


def app(
    desk: Desk,
    requests_a_minute: int = REQUESTS_A_MINUTE,
    requests_a_month: int = REQUESTS_A_MONTH,
    deleted: Mapping[int, datetime] = _NONE_DELETED,
    permissions: Collection[str] = frozenset(MAY_READ.values()),
) -> Starlette:
    """The stand-in. deleted: invoice -> when it was deleted. permissions: those of the key."""
    limits = (Limit(requests_a_minute, 60), Limit(requests_a_month, _MONTH_SECONDS))
    return _Holded(desk, limits, deleted, permissions).starlette()


@dataclass
class _Document:
    """A document as it is told by itself; lists leave out `_ONLY_ALONE`. day: by which one it can be asked for."""

    made_at: datetime
    is_draft: bool
    content: Json
    day: str | None


_ONLY_ALONE = ("approved_at", "payments_detail", "currency_change", "from", "notes", "body")


@dataclass
class _Holded:
    desk: Desk
    limits: tuple[Limit, Limit]
    deleted: Mapping[int, datetime]
    permissions: Collection[str]
    documents: dict[str, list[_Document]] = field(default_factory=dict)
    by_id: dict[tuple[str, str], Json] = field(default_factory=dict)
    answers: dict[tuple[str, str | None, str | None, str | None], list[Json]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        present = self.desk.present
        known = [one for one in self.desk.company.invoices if one.created_at <= present and not self._is_deleted(one)]
        self.documents = {
            "invoices": [self._invoice(one) for one in known],
            "credit-notes": [
                self._credit_note(one, number, back)
                for one in known
                for number, back in enumerate(one.taken_back)
                if back.kind == "credit" and back.at <= present
            ],
            "purchases": [
                self._purchase(row)
                for row in self.desk.company.sheet_rows
                if row.sheet == BOOKS and standing(row, present)
            ],
        }
        for kind, found in self.documents.items():
            found.sort(key=lambda one: (one.made_at, one.content["id"]), reverse=True)
            self.by_id |= {(kind, one.content["id"]): one.content for one in found}

    def _is_deleted(self, invoice: Invoice) -> bool:
        at = self.deleted.get(invoice.id)
        return at is not None and at <= self.desk.present

    def starlette(self) -> Starlette:
        paths = {"/api/v2/{kind}": self.listed, "/api/v2/{kind}/{id}": self.told}
        return Starlette(routes=[Route(path, answer) for path, answer in paths.items()])

    def listed(self, request: Request) -> Response:
        kind, query = request.path_params["kind"], request.query_params
        if (refused := self._refused(request)) is not None:
            return refused
        size, cursor = query.get("limit", str(DEFAULT_SIZE)), query.get("cursor", "page:1")
        number = cursor.removeprefix("page:")
        if not size.isdigit() or not number.isdigit():
            return _problem(400, "bad-request", "Bad request", f"Invalid cursor or limit: {cursor}")
        try:
            days = [date.fromisoformat(query[name]).isoformat() for name in ("start_date", "end_date") if name in query]
        except ValueError:
            return _problem(400, "bad-request", "Bad request", "Invalid date format. Expected format: YYYY-MM-DD")
        first, last = days if len(days) == 2 else (None, None)
        found = self._found(kind, first, last, query.get("approval_status"))
        length = min(int(size), PAGE_SIZE)
        end = int(number) * length
        items = [
            {name: value for name, value in one.items() if name not in _ONLY_ALONE} for one in found[end - length : end]
        ]
        more = len(found) > end
        return JSONResponse({"items": items, "has_more": more, "cursor": f"page:{int(number) + 1}" if more else None})

    def _found(self, kind: str, first: str | None, last: str | None, approval: str | None) -> list[Json]:
        asked_for = (kind, first, last, approval)
        if asked_for not in self.answers:
            self.answers[asked_for] = [
                one.content
                for one in self.documents[kind]
                if first is None or last is None or (one.day is not None and first <= one.day <= last)
                if approval is None or one.is_draft == (approval == "draft")
            ]
        return self.answers[asked_for]

    def told(self, request: Request) -> Response:
        if (refused := self._refused(request)) is not None:
            return refused
        found = self.by_id.get((request.path_params["kind"], request.path_params["id"]))
        return _problem(404, "not-found", "Not found", "Not Found") if found is None else JSONResponse(found)

    def _refused(self, request: Request) -> Response | None:
        given = request.headers.get("Authorization", "")
        if not given.startswith("Bearer "):
            return _problem(401, "unauthorized", "Unauthorized", "Invalid or missing API key")
        if given != f"Bearer {CREDENTIALS['api_key']}":
            return _problem(403, "forbidden", "Forbidden", "Access denied.")
        needed = MAY_READ.get(request.path_params["kind"])
        if needed is not None and needed not in self.permissions:
            return _problem(403, "forbidden", "Forbidden", f"Insufficient permissions: {needed} required.")
        for window, limit in zip(("minute", "month"), self.limits, strict=True):
            if (wait := limit.wait_seconds(self.desk.clock.now())) is not None:
                return self._too_many(window, limit, ceil(wait))
        if request.path_params["kind"] not in self.documents:
            return Response("<!DOCTYPE html><html><body>Holded</body></html>", media_type="text/html")
        return None

    def _too_many(self, window: str, limit: Limit, wait: int) -> Response:
        headers = {
            "Retry-After": str(wait),
            "X-RateLimit-Limit": str(limit.most),
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": str(ceil(self.desk.clock.now().timestamp()) + wait),
            "X-RateLimit-Window": window,
        }
        detail = f"You have reached the per-{window} limit ({limit.most}). Retry in {wait} seconds."
        return _problem(429, "rate-limit", "Rate limit exceeded", detail, headers)

    def _day(self, at: datetime) -> str:
        return at.astimezone(ZoneInfo(self.desk.company.zone)).date().isoformat()

    def _invoice(self, one: Invoice) -> _Document:
        present = self.desk.present
        issued, paid, voided = (
            at if at and at <= present else None for at in (one.issued_at, one.paid_at, one.voided_at)
        )
        total, rate = one.net_cents + one.tax_cents, RATES[one.currency]
        in_its_own = Decimal(total).scaleb(-2) / rate
        payment = {"id": f"{one.id:024x}"[::-1], "amount": _spanish(in_its_own), "bank_id": "b1"}
        content = {
            **self._sold(one, f"{one.id:024x}", one.net_cents, one.tax_cents),
            "date": self._day(issued or one.created_at),
            "due_date": self._day(issued or one.created_at),
            "document_number": f"F{one.id:06}" if issued else None,
            "status": "cancelled" if voided else "completed" if paid else "pending",
            "draft": issued is None,
            "approved_at": issued and issued.strftime("%Y-%m-%dT%H:%M:%S"),
            "currency_change": str(rate.quantize(Decimal("0.01"))),
            "payments_total": _plain(total if paid else 0),
            "payments_pending": _plain(0 if paid or voided else total),
            "payments_detail": [{**payment, "date": self._day(paid)}] if paid else [],
        }
        return _Document(one.created_at, issued is None, content, content["date"])

    def _credit_note(self, of: Invoice, number: int, back: TakenBack) -> _Document:
        is_void = back.undone_at is not None and back.undone_at <= self.desk.present
        tax = round(back.cents * of.tax_cents / of.net_cents)
        content = {
            **self._sold(of, f"c{of.id:020x}{number:03x}", back.cents, tax),
            "date": self._day(back.at),
            "document_number": f"R{of.id:06}-{number}",
            "status": "cancelled" if is_void else "pending",
            "draft": False,
            "approved_at": back.at.strftime("%Y-%m-%dT%H:%M:%S"),
            "payments_total": _plain(0),
            "payments_pending": _plain(back.cents + tax),
            "payments_detail": [],
            "from": {"id": f"{of.id:024x}", "doc_type": "invoice"},
        }
        return _Document(back.at, is_draft=False, content=content, day=content["date"])

    def _purchase(self, row: SheetRow) -> _Document:
        cells = value_at(row.cells, self.desk.present) or {}
        number = int(sha256(row.id.encode()).hexdigest()[:20], 16)
        net = round(Decimal(cells["importe"].replace(",", ".")).scaleb(2))
        tax = round(net * Decimal("0.21"))
        day, month, year = map(int, cells["fecha"].split("/"))
        tags = [cells[column] for column in ("concepto", "campana") if cells.get(column)]
        content = {
            **_document(f"d{number:023x}", f"a{number % 40:023x}", tags, net, tax, "EUR"),
            "date": date(year, month, day).isoformat(),
            "document_number": f"2026/{number % 10_000}" if number % 7 else None,
            "status": "pending",
            "draft": False,
            "payments_total": _plain(0),
            "payments_pending": _plain(net + tax),
            "payments_detail": [],
            "sii_status": None,
        }
        return _Document(row.cells[0].at, is_draft=False, content=content, day=None)

    def _sold(self, one: Invoice, id_: str, net: int, tax: int) -> Json:
        """What documents for customers have. Amounts in cents."""
        tags = [tag for tag in (one.category, one.product) if tag]
        return _document(id_, f"c0{one.customer_id:022x}", tags, net, tax, one.currency)


def _document(id_: str, contact: str, tags: list[str], net: int, tax: int, currency: str) -> Json:
    """What documents of every kind have. Amounts in cents."""
    price = _spanish(Decimal(net).scaleb(-2))
    return {
        "id": id_,
        "contact_id": contact,
        "contact_name": "Marta Ruiz",
        "description": "Honorarios, Marta Ruiz",
        "notes": "Llamar al +34 600 123 456",
        "body": "<p>Calle Mayor 1</p>",
        "tags": [f"#{tag}" for tag in tags] + ["martaruiz"],
        "lines": [
            {"line_id": None, "name": "Honorarios de Marta Ruiz", "description": "Calle Mayor 1", "price": price,
             "units": "1,00", "discount": "0,00", "tax": "0", "taxes": ["s_iva_21"], "account": None}
        ],
        "subtotal": price,
        "discount": "0,00",
        "tax": _spanish(Decimal(tax).scaleb(-2)),
        "total": _spanish(Decimal(net + tax).scaleb(-2)),
        "currency": currency,
        "payment_method_id": None,
    }  # fmt: skip


def _problem(status: int, kind: str, title: str, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    said = {"type": f"https://api.holded.com/problems/{kind}", "title": title, "status": status, "detail": detail}
    return JSONResponse(said, status, headers, media_type="application/problem+json")


def _spanish(amount: Decimal) -> str:
    """1.234,56."""
    return f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))


def _plain(cents: int) -> str:
    """1234.56."""
    return f"{Decimal(cents).scaleb(-2):.2f}"
