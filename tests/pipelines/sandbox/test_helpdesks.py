"""The help desks' stand-ins: the same company is the same desk, and a later day only adds to it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from types import ModuleType

import pytest
import requests

from pipelines.sandbox import freshdesk, jira
from pipelines.sandbox.company import estate_agency
from pipelines.sandbox.server import serving
from pipelines.sandbox.stand_in import Desk, SharedClock

FOUNDED, NOW = date(2026, 1, 1), datetime(2026, 2, 1, 9, tzinfo=UTC)
SCOPE = 'project in ("SUP")'
ASKED = {
    freshdesk: [
        ("GET", "/api/v2/tickets?updated_since=1970-01-01T00:00:00Z&include=stats&per_page=100", None),
        ("GET", "/api/v2/tickets?filter=deleted&updated_since=1970-01-01T00:00:00Z", None),
        ("GET", "/api/v2/tickets?filter=spam&updated_since=1970-01-01T00:00:00Z", None),
        ("GET", "/api/v2/surveys/satisfaction_ratings?created_since=1970-01-01T00:00:00Z&per_page=100", None),
    ],
    jira: [
        ("POST", "/rest/api/3/search/jql", {"jql": SCOPE, "fields": ["id"], "maxResults": 5000}),
        ("POST", "/rest/api/3/search/jql", {"jql": SCOPE, "fields": ["status", "comment", "updated"]}),
    ],
}


def answers(stand_in: ModuleType, folder: Path, last_day: date) -> list[bytes]:
    company = estate_agency(3, FOUNDED, last_day)
    credentials = tuple(stand_in.CREDENTIALS.values())
    auth = credentials if len(credentials) == 2 else (credentials[0], "X")
    with serving(stand_in.app(Desk(company, NOW, SharedClock(folder / "clock.json", NOW)))) as url:
        asked = [(method, url + path, sent) for method, path, sent in ASKED[stand_in]]
        found = [requests.request(method, to, json=sent, auth=auth, timeout=10) for method, to, sent in asked]
    assert [one.status_code for one in found] == [200] * len(asked)
    return [one.content for one in found]


@pytest.mark.parametrize("stand_in", ASKED, ids=lambda one: one.__name__.rpartition(".")[2])
def test_a_company_is_the_same_desk_however_far_its_life_is_told(stand_in: ModuleType, tmp_path: Path) -> None:
    first = answers(stand_in, tmp_path, date(2026, 2, 1))
    assert max(map(len, first)) > 1_000
    assert answers(stand_in, tmp_path, date(2026, 2, 1)) == first
    assert answers(stand_in, tmp_path, date(2026, 3, 15)) == first
