"""YouTube Analytics against its stand-in: days that come late, subscribers before the first reading, what is loud."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from helpdesk_office import Reading, stored
from social import Exchange, Office, at, changing, company, follows

from kr_definitions.coverage import coverage
from pipelines.sandbox import youtube as stand_in
from pipelines.source import Read
from pipelines.youtube import YOUTUBE, YouTubeOptions
from pipelines.youtube.analytics import LATE, asked_days

FIRST = date(2026, 2, 1)
CHANNEL = company(
    profiles=(follows("youtube"),),
    founded=FIRST,
    subscribers={FIRST + timedelta(days=n): 1000 + 3 * max(n - 18, 0) for n in range(80)},
    views={FIRST + timedelta(days=n): 50 * n for n in range(80)},
)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    options = YouTubeOptions(channel=stand_in.CHANNEL, analytics=True)
    return Office(tmp_path, monkeypatch, YOUTUBE, options, stand_in)


def read(office: Office, stream: str, now: datetime, alter: Any = None, **given: Any) -> tuple[Reading, list[Exchange]]:
    served = office.served(CHANNEL, now, alter)
    asked = Read(given.get("since"), now, given.get("cursor"), office.clock)
    return office.read(served, stream, asked), [one for one in served.exchanges if one.path == "/v2/reports"]


def test_all_days_are_asked_for_at_first_and_later_those_that_may_be_told_anew(office: Office) -> None:
    now = at(20, 6)  # the evening of the 19th in California
    assert asked_days(Read(None, now, None, office.clock), LATE) == (date(2005, 2, 14), date(2026, 3, 18))
    assert asked_days(Read(at(15), now, None, office.clock), LATE) == (date(2026, 3, 10), date(2026, 3, 18))


def test_days_are_dated_in_california_and_covered_as_far_as_they_are_told(office: Office) -> None:
    office = stored(office)
    office.load(CHANNEL, at(10))
    assert office.said("occurred_at", "quantity", of="followers.gained")[-1] == (at(7, 20), 5)
    assert office.said("occurred_at", "quantity", of="followers.lost")[-1] == (at(7, 20), 2)
    assert {quantity for (quantity,) in office.said("quantity", of="views.counted")} == {0, 50}
    known = coverage(office.statements(), office.zone).spans
    assert [(span.first, span.last) for span in known["followers.gained"]] == [(date(2026, 2, 2), date(2026, 3, 7))]


def test_rounded_subscribers_agree_with_exact_days_and_days_before_are_reckoned(office: Office) -> None:
    office = stored(office)
    for day in (10, 11, 14):
        office.load(CHANNEL, at(day))
    said = office.said("occurred_at", "quantity", "is_reckoned", of="followers.observed")
    assert said[-3:] == [(at(10), 1050, None), (at(11), 1050, None), (at(14), 1060, None)]
    assert said[-4] == (at(9, 7), 1047, True)
    assert {is_reckoned for _, _, is_reckoned in said[:-3]} == {True}
    assert coverage(office.statements(), office.zone).spans["followers.observed"][0].first < date(2026, 2, 3)
    assert office.quarantined() == []


def test_a_difference_beyond_rounding_is_told_of(office: Office) -> None:
    def remove(exchange: Exchange, content: Any) -> bool | None:
        if exchange.path != "/youtube/v3/channels":
            return False
        content["items"][0]["statistics"]["subscriberCount"] = "900"
        return None

    office.load(CHANNEL, at(10))
    office.load(CHANNEL, at(11), changing(remove))
    office.load(CHANNEL, at(15), changing(remove))
    [(key, problem)] = office.quarantined()
    assert (key, problem[:4]) == ("balance/2026-03-11", "-150")


def test_a_later_reading_asks_for_the_last_days_only(office: Office) -> None:
    first, asked = read(office, "subscribers_gained", at(10))
    later, asked_later = read(office, "subscribers_gained", at(11), since=at(8, 8) - LATE)
    assert (len(first.keys), len(later.keys)) == (35, 6)
    assert (len(asked), len(asked_later)) == (1, 1)


def test_a_metric_that_is_given_no_more_takes_no_other_one_with_it(office: Office) -> None:
    def dead(exchange: Exchange) -> Any:
        return (400, {}, b"{}") if "metrics=views" in exchange.query else None

    loads = office.load(CHANNEL, at(10), dead)
    assert {name for name, load in loads.items() if load.failure} == {"daily_views"}


def test_the_number_stands_where_who_went_is_not_told(office: Office) -> None:
    def dead(exchange: Exchange) -> Any:
        return (400, {}, b"{}") if "subscribersLost" in exchange.query else None

    loads = office.load(CHANNEL, at(10), dead)
    assert {name for name, load in loads.items() if load.failure} == {"subscribers_lost"}
    assert office.said("quantity", of="followers.observed") == [(1050,)]
    assert [key for key, _ in office.quarantined()] == ["metric/came_and_went"]


def test_hidden_subscribers_are_not_zero_and_loud(office: Office) -> None:
    def hide(exchange: Exchange, content: Any) -> bool | None:
        if exchange.path != "/youtube/v3/channels":
            return False
        content["items"][0]["statistics"] |= {"subscriberCount": "0", "hiddenSubscriberCount": True}
        return None

    found, _ = read(office, "subscribers", at(10), changing(hide))
    assert (found.records, found.covered) == ([], None)
    assert "the channel hides its subscribers, so there is no figure. Let the channel show it" in str(found.failure)


def test_a_day_whose_figure_is_no_number_is_not_covered_and_those_around_it_are(office: Office) -> None:
    def spoil(exchange: Exchange, content: Any) -> bool | None:
        if exchange.path != "/v2/reports":
            return False
        content["rows"][-3][1] = None
        return None

    office.load(CHANNEL, at(10), changing(spoil))
    known = coverage(office.log(), office.zone).spans["views.counted"]
    assert [(span.first.day, span.last.day) for span in known] == [(2, 4), (7, 7)]


def test_without_its_owner_the_channel_is_read_as_before(office: Office) -> None:
    office.with_options(analytics=False)
    office.configure(client_id=None, client_secret=None, refresh_token=None)
    loads = office.load(CHANNEL, at(10))
    assert sorted(loads) == ["channel_statistics", "videos"]
    assert office.said("quantity", of="followers.observed") == [(1050,)]


BROKEN = {
    "no rows": lambda content: content.pop("rows"),
    "no headers": lambda content: content.pop("columnHeaders"),
    "a day twice": lambda content: content["rows"].append(content["rows"][0]),
    "a day of another year": lambda content: content["rows"][0].__setitem__(0, "2062-01-01"),
    "no day": lambda content: content["rows"][0].__setitem__(0, "yesterday"),
    "a row that is too short": lambda content: content["rows"][0].pop(),
    "a column that is not there": lambda content: content["columnHeaders"][1].update(name="likes"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_answers_that_only_look_whole_are_refused(office: Office, kind: str) -> None:
    def alter(exchange: Exchange, content: Any) -> bool | None:
        if exchange.path != "/v2/reports":
            return False
        BROKEN[kind](content)
        return None

    found, _ = read(office, "subscribers_gained", at(10), changing(alter))
    assert found.covered is None
    assert "reads it again" in str(found.failure)


@pytest.mark.parametrize("body", [b"<html>", b'{"rows": [', b"[]"])
def test_what_is_no_answer_is_refused(office: Office, body: bytes) -> None:
    found, _ = read(office, "daily_views", at(10), lambda one: (200, {}, body) if "reports" in one.path else None)
    assert found.covered is None


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"refresh_token": "old"}, "refused to renew the access token (HTTP 400)"),
        ({"client_id": None, "refresh_token": None}, "client_id and sources.agencia.youtube.refresh_token are not set"),
    ],
)
def test_who_has_not_signed_in_is_told_so(office: Office, settings: dict[str, str | None], says: str) -> None:
    office.configure(**settings)
    found, _ = read(office, "subscribers_lost", at(10))
    assert says in str(found.failure)


def test_a_channel_that_is_somebody_elses_is_told_so(office: Office) -> None:
    refusal = b'{"error": {"code": 403, "message": "Forbidden"}}'
    found, _ = read(office, "subscribers_gained", at(10), lambda one: (403, {}, refusal) if "v2" in one.path else None)
    assert "has to own the channel" in str(found.failure)


def test_a_figure_that_is_no_number_is_told_of(office: Office) -> None:
    def spoil(exchange: Exchange, content: Any) -> bool | None:
        if exchange.path != "/v2/reports":
            return False
        content["rows"][-1][1] = "many"
        return None

    office.load(CHANNEL, at(10), changing(spoil))
    problems = dict(office.quarantined())
    assert problems[f"{stand_in.CHANNEL}/2026-03-07"] == "value: not a number that can be (many)"
    assert problems["day/2026-03-07"] == "gained: not a number (many)"
