"""A stand-in of HubSpot's CRM API, over a company's contacts, deals, calls and meetings.

Belongs here: paths, in the numbered version and in the dated ones, and which records each answers. Does not: who is let
in (`door`), what records say (`records`), how they are written down (`shapes`) or searched (`searching`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipelines.sandbox.hubspot import shapes
from pipelines.sandbox.hubspot.door import CREDENTIALS, OAUTH_CREDENTIALS, Door, Failed, json_response
from pipelines.sandbox.hubspot.records import Shelf, shelf
from pipelines.sandbox.hubspot.searching import search
from pipelines.sandbox.hubspot.shown import Merge, Shown, agents_of, text_of
from pipelines.sandbox.stand_in import Desk

__all__ = ["CREDENTIALS", "OAUTH_CREDENTIALS", "Merge", "app"]

DAILY = 650_000
LIST_LIMIT, HISTORY_LIMIT = 100, 50


def app(
    desk: Desk,
    merges: Iterable[Merge] = (),
    search_lag: timedelta = timedelta(),
    most_a_day: int = DAILY,
    company_merges: Iterable[Merge] = (),
    left: Iterable[str] = (),
) -> Starlette:
    """HubSpot, with one account.

    merges: contacts that were merged. search_lag: how long search takes to see a change. most_a_day: the daily limit.
    company_merges: companies that were merged. left: agents who are users no more.
    """
    portal = _Portal(desk, {"contacts": tuple(merges), "companies": tuple(company_merges)}, search_lag, tuple(left))
    door = Door(desk.clock, most_a_day)
    paths = {
        "objects {type}": portal.listed,
        "objects {type}/{id}": portal.single,
        "objects {type}/{id}/associations/{to}": portal.associated,
        "objects {type}/search": portal.searched,
        "objects {type}/batch/read": portal.read,
        "associations {type}/{to}/batch/read": portal.related,
        "properties {type}": portal.properties,
        "pipelines {type}": portal.pipelines,
        "owners": portal.owners,
    }
    routes = [Route("/oauth/{version}/token", door.token, methods=["POST"])]
    for path, answer in paths.items():
        area, _, rest = path.partition(" ")
        methods = ["POST" if rest.endswith(("search", "read")) else "GET"]
        places = (f"/crm/v3/{area}/{rest}", f"/crm/{area}/{{version}}/{rest}")
        routes += [Route(place, door.guarded(answer), methods=methods) for place in places]
    return Starlette(routes=routes)


class _Portal:
    """One HubSpot account's records. They do not change while served: each type is laid out once."""

    def __init__(
        self, desk: Desk, merges: Mapping[str, tuple[Merge, ...]], search_lag: timedelta, left: tuple[str, ...]
    ) -> None:
        self.desk, self.merges, self.search_lag, self.left = desk, merges, search_lag, left
        self.winners = {
            type_: {str(merge.victim_id): str(merge.winner_id) for merge in of_type if merge.at <= desk.present}
            for type_, of_type in merges.items()
        }
        self.shelves: dict[str, Shelf] = {}
        self.by_customer: dict[tuple[str, str], Mapping[int, Sequence[int]]] = {}

    def _shelf(self, type_: str) -> Shelf:
        if type_ not in shapes.DECLARED:
            raise Failed(404, "OBJECT_NOT_FOUND", f"Unable to infer object type from: {type_}")
        if type_ not in self.shelves:
            merges = self.merges["contacts"], self.merges["companies"]
            self.shelves[type_] = shelf(type_, self.desk.company, self.desk.present, *merges)
        return self.shelves[type_]

    def _live(self, type_: str, id_: str) -> Shown | None:
        """The live record with an id; the id of a merged one finds its winner."""
        one = self._shelf(type_).records.get(int(self.winners.get(type_, {}).get(id_, id_)))
        return None if one is None or one.is_archived(self.desk.present) else one

    async def listed(self, request: Request) -> Response:
        """A page of the live records, or of the archived ones, in the order of ids."""
        found, asked = self._shelf(request.path_params["type"]), request.query_params
        is_archived, limit = asked.get("archived") == "true", int(asked.get("limit", "10"))
        most = HISTORY_LIMIT if asked.get("propertiesWithHistory") else LIST_LIMIT
        if not 0 < limit <= most:
            raise Failed(400, "VALIDATION_ERROR", f"Page size must be between 1 and {most}")
        ids = found.archived if is_archived else found.live
        start = bisect_right(ids, int(asked["after"])) if "after" in asked else 0
        given = ids[start : start + limit]
        results = [self._asked_of(request, found.records[id_]) for id_ in given]
        after = str(given[-1]) if start + limit < len(ids) else None
        return json_response(shapes.page(results, after, request.url.path))

    async def single(self, request: Request) -> Response:
        """One live record."""
        return json_response(self._asked_of(request, self._required(request)))

    def _required(self, request: Request) -> Shown:
        one = self._live(request.path_params["type"], request.path_params["id"])
        if one is None:
            raise Failed(404, "OBJECT_NOT_FOUND", "Object not found.")
        return one

    def _asked_of(self, request: Request, one: Shown) -> dict[str, Any]:
        """The record with what the query asks for."""
        type_, asked = request.path_params["type"], request.query_params
        names, histories = _names(asked.get("properties")), _names(asked.get("propertiesWithHistory"))
        found = shapes.record(type_, one, names, histories)
        if one.archived_at is not None and one.is_archived(self.desk.present):
            found |= {"archived": True, "archivedAt": text_of(one.archived_at)}
        for to in _names(asked.get("associations")):
            if ids := self._related_ids(type_, one, to):
                page = shapes.associations_page(type_, to, ids, 0, request.url.path, is_dated=False)
                found.setdefault("associations", {})[to.replace("_", " ")] = page
        return found

    async def read(self, request: Request) -> Response:
        """The live records with these ids; those that are not found are named."""
        type_, asked = request.path_params["type"], orjson.loads(await request.body())
        names, histories = asked.get("properties") or (), asked.get("propertiesWithHistory") or ()
        ids = _inputs(asked, HISTORY_LIMIT if histories else LIST_LIMIT)
        pairs = [(id_, self._live(type_, id_)) for id_ in ids]
        distinct = {one.id: one for _, one in pairs if one is not None}
        missing = [id_ for id_, one in pairs if one is None]
        message = "Could not get some objects, they may be deleted or not exist. Check that ids are valid."
        error = {"category": "OBJECT_NOT_FOUND", "message": message, "context": {"ids": missing}}
        results = [shapes.record(type_, one, names, histories) for one in distinct.values()]
        return self._batch(results, [error] if missing else [])

    def _batch(self, results: Sequence[Any], errors: Sequence[dict[str, Any]]) -> Response:
        at = text_of(self.desk.clock.now())
        body: dict[str, Any] = {"status": "COMPLETE", "results": results, "startedAt": at, "completedAt": at}
        if errors:
            body["numErrors"] = len(errors)
            body["errors"] = [{"status": "error", "links": {}, "errors": [], **error} for error in errors]
        return json_response(body, 207 if errors else 200)

    async def searched(self, request: Request) -> Response:
        """A page of the live records that match, without associations."""
        type_, asked = request.path_params["type"], orjson.loads(await request.body())
        found, indexed = self._shelf(type_), self.desk.present - self.search_lag
        live = (found.records[id_] for id_ in found.live)
        total, given, after = search((one for one in live if one.modified_at <= indexed), asked)
        results = [shapes.record(type_, one, asked.get("properties") or (), ()) for one in given]
        return json_response({"total": total, **shapes.page(results, after, request.url.path)})

    def _related_ids(self, type_: str, one: Shown, to: str) -> Sequence[int]:
        """Ids of the live records of another type that a record is associated with."""
        if type_ not in ("contacts", "companies") or (type_, to) == ("contacts", "companies"):
            return tuple(getattr(one, to)) if to in ("contacts", "companies", "line_items") else ()
        if (type_, to) not in self.by_customer:
            found = self._shelf(to)
            by_customer: dict[int, list[int]] = defaultdict(list)
            for id_ in found.live:
                for customer in getattr(found.records[id_], type_):
                    by_customer[customer].append(id_)
            self.by_customer[type_, to] = by_customer
        return self.by_customer[type_, to].get(one.id, ())

    async def associated(self, request: Request) -> Response:
        """A page of the associations of one record."""
        one, start = self._required(request), int(request.query_params.get("after", "0"))
        type_, to, is_dated = request.path_params["type"], request.path_params["to"], "version" in request.path_params
        ids = self._related_ids(type_, one, to)
        return json_response(shapes.associations_page(type_, to, ids, start, request.url.path, is_dated=is_dated))

    async def related(self, request: Request) -> Response:
        """The associations of each of these records; those without any are named."""
        type_, to, is_dated = request.path_params["type"], request.path_params["to"], "version" in request.path_params
        results, errors = [], []
        for id_ in _inputs(orjson.loads(await request.body()), LIST_LIMIT):
            one = self._live(type_, id_)
            if ids := [] if one is None else self._related_ids(type_, one, to):
                found = shapes.associations_page(type_, to, ids, 0, request.url.path, is_dated=is_dated)
                results.append({"from": {"id": id_}, "to": found.pop("results"), **found})
                continue
            message, category = f"No {to[:-1]} is associated with {type_} {id_}.", "OBJECT_NOT_FOUND"
            named = category if is_dated else {"name": category, "httpStatus": "NOT_FOUND"}
            errors.append({"category": named, "message": message, "context": {"fromObjectId": [id_]}})
        return self._batch(results, errors)

    async def properties(self, request: Request) -> Response:
        """The definitions of a type's properties."""
        type_ = request.path_params["type"]
        self._shelf(type_)
        return json_response({"results": shapes.property_definitions(type_, self.desk.company.crm)})

    async def owners(self, request: Request) -> Response:
        """A page of the users who own records, or of those who did and left."""
        asked = request.query_params
        is_archived, limit, start = asked.get("archived") == "true", int(asked.get("limit", "100")), asked.get("after")
        agents = [one for one in agents_of(self.desk.company) if (one in self.left) == is_archived]
        given = agents[int(start or 0) : int(start or 0) + limit]
        following = int(start or 0) + limit
        results = [shapes.owner(agent, is_archived=is_archived) for agent in given]
        return json_response(
            shapes.page(results, str(following) if following < len(agents) else None, request.url.path)
        )

    async def pipelines(self, request: Request) -> Response:
        """The pipelines of a type; only deals have some here."""
        is_deals = request.path_params["type"] == "deals"
        return json_response({"results": shapes.pipeline_definitions(self.desk.company.crm) if is_deals else []})


def _inputs(asked: dict[str, Any], most: int) -> list[str]:
    ids = [one["id"] for one in asked["inputs"]]
    if len(ids) > most:
        raise Failed(400, "VALIDATION_ERROR", f"The maximum number of inputs is {most}, found {len(ids)}")
    return ids


def _names(given: str | None) -> list[str]:
    return given.split(",") if given else []
