"""Being let in by Pipedrive: tokens of users and of apps, where they are said, and what is asked with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from crm_office import Answer
from pipedrive_office import (
    ACCOUNT,
    OPTIONS,
    Exchange,
    Office,
    Tampering,
    app,
    day,
    small,
)

from pipelines.pipedrive import PIPEDRIVE
from pipelines.sandbox.pipedrive import CREDENTIALS, OAUTH_CREDENTIALS

NOW = day(60)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch)


def test_a_wrong_token_is_refused_and_never_shown(office: Office) -> None:
    office.configure(api_token="wrong-but-secret-token")
    reports = office.load(app(office.desk(small(1), NOW)), NOW)
    for one in reports.values():
        assert "the credentials were refused" in str(one.failure)
        assert "wrong-but-secret-token" not in str(one.failure)
    assert "wrong-but-secret-token" not in repr(PIPEDRIVE.streams(ACCOUNT, OPTIONS))


def test_a_token_that_is_missing_is_named_where_it_belongs(office: Office) -> None:
    office.configure(api_token=None)
    reading, _ = office.read(app(office.desk(small(1), NOW)), "deals", NOW)
    assert "sources.acme.pipedrive.api_token is not set" in str(reading.failure)
    assert "SOURCES__ACME__PIPEDRIVE__API_TOKEN" in str(reading.failure)


def with_an_app(office: Office, **given: str | None) -> None:
    office.configure(api_token=None, **{**OAUTH_CREDENTIALS, **given})


def test_a_token_of_an_app_that_ends_in_the_middle_is_renewed_once_and_nothing_is_lost(office: Office) -> None:
    with_an_app(office)

    def slow(exchange: Exchange) -> Answer | None:
        if exchange.path == "/api/v1/deals/3030/changelog" and exchange.status == 200:
            office.clock.sleep(3600)
        return None

    served = Tampering(app(office.desk(small(60), NOW)), slow)
    reading, _ = office.read(served, "deals", NOW)
    assert (len(reading.records), reading.failure) == (60, None)
    assert [one.status for one in served.exchanges if one.path == "/oauth/token"] == [200, 200]
    assert [one.path for one in served.exchanges if one.status == 401] == ["/api/v1/deals/3031/changelog"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"refresh_token": "removed"}, "refused to renew the access token"),
        ({"client_secret": "wrong"}, "the credentials were refused"),
        ({"client_secret": None}, "sources.acme.pipedrive.client_secret is not set"),
    ],
)
def test_an_app_that_is_not_let_in_is_the_operators_to_mend(
    office: Office, given: dict[str, str | None], said: str
) -> None:
    with_an_app(office, **given)
    reading, _ = office.read(app(office.desk(small(1), NOW)), "deals", NOW)
    assert said in str(reading.failure)
    assert "sandbox-client-secret" not in str(reading.failure)


def test_the_token_is_in_a_header_and_in_no_address(office: Office) -> None:
    served = Tampering(app(office.desk(small(1), NOW)))
    office.load(served, NOW)
    assert {one.headers["x-api-token"] for one in served.exchanges} == {CREDENTIALS["api_token"]}
    assert not any(CREDENTIALS["api_token"] in one.query + one.path for one in served.exchanges)


def test_the_streams_of_a_company_open_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a secret was asked for")

    monkeypatch.setattr("pipelines.settings.Settings.get", never)
    assert [stream.name for stream in PIPEDRIVE.streams(ACCOUNT, OPTIONS)] == ["persons", "deals", "activities"]


@pytest.mark.parametrize(("setting", "given"), [("api_version", "2026-03"), ("history_version", "latest")])
def test_a_version_that_is_none_is_refused_before_anything_is_asked(office: Office, setting: str, given: str) -> None:
    office.configure(**{setting: given})
    served = Tampering(app(office.desk(small(1), NOW)))
    reading, _ = office.read(served, "deals", NOW)
    assert f"sources.acme.pipedrive.{setting} is '{given}'" in str(reading.failure)
    assert served.exchanges == []
