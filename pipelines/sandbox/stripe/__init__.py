"""A stand-in for Stripe: a company's invoices, charges and subscriptions, with the vendor's paths and errors.

Belongs here: requests and answers. Does not: what is in them (`records`) or what they mean (`pipelines.stripe`).

Like the vendor: lists are newest first and can be asked only for when something was created; events are kept for 30
days and show their object as it was then, in the version of the API that the account had; a parameter that is not known
is refused; a draft that was deleted is gone, and a deleted customer shows only that; subscriptions that have ended are
listed only on demand; too many requests in a second are refused, by which limit, without saying how long to wait.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipelines.sandbox.company import Invoice
from pipelines.sandbox.stand_in import Desk, Limit
from pipelines.sandbox.stripe import records, subscriptions
from pipelines.sandbox.stripe.records import ACCOUNTS_VERSION, Json

CREDENTIALS: dict[str, str] = {"api_key": "sandbox-stripe-key"}
EVENTS_KEPT = timedelta(days=30)
READS_A_SECOND = 25
MOST_TYPES = 20

_PAGE_PARAMS = {"limit", "starting_after"}
_LIST_PARAMS = {*_PAGE_PARAMS, "created[gt]", "created[gte]", "created[lt]", "created[lte]"}
_ENDED = ("canceled", "incomplete_expired")
_STATUSES = ("active", "incomplete", "past_due", "paused", "trialing", "unpaid", *_ENDED)
_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?")

_NONE_DELETED: Mapping[int, datetime] = {}


def app(
    desk: Desk,
    reads_a_second: int = READS_A_SECOND,
    drafts_deleted: Mapping[int, datetime] = _NONE_DELETED,
    customers_deleted: Mapping[int, datetime] = _NONE_DELETED,
) -> Starlette:
    """The stand-in.

    drafts_deleted: invoice -> when its draft was deleted, before it was issued. customers_deleted: customer -> when.
    """
    limit = Limit(reads_a_second, 1)
    return _Stripe(desk, limit, drafts_deleted, customers_deleted=customers_deleted).starlette()


@dataclass
class _Stripe:
    desk: Desk
    limit: Limit
    drafts_deleted: Mapping[int, datetime]
    events: list[Json] = field(default_factory=list)
    invoices: list[Json] = field(default_factory=list)
    charges: list[Json] = field(default_factory=list)
    subscriptions: list[Json] = field(default_factory=list)
    taken: dict[str, list[Json]] = field(default_factory=dict)
    customers: list[Json] = field(default_factory=list)
    customers_deleted: Mapping[int, datetime] = field(default_factory=dict)
    customers_gone: list[Json] = field(default_factory=list)

    def __post_init__(self) -> None:
        present = self.desk.present
        known = [invoice for invoice in self.desk.company.invoices if invoice.created_at <= present]
        kept = [invoice for invoice in known if not self._is_deleted(invoice)]
        self.invoices = _newest_first([records.invoice(invoice, present) for invoice in kept])
        self.charges = _newest_first(
            [records.charge(one, one.paid_at) for one in kept if one.paid_at and one.paid_at <= present]
        )
        for back in ("credit", "refund", "dispute"):
            self.taken[back] = _newest_first(
                [
                    records.TAKEN[back](one, number, present)
                    for one in kept
                    for number, taken in enumerate(one.taken_back)
                    if taken.kind == back and taken.at <= present
                ]
            )
        subscribed = [one for one in self.desk.company.subscriptions if one.started_at <= present]
        self.subscriptions = _newest_first([subscriptions.subscription(one, present) for one in subscribed])
        happened = chain(
            (event for one in known for event in records.invoiced(one, self.drafts_deleted.get(one.id))),
            (event for one in known for event in records.taken_back(one)),
            (event for one in subscribed for event in subscriptions.subscribed(one)),
        )
        people = records.customers(self.desk.company, present)
        gone = {f"cus_{one}": at for one, at in self.customers_deleted.items() if at <= present}
        self.customers = _newest_first([one for one in people if one["id"] not in gone])
        self.customers_gone = [{"id": id_, "object": "customer", "deleted": True} for id_ in gone]
        happened = chain(happened, (event for one in people for event in records.known(one, gone.get(one["id"]))))
        oldest, newest = records.seconds(present - EVENTS_KEPT), records.seconds(present)
        self.events = _newest_first([event for event in happened if oldest <= event["created"] <= newest])

    def _is_deleted(self, invoice: Invoice) -> bool:
        at = self.drafts_deleted.get(invoice.id)
        return at is not None and at <= self.desk.present

    def starlette(self) -> Starlette:
        routes = [Route("/v1/events", self._guarded(self.listed_events))]
        routes.append(Route("/v1/invoices/{id}/lines", self._guarded(self.listed_lines)))
        for name, objects in (("invoices", self.invoices), ("charges", self.charges)):
            known = {*_LIST_PARAMS, "expand[]"}
            routes.append(Route(f"/v1/{name}", self._guarded(_lister(f"/v1/{name}", objects, known))))
            routes.append(Route(f"/v1/{name}/{{id}}", self._guarded(_finder(objects))))
        for name, back in (("credit_notes", "credit"), ("refunds", "refund"), ("disputes", "dispute")):
            listed = _lister(f"/v1/{name}", self.taken[back], {*_LIST_PARAMS, "expand[]"})
            routes.append(Route(f"/v1/{name}", self._guarded(_expanding(listed))))
            routes.append(Route(f"/v1/{name}/{{id}}", self._guarded(_expanding(_finder(self.taken[back])))))
        routes.append(Route("/v1/customers", self._guarded(_lister("/v1/customers", self.customers))))
        found = [*self.customers, *self.customers_gone]
        routes.append(Route("/v1/customers/{id}", self._guarded(_finder(found))))
        routes.append(Route("/v1/subscriptions", self._guarded(self.listed_subscriptions)))
        routes.append(Route("/v1/subscriptions/{id}", self._guarded(self.found_subscription)))
        return Starlette(routes=routes, exception_handlers={404: _unrecognised})

    def _guarded(self, handler: Callable[[Request], Json]) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            version = request.headers.get("stripe-version", ACCOUNTS_VERSION)
            try:
                self._admit(request, version)
                return JSONResponse(handler(request), headers={"Stripe-Version": version})
            except _Refusal as refusal:
                reason = {"Stripe-Rate-Limited-Reason": refusal.reason} if refusal.reason else {}
                return JSONResponse({"error": refusal.error}, refusal.status, headers=reason)

        return answer

    def _admit(self, request: Request, version: str) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or not key:
            raise _Refusal(401, "You did not provide an API key. You need to provide your API key in the header.")
        if key != CREDENTIALS["api_key"]:
            raise _Refusal(401, f"Invalid API Key provided: ***{key[-4:]}", "api_key_invalid")
        if self.limit.wait_seconds(self.desk.clock.now()) is not None:
            raise _Refusal(429, "Request rate limit exceeded.", "rate_limit", reason="global-rate")
        if not _VERSION.fullmatch(version):
            raise _Refusal(400, f"Invalid Stripe API version: {version}")

    def listed_events(self, request: Request) -> Json:
        types = request.query_params.getlist("types[]")
        if len(types) > MOST_TYPES:
            raise _Refusal(400, f"You may only specify up to {MOST_TYPES} event types.", param="types")
        found = [event for event in self.events if not types or event["type"] in types]
        return _list(request, "/v1/events", found, {*_LIST_PARAMS, "types[]"})

    def listed_subscriptions(self, request: Request) -> Json:
        status = request.query_params.get("status")
        if status is not None and status not in ("all", "ended", *_STATUSES):
            raise _Refusal(400, f"Invalid status: {status}", param="status")
        found = [one for one in self.subscriptions if _is_asked_for(one["status"], status)]
        page = _list(request, "/v1/subscriptions", found, {*_LIST_PARAMS, "status", "expand[]"})
        return subscriptions.unexpanded(page, request.query_params.getlist("expand[]"))

    def found_subscription(self, request: Request) -> Json:
        found = _finder(self.subscriptions)(request)
        return subscriptions.unexpanded(found, request.query_params.getlist("expand[]"))

    def listed_lines(self, request: Request) -> Json:
        of = {f"in_{one.id}": one for one in self.desk.company.invoices}
        invoice = _finder(self.invoices)(request)
        url, known = f"/v1/invoices/{invoice['id']}/lines", {*_PAGE_PARAMS, "expand[]"}
        page = _list(request, url, records.lines(of[invoice["id"]]), known)
        return subscriptions.unexpanded(page, request.query_params.getlist("expand[]"))


class _Refusal(Exception):
    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        param: str | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.reason = status, reason
        extra = {name: value for name, value in (("code", code), ("param", param)) if value}
        self.error: Json = {"type": "invalid_request_error", "message": message, **extra}


def _lister(url: str, objects: list[Json], known: set[str] = _LIST_PARAMS) -> Callable[[Request], Json]:
    return lambda request: _list(request, url, objects, known)


def _expanding(handler: Callable[[Request], Json]) -> Callable[[Request], Json]:
    """The same, with the objects beside its own as ids, unless they are asked for."""

    def answer(request: Request) -> Json:
        asked = {name.removeprefix("data.") for name in request.query_params.getlist("expand[]")}
        found = handler(request)
        if "data" in found:
            return {**found, "data": [records.alone(item, asked) for item in found["data"]]}
        return records.alone(found, asked)

    return answer


def _finder(objects: list[Json]) -> Callable[[Request], Json]:
    by_id = {item["id"]: item for item in objects}

    def found(request: Request) -> Json:
        id_ = request.path_params["id"]
        if id_ not in by_id:
            raise _Refusal(404, f"No such object: '{id_}'", "resource_missing", "id")
        return by_id[id_]

    return found


def _list(request: Request, url: str, objects: list[Json], known: set[str]) -> Json:
    """A page of a list, newest first."""
    query = request.query_params
    if unknown := [name for name in query if name not in known]:
        raise _Refusal(400, f"Received unknown parameter: {unknown[0]}", "parameter_unknown", unknown[0])
    size = _whole(query.get("limit", "10"), "limit")
    if not 1 <= size <= 100:
        raise _Refusal(400, f"This value must be between 1 and 100: {size}", "parameter_invalid_integer", "limit")
    asked = {name: _whole(text, name) for name, text in query.items() if name.startswith("created[")}
    found = objects
    for name, bound in asked.items():
        found = [item for item in found if _holds(name, item["created"], bound)]
    start = 0
    if (after := query.get("starting_after")) is not None:
        start = next((place for place, item in enumerate(found, start=1) if item["id"] == after), 0)
        if not start:
            raise _Refusal(400, f"No such object: '{after}'", "resource_missing", "starting_after")
    page = found[start : start + size]
    return {"object": "list", "url": url, "has_more": start + size < len(found), "data": page}


def _is_asked_for(status: str, asked: str | None) -> bool:
    """Whether the list has subscriptions of a status; without one being asked for, those that are not canceled."""
    if asked is None:
        return status != "canceled"
    return asked in ("all", status) or (asked == "ended" and status in _ENDED)


def _holds(name: str, created: int, bound: int) -> bool:
    return {
        "created[gt]": created > bound,
        "created[gte]": created >= bound,
        "created[lt]": created < bound,
        "created[lte]": created <= bound,
    }[name]


def _whole(text: str, param: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise _Refusal(400, f"Invalid integer: {text}", "parameter_invalid_integer", param) from None


def _newest_first(objects: list[Json]) -> list[Json]:
    return sorted(objects, key=lambda item: (item["created"], item["id"]), reverse=True)


def _unrecognised(request: Request, _error: Exception) -> Response:
    message = f"Unrecognized request URL ({request.method}: {request.url.path})."
    return JSONResponse({"error": {"type": "invalid_request_error", "message": message}}, 404)
