"""The simulated estate agency: the same for the same seed, never younger than it was, and believable."""

import hashlib
import os
import subprocess
import sys
import time as process
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.sandbox.agency.contacts import IMPORTED
from pipelines.sandbox.company import Change, Company, Sale, estate_agency, value_at

MADRID = ZoneInfo("Europe/Madrid")
FOUNDED, LAST_DAY = date(2024, 11, 1), date(2026, 11, 20)
END = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)
GROWN_UP = [f"2025-{n:02}" for n in range(4, 13)] + [f"2026-{n:02}" for n in range(1, 11)]
"""The whole months after the first ones."""

KINDS = (
    "contacts",
    "listings",
    "sales",
    "activities",
    "tickets",
    "invoices",
    "videos",
    "posts",
    "sheet_rows",
    "articles",
    "opinions",
)
BORN = {
    "contacts": lambda one: one.lifecycle[0].at,
    "listings": lambda one: one.entered_at,
    "sales": lambda one: one.stages[0].at,
    "activities": lambda one: one.entered_at,
    "tickets": lambda one: one.created_at,
    "invoices": lambda one: one.created_at,
    "videos": lambda one: one.published_at,
    "posts": lambda one: one.published_at,
    "sheet_rows": lambda one: one.cells[0].at,
    "articles": lambda one: one.written_at,
    "opinions": lambda one: one.asked_at,
}


@pytest.fixture(scope="module", params=[1, 2, 3])
def company(request: pytest.FixtureRequest) -> Company:
    return estate_agency(request.param, FOUNDED, LAST_DAY)


def seen_at(company: Company, instant: datetime) -> dict[str, list[Any]]:
    """What the company's systems show at an instant: nothing that is later."""
    return {
        kind: [_seen(one, instant) for one in getattr(company, kind) if BORN[kind](one) <= instant] for kind in KINDS
    }


def _seen(one: Any, instant: datetime) -> Any:
    shown: dict[str, Any] = {}
    for field in fields(one):
        value = getattr(one, field.name)
        if field.name in ("starts_at", "captured_at"):
            continue
        if isinstance(value, tuple) and (not value or isinstance(value[0], Change)):
            shown[field.name] = tuple(change for change in value if change.at <= instant)
        elif isinstance(value, datetime) and value > instant:
            shown[field.name] = None
    return replace(one, **shown)


def end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), MADRID).astimezone(UTC) - timedelta(microseconds=1)


def month(instant: datetime) -> str:
    return f"{instant.astimezone(MADRID):%Y-%m}"


def day(instant: datetime) -> date:
    return instant.astimezone(MADRID).date()


def instants(value: Any) -> Iterator[datetime]:
    if isinstance(value, datetime):
        yield value
    elif isinstance(value, tuple):
        for part in value:
            yield from instants(part)
    elif is_dataclass(value):
        for field in fields(value):
            yield from instants(getattr(value, field.name))


def won(company: Company) -> list[Sale]:
    return [
        s for s in company.sales if s.archived_at is None and s.stages[-1].value == "won" and s.stages[-1].at <= END
    ]


# The same, always


def test_the_same_seed_gives_the_same_company_in_another_process() -> None:
    code = (
        "import hashlib; from datetime import date; from pipelines.sandbox.company import estate_agency;"
        "print(hashlib.sha256(repr(estate_agency(7, date(2024, 11, 1), date(2025, 3, 1))).encode()).hexdigest())"
    )
    here = hashlib.sha256(repr(estate_agency(7, FOUNDED, date(2025, 3, 1))).encode()).hexdigest()
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "TZ": "Asia/Tokyo"}
    there = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here


def test_another_seed_gives_another_company() -> None:
    one, other = (estate_agency(seed, FOUNDED, date(2024, 12, 31)) for seed in (1, 2))
    assert all(getattr(one, kind) != getattr(other, kind) for kind in KINDS)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    founded=st.dates(date(2023, 1, 1), date(2025, 1, 1)),
    age=st.integers(0, 300),
    later=st.integers(1, 60),
    zone=st.sampled_from(["Europe/Madrid", "Atlantic/Canary", "America/Santiago", "Asia/Kolkata"]),
)
@example(seed=1, founded=date(2023, 12, 31), age=0, later=1, zone="Europe/Madrid")  # a Sunday, the last of its month
@example(seed=1, founded=date(2024, 3, 31), age=30, later=9, zone="Europe/Madrid")  # a Sunday with a change of clocks
def test_a_later_last_day_only_adds(seed: int, founded: date, age: int, later: int, zone: str) -> None:
    last_day = founded + timedelta(days=age)
    end = datetime.combine(last_day + timedelta(days=1), time(), ZoneInfo(zone)) - timedelta(microseconds=1)
    young = estate_agency(seed, founded, last_day, zone)
    old = estate_agency(seed, founded, last_day + timedelta(days=later), zone)
    assert seen_at(young, end) == seen_at(old, end)
    assert young.subscribers.items() <= old.subscribers.items()
    assert young.views.items() <= old.views.items()
    for network, profile in young.profiles.items():
        grown = old.profiles[network]
        assert (profile.followed, profile.left) == tuple(
            tuple(at for at in ats if at <= end) for ats in (grown.followed, grown.left)
        )


def test_two_years_seen_later_are_the_same_two_years(company: Company) -> None:
    older = estate_agency(company.seed, FOUNDED, LAST_DAY + timedelta(days=40))
    assert seen_at(older, end_of(LAST_DAY)) == seen_at(company, end_of(LAST_DAY))
    assert all(len(getattr(older, kind)) > len(getattr(company, kind)) for kind in KINDS)


def test_two_years_are_told_quickly() -> None:
    started = process.process_time()
    estate_agency(5, FOUNDED, LAST_DAY)
    assert process.process_time() - started < 3


def test_a_company_has_no_last_day_before_its_first() -> None:
    with pytest.raises(ValueError, match="is before the founding day 2024-11-01"):
        estate_agency(1, FOUNDED, date(2024, 10, 31))


# Well formed


def test_ids_are_unique_and_in_order(company: Company) -> None:
    for kind in KINDS:
        ids = [one.id for one in getattr(company, kind)]
        assert ids == sorted(set(ids)), kind


def test_instants_are_utc_in_whole_seconds(company: Company) -> None:
    for kind in KINDS:
        for one in getattr(company, kind):
            assert all(at.utcoffset() == timedelta(0) and at.microsecond == 0 for at in instants(one)), one


def test_changes_are_in_order_and_change_something(company: Company) -> None:
    for kind in KINDS:
        for one in getattr(company, kind):
            for field in fields(one):
                changes = getattr(one, field.name)
                if isinstance(changes, tuple) and changes and isinstance(changes[0], Change):
                    assert all(a.at < b.at and a.value != b.value for a, b in pairwise(changes)), (
                        field.name,
                        one,
                    )


def test_nothing_happens_to_what_was_deleted(company: Company) -> None:
    for kind in KINDS:
        for one in getattr(company, kind):
            names = ("archived_at", "deleted_at", "removed_at", "voided_at")
            ends = [getattr(one, name) for name in names if getattr(one, name, None)]
            assert all(at <= end for end in ends for at in instants(_without_plans(one))), one


def _without_plans(one: Any) -> Any:
    """A visit that was called off and deleted lies after its deletion."""
    return replace(one, starts_at=one.entered_at) if hasattr(one, "starts_at") else one


def test_nothing_refers_to_what_did_not_exist_yet(company: Company) -> None:
    known = {contact.id: contact.lifecycle[0].at for contact in company.contacts}
    entered = {listing.id: listing.entered_at for listing in company.listings}
    assert all(known[c.referrer_id] < c.lifecycle[0].at for c in company.contacts if c.referrer_id)
    assert all(known[one.owner_id] < one.captured_at for one in company.listings)
    assert all(known[sale.buyer_id] < sale.stages[0].at > entered[sale.listing_id] for sale in company.sales)
    assert all(known[one.contact_id] < one.entered_at for one in company.activities)
    assert all(known[ticket.requester_id] < ticket.created_at for ticket in company.tickets)
    assert all(known[invoice.customer_id] < invoice.created_at <= invoice.issued_at for invoice in company.invoices)


def test_a_property_is_sold_once_and_nobody_buys_their_own(company: Company) -> None:
    owners = {listing.id: listing.owner_id for listing in company.listings}
    sold = [sale.listing_id for sale in company.sales if sale.archived_at is None and sale.stages[-1].value == "won"]
    assert len(sold) == len(set(sold))
    assert all(owners[sale.listing_id] != sale.buyer_id for sale in company.sales)


def test_nobody_calls_on_sundays_and_holidays(company: Company) -> None:
    called = {day(one.starts_at) for one in company.activities if one.kind == "call"}
    assert date(2025, 5, 2) not in called  # a holiday in Madrid alone
    assert date(2025, 12, 25) not in called
    assert not [one for one in called if one.weekday() == 6]


# Believable


@pytest.fixture(scope="module")
def months(company: Company) -> dict[str, Counter[str]]:
    """What happened in each month, as it stands on the last day."""
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    buyers = {sale.buyer_id: sale.stages[-1].at for sale in reversed(won(company))}
    for contact in company.contacts[IMPORTED:]:
        counted = rows[month(contact.lifecycle[0].at)]
        counted["leads"] += contact.archived_at is None
        counted["referrals"] += buyers.get(contact.referrer_id or 0, END) < contact.lifecycle[0].at
    for sale in won(company):
        rows[month(sale.stages[-1].at)]["sales"] += 1
    for listing in company.listings:
        rows[month(listing.captured_at)]["listings"] += listing.archived_at is None
        rows[month(listing.captured_at)]["exclusive"] += value_at(listing.mandate, END) == "exclusive"
    for one in company.activities:
        rows[month(one.starts_at)]["visits"] += one.kind == "visit" and value_at(one.outcome, END) == "completed"
    for video in company.videos:
        rows[month(video.published_at)]["videos"] += video.removed_at is None
    for row in company.sheet_rows:
        if row.sheet == "collaborations" and row.removed_at is None:
            rows[f"{typed_day(row.cells[-1].value):%Y-%m}"]["collaborations"] += 1
    return rows


def typed_day(cells: dict[str, str]) -> date:
    day_, month_, year = cells["fecha"].split("/")
    return date(int(year), int(month_), int(day_))


@pytest.mark.parametrize(
    ("figure", "least", "most"),
    [
        ("leads", 72, 125),
        ("sales", 3, 7),
        ("listings", 12, 27),
        ("exclusive", 5, 17),
        ("visits", 105, 190),
        ("referrals", 1, 10),
        ("videos", 0, 2),
        ("collaborations", 0, 2),
    ],
)
def test_each_month_is_believable(months: dict[str, Counter[str]], figure: str, least: int, most: int) -> None:
    counted = {name: months[name][figure] for name in GROWN_UP}
    assert all(least <= count <= most for count in counted.values()), counted


@pytest.mark.parametrize(
    ("figure", "target"),
    [
        ("leads", 100),
        ("sales", 5),
        ("listings", 20),
        ("exclusive", 10),
        ("visits", 150),
        ("referrals", 5),
        ("videos", 1),
    ],
)
def test_this_year_some_months_reach_the_target_and_some_do_not(
    months: dict[str, Counter[str]], figure: str, target: int
) -> None:
    reached = {months[name][figure] >= target for name in GROWN_UP if name.startswith("2026")}
    assert reached == {True, False}


def test_about_sixty_customers_are_called_on_a_working_day(company: Company) -> None:
    called: dict[date, set[int]] = defaultdict(set)
    calls: Counter[date] = Counter()
    for one in company.activities:
        if one.kind == "call" and one.starts_at.year == 2026:
            called[day(one.starts_at)].add(one.contact_id)
            calls[day(one.starts_at)] += 1
    worked = [one for one in called if one.weekday() < 5 and one.month != 8]
    customers = [len(called[one]) for one in worked]
    assert 50 <= min(customers) <= max(customers) <= 70
    assert 0.3 < sum(count >= 60 for count in customers) / len(customers) < 0.8
    assert all(len(called[one]) < calls[one] <= 80 for one in worked)
    assert 30_000 < sum(one.kind == "call" for one in company.activities) < 36_000


def test_satisfaction_hovers_around_nine_in_ten(company: Company) -> None:
    answers = [(t.rating[0].at, value_at(t.rating, END)) for t in company.tickets if t.rating and not t.deleted_at]
    shares = []
    for days_ago in range(0, 320, 10):
        end = END - timedelta(days=days_ago)
        given_ = [value for at, value in answers if end - timedelta(days=90) < at <= end]
        assert len(given_) > 100
        shares.append(given_.count("good") / len(given_))
    assert 0.84 < min(shares) < 0.9 <= max(shares) < 0.95


def test_invoiced_revenue_grows_but_not_wildly(company: Company) -> None:
    revenue: Counter[int] = Counter()
    for invoice in company.invoices:
        if not invoice.voided_at and (day(invoice.issued_at).month, day(invoice.issued_at).day) <= (11, 20):
            revenue[day(invoice.issued_at).year] += invoice.net_cents
    assert 0.02 < revenue[2026] / revenue[2025] - 1 < 0.15
    assert 450_000_00 < revenue[2025] < 550_000_00


def test_portals_grow_from_two_to_four_to_six(company: Company) -> None:
    def used_by(year: int) -> int:
        before = datetime(year, 1, 1, tzinfo=UTC)
        return len(
            {p for one in company.listings for change in one.portals if change.at < before for p in change.value}
        )

    assert [used_by(2025), used_by(2026), used_by(2027)] == [2, 4, 6]


def test_most_weeks_have_a_day_with_two_hundred_flyers(company: Company) -> None:
    handed_out: dict[tuple[int, int], Counter[date]] = defaultdict(Counter)
    for row in company.sheet_rows:
        if row.sheet == "flyers" and row.removed_at is None:
            on = typed_day(row.cells[-1].value)
            handed_out[on.isocalendar()[:2]][on] += int(row.cells[-1].value["folletos"])
    weeks = [max(days.values()) for (year, week), days in handed_out.items() if year == 2026 and week < 46]
    assert 0.55 < sum(best >= 200 for best in weeks) / 45 < 0.95


def test_most_quarters_have_a_trade_event(company: Company) -> None:
    quarters = {
        (on.year, (on.month - 1) // 3)
        for on in (typed_day(row.cells[-1].value) for row in company.sheet_rows if row.sheet == "events")
    }
    assert 5 <= len(quarters) <= 9


def test_the_channel_gains_about_a_thousand_followers_a_year(company: Company) -> None:
    assert 850 < company.subscribers[date(2025, 12, 31)] - company.subscribers[date(2024, 12, 31)] < 1150
    assert list(company.subscribers) == list(company.views)
    assert list(company.views.values()) == sorted(company.views.values())


def end_of_year(year: int) -> datetime:
    return datetime(year + 1, 1, 1, tzinfo=MADRID).astimezone(UTC)


def test_on_some_networks_a_thousand_new_followers_come_in_a_year_and_on_others_not(company: Company) -> None:
    def rise(network: str) -> int:
        profile = company.profiles[network]
        return profile.followers(end_of_year(2025)) - profile.followers(end_of_year(2024))

    assert set(company.profiles) == {"facebook", "instagram", "linkedin", "x", "youtube"}
    assert all(rise(network) > 1000 for network in ("instagram", "linkedin"))
    assert all(0 < rise(network) < 800 for network in ("facebook", "x"))


def test_those_who_come_and_go_are_the_channels_subscribers(company: Company) -> None:
    channel = company.profiles["youtube"]
    assert {day_: channel.followers(end_of(day_) + timedelta(microseconds=1)) for day_ in company.subscribers} == (
        company.subscribers
    )


def test_followers_come_and_go_while_the_company_lives(company: Company) -> None:
    start = datetime.combine(FOUNDED, time(), MADRID)
    for profile in company.profiles.values():
        for ats in (profile.followed, profile.left):
            assert list(ats) == sorted(ats)
            assert start <= ats[0] <= ats[-1] < END
        assert profile.followers(END) == profile.before + len(profile.followed) - len(profile.left) > 0
        assert profile.gained(start, END) - profile.lost(start, END) == profile.followers(END) - profile.before


def test_most_days_have_a_post_and_each_network_has_some_every_month(company: Company) -> None:
    kept = [one for one in company.posts if one.removed_at is None and one.published_at.year == 2026]
    assert 0.6 < len({day(one.published_at) for one in kept}) / 324 < 0.95
    by_month = {(one.network, month(one.published_at)) for one in kept}
    assert len(by_month) == 4 * 11


def test_what_a_post_brings_only_grows_and_half_of_it_comes_on_the_first_day(company: Company) -> None:
    post = max(company.posts, key=lambda one: one.views)
    hours = [post.so_far(post.views, post.published_at + timedelta(hours=n)) for n in (-1, 0, 6, 24, 24 * 30)]
    assert hours == sorted(hours)
    assert (hours[1], hours[3]) == (0, post.views // 2)
    assert 0.9 * post.views < hours[4] <= post.views


# Untidy


UNTIDY = {
    "a duplicate contact is archived": lambda c: any(one.archived_at for one in c.contacts),
    "a property is taken on in the evening and told days later": lambda c: any(
        one.entered_at - one.captured_at > timedelta(days=1) for one in c.listings
    ),
    "a property is taken off the list": lambda c: any(one.archived_at for one in c.listings),
    "an open mandate becomes exclusive": lambda c: any(
        [change.value for change in one.mandate] == ["open", "exclusive"] for one in c.listings
    ),
    "a property leaves a portal before it is sold": lambda c: any(
        set(b.value) < set(a.value) and b.value for one in c.listings for a, b in pairwise(one.portals)
    ),
    "a fee is corrected after the sale was won": lambda c: any(
        sale.stages[-1].value == "won" and sale.amount[-1].at > sale.stages[-1].at for sale in c.sales
    ),
    "a sale is won too early and put back": lambda c: any(
        ("won", "reservation") in pairwise(values)
        for values in ([change.value for change in sale.stages] for sale in c.sales)
    ),
    "a sale is entered twice and deleted": lambda c: any(sale.archived_at for sale in c.sales),
    "a call is told days later": lambda c: any(
        one.kind == "call" and one.entered_at - one.starts_at > timedelta(days=1) for one in c.activities
    ),
    "a call is deleted": lambda c: any(one.kind == "call" and one.archived_at for one in c.activities),
    "a visit is told days later": lambda c: any(
        one.kind == "visit" and one.entered_at - one.starts_at > timedelta(days=1) for one in c.activities
    ),
    "a visit is planned for after today": lambda c: any(
        one.entered_at <= END < one.starts_at and one.kind == "visit" for one in c.activities
    ),
    "nobody comes to a visit": lambda c: any(value_at(one.outcome, END) == "no_show" for one in c.activities),
    "a visit is called off": lambda c: any(value_at(one.outcome, END) == "canceled" for one in c.activities),
    "the outcome of a visit is never told": lambda c: any(
        not one.outcome and one.starts_at < END for one in c.activities
    ),
    "the outcome of a visit is put right": lambda c: any(len(one.outcome) > 1 for one in c.activities),
    "a ticket is opened again": lambda c: any(
        [change.value for change in one.status].count("solved") > 1 for one in c.tickets
    ),
    "a ticket is never answered": lambda c: any(
        one.first_reply_at is None and one.deleted_at is None for one in c.tickets
    ),
    "a ticket is deleted": lambda c: any(one.deleted_at for one in c.tickets),
    "a customer thinks again": lambda c: any(len(one.rating) > 1 for one in c.tickets),
    "a priority is changed": lambda c: any(len(one.priority) > 1 for one in c.tickets),
    "an invoice is voided": lambda c: any(one.voided_at for one in c.invoices),
    "an invoice stays unpaid": lambda c: any(
        one.paid_at is None and one.voided_at is None and one.issued_at.year == 2025 for one in c.invoices
    ),
    "a fee is invoiced again": lambda c: any(
        count > 1 for count in Counter(one.sale_id for one in c.invoices if one.sale_id).values()
    ),
    "a video is withdrawn": lambda c: any(one.removed_at for one in c.videos),
    "a post is taken back": lambda c: any(one.removed_at for one in c.posts),
    "a post is changed": lambda c: any(one.edited_at for one in c.posts),
    "two posts on one network in a day": lambda c: any(
        count > 1 for count in Counter((one.network, day(one.published_at)) for one in c.posts).values()
    ),
    "a row of a sheet is typed in days later": lambda c: any(
        day(row.cells[0].at) - typed_day(row.cells[0].value) > timedelta(days=1) for row in c.sheet_rows
    ),
    "a number of flyers is corrected": lambda c: any(len(row.cells) > 1 for row in c.sheet_rows),
    "a row of a sheet is removed": lambda c: any(row.removed_at for row in c.sheet_rows),
    "a referral comes from somebody who has not bought": lambda c: any(
        one.referrer_id and one.referrer_id not in {sale.buyer_id for sale in won(c)} for one in c.contacts
    ),
    "a sale is entered in the last minutes of a day": lambda c: any(
        one.stages[-1].at.astimezone(MADRID).hour == 23 for one in won(c)
    ),
    "a lead arrives just before midnight": lambda c: any(
        f"{one.lifecycle[0].at.astimezone(MADRID):%H:%M}" >= "23:45" for one in c.contacts
    ),
    "a lead arrives just after midnight": lambda c: any(
        f"{one.lifecycle[0].at.astimezone(MADRID):%H:%M}" < "00:15" for one in c.contacts
    ),
}


@pytest.mark.parametrize("what", UNTIDY)
def test_life_is_untidy(company: Company, what: str) -> None:
    assert UNTIDY[what](company)


@pytest.mark.parametrize("changed", [date(2025, 3, 30), date(2025, 10, 26), date(2026, 3, 29), date(2026, 10, 25)])
def test_somebody_writes_on_either_side_of_a_change_of_clocks(company: Company, changed: date) -> None:
    change = datetime.combine(changed, time(1), UTC)
    arrived = [one.lifecycle[0].at for one in company.contacts if day(one.lifecycle[0].at) == changed]
    assert any(change - timedelta(hours=1) <= at < change for at in arrived)
    assert any(change <= at < change + timedelta(hours=1) for at in arrived)
    assert any(day(ticket.created_at) == changed for ticket in company.tickets)
