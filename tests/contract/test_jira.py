"""Whether the source and its stand-in speak Jira as Atlassian describes it, for the paths that the description has.

The description is of October 2025: `/search/jql`, `/changelog/bulkfetch` and `/issue/bulkfetch` are not in it yet, nor
is Service Management, which has one of its own. Of a search, the issues in its answer are judged as issues.
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
from helpdesk_office import Exchange, Office, at, changes, company, ticket
from jsonschema import Draft202012Validator
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse

from pipelines.jira import JIRA, JiraOptions
from pipelines.sandbox import jira as stand_in

SPECS = Path(os.environ.get("HITO_SPECS", Path(__file__).parents[3] / "shared" / "specs"))
HOST = "https://your-domain.atlassian.net"
UNDESCRIBED = ("/rest/api/3/search/jql", "/rest/api/3/changelog/bulkfetch", "/rest/api/3/issue/bulkfetch")

pytestmark = pytest.mark.skipif(
    not SPECS.is_dir(), reason=f"not run: Jira's description is not in {SPECS} (HITO_SPECS names another folder)"
)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    options = JiraOptions(site="agencia", projects=("SUP",), solved=("Resolved",), closed=("Closed",))
    return Office(tmp_path, monkeypatch, JIRA, options, stand_in)


@cache
def description() -> dict[str, Any]:
    """Atlassian's description of the paths that are asked for, which is too large to be read whole.

    It calls its times `date-time`, which they are not, as their offsets have no colon; and of a change it leaves out
    `toString`, which its own examples have.
    """
    whole = orjson.loads((SPECS / "jira_cloud.oas.json").read_bytes())
    asked = (
        "/rest/api/3/myself",
        "/rest/api/3/status",
        "/rest/api/3/field",
        "/rest/api/3/priority/search",
        "/rest/api/3/resolution/search",
        "/rest/api/3/project/{projectIdOrKey}",
        "/rest/api/3/issue/{issueIdOrKey}/changelog",
        "/rest/api/3/issue/{issueIdOrKey}/comment",
    )
    whole["paths"] = {path: {"get": whole["paths"][path]["get"]} for path in asked}
    for operation in whole["paths"].values():
        operation["get"].pop("security", None)
    whole.pop("security", None)
    whole["components"]["schemas"]["ChangeDetails"]["properties"].setdefault("toString", {"type": "string"})
    _without_date_times(whole)
    return whole


def _without_date_times(node: Any) -> None:
    if isinstance(node, dict):
        if node.get("format") == "date-time":
            del node["format"]
        for value in node.values():
            _without_date_times(value)
    elif isinstance(node, list):
        for value in node:
            _without_date_times(value)


@cache
def api() -> OpenAPI:
    return OpenAPI.from_dict(description())


def judge(exchange: Exchange) -> None:
    """Raises for a request or an answer that is not as described."""
    args = dict(parse_qsl(exchange.query))
    asked = MockRequest(HOST, exchange.method, exchange.path, args=args, data=exchange.body or None)
    if exchange.status < 400:
        api().validate_request(asked)
    api().validate_response(asked, MockResponse(exchange.answer, exchange.status, content_type="application/json"))


def is_described(exchange: Exchange) -> bool:
    return exchange.path.startswith("/rest/api/3/") and exchange.path not in UNDESCRIBED


@cache
def judge_of(schema: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{schema}", "components": description()["components"]})


def test_every_request_and_answer_of_a_load_is_as_described(office: Office) -> None:
    rated = company(*(ticket(n, rating=changes((at(5), "good"))) for n in range(1, 4)), ticket(9, deleted_at=at(20)))
    exchanges: list[Exchange] = []
    for now, settings in (
        (at(4), {}),
        (at(10), {"customers_comments": 130}),
        (at(21), {"has_bulk_histories": False}),
    ):
        loads = office.load(rated, now, **settings)
        assert {load.failure for load in loads.values()} == {None}
        exchanges += office.exchanges
    late = ticket(50, created_at=at(22), status=changes((at(22), "new"), (at(23), "solved")))
    office.load(company(late), at(24), has_bulk_histories=False)
    exchanges += office.exchanges
    described = [one for one in exchanges if is_described(one)]
    for one in described:
        judge(one)
    kinds = Counter(one.path.rpartition("/")[2] for one in described)
    assert {"myself", "status", "field", "SUP", "changelog", "comment"} <= kinds.keys()


def test_the_issues_and_changes_that_the_undescribed_paths_give_are_as_described(office: Office) -> None:
    office.load(company(ticket(), ticket(2)), at(20), customers_comments=3)
    searches = [one for one in office.exchanges if one.path == "/rest/api/3/search/jql"]
    issues = [each for one in searches for each in one.content["issues"]]
    [bulk] = [one for one in office.exchanges if one.path == "/rest/api/3/changelog/bulkfetch"]
    histories = [each for one in bulk.content["issueChangeLogs"] for each in one["changeHistories"]]
    assert issues
    assert histories
    for one in issues:
        assert not list(judge_of("IssueBean").iter_errors(one))
    for one in histories:  # their times are milliseconds here, and texts in the described path
        assert not list(judge_of("Changelog").iter_errors({**one, "created": "2026-03-02T09:00:00.000+0000"}))


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/rest/api/3/myself", 200),
        ("/rest/api/3/project/SUP", 200),
        ("/rest/api/3/priority/search?startAt=1&maxResults=2", 200),
        ("/rest/api/3/resolution/search?startAt=0&maxResults=100", 200),
        ("/rest/api/3/project/NOPE", 404),
        ("/rest/api/3/issue/1/changelog?startAt=1&maxResults=1", 200),
        ("/rest/api/3/issue/77/changelog", 404),
        ("/rest/api/3/issue/1/comment?orderBy=created", 200),
        ("/rest/api/3/issue/77/comment", 404),
    ],
)
def test_the_stand_in_answers_and_refuses_as_described(office: Office, path: str, status: int) -> None:
    served = office.served(company(ticket()), at(20), customers_comments=3)
    with office.serving(served) as url:
        requests.get(url + path, auth=tuple(stand_in.CREDENTIALS.values()), timeout=10)
    [exchange] = served.exchanges
    assert exchange.status == status
    judge(exchange)


def test_the_judge_sees_what_is_not_as_described(office: Office) -> None:
    served = office.served(company(ticket()), at(20))
    with office.serving(served) as url:
        requests.get(f"{url}/rest/api/3/issue/1/changelog", auth=tuple(stand_in.CREDENTIALS.values()), timeout=10)
    [exchange] = served.exchanges
    content = exchange.content
    content["values"][0]["id"] = 100
    exchange.answer = orjson.dumps(content)
    with pytest.raises(Exception, match="100 is not of type 'string'"):
        judge(exchange)
