"""A stand-in for Holded: a company's invoices and credit notes as documents, with the vendor's paths and limits.

Belongs here: requests, answers, and what the documents look like. Does not: what they mean (`pipelines.holded`).

Like the vendor: lists are bare arrays by page, which say nothing of a next one; a date is the beginning of a day where
the books are kept; a draft is in the lists, without a number, until it is approved; amounts are JSON numbers with the
decimals that they need; a payment is only a line in its invoice; an annulled document does not say when; a deleted one
is gone. So many requests a minute and a month; an answer with 429 says which of the two it was, and how long to wait.

Names, addresses and texts of people are in the documents, as they are in the vendor's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipelines.sandbox.company import Invoice, TakenBack
from pipelines.sandbox.stand_in import Desk, Limit

CREDENTIALS: dict[str, str] = {"api_key": "sandbox-holded-key"}
REQUESTS_A_MINUTE = 60
REQUESTS_A_MONTH = 100_000
PAGE_SIZE = 500

Json = dict[str, Any]

_MONTH_SECONDS = 30 * 24 * 3600
_NONE_DELETED: Mapping[int, datetime] = {}


def app(
    desk: Desk,
    requests_a_minute: int = REQUESTS_A_MINUTE,
    requests_a_month: int = REQUESTS_A_MONTH,
    deleted: Mapping[int, datetime] = _NONE_DELETED,
    zone: str = "Europe/Madrid",
) -> Starlette:
    """The stand-in. deleted: invoice -> when it was deleted. zone: where the books are kept."""
    limits = (Limit(requests_a_minute, 60), Limit(requests_a_month, _MONTH_SECONDS))
    return _Holded(desk, limits, deleted, ZoneInfo(zone)).starlette()


@dataclass
class _Holded:
    desk: Desk
    limits: tuple[Limit, Limit]
    deleted: Mapping[int, datetime]
    zone: ZoneInfo
    documents: dict[str, list[tuple[datetime, Json]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        present, invoices = self.desk.present, self.desk.company.invoices
        known = [one for one in invoices if one.created_at <= present and not self._is_deleted(one)]
        self.documents = {
            "invoice": [(one.created_at, self._invoice(one)) for one in known],
            "creditnote": [
                (back.at, self._credit_note(one, number, back))
                for one in known
                for number, back in enumerate(one.taken_back)
                if back.kind == "credit" and back.at <= present
            ],
        }
        for found in self.documents.values():
            found.sort(key=lambda made: (made[0], made[1]["id"]))

    def _is_deleted(self, invoice: Invoice) -> bool:
        at = self.deleted.get(invoice.id)
        return at is not None and at <= self.desk.present

    def starlette(self) -> Starlette:
        return Starlette(routes=[Route("/api/invoicing/v1/documents/{kind}", self.listed)])

    def listed(self, request: Request) -> Response:
        if request.headers.get("key") != CREDENTIALS["api_key"]:
            return JSONResponse({"status": 0, "info": "Invalid key"}, 401)
        for window, limit in zip(("minute", "month"), self.limits, strict=True):
            if (wait := limit.wait_seconds(self.desk.clock.now())) is not None:
                return self._too_many(window, limit, ceil(wait))
        kind, query = request.path_params["kind"], request.query_params
        if kind not in self.documents:
            return JSONResponse({"status": 0, "info": "Wrong docType"})
        start, end = int(query.get("starttmp", 0)), int(query.get("endtmp", 2**40))
        found = [document for _, document in self.documents[kind] if start <= document["date"] <= end]
        if query.get("sort") == "created-desc":
            found.reverse()
        size, number = min(int(query.get("limit", PAGE_SIZE)), PAGE_SIZE), int(query.get("page", 1))
        return JSONResponse(found[(number - 1) * size : number * size])

    def _too_many(self, window: str, limit: Limit, wait: int) -> Response:
        headers = {
            "Retry-After": str(wait),
            "X-RateLimit-Limit": str(limit.most),
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": str(ceil(self.desk.clock.now().timestamp()) + wait),
            "X-RateLimit-Window": window,
        }
        said = {"type": "https://api.holded.com/problems/rate-limit", "title": "Rate limit exceeded", "status": 429}
        return JSONResponse(said, 429, headers)

    def _day(self, at: datetime) -> int:
        """The beginning of the day that an instant is of, where the books are kept."""
        day = at.astimezone(ZoneInfo(self.desk.company.zone)).date()
        return int(datetime.combine(day, time(), self.zone).timestamp())

    def _invoice(self, one: Invoice) -> Json:
        present = self.desk.present
        issued, paid, voided = (
            at if at and at <= present else None for at in (one.issued_at, one.paid_at, one.voided_at)
        )
        total = one.net_cents + one.tax_cents
        payment = {"id": f"pa{one.id:022x}", "amount": total / 100, "date": paid and self._day(paid), "bankId": "b1"}
        return {
            **self._document(one, f"{one.id:024x}", one.net_cents, one.tax_cents),
            "date": self._day(issued or one.created_at),
            "dueDate": self._day(issued or one.created_at),
            "docNumber": f"F{one.id:06}" if issued else "",
            "status": 3 if voided else 1 if paid else 0,
            "draft": None if issued else True,
            "approvedAt": int(issued.timestamp()) if issued else None,
            "paymentsTotal": total / 100 if paid else 0,
            "paymentsPending": 0 if paid or voided else total / 100,
            "paymentsRefunds": 0,
            "paymentsDetail": [payment] if paid else [],
        }

    def _credit_note(self, of: Invoice, number: int, back: TakenBack) -> Json:
        is_void = back.undone_at is not None and back.undone_at <= self.desk.present
        tax = round(back.cents * of.tax_cents / of.net_cents)
        return {
            **self._document(of, f"c{of.id:020x}{number:03x}", back.cents, tax),
            "date": self._day(back.at),
            "docNumber": f"R{of.id:06}-{number}",
            "status": 3 if is_void else 0,
            "draft": None,
            "approvedAt": int(back.at.timestamp()),
            "from": {"id": f"{of.id:024x}", "docType": "invoice"},
        }

    def _document(self, one: Invoice, id_: str, net: int, tax: int) -> Json:
        """What documents of every kind have. Amounts in cents."""
        labels = {"Línea": one.category, "Servicio": one.product, "Comentario": "Para Marta Ruiz"}
        return {
            "id": id_,
            "contact": f"c0{one.customer_id:022x}",
            "contactName": "Marta Ruiz",
            "desc": "Honorarios, Marta Ruiz",
            "notes": "Llamar al +34 600 123 456",
            "tags": [],
            "products": [
                {"name": "Honorarios de Marta Ruiz", "desc": "Calle Mayor 1", "price": net / 100, "units": 1, "tax": 21}
            ],
            "customFields": [{"field": name, "value": value} for name, value in labels.items() if value],
            "subtotal": net / 100,
            "tax": tax / 100,
            "total": (net + tax) / 100,
            "discount": 0,
            "language": "es",
            "currency": one.currency.lower(),
            "currencyChange": 1,
        }
