"""Readings of Stripe that were interrupted: through lists, through events, and when events do not reach back any more.

That every list is gone on with, and gives the same, is in `tests/faults/test_readings.py`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest
from helpdesk_office import Office, Reading

from pipelines.sandbox import stripe as stand_in
from pipelines.sandbox.company import Company, Invoice, Subscription
from pipelines.sandbox.stand_in import SharedClock
from pipelines.source import Read
from pipelines.stripe import STRIPE, StripeOptions, reading
from pipelines.stripe.reading import EVENTS_TRUSTED

NOW = datetime(2026, 3, 30, 6, tzinfo=UTC)


def at(day: int) -> datetime:
    return datetime(2026, 3, day, 9, tzinfo=UTC)


def invoice(number: int, voided: datetime | None = None, paid: datetime | None = None) -> Invoice:
    return Invoice(number, 70 + number, None, "fee", at(1), at(1), 100_00, 21_00, paid_at=paid, voided_at=voided)


def company(*invoices: Invoice, subscriptions: tuple[Subscription, ...] = ()) -> Company:
    none: tuple[Any, ...] = ()
    return Company(
        seed=0, zone="Europe/Madrid", founded=date(2025, 1, 1), last_day=date(2026, 12, 31), contacts=none,
        listings=none, sales=none, activities=none, tickets=none, invoices=invoices, videos=none, sheet_rows=none,
        subscribers={}, views={}, subscriptions=subscriptions,
    )  # fmt: skip


CHANGED = company(*(invoice(number, voided=at(20 + number)) for number in range(1, 6)))
SUBSCRIBED = company(subscriptions=tuple(Subscription(n, 70 + n, "rental", 50_00, at(n), None) for n in range(1, 4)))


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setattr(reading, "_IDS_A_PAGE", 2)
    found = Office(tmp_path, monkeypatch, STRIPE, StripeOptions(), stand_in)
    found.clock = SharedClock(tmp_path / "clock.json", NOW)
    return found


def read(
    office: Office, of: Company, stream: str, mark: str | None = None, since: datetime | None = None, late: int = 0
) -> Reading:
    """What a reading that began on the 30th gives; late: on how many days after that it is gone on with."""
    present = NOW + timedelta(days=late)
    office.clock = SharedClock(office.folder / "clock.json", present)
    served = office.served(of, present)
    cursor = ("states" if stream == "subscriptions" else "") if since else None
    found = office.read(served, stream, Read(since, NOW, cursor, office.clock, mark))
    assert found.failure is None
    office.exchanges = served.exchanges
    return found


def asked(office: Office, path: str) -> list[dict[str, list[str]]]:
    return [parse_qs(one.query) for one in office.exchanges if one.path == path]


def test_a_list_whose_place_was_deleted_is_begun_anew(office: Office) -> None:
    found = read(office, CHANGED, "invoices", '{"after": "in_draft_that_was_deleted"}')
    assert [one.get("starting_after") for one in asked(office, "/v1/invoices")] == [["in_draft_that_was_deleted"], None]
    assert len(found.keys) == 5


def test_what_changed_is_read_in_the_order_of_its_changes_and_gone_on_with(office: Office) -> None:
    whole = read(office, CHANGED, "invoices", since=at(15))
    assert (whole.keys, len(whole.marks)) == (["in_1", "in_2", "in_3", "in_4", "in_5"], 3)
    rest = read(office, CHANGED, "invoices", whole.marks[0], since=at(15))
    assert rest.keys == ["in_3", "in_4", "in_5"]


def test_what_changes_once_more_after_a_place_comes_after_it(office: Office) -> None:
    whole = read(office, CHANGED, "invoices", since=at(15))
    again = company(*CHANGED.invoices, invoice(6, paid=at(10), voided=NOW + timedelta(hours=1)))
    assert read(office, again, "invoices", whole.marks[1], since=at(15), late=1).keys == ["in_5", "in_6"]


def test_where_events_do_not_reach_back_any_more_all_is_read_through_the_list(office: Office) -> None:
    since = NOW - EVENTS_TRUSTED
    interrupted = read(office, CHANGED, "invoices", since=since).marks[0]
    assert asked(office, "/v1/events")
    assert read(office, CHANGED, "invoices", interrupted, since=since, late=1).covered is not None
    assert (asked(office, "/v1/events"), len(asked(office, "/v1/invoices"))) == ([], 1)


@pytest.mark.parametrize(("late", "is_gone_on_with"), [(0, True), (1, True), (3, False)])
def test_subscriptions_are_gone_on_with_as_long_as_events_reach_as_far_back(
    office: Office, late: int, is_gone_on_with: bool
) -> None:
    mark = read(office, SUBSCRIBED, "subscriptions").marks[0]
    read(office, SUBSCRIBED, "subscriptions", mark, late=late)
    place = orjson.loads(mark)["subscription"]
    assert [one.get("starting_after") for one in asked(office, "/v1/subscriptions")] == (
        [[place]] if is_gone_on_with else [None]
    )
    [events] = asked(office, "/v1/events")
    began = NOW if is_gone_on_with else NOW + timedelta(days=late)
    assert events["created[gte]"] == [str(int((began - EVENTS_TRUSTED).timestamp()))]


def test_a_place_among_events_is_none_in_a_reading_of_all(office: Office) -> None:
    since = NOW - EVENTS_TRUSTED
    interrupted = read(office, SUBSCRIBED, "subscriptions", since=at(15)).marks
    assert interrupted == []  # nothing changed since
    found = read(office, SUBSCRIBED, "subscriptions", '{"changed": [1, "sub_1"]}', since=since, late=2)
    assert {"sub_1", "sub_2", "sub_3"} <= {*found.keys}
