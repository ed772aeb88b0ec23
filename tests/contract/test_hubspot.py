"""Whether the source and its stand-in speak HubSpot as HubSpot describes it: its own OpenAPI descriptions judge."""

from __future__ import annotations

import os
from collections import Counter
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import orjson
import pytest
import requests
from hubspot_agency import Exchange, Office, Tampering, activity, agency, changes, contact, day, listing, sale
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse

from pipelines.hubspot import HubSpotOptions
from pipelines.sandbox.company import Company, Deal
from pipelines.sandbox.hubspot import CREDENTIALS, Merge, app
from pipelines.sandbox.hubspot.shown import COMPANY, LINES

SPECS = Path(os.environ.get("HITO_SPECS", Path(__file__).parents[3] / "shared" / "specs"))
HOST = "https://api.hubapi.com"
NOW = day(60)

pytestmark = pytest.mark.skipif(
    not SPECS.is_dir(), reason=f"not run: HubSpot's descriptions are not in {SPECS} (HITO_SPECS names another folder)"
)


def company(*, is_visit_archived: bool = False) -> Company:
    return agency(
        contacts=[
            contact(1, (day(2), "lead"), (day(30), "customer")),
            contact(2, (day(3), "lead"), referrer_id=1),
            contact(3, archived_at=day(10)),
        ],
        listings=[listing(201, day(4), day(5))],
        sales=[sale(300 + n, (day(6), "appointment"), (day(7), "won"), buyer_id=1) for n in range(60)],
        activities=[
            *(
                activity(4000 + n, "call", day(8), "connected", archived_at=day(9) if n == 7 else None)
                for n in range(120)
            ),
            activity(501, "visit", day(9), "completed", archived_at=day(61) if is_visit_archived else None),
        ],
    )


@cache
def description(name: str) -> OpenAPI:
    """HubSpot's description of one API; its errors are JSON, though it says `*/*`, and we do not check its scopes.

    What it says of audits is not valid OpenAPI, and nobody here asks for them.
    """
    spec = orjson.loads((SPECS / f"hubspot_crm_{name}.oas.json").read_bytes())
    spec["paths"] = {path: content for path, content in spec["paths"].items() if not path.endswith("/audit")}
    _amend(spec)
    return OpenAPI.from_dict(spec)


def _amend(node: Any) -> None:
    if isinstance(node, dict):
        node.pop("security", None)
        if "*/*" in node:
            node["application/json"] = node.pop("*/*")
        for value in node.values():
            _amend(value)
    elif isinstance(node, list):
        for value in node:
            _amend(value)


def described_by(path: str) -> str:
    if path.startswith("/crm/v3/objects/"):
        type_ = path.split("/")[4]
        return type_ if type_ in ("contacts", "deals") and "/associations/" not in path else "objects"
    return path.split("/")[3]


def judge(exchange: Exchange) -> None:
    """Raises for a request or an answer that is not as described."""
    asked = MockRequest(
        HOST, exchange.method, exchange.path, args=dict(parse_qsl(exchange.query)), data=exchange.body or None
    )
    api = description(described_by(exchange.path))
    if exchange.status < 400:
        api.validate_request(asked)
    api.validate_response(asked, MockResponse(exchange.answer, exchange.status, content_type="application/json"))


def described(exchanges: list[Exchange]) -> list[Exchange]:
    """Those that HubSpot's descriptions at hand cover: they have no properties API."""
    return [one for one in exchanges if "/properties/" not in one.path]


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch)


def test_every_request_and_answer_of_a_first_load_and_its_increments_is_as_described(office: Office) -> None:
    exchanges: list[Exchange] = []
    merges = (Merge(winner_id=2, victim_id=1, at=day(61)),)
    for at, is_archived, merged in (
        (day(7, 8), False, ()),
        (NOW, False, ()),
        (day(62), True, ()),
        (day(63), False, merges),
    ):
        served = Tampering(app(office.desk(company(is_visit_archived=is_archived), at), merged))
        assert {one.failure for one in office.load(served, at).values()} == {None}
        exchanges += served.exchanges
    for one in described(exchanges):
        judge(one)
    kinds = Counter((one.method, one.path.rpartition("/")[2], one.status) for one in described(exchanges))
    assert {
        ("GET", "contacts", 200),
        ("POST", "search", 200),
        ("POST", "read", 200),
        ("GET", "deals", 200),
    } <= kinds.keys()


EVERYTHING = HubSpotOptions.model_validate(
    {
        "portal_id": "27182818",
        "currency": "EUR",
        "account": "company",
        "actor": "address",
        "companies": {"identified_by": ["domain"]},
        "sales": [{"pipeline": "default", "won": ["closedwon"], "product_of_lines": "name"}],
        **{name: {} for name in ("notes", "tasks", "emails", "feedback")},
    }
)


def test_what_is_read_only_where_options_ask_for_it_is_as_described(office: Office) -> None:
    kinds = {"note": None, "task": "completed", "email": "EMAIL", "answer": "PROMOTER"}
    sold = Deal(
        id=701, contact_id=1, agent="ana", pipeline="default", stages=changes((day(3), "closedwon")),
        amount=changes((day(3), Decimal(10))), currency="EUR", says={LINES: changes((day(3), "A;B"))}, archived_at=None,
    )  # fmt: skip
    everything = agency(
        contacts=[contact(1, says={COMPANY: "9001"}), contact(2, says={COMPANY: "9002"})],
        deals=[sold],
        activities=[activity(800 + n, kind, day(4 + n), outcome) for n, (kind, outcome) in enumerate(kinds.items())],
    )
    exchanges: list[Exchange] = []
    merges = (Merge(winner_id=9001, victim_id=9002, at=day(31)),)
    for at, merged in ((day(30), ()), (day(32), merges)):
        served = Tampering(app(office.desk(everything, at), company_merges=merged, left=["luis"]))
        assert {one.failure for one in office.load(served, at, EVERYTHING).values()} == {None}
        exchanges += served.exchanges
    for one in described(exchanges):
        judge(one)
    asked = {one.path.removeprefix("/crm/v3/").removeprefix("objects/").split("/")[0] for one in described(exchanges)}
    assert {"companies", "owners", "line_items", "notes", "tasks", "emails", "feedback_submissions"} <= asked


@pytest.mark.parametrize(
    ("method", "path", "sent", "status"),
    [
        ("GET", "/crm/v3/objects/deals?limit=101", None, 400),
        ("GET", "/crm/v3/objects/deals?limit=51&propertiesWithHistory=amount", None, 400),
        ("GET", "/crm/v3/objects/tortoises", None, 404),
        ("GET", "/crm/v3/objects/calls/999", None, 404),
        ("GET", "/crm/v3/objects/calls/4007", None, 404),
        ("GET", "/crm/v3/objects/calls/4001?associations=contacts&propertiesWithHistory=hs_timestamp", None, 200),
        ("GET", "/crm/v3/objects/calls/4001/associations/contacts", None, 200),
        ("GET", "/crm/v3/objects/contacts?archived=true", None, 200),
        ("GET", "/crm/v3/objects/contacts", None, 200),
        (
            "POST",
            "/crm/v3/objects/calls/batch/read",
            {"inputs": [{"id": "4001"}, {"id": "9"}], "properties": ["hs_timestamp"], "propertiesWithHistory": []},
            207,
        ),
        ("POST", "/crm/v3/associations/calls/contacts/batch/read", {"inputs": [{"id": "4001"}, {"id": "9"}]}, 207),
        (
            "POST",
            "/crm/v3/objects/deals/search",
            {
                "filterGroups": [
                    {"filters": [{"propertyName": "amount", "operator": "BETWEEN", "value": "1", "highValue": "9000"}]},
                    {"filters": [{"propertyName": "dealstage", "operator": "IN", "values": ["closedlost"]}]},
                ],
                "sorts": ["-amount"],
                "properties": ["amount"],
                "limit": 5,
                "after": "0",
            },
            200,
        ),
    ],
)
def test_the_stand_in_answers_and_refuses_as_described(
    office: Office, method: str, path: str, sent: Any, status: int
) -> None:
    served = Tampering(app(office.desk(company(), NOW)))
    with office.serving(served) as url:
        headers = {"Authorization": f"Bearer {CREDENTIALS['access_token']}"}
        requests.request(method, url + path, json=sent, headers=headers, timeout=10)
    [exchange] = served.exchanges
    assert exchange.status == status
    judge(exchange)


def test_refusals_of_strangers_and_of_the_hasty_are_as_described(office: Office) -> None:
    served = Tampering(app(office.desk(company(), NOW)))
    with office.serving(served) as url, requests.Session() as session:
        session.get(f"{url}/crm/v3/objects/calls", timeout=10)
        session.headers["Authorization"] = f"Bearer {CREDENTIALS['access_token']}"
        for _ in range(191):
            session.get(f"{url}/crm/v3/objects/calls?limit=1", timeout=10)
    first, last = served.exchanges[0], served.exchanges[-1]
    assert (first.status, first.content["category"]) == (401, "INVALID_AUTHENTICATION")
    assert (last.status, last.content["category"], last.content["policyName"]) == (
        429,
        "RATE_LIMITS",
        "TEN_SECONDLY_ROLLING",
    )
    assert [one.status for one in served.exchanges[1:-1]] == [200] * 190
    for one in (first, last):
        judge(one)


def test_the_judge_sees_what_is_not_as_described(office: Office) -> None:
    served = Tampering(app(office.desk(company(), NOW)))
    with office.serving(served) as url:
        headers = {"Authorization": f"Bearer {CREDENTIALS['access_token']}"}
        requests.get(f"{url}/crm/v3/objects/calls", headers=headers, timeout=10)
    [exchange] = served.exchanges
    content = exchange.content
    content["results"][0]["id"] = 4001
    exchange.answer = orjson.dumps(content)
    with pytest.raises(Exception, match="4001 is not of type 'string'"):
        judge(exchange)
