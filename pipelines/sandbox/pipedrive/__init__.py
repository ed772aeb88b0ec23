"""A stand-in of Pipedrive's API, over a company's contacts, deals and activities.

Belongs here: paths of both versions, what each costs, and which records it answers. Does not: who is let in (`door`),
how the company set Pipedrive up (`setup`), what records say (`records`) or how they are written down (`shapes`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipelines.sandbox.pipedrive import shapes
from pipelines.sandbox.pipedrive.door import (
    CREDENTIALS,
    OAUTH_CREDENTIALS,
    TOKENS_A_DAY,
    Answer,
    Door,
    Failed,
    json_response,
)
from pipelines.sandbox.pipedrive.records import Merge, Shelf, Shown, shelf
from pipelines.sandbox.pipedrive.setup import Setup
from pipelines.sandbox.stand_in import Desk

__all__ = ["CREDENTIALS", "OAUTH_CREDENTIALS", "Merge", "app"]

DEFAULT_PAGE, MOST_A_PAGE, MOST_IDS = 100, 500, 100
SINGULAR = {"deals": "Deal", "persons": "Person"}
ITEMS = {"deal": "deals", "person": "persons", "activity": "activities"}


def app(desk: Desk, merges: Iterable[Merge] = (), tokens_a_day: int = TOKENS_A_DAY) -> Starlette:
    """Pipedrive, with one company. merges: persons that were merged. tokens_a_day: the company's budget."""
    door, company = Door(desk.clock, tokens_a_day), _Company(desk, tuple(merges))
    paths: dict[str, tuple[Answer, int]] = {
        "v2/deals/archived": (company.archived, 20),
        "v2/deals/products": (company.products, 10),
        "v2/dealFields": (company.deal_fields, 10),
        "v2/personFields": (company.person_fields, 10),
        "v2/pipelines": (company.pipelines, 5),
        "v2/stages": (company.stages, 5),
        "v2/{kind:str}": (company.listed, 10),
        "v1/activityTypes": (company.activity_types, 20),
        "v1/recents": (company.recents, 20),
        "v1/{kind:str}/{id:int}/changelog": (company.changelog, 20),
    }
    routes = [Route(f"/api/{path}", door.guarded(*answer)) for path, answer in paths.items()]
    return Starlette(routes=[Route("/oauth/token", door.token, methods=["POST"]), *routes])


class _Company:
    """One company's records. They do not change while served: each type is laid out once."""

    def __init__(self, desk: Desk, merges: tuple[Merge, ...]) -> None:
        self.desk, self.merges, self.setup = desk, merges, Setup(desk.company)
        self.shelves: dict[str, Shelf] = {}
        self.found: dict[tuple[str, ...], list[int]] = {}

    def _shelf(self, kind: str) -> Shelf:
        if kind not in ITEMS.values():
            raise Failed(404, "Not found", "ERR_NOT_FOUND")
        if kind not in self.shelves:
            self.shelves[kind] = shelf(kind, self.desk.company, self.setup, self.desk.present, self.merges)
        return self.shelves[kind]

    async def listed(self, request: Request) -> Response:
        """A page of the records that are neither archived nor deleted; of deals the deleted ones, if they are asked."""
        kind = request.path_params["kind"]
        is_deleted = kind == "deals" and request.query_params.get("status") == "deleted"
        return self._page(request, kind, "deleted" if is_deleted else "live")

    async def archived(self, request: Request) -> Response:
        """A page of the archived deals; a deleted one is in the other list."""
        is_deleted = request.query_params.get("status") == "deleted"
        return self._page(request, "deals", "none" if is_deleted else "archived")

    def _page(self, request: Request, kind: str, where: str) -> Response:
        asked, held = request.query_params, self._shelf(kind)
        if asked.get("sort_by", "id") != "id" or asked.get("sort_direction", "asc") != "asc":
            raise Failed(400, "This sandbox sorts by id, ascending", "ERR_BAD_REQUEST")
        limit = int(asked.get("limit", DEFAULT_PAGE))
        if not 0 < limit <= MOST_A_PAGE:
            raise Failed(400, f"limit must be between 1 and {MOST_A_PAGE}", "ERR_BAD_REQUEST")
        ids = self._matching(kind, where, asked.get("updated_since", ""), asked.get("ids", ""))
        start = bisect_right(ids, shapes.id_of(asked["cursor"])) if "cursor" in asked else 0
        given = ids[start : start + limit]
        fields = asked["custom_fields"].split(",") if asked.get("custom_fields") else []
        data = [shapes.record(kind, held.records[id_], self.setup, fields) for id_ in given]
        return json_response(shapes.page(data, shapes.cursor_of(given[-1]) if start + limit < len(ids) else None))

    def _matching(self, kind: str, where: str, since: str, chosen: str) -> list[int]:
        key = (kind, where, since, chosen)
        if key not in self.found:
            held = self._shelf(kind)
            ids: Sequence[int] = {"live": held.live, "archived": held.archived, "deleted": held.deleted}.get(where, [])
            changed = datetime.fromisoformat(since) if since else None
            named = {int(id_) for id_ in chosen.split(",")} if chosen else None
            if named is not None and len(named) > MOST_IDS:
                raise Failed(400, f"ids must be at most {MOST_IDS}", "ERR_BAD_REQUEST")
            self.found[key] = [
                id_
                for id_ in ids
                if (changed is None or held.records[id_].updated_at >= changed) and (named is None or id_ in named)
            ]
        return self.found[key]

    async def products(self, request: Request) -> Response:
        """The products attached to these deals, all on one page."""
        ids = sorted(int(id_) for id_ in request.query_params.getlist("deal_ids"))
        if not 0 < len(ids) <= MOST_IDS:
            raise Failed(400, f"deal_ids must be between 1 and {MOST_IDS}", "ERR_BAD_REQUEST")
        held = self._shelf("deals").records
        lines = [line for id_ in ids if id_ in held for line in shapes.lines(held[id_], self.setup)]
        return json_response(shapes.page(lines, None))

    async def changelog(self, request: Request) -> Response:
        """A page of a record's changes, newest first."""
        kind = request.path_params["kind"]
        one = self._shelf(kind).records.get(request.path_params["id"]) if kind in SINGULAR else None
        if one is None:
            raise Failed(404, f"{SINGULAR.get(kind, 'Record')} not found", "ERR_NOT_FOUND")
        limit, start = int(request.query_params.get("limit", DEFAULT_PAGE)), 0
        if "cursor" in request.query_params:
            start = shapes.id_of(request.query_params["cursor"])
        entries = shapes.history(one)
        following = shapes.cursor_of(start + limit) if start + limit < len(entries) else None
        return json_response(shapes.page([shapes.change(entry) for entry in entries[start : start + limit]], following))

    async def recents(self, request: Request) -> Response:
        """A page of what was changed or deleted since a time, oldest change first."""
        asked = request.query_params
        since = datetime.strptime(asked["since_timestamp"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        found: list[tuple[str, Shown]] = []
        for item in asked.get("items", ",".join(ITEMS)).split(","):
            records = self._shelf(ITEMS[item]).records.values()
            found += [(item, one) for one in records if one.updated_at >= since]
        found.sort(key=lambda one: (one[1].updated_at, one[0], one[1].id))
        start, limit = int(asked.get("start", 0)), int(asked.get("limit", DEFAULT_PAGE))
        has_more = start + limit < len(found)
        pagination: dict[str, Any] = {"start": start, "limit": limit, "more_items_in_collection": has_more}
        data = [shapes.recent(item, one) for item, one in found[start : start + limit]]
        body = {"success": True, "data": data, "additional_data": {"pagination": pagination}}
        return json_response(body)

    async def deal_fields(self, request: Request) -> Response:
        """The fields of deals."""
        return json_response(shapes.page(shapes.field_definitions("deals", self.setup), None))

    async def person_fields(self, request: Request) -> Response:
        """The fields of persons."""
        return json_response(shapes.page(shapes.field_definitions("persons", self.setup), None))

    async def pipelines(self, request: Request) -> Response:
        """The pipelines."""
        return json_response(shapes.page(shapes.pipeline_definitions(self.setup), None))

    async def stages(self, request: Request) -> Response:
        """The stages of all pipelines."""
        return json_response(shapes.page(shapes.stage_definitions(self.setup), None))

    async def activity_types(self, request: Request) -> Response:
        """The types of activity."""
        return json_response({"success": True, "data": shapes.activity_types(self.setup)})
