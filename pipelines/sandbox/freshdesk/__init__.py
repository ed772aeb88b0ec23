"""A stand-in for Freshdesk: the company's tickets, with the vendor's paths, pages, limits and errors.

Belongs here: requests and answers. Does not: what a record looks like (`records`).

Like the vendor: a list ends at page 300; without `updated_since` it has the tickets created in the last 30 days;
deleted tickets and spam are in lists of their own for 30 days, while answers about them are still listed; closed
tickets that nothing was done to for 120 days are in no list, and shown to who knows their id; what is embedded costs
more of the limit.
"""

from __future__ import annotations

import base64
import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipelines.sandbox.company import Ticket
from pipelines.sandbox.freshdesk import records
from pipelines.sandbox.freshdesk.records import Json
from pipelines.sandbox.stand_in import Desk, Limit

CREDENTIALS: dict[str, str] = {"api_key": "sandbox-freshdesk-key"}

CREDITS_A_MINUTE = 400
EMBEDDING_CREDITS = 2
MOST_PAGES = 300
LISTED_WITHOUT_SINCE = timedelta(days=30)
_TICKETS_PARAMETERS = frozenset({"filter", "updated_since", "order_by", "order_type", "include", "page", "per_page"})
_ORDERS = ("created_at", "updated_at", "due_by", "status")


def app(
    desk: Desk, most_a_page: int = 100, credits_a_minute: int = CREDITS_A_MINUTE, *, has_archive: bool = True
) -> Starlette:
    """The stand-in. most_a_page: a page's size at the most, whatever is asked for.

    credits_a_minute: the plan's. has_archive: whether the plan has one that can be asked.
    """
    return _Freshdesk(desk, most_a_page, Limit(credits_a_minute, 60), has_archive).starlette()


@dataclass
class _Freshdesk:
    desk: Desk
    most_a_page: int
    limit: Limit
    has_archive: bool
    tickets: dict[int, Ticket] = field(init=False)
    lists: dict[str, list[tuple[datetime, Ticket]]] = field(init=False)

    def __post_init__(self) -> None:
        """The tickets, and those of each list with the time of their last change, in its order."""
        present = self.desk.present
        self.tickets = {one.id: one for one in self.desk.company.tickets if one.created_at <= present}
        self.lists = {}
        for one in self.tickets.values():
            if (where := records.list_of(one, present)) is not None:
                self.lists.setdefault(where, []).append((records.updated_at(one, present), one))
        for rows in self.lists.values():
            rows.sort(key=lambda row: (row[0], row[1].id))

    def starlette(self) -> Starlette:
        handlers: dict[str, Callable[[Request], Response]] = {
            "/api/v2/tickets": self.listed,
            "/api/v2/tickets/{ticket_id:int}/conversations": self.conversations,
            "/api/v2/tickets/archived/{ticket_id:int}": self.archived,
            "/api/v2/tickets/archived/{ticket_id:int}/conversations": self.archived_conversations,
            "/api/v2/surveys/satisfaction_ratings": self.ratings,
            "/api/v2/contacts": self.contacts,
            "/api/v2/companies": self.companies,
        }
        routes = [Route(path, self._guarded(handler)) for path, handler in handlers.items()]
        return Starlette(routes=routes, exception_handlers={404: lambda request, error: Response(status_code=404)})

    def _guarded(self, handler: Callable[[Request], Response]) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            if request.headers.get("authorization", "") != _AUTHORIZATION:
                refused = "You have to be logged in to perform this action."
                return JSONResponse({"code": "invalid_credentials", "message": refused}, 401)
            credits_ = 1 + EMBEDDING_CREDITS * len([p for p in request.query_params.get("include", "").split(",") if p])
            for _ in range(credits_):
                if (wait := self.limit.wait_seconds(self.desk.clock.now())) is not None:
                    return _too_many(wait)
            try:
                answered = handler(request)
            except _Refusal as refusal:
                return Response(status_code=refusal.status) if refusal.body is None else refusal.told()
            answered.headers["X-RateLimit-Total"] = str(self.limit.most)
            answered.headers["X-RateLimit-Used-CurrentRequest"] = str(credits_)
            return answered

        return answer

    def listed(self, request: Request) -> Response:
        query, present = request.query_params, self.desk.present
        for name in query:
            if name not in _TICKETS_PARAMETERS:
                raise _invalid(name, "Unexpected/invalid field in request", "invalid_field")
        where, order = query.get("filter", "live"), query.get("order_by", "created_at")
        if order not in _ORDERS:
            raise _invalid("order_by", f"It should be one of these values: '{','.join(_ORDERS)}'", "invalid_value")
        since = _instant(query.get("updated_since"), "updated_since")
        rows = self.lists.get(where, [])
        if since is None:
            rows = [row for row in rows if row[1].created_at >= present - LISTED_WITHOUT_SINCE]
        else:
            rows = rows[bisect_left(rows, since, key=lambda row: row[0]) :]
        found = [one for _, one in rows]
        if order != "updated_at":
            found.sort(key=lambda one: (one.created_at, one.id))
        if query.get("order_type", "desc") == "desc":
            found.reverse()
        return self._page(request, found, lambda one: self._shown(one, request))

    def _shown(self, ticket: Ticket, request: Request) -> Json:
        present, has_stats = self.desk.present, "stats" in request.query_params.get("include", "")
        stats = {"stats": records.stats_record(ticket, present)} if has_stats else {}
        return {**records.ticket_record(ticket, present), **stats}

    def archived(self, request: Request) -> Response:
        ticket = self._asked_for(request, "archived")
        return JSONResponse({**self._shown(ticket, request), "archived": True})

    def conversations(self, request: Request) -> Response:
        return self._conversations(request, self._asked_for(request, "live"))

    def archived_conversations(self, request: Request) -> Response:
        return self._conversations(request, self._asked_for(request, "archived"))

    def _asked_for(self, request: Request, where: str) -> Ticket:
        if where == "archived" and not self.has_archive:
            said = "The Archive Tickets feature(s) is/are not supported in your plan. Please upgrade your account"
            raise _Refusal(403, {"code": "require_feature", "message": said})
        ticket = self.tickets.get(request.path_params["ticket_id"])
        if ticket is None or records.list_of(ticket, self.desk.present) != where:
            raise _Refusal(404, None)
        return ticket

    def _conversations(self, request: Request, ticket: Ticket) -> Response:
        return self._page(request, records.conversation_records(ticket, self.desk.present), lambda one: one)

    def ratings(self, request: Request) -> Response:
        present = self.desk.present
        since = _instant(request.query_params.get("created_since"), "created_since") or present - LISTED_WITHOUT_SINCE
        given = [
            one
            for one in self.tickets.values()
            if one.rating and since <= one.rating[0].at <= present and records.list_of(one, present)
        ]
        given.sort(key=lambda one: (one.rating[0].at, one.id), reverse=True)
        return self._page(request, given, lambda one: records.rating_record(one, present) or {})

    def contacts(self, request: Request) -> Response:
        listed = records.contact_records(self.desk.company, self.tickets.values(), self.desk.present)
        state = request.query_params.get("state", "verified")
        return self._page(request, listed.get(state, []), lambda one: one)

    def companies(self, request: Request) -> Response:
        found = records.company_records(self.desk.company, self.tickets.values())
        return self._page(request, found, lambda one: one)

    def _page(self, request: Request, found: Sequence[Any], render: Callable[..., Json]) -> Response:
        number, size = _number(request, "page", 1), _number(request, "per_page", 30)
        if number > MOST_PAGES:
            beyond = "You cannot access tickets beyond the 300th page. Please provide a smaller page number."
            raise _invalid("page", beyond, "invalid_value")
        if size > 100:
            raise _invalid("per_page", "It should be a Positive Integer less than or equal to 100", "invalid_value")
        size = min(size, self.most_a_page)
        start = (number - 1) * size
        answer = JSONResponse([render(one) for one in found[start : start + size]])
        if start + size < len(found):
            answer.headers["Link"] = f'<{request.url.include_query_params(page=number + 1)}>; rel="next"'
        return answer


class _Refusal(Exception):
    def __init__(self, status: int, body: Json | None) -> None:
        super().__init__(status)
        self.status, self.body = status, body

    def told(self) -> Response:
        return JSONResponse(self.body, self.status)


def _invalid(name: str, message: str, code: str) -> _Refusal:
    errors = [{"field": name, "message": message, "code": code}]
    return _Refusal(400, {"description": "Validation failed", "errors": errors})


def _instant(text: str | None, name: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC) if text else None
    except ValueError:
        raise _invalid(name, "It should be in the combined date and time ISO8601 format", "invalid_date") from None


def _number(request: Request, name: str, usual: int) -> int:
    text = request.query_params.get(name, str(usual))
    if not text.isdigit() or not int(text):
        raise _invalid(name, "It should be a Positive Integer", "datatype_mismatch")
    return int(text)


def _too_many(wait: float) -> Response:
    text = "You have exceeded the limit of requests per minute"
    return JSONResponse({"message": text}, 429, {"Retry-After": str(math.ceil(wait)), "X-RateLimit-Remaining": "0"})


_AUTHORIZATION = "Basic " + base64.b64encode(f"{CREDENTIALS['api_key']}:X".encode()).decode()
