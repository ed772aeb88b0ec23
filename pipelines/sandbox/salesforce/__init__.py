"""A stand-in of Salesforce's REST API, over a company's contacts, deals, calls, meetings and tickets.

Belongs here: paths, and the batches in which queries are answered. Does not: who is let in (`door`), what records say
(`records`), what the org has (`shapes`) or how a query is read (`soql`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipelines.sandbox.salesforce import shapes
from pipelines.sandbox.salesforce.door import CREDENTIALS, REFRESH_CREDENTIALS, Door, Failed, json_response
from pipelines.sandbox.salesforce.people import Merge
from pipelines.sandbox.salesforce.records import Kept, Org
from pipelines.sandbox.salesforce.soql import Query, Row, shown, understood
from pipelines.sandbox.stand_in import Desk

__all__ = ["CREDENTIALS", "REFRESH_CREDENTIALS", "Kept", "Merge", "app"]

DAILY = 100_000
BATCH, CHILDREN = 2_000, 200
MOST_BYTES = 16_384
VERSIONS = range(31, 67)
"""Those that are served: older ones have ended."""


def app(
    desk: Desk,
    merges: Sequence[Merge] = (),
    most_a_day: int = DAILY,
    batch: int = BATCH,
    children: int = CHILDREN,
    *,
    has_currencies: bool = False,
    kept: Kept = Kept(),  # noqa: B008 - it is frozen
    public_key: RSAPublicKey | None = None,
) -> Starlette:
    """Salesforce, with one org.

    merges: people who were merged. most_a_day: the org's requests. batch, children: how many rows it gives at a time.
    kept: what it keeps of the past. public_key: of whoever signs in by a signature.
    """
    door = Door(desk.clock, most_a_day, public_key)
    org = _Served(
        desk,
        Org(desk.company, desk.present, merges, kept),
        batch,
        children,
        has_currencies=has_currencies,
    )
    data = "/services/data/v{version}"
    paths: Mapping[str, Callable[[Request], Response]] = {
        f"{data}/sobjects/{{name}}/describe": org.describe,
        f"{data}/query": org.query,
        f"{data}/tooling/query": org.tooling,
        f"{data}/tooling/query/{{locator}}": org.more,
        f"{data}/queryAll": org.query_all,
        f"{data}/query/{{locator}}": org.more,
    }
    return Starlette(
        routes=[
            Route("/services/oauth2/token", door.token, methods=["POST"]),
            *(Route(path, door.guarded(_versioned(answer))) for path, answer in paths.items()),
        ]
    )


def _versioned(answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
    def of_version(request: Request) -> Response:
        version = request.path_params["version"]
        if version not in {f"{number}.0" for number in VERSIONS}:
            raise Failed(404, "NOT_FOUND", "The requested resource does not exist")
        headers = sum(len(name) + len(value) + 4 for name, value in request.headers.raw)
        if len(quote(str(request.url), safe="%/:?=&+")) + headers > MOST_BYTES:
            raise Failed(414, "URI_TOO_LONG", "URI Too Long")
        return answer(request)

    return of_version


class _Served:
    """One org's records. They do not change while served. What a query still has to give waits under its locator."""

    def __init__(self, desk: Desk, org: Org, batch: int, children: int, *, has_currencies: bool) -> None:
        self.desk, self.org = desk, org
        are_several = len({deal.currency for deal in desk.company.deals}) > 1
        self.schema = shapes.schema(desk.company, has_currencies=has_currencies or are_several)
        self.batch, self.children = batch, children
        self.waiting: dict[str, tuple[Sequence[Any], int, int]] = {}

    def describe(self, request: Request) -> Response:
        """What a kind of record is."""
        name = request.path_params["name"]
        if name not in self.schema:
            raise Failed(404, "NOT_FOUND", "The requested resource does not exist")
        return json_response(shapes.description(name, self.schema[name], self.desk.company))

    def query(self, request: Request) -> Response:
        """The first batch of what is there."""
        return self._answered(request, is_all=False)

    def query_all(self, request: Request) -> Response:
        """The first batch of what is there, was deleted, or is archived."""
        return self._answered(request, is_all=True)

    def tooling(self, request: Request) -> Response:
        """Which fields have a history."""
        query = understood(request.query_params["q"], self.schema)
        if query.source != "FieldDefinition":
            raise Failed(400, "INVALID_TYPE", f"sObject type '{query.source}' is not supported.")
        found = query.matching(shapes.field_definitions(self.schema, self.org.kept.untracked))
        return json_response(self._batch(request.url.path, [(query, row) for row in found], 0, self.batch))

    def _answered(self, request: Request, *, is_all: bool) -> Response:
        query = understood(request.query_params["q"], self.schema)
        rows = (row for row in self.org.rows(query.source) if is_all or not (row["IsDeleted"] or row.get("IsArchived")))
        found = query.matching(rows)
        base = f"/services/data/v{request.path_params['version']}/query"
        size = BATCH if query.selected == ("Id",) else self.batch  # those of large rows are smaller
        return json_response(self._batch(base, [(query, row) for row in found], 0, size))

    def more(self, request: Request) -> Response:
        """A later batch."""
        locator = request.path_params["locator"]
        if locator not in self.waiting:
            raise Failed(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        rows, start, size = self.waiting[locator]
        base = f"/services/data/v{request.path_params['version']}/query"
        return json_response(self._batch(base, rows, start, size))

    def _batch(self, base: str, rows: Sequence[tuple[Query, Row]], start: int, size: int) -> dict[str, Any]:
        given, following = rows[start : start + size], start + size
        found: dict[str, Any] = {"totalSize": len(rows), "done": following >= len(rows)}
        if not found["done"]:
            locator = f"01g{len(self.waiting):012d}AAA-{following}"
            self.waiting[locator] = (rows, following, size)
            found["nextRecordsUrl"] = f"{base}/{locator}"
        found["records"] = [
            shown(query, row, dict(self._nested(base, query, row)), query.source) for query, row in given
        ]
        return found

    def _nested(self, base: str, query: Query, row: Row) -> Iterator[tuple[str, Any]]:
        for child in query.children:
            found = child.matching(row.get(child.source, ()))
            pairs = [(child, one) for one in found]
            yield child.source, self._batch(base, pairs, 0, self.children) if pairs else None
