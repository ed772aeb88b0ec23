"""A stand-in for Zendesk Support: the company's tickets, with the vendor's paths, exports, limits and errors.

Belongs here: requests and answers. Does not: what a record looks like (`records`).

Like the vendor: the exports leave out the last minute; the ticket export goes by when a ticket was written down, so it
gives tickets that look older than what was asked for; the event export repeats what lies on the edge of a page; users
who were deleted are exported as inactive;
deleted tickets have no audits, but their ratings are still listed.
"""

from __future__ import annotations

import base64
import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipelines.sandbox.stand_in import Desk, Limit
from pipelines.sandbox.zendesk import records
from pipelines.sandbox.zendesk.measured import metric_events
from pipelines.sandbox.zendesk.records import Json, Update

CREDENTIALS: dict[str, str] = {"email": "datos@agencia.example", "api_token": "sandbox-zendesk-token"}
OAUTH_TOKEN = "sandbox-zendesk-oauth-token"  # noqa: S105  a stand-in's credential protects nothing

EXPORT_DELAY = timedelta(minutes=1)
EXPORTS_A_MINUTE = 10
REQUESTS_A_MINUTE = 700

Place = tuple[int, int]


def app(desk: Desk, page_size: int = 1000, surveys_from: datetime | None = None) -> Starlette:
    """The stand-in.

    page_size: items a page of the exports. surveys_from: when the account moved from ratings of tickets to surveys; a
    year after the company's founding, if not given.
    """
    moved = surveys_from or datetime.combine(desk.company.founded, time.min, UTC) + timedelta(days=365)
    return _Zendesk(desk, page_size, moved).starlette()


@dataclass
class _Zendesk:
    desk: Desk
    page_size: int
    surveys_from: datetime
    exports: Limit = field(default_factory=lambda: Limit(EXPORTS_A_MINUTE, 60))
    account: Limit = field(default_factory=lambda: Limit(REQUESTS_A_MINUTE, 60))

    def __post_init__(self) -> None:
        present = self.desk.present
        tickets = [ticket for ticket in self.desk.company.tickets if ticket.created_at <= present]
        self.known = {ticket.id: ticket for ticket in tickets}
        self.lives = {t.id: [update for update in records.updates(t) if update.at <= present] for t in tickets}
        self.tickets = {t.id: records.ticket_record(t, self.lives[t.id], present) for t in tickets}
        exported = present - EXPORT_DELAY
        self.by_time = sorted(
            (t for t in self.tickets.values() if _place(t)[0] <= int(exported.timestamp())), key=_place
        )
        every = (update for life in self.lives.values() for update in life if update.at <= exported)
        self.updates = sorted(every, key=lambda update: (update.at, update.id))
        people = records.users(self.desk.company, tickets, present)
        self.users_by_time = sorted(
            (user for user in people if _changed(user)[0] <= exported.timestamp()), key=_changed
        )
        self.organizations = sorted(records.organizations(self.desk.company, tickets), key=_changed)
        self.asked = sorted(
            ((t.survey_sent_at, t) for t in tickets if t.survey_sent_at is not None and t.survey_sent_at <= present),
            key=lambda sent: (sent[0], sent[1].id),
        )

    def starlette(self) -> Starlette:
        handlers: dict[str, Callable[[Request], Json]] = {
            "/api/v2/incremental/tickets/cursor": self.ticket_export,
            "/api/v2/incremental/ticket_events": self.event_export,
            "/api/v2/incremental/users/cursor": self.user_export,
            "/api/v2/incremental/organizations": self.organization_export,
            "/api/v2/tickets/{ticket_id:int}/audits": self.audits,
            "/api/v2/users": self.users,
            "/api/v2/satisfaction_ratings": self.ratings,
            "/api/v2/guide/survey_responses": self.responses,
        }
        endings = (".json", "")
        routes = [Route(path + end, self._guarded(handler)) for path, handler in handlers.items() for end in endings]
        return Starlette(routes=routes, exception_handlers={404: _invalid_endpoint})

    def _guarded(self, handler: Callable[[Request], Json]) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            if request.headers.get("authorization", "") not in _AUTHORIZATIONS:
                return JSONResponse({"error": "Couldn't authenticate you"}, 401)
            is_export = "/incremental/" in request.url.path
            for limit in [self.account, self.exports] if is_export else [self.account]:
                if (wait := limit.wait_seconds(self.desk.clock.now())) is not None:
                    return _too_many(wait)
            try:
                return JSONResponse(handler(request))
            except _Refusal as refusal:
                return JSONResponse(refusal.body, refusal.status)

        return answer

    def ticket_export(self, request: Request) -> Json:
        exported = self._export(request, "tickets", self.by_time, _place)
        if "metric_events" in request.query_params.get("include", ""):
            exported["tickets"] = [
                {**one, "metric_events": metric_events(self.known[one["id"]], self.desk.present)}
                for one in exported["tickets"]
            ]
        return exported

    def user_export(self, request: Request) -> Json:
        return self._export(request, "users", self.users_by_time, _changed)

    def _export(self, request: Request, kind: str, by_time: list[Json], place: Callable[[Json], Place]) -> Json:
        """A page of an export that goes by a cursor: a place in time, and an id."""
        if "cursor" in request.query_params:
            start = bisect_right(by_time, _cursor(request.query_params["cursor"]), key=place)
        else:
            start = bisect_left(by_time, self._start_time(request), key=lambda item: place(item)[0])
        page = by_time[start : start + self.page_size]
        cursor = _as_cursor(*place(page[-1])) if page else request.query_params.get("cursor")
        return {
            kind: page,
            "after_url": f"{request.url.replace(query='')}?cursor={cursor}" if cursor else None,
            "after_cursor": cursor,
            "before_url": None,
            "before_cursor": None,
            "end_of_stream": start + len(page) == len(by_time),
        }

    def organization_export(self, request: Request) -> Json:
        found = [one for one in self.organizations if _changed(one)[0] >= self._start_time(request)]
        page = found[: self.page_size]
        end_time = _changed(page[-1])[0] if page else None
        is_over = len(page) == len(found)
        return {"organizations": page, "count": len(page), "end_time": end_time, "end_of_stream": is_over}

    def event_export(self, request: Request) -> Json:
        start = self._start_time(request)
        first = bisect_left(self.updates, start, key=_second)
        end = min(first + self.page_size, len(self.updates))
        while end < len(self.updates) and _second(self.updates[end - 1]) <= start:
            end += 1  # the next page begins later than this one: a page outgrows a second that would fill it
        page = self.updates[first:end]
        end_time = _second(page[-1]) if page else None
        has_comments = "comment_events" in request.query_params.get("include", "")
        return {
            "ticket_events": [records.ticket_event_record(update, has_comments=has_comments) for update in page],
            "next_page": f"{request.url.replace(query='')}?start_time={end_time}" if page else None,
            "count": len(page),
            "end_of_stream": end == len(self.updates),
            "end_time": end_time,
        }

    def audits(self, request: Request) -> Json:
        ticket = self.tickets.get(request.path_params["ticket_id"])
        if ticket is None or ticket["status"] == "deleted":
            raise _Refusal(404, {"error": "RecordNotFound", "description": "Not found"})
        return _listed(request, "audits", [records.audit_record(update) for update in self.lives[ticket["id"]]])

    def users(self, request: Request) -> Json:
        roles = request.query_params.getlist("role[]") or ["agent", "admin"]
        users = records.agents(self.desk.company)
        return _listed(request, "users", [user for user in users if user["role"] in roles])

    def ratings(self, request: Request) -> Json:
        start = datetime.fromtimestamp(int(request.query_params.get("start_time", 0)), UTC)
        found = [
            (at, rating)
            for sent, ticket in self.asked
            if sent < self.surveys_from
            for at, rating in records.rating_records(ticket, self.desk.present)
            if at >= start
        ]
        found.sort(key=lambda rated: (rated[0], rated[1]["id"]))
        return _listed(request, "satisfaction_ratings", [rating for _, rating in found])

    def responses(self, request: Request) -> Json:
        query = request.query_params
        start = int(query.get("filter[created_at_start]", 0))
        end = int(query.get("filter[created_at_end]", 10**15))
        found = [
            records.response_record(ticket, self.desk.present)
            for sent, ticket in self.asked
            if sent >= self.surveys_from and start <= sent.timestamp() * 1000 <= end
        ]
        return _listed(request, "survey_responses", sorted(found, key=lambda response: str(response["id"])))

    def _start_time(self, request: Request) -> int:
        try:
            start = int(request.query_params["start_time"])
        except (KeyError, ValueError):
            message = "You passed an invalid value for the start_time attribute."
            raise _Refusal(400, {"error": {"title": "Invalid attribute", "message": message}}) from None
        if start > (self.desk.present - EXPORT_DELAY).timestamp():
            too_recent = "Too recent start_time. Use a start_time older than 60 seconds"
            raise _Refusal(422, {"error": "InvalidValue", "description": too_recent})
        return start


class _Refusal(Exception):
    def __init__(self, status: int, body: Json) -> None:
        super().__init__(status)
        self.status, self.body = status, body


def _place(ticket: Json) -> tuple[int, int]:
    return ticket["generated_timestamp"], ticket["id"]


def _changed(item: Json) -> Place:
    return int(datetime.fromisoformat(item["updated_at"]).timestamp()), item["id"]


def _second(update: Update) -> int:
    return int(update.at.timestamp())


def _listed(request: Request, key: str, items: list[Json]) -> Json:
    """A page of a list, by the vendor's cursor pagination."""
    size = min(int(request.query_params.get("page[size]", 100)), 100)
    start = _cursor(request.query_params["page[after]"])[0] if "page[after]" in request.query_params else 0
    has_more = start + size < len(items)
    after = _as_cursor(start + size, 0) if has_more else None
    return {
        key: items[start : start + size],
        "meta": {"has_more": has_more, "after_cursor": after, "before_cursor": None},
        "links": {"next": None, "prev": None},
    }


def _cursor(text: str) -> tuple[int, int]:
    try:
        first, second = orjson.loads(base64.urlsafe_b64decode(text))
        return int(first), int(second)
    except (ValueError, TypeError):
        raise _Refusal(400, {"error": "InvalidPaginationParameter", "description": "Invalid cursor"}) from None


def _as_cursor(first: int, second: int) -> str:
    return base64.urlsafe_b64encode(orjson.dumps((first, second))).decode()


def _too_many(wait: float) -> Response:
    text = "Number of allowed API requests per minute exceeded"
    return Response(text, 429, {"Retry-After": str(math.ceil(wait))}, "text/plain")


def _invalid_endpoint(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"error": "InvalidEndpoint", "description": "Not found"}, 404)


def _basic(email: str, token: str) -> str:
    return "Basic " + base64.b64encode(f"{email}/token:{token}".encode()).decode()


_AUTHORIZATIONS = {_basic(CREDENTIALS["email"], CREDENTIALS["api_token"]), f"Bearer {OAUTH_TOKEN}"}
