"""A stand-in for Jira Cloud with Service Management: the company's tickets as issues, with the vendor's paths and ways.

Belongs here: requests and answers, and as much of the query language as is asked. Does not: what a record looks like
(`records`).

Like the vendor: the search is gone from its old path and pages by tokens at its new one, gives only named fields,
reads times in the user's zone at the grain of minutes, knows of changes late, and refuses queries without bounds; of
many comments it gives a few; deleted issues leave nothing; archived ones are in no search, and given by their ids; who
is not signed in is nobody, and sees nothing.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipelines.sandbox.company import Ticket
from pipelines.sandbox.jira import records
from pipelines.sandbox.jira.records import Json, Move, Sight
from pipelines.sandbox.stand_in import Desk, Limit

__all__ = ["CREDENTIALS", "Move", "app"]

CREDENTIALS: dict[str, str] = {"email": "datos@agencia.example", "api_token": "sandbox-jira-token"}

REQUESTS_A_SECOND = 100
SEARCH_LIMIT, IDS_LIMIT, BULK_LIMIT, HISTORIES_LIMIT = 100, 5000, 100, 1000
COMMENTS_IN_SEARCH = 20

_TOKENS = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([A-Za-z_]+\[\d+\]|[A-Za-z_]+|\d+)|(>=|[(),=]))')
_TIMES = {"updated", "created"}


def app(
    desk: Desk,
    moves: Sequence[Move] = (),
    zone: str = "America/Bogota",
    search_lag: timedelta = timedelta(0),
    customers_comments: int = 0,
    *,
    has_bulk_histories: bool = True,
    page_size: int = SEARCH_LIMIT,
    archived: Sequence[int] = (),
) -> Starlette:
    """The stand-in.

    moves: issues that changed projects. zone: of the user who asks. search_lag: how late the search knows of a change.
    customers_comments: written before each reply. page_size: issues a page of the search. archived: ids of issues.
    """
    sight = Sight(desk.present, ZoneInfo(zone), tuple(moves), customers_comments)
    return _Jira(desk, sight, search_lag, has_bulk_histories, page_size, frozenset(archived)).starlette()


@dataclass
class _Jira:
    desk: Desk
    sight: Sight
    lag: timedelta
    has_bulk_histories: bool
    page_size: int
    archived: frozenset[int]
    limit: Limit = field(default_factory=lambda: Limit(REQUESTS_A_SECOND, 1))
    answers: dict[str, list[Ticket]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """The issues that there are, and those that the search knows, with what it thinks of their times."""
        present = self.sight.present
        self.issues = {str(one.id): one for one in self._alive(present)}
        known = Sight(present - self.lag, self.sight.zone, self.sight.moves)
        self.indexed = [(one, known) for one in self._alive(known.present) if one.id not in self.archived]

    def _alive(self, at: datetime) -> list[Ticket]:
        return [
            one
            for one in self.desk.company.tickets
            if one.created_at <= at and (one.deleted_at is None or one.deleted_at > at)
        ]

    def starlette(self) -> Starlette:
        issue, request = "/rest/api/3/issue/{id}", "/rest/servicedeskapi/request/{id}"
        handlers: dict[tuple[str, str], Callable[[Request, Json], Any]] = {
            ("GET", "/rest/api/3/myself"): self.myself,
            ("GET", "/rest/api/3/status"): lambda request, body: [
                records.status_record(one) for one in records.STATUSES.values()
            ],
            ("GET", "/rest/api/3/field"): self.fields,
            ("GET", "/rest/api/3/priority/search"): lambda request, body: _things(request, records.PRIORITIES.values()),
            ("GET", "/rest/api/3/resolution/search"): lambda request, body: _things(
                request, (records.DONE, records.DUPLICATE)
            ),
            ("GET", "/rest/api/3/project/{key}"): self.project,
            ("GET", "/rest/api/3/search"): self.gone,
            ("POST", "/rest/api/3/search"): self.gone,
            ("POST", "/rest/api/3/search/jql"): self.search,
            ("POST", "/rest/api/3/issue/bulkfetch"): self.bulk,
            ("POST", "/rest/api/3/changelog/bulkfetch"): self.histories,
            ("GET", f"{issue}/changelog"): self.changelog,
            ("GET", f"{issue}/comment"): self.comments,
            ("GET", f"{request}/feedback"): self.feedback,
            ("GET", f"{request}/sla"): self.levels,
        }
        routes = [Route(path, self._guarded(handler), methods=[method]) for (method, path), handler in handlers.items()]
        return Starlette(routes=routes, exception_handlers={404: lambda request, error: _failure(404, "Not found")})

    def _guarded(self, handler: Callable[[Request, Json], Any]) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            if request.headers.get("authorization", "") != _AUTHORIZATION:
                return Response("Client must be authenticated to access this resource.", 401)
            if (wait := self.limit.wait_seconds(self.desk.clock.now())) is not None:
                headers = {"Retry-After": str(math.ceil(wait)), "RateLimit-Reason": "jira-burst-based"}
                return JSONResponse({"errorMessages": ["Rate limit exceeded."]}, 429, headers)
            sent = await request.body()
            try:
                return JSONResponse(handler(request, orjson.loads(sent) if sent else {}))
            except _Refusal as refusal:
                return refusal.answer

        return answer

    # What the site declares

    def myself(self, request: Request, body: Json) -> Json:
        user = {"accountId": "5b10a2844c20165700ede21g", "accountType": "atlassian", "active": True}
        return {**user, "displayName": "Datos", "timeZone": str(self.sight.zone), "locale": "es_ES"}

    def fields(self, request: Request, body: Json) -> list[Json]:
        kinds = {
            records.RATING: ("Satisfaction", "sd-feedback", "sd-request-feedback"),
            records.RATED_ON: ("Satisfaction date", "datetime", "sd-request-feedback-date"),
            records.ORGANIZATIONS: ("Organizations", "sd-customerorganization", "sd-customer-organizations"),
            records.REQUEST_TYPE: ("Request Type", "sd-customerrequesttype", "vp-origin"),
            **{id_: (name, "sd-servicelevelagreement", "sd-sla-field") for id_, name in records.LEVELS.items()},
        }
        custom = [
            {
                "id": id_,
                "key": id_,
                "name": name,
                "custom": True,
                "schema": {"type": kind, "custom": f"com.atlassian.servicedesk:{key}", "customId": int(id_[12:])},
            }
            for id_, (name, kind, key) in kinds.items()
        ]
        status = {"id": "status", "name": "Status", "custom": False, "schema": {"type": "status", "system": "status"}}
        return [status, *custom]

    def project(self, request: Request, body: Json) -> Json:
        key = request.path_params["key"]
        if key not in records.PROJECTS:
            raise _refused(404, f"No project could be found with key '{key}'.")
        id_, name = records.PROJECTS[key]
        return {"id": id_, "key": key, "name": name, "self": f"https://agencia.atlassian.net/rest/api/3/project/{id_}"}

    def gone(self, request: Request, body: Json) -> Json:
        raise _refused(410, "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API.")

    # Issues

    def search(self, request: Request, body: Json) -> Json:
        wanted = body.get("fields") or []
        found = self._found(body["jql"])
        size = IDS_LIMIT if wanted == ["id"] else self.page_size
        start = int(base64.b64decode(body["nextPageToken"])) if body.get("nextPageToken") else 0
        size = min(int(body.get("maxResults", 50)), size)
        page, is_last = found[start : start + size], start + size >= len(found)
        answer: Json = {"issues": [self._issue(one, wanted, body.get("properties") or ()) for one in page]}
        if not is_last:
            answer["nextPageToken"] = base64.b64encode(str(start + size).encode()).decode()
        return {**answer, "isLast": is_last}

    def _found(self, jql: str) -> list[Ticket]:
        """What a query finds, in order; kept for its next page."""
        if jql not in self.answers:
            tests = _parsed(jql)
            found = [one for one, sight in self.indexed if all(_clause_holds(one, sight, *test) for test in tests)]
            self.answers[jql] = sorted(found, key=lambda one: (one.created_at, one.id))
        return self.answers[jql]

    def _issue(self, ticket: Ticket, wanted: Sequence[str], properties: Sequence[str]) -> Json:
        issue = records.issue_record(ticket, self.sight, wanted, COMMENTS_IN_SEARCH)
        if list(wanted) in ([], ["id"]):
            return {"id": issue["id"]}
        if "request.channel.type" in properties:
            issue["properties"] = {"request.channel.type": {"value": records.CHANNELS[ticket.channel]}}
        return issue

    def bulk(self, request: Request, body: Json) -> Json:
        ids = body["issueIdsOrKeys"]
        if len(ids) > BULK_LIMIT:
            raise _refused(400, "The maximum number of issues that can be fetched is 100.")
        found = [self.issues[id_] for id_ in ids if id_ in self.issues]
        issues = [self._issue(one, body.get("fields") or [], body.get("properties") or ()) for one in found]
        return {"issues": issues, "issueErrors": []}

    def histories(self, request: Request, body: Json) -> Json:
        if not self.has_bulk_histories:
            raise _refused(404, "Not found")
        ids, fields = body["issueIdsOrKeys"], set(body.get("fieldIds") or ())
        if len(ids) > 1000 or len(fields) > 10:
            raise _refused(400, "You may only load changelogs for a maximum of 1,000 issues by ID or key at a time.")
        every = [
            (one["created"], int(id_), {**one, "created": int(one["created"].timestamp() * 1000)})
            for id_ in ids
            if id_ in self.issues
            for one in self._histories(id_)
            if not fields or fields & {item["fieldId"] for item in one["items"]}
        ]
        every.sort(key=lambda row: row[:2])
        start = int(body.get("nextPageToken") or 0)
        size = min(int(body.get("maxResults", HISTORIES_LIMIT)), self.page_size * 10)
        grouped: dict[int, list[Json]] = {}
        for _, id_, one in every[start : start + size]:
            grouped.setdefault(id_, []).append(one)
        logs = [{"issueId": str(id_), "changeHistories": ones} for id_, ones in grouped.items()]
        more = {"nextPageToken": str(start + size)} if start + size < len(every) else {}
        return {"issueChangeLogs": logs, **more}

    def _histories(self, id_: str) -> list[Json]:
        return records.history_records(self.issues[id_], self.sight)

    def changelog(self, request: Request, body: Json) -> Json:
        ticket = self._named(request)
        values = [
            {**one, "created": records.stamp(one["created"], self.sight)} for one in self._histories(str(ticket.id))
        ]
        return _page(request, "values", values)

    def comments(self, request: Request, body: Json) -> Json:
        page = _page(request, "comments", records.comment_records(self._named(request), self.sight))
        return {name: page[name] for name in ("comments", "startAt", "maxResults", "total")}

    # Service Management

    def feedback(self, request: Request, body: Json) -> Json:
        if request.headers.get("X-ExperimentalApi") != "opt-in":
            raise _refused(412, "This API is experimental. Experimental APIs are not guaranteed to be stable.")
        found = records.feedback_record(self._named(request), self.sight)
        if found is None:
            raise _refused(404, "No feedback was found for the request.")
        return found

    def levels(self, request: Request, body: Json) -> Json:
        values = records.level_records(self._named(request), self.sight)
        return {"size": len(values), "start": 0, "limit": 50, "isLastPage": True, "values": values}

    def _named(self, request: Request) -> Ticket:
        ticket = self.issues.get(request.path_params["id"])
        if ticket is None:
            raise _refused(404, "Issue does not exist or you do not have permission to see it.")
        return ticket


class _Refusal(Exception):
    def __init__(self, answer: Response) -> None:
        super().__init__(answer.status_code)
        self.answer = answer


def _failure(status: int, message: str) -> Response:
    return JSONResponse({"errorMessages": [message], "errors": {}}, status)


def _refused(status: int, message: str) -> _Refusal:
    return _Refusal(_failure(status, message))


def _things(request: Request, things: Iterable[tuple[str, str]]) -> Json:
    return _page(request, "values", [{"id": id_, "name": name} for id_, name in things])


def _page(request: Request, key: str, values: list[Json]) -> Json:
    start, size = int(request.query_params.get("startAt", 0)), int(request.query_params.get("maxResults", 50))
    page = values[start : start + size]
    return {
        "startAt": start,
        "maxResults": size,
        "total": len(values),
        "isLast": start + size >= len(values),
        key: page,
    }


Clause = tuple[str, str, tuple[str, ...]]


def _parsed(jql: str) -> list[Clause]:
    """A query as clauses joined by AND, each a field, an operator and values."""
    clauses, _, order = jql.partition(" ORDER BY ")
    if order not in ("created ASC", ""):
        raise _refused(400, f"Error in the JQL Query: this stand-in does not order by {order}.")
    tests = [_clause(clause) for clause in clauses.split(" AND ")]
    if not any(name == "project" for name, _, _ in tests):
        raise _refused(400, "Unbounded JQL queries are not allowed here. Please add a search restriction.")
    unknown = [key for name, _, keys in tests if name == "project" for key in keys if key not in records.PROJECTS]
    if unknown:
        raise _refused(400, f"The value '{unknown[0]}' does not exist for the field 'project'.")
    return tests


def _clause(text: str) -> Clause:
    words = _scanned(text)
    name, rest = words[0], [word for word in words[1:] if word not in ("(", ")", ",")]
    if rest[:2] == ["is", "not"]:
        return name, "is not", tuple(rest[2:])
    return name, rest[0], tuple(rest[1:])


def _scanned(text: str) -> list[str]:
    found: list[str] = []
    at, length = 0, len(text.rstrip())
    while at < length:
        match = _TOKENS.match(text, at)
        if match is None:
            raise _refused(400, f"Error in the JQL Query: Expecting operator at character {at}.")
        found.append(next(part for part in match.groups() if part is not None))
        at = match.end()
    return found


def _clause_holds(ticket: Ticket, sight: Sight, name: str, operator: str, values: tuple[str, ...]) -> bool:
    rated = f"cf[{records.RATED_ON.removeprefix('customfield_')}]"
    if name == "project":
        return records.project_of(ticket, sight) in values
    if name == "issuetype":
        return records.TYPE[1] in values
    if name == "Request Type":
        return "Get help" in values
    if name == rated and operator == "is not":
        return records.rated_at(ticket, sight) is not None
    if operator == ">=" and name in {*_TIMES, rated}:
        times = {"updated": records.updated_at, "created": lambda one, _: one.created_at, rated: records.rated_at}
        at = times[name](ticket, sight)
        since = datetime.strptime(values[0], "%Y-%m-%d %H:%M").replace(tzinfo=sight.zone).astimezone(UTC)
        return at is not None and at.replace(second=0, microsecond=0) >= since
    raise _refused(400, f"Field '{name}' does not exist or you do not have permission to view it.")


_AUTHORIZATION = "Basic " + base64.b64encode(":".join(CREDENTIALS.values()).encode()).decode()
