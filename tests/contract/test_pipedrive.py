"""Whether the source and its stand-in speak Pipedrive as Pipedrive describes it: its own OpenAPI descriptions judge.

Pipedrive describes each version of its API apart: `pipedrive_v2.oas.json` has the lists, `pipedrive_v1.oas.json` the
changelogs and what was changed of late; `pipedrive.oas.json` is an older one of the first version, from before there
were changelogs. Whichever are at hand judge what they describe, and say what it costs.
"""

from __future__ import annotations

import os
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import orjson
import pytest
import requests
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse
from pipedrive_office import (
    OPTIONS,
    Exchange,
    Office,
    Tampering,
    app,
    business,
    call,
    changes,
    contact,
    day,
    deal,
    meeting,
)

from pipelines.pipedrive import PipedriveOptions, api
from pipelines.sandbox.company import Company
from pipelines.sandbox.pipedrive import CREDENTIALS, Merge

SPECS = Path(os.environ.get("HITO_SPECS", Path(__file__).parents[3] / "shared" / "specs"))
HOST = "https://api.pipedrive.com"
NOW = day(60)
USED = {
    "pipedrive_v2.oas.json": (
        *("/deals", "/deals/archived", "/deals/products", "/persons", "/activities"),
        *("/pipelines", "/stages", "/dealFields", "/personFields"),
    ),
    "pipedrive_v1.oas.json": ("/deals/{id}/changelog", "/persons/{id}/changelog", "/recents", "/activityTypes"),
    "pipedrive.oas.json": ("/recents", "/activityTypes"),
}
"""Description -> what the source asks for of it."""
FOUND = [name for name in USED if (SPECS / name).is_file()]

pytestmark = pytest.mark.skipif(
    not FOUND, reason=f"not run: Pipedrive's descriptions are not in {SPECS} (HITO_SPECS names another folder)"
)


def company() -> Company:
    return business(
        contacts=[
            contact(1, (day(2), "lead"), (day(30), "customer"), says={"mercado": "Madrid"}),
            contact(2, (day(3), "lead")),
            contact(3, archived_at=day(61)),
        ],
        deals=[
            deal(300, (day(6), "contacto"), (day(7), "ganado"), says={
                "producto": "Plataforma", "closedate": changes((day(6, 10), "2026-02-20T12:00:00.000Z")),
            }),
            deal(301, (day(6), "contacto"), (day(9), "perdido"), archived_at=day(20)),
            *(deal(302 + n, (day(6), "contacto"), (day(8), "propuesta")) for n in range(40)),
        ],
        activities=[call(401, day(8), "connected"), meeting(402, day(70), None, entered_at=day(9))],
    )  # fmt: skip


@cache
def description(name: str) -> dict[str, Any]:
    """The part of a description that the source uses.

    Its own examples contradict it: they have empty values where it says that none are (here all may be, but ids), and
    times without a zone where it says `date-time`. We do not check its scopes.
    """
    spec: dict[str, Any] = orjson.loads((SPECS / name).read_bytes())
    spec["paths"] = {path: {"get": spec["paths"][path]["get"]} for path in USED[name]}
    for methods in spec["paths"].values():
        methods["get"].pop("security", None)
        for response in methods["get"]["responses"].values():
            for content in (response.get("content") or {}).values():
                _amend(content["schema"])
    return spec


def _amend(node: Any, name: str = "") -> None:
    if isinstance(node, dict):
        if "type" in node and name not in ("id", "data", "success"):
            node["nullable"] = True
        if node.get("format") == "date-time":
            node.pop("format")
        for key, value in node.items():
            if key == "properties":
                for property_, schema in value.items():
                    _amend(schema, property_)
            elif key in ("allOf", "anyOf", "oneOf", "items"):
                _amend(value, name)
    elif isinstance(node, list):
        for value in node:
            _amend(value, name)


@cache
def judge_of(name: str) -> OpenAPI:
    return OpenAPI.from_dict(description(name))


def template(path: str) -> tuple[str, str]:
    """Version and path as descriptions write it: `/api/v1/deals/3/changelog` is `/deals/{id}/changelog` of v1."""
    _, _, version, *rest = path.split("/")
    return version, "/" + "/".join("{id}" if part.isdigit() else part for part in rest)


def describes(name: str, exchange: Exchange) -> bool:
    version, path = template(exchange.path)
    return path in USED[name] and (version == "v2") == (name == "pipedrive_v2.oas.json")


def judge(name: str, exchange: Exchange) -> None:
    """Raises for a request or an answer that is not as described."""
    path = exchange.path if template(exchange.path)[0] == "v2" else exchange.path.removeprefix("/api")
    asked = MockRequest(HOST, exchange.method, path, args=dict(parse_qsl(exchange.query)))
    judge_of(name).validate_request(asked)
    judge_of(name).validate_response(
        asked, MockResponse(exchange.answer, exchange.status, content_type="application/json")
    )


@pytest.fixture(scope="module")
def exchanges(tmp_path_factory: pytest.TempPathFactory) -> list[Exchange]:
    """What is asked and answered in a first load, in its increments, and long after."""
    found: list[Exchange] = []
    with pytest.MonkeyPatch.context() as environment:
        office = Office(tmp_path_factory.mktemp("told"), environment)
        merges = (Merge(winner_id=1, victim_id=2, at=day(62)),)
        sales = [{"pipeline": "ventas", "product_of_lines": True}]
        with_lines = PipedriveOptions.model_validate({**OPTIONS.model_dump(exclude_defaults=True), "sales": sales})
        for at, merged, options in (
            (NOW, (), OPTIONS),
            (day(61, 12), (), OPTIONS),
            (day(63), merges, OPTIONS),
            (day(500), merges, with_lines),
        ):
            served = Tampering(app(office.desk(company(), at), merged))
            assert {one.failure for one in office.load(served, at, options).values()} == {None}
            found += served.exchanges
    return found


@pytest.mark.parametrize("name", FOUND)
def test_every_request_and_answer_is_as_described(name: str, exchanges: list[Exchange]) -> None:
    judged = [one for one in exchanges if describes(name, one)]
    for one in judged:
        judge(name, one)
    assert {template(one.path)[1] for one in judged} == set(USED[name])
    assert {one.status for one in judged} == {200}


@pytest.mark.parametrize("name", FOUND)
def test_what_a_request_costs_is_what_the_description_says(name: str) -> None:
    lists = {f"/{path}": cost for path, cost in {**api.LIST_COST, **api.DEFINITION_COST}.items()}
    told = {
        **lists,
        **dict.fromkeys(("/deals/{id}/changelog", "/persons/{id}/changelog"), api.CHANGELOG_COST),
        "/deals/products": api.DEAL_PRODUCTS_COST,
        "/recents": api.RECENTS_COST,
        "/activityTypes": api.ACTIVITY_TYPES_COST,
    }
    said = {path: methods["get"].get("x-token-cost") for path, methods in description(name)["paths"].items()}
    is_of_then = name == "pipedrive.oas.json"  # from before requests cost anything
    assert said == {path: None if is_of_then else told[path] for path in said}


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v2/deals?limit=501", 400, "ERR_BAD_REQUEST"),
        ("/api/v2/deals?cursor=nonsense", 400, "ERR_BAD_REQUEST"),
        ("/api/v2/tortoises", 404, "ERR_NOT_FOUND"),
        ("/api/v1/deals/999/changelog", 404, "ERR_NOT_FOUND"),
        ("/api/v1/activities/401/changelog", 404, "ERR_NOT_FOUND"),
    ],
)
def test_the_stand_in_refuses_in_pipedrives_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, status: int, code: str
) -> None:
    office = Office(tmp_path, monkeypatch)
    with office.serving(app(office.desk(company(), NOW))) as url:
        stranger = requests.get(url + path, timeout=10)
        answer = requests.get(url + path, headers={"x-api-token": CREDENTIALS["api_token"]}, timeout=10)
    assert (stranger.status_code, stranger.json()["error"]) == (401, "unauthorized access")
    assert (answer.status_code, answer.json()["success"], answer.json()["code"]) == (status, False, code)


def test_the_stand_in_counts_requests_in_headers_and_tokens_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = Office(tmp_path, monkeypatch)
    left = []
    with office.serving(app(office.desk(company(), NOW), tokens_a_day=405)) as url, requests.Session() as session:
        session.headers["x-api-token"] = CREDENTIALS["api_token"]
        for _ in range(41):
            answer = session.get(f"{url}/api/v2/deals", timeout=10)
            left.append((answer.status_code, answer.headers["x-ratelimit-remaining"]))
        office.clock.sleep(2)
        tired = session.get(f"{url}/api/v2/deals", timeout=10)
        cheap = session.get(f"{url}/api/v2/stages", timeout=10)
        office.clock.sleep(86_400)
        rested = session.get(f"{url}/api/v2/deals", timeout=10)
    assert left == [(200, str(39 - n)) for n in range(40)] + [(429, "0")]
    assert (tired.status_code, cheap.status_code, rested.status_code) == (429, 200, 200)
    assert Counter(name for name in tired.headers if "token" in name.lower()) == {}


@pytest.mark.parametrize("name", FOUND)
def test_the_judge_sees_what_is_not_as_described(name: str, exchanges: list[Exchange]) -> None:
    one = next(one for one in exchanges if describes(name, one) and one.content["data"] and "recents" not in one.path)
    content = one.content
    content["data"] = {"not": "a list"}
    strange = Exchange(one.method, one.path, one.query, b"", 200, orjson.dumps(content), {})
    with pytest.raises(Exception, match="is not of type 'array'"):
        judge(name, strange)
