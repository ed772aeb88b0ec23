"""What a run may spend of the company's tokens, and how a reading that had to stop goes on where it was."""

from __future__ import annotations

import base64
import re
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import orjson
import polars as pl
import pytest
from builders import definition, organisation
from crm_office import Answer, refusing
from pipedrive_office import Exchange, Office, Tampering, app, business, contact, day, deal

from kr_definitions.compute import compute
from kr_definitions.events import COVERED
from pipelines.pipedrive.access import FEWEST_TOKENS, TOKENS_A_RUN
from pipelines.sandbox.company import Company

NOW = day(60)
LATER = {"success": False, "error": "request over limit"}
COSTS = {
    r"v2/(dealFields|personFields|deals|persons|activities)": 10,
    r"v2/deals/archived": 20,
    r"v2/(pipelines|stages)": 5,
    r"v1/.*": 20,
}
"""What each request costs, by the vendor's own description."""


def sales(count: int = 130) -> Company:
    """So many deals that were all changed once, so that the history of each costs twenty tokens."""
    return business(
        contacts=[contact(1)],
        deals=[deal(3000 + n, (day(6), "contacto"), (day(7, 9, n % 60), "ganado")) for n in range(count)],
    )


def cost(exchange: Exchange) -> int:
    path = exchange.path.removeprefix("/api/")
    return next(tokens for pattern, tokens in COSTS.items() if re.fullmatch(pattern, path))


def histories(served: Tampering) -> Counter[str]:
    """How often the history of each deal was asked for."""
    return Counter(one.path.split("/")[4] for one in served.exchanges if one.path.endswith("/changelog"))


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch)


# What a run spends


def test_a_run_spends_no_more_than_it_may_says_so_and_the_next_runs_go_on_until_everything_is_read(
    office: Office, tmp_path: Path
) -> None:
    office.configure(tokens_a_run="2000")
    served = [Tampering(app(office.desk(sales(), NOW + timedelta(days=n)))) for n in range(3)]
    reports = [office.load(one, NOW + timedelta(days=n)) for n, one in enumerate(served)]
    assert 1500 < sum(cost(exchange) for exchange in served[0].exchanges) <= 2000
    first, last = reports[0]["deals"], reports[-1]["deals"]
    assert "the 2000 tokens that a run may spend of the company's daily budget are spent" in str(first.failure)
    assert "set sources.acme.pipedrive.tokens_a_run to more" in str(first.failure)
    assert 25 < first.load.inserted < 2 * 130  # with their histories
    assert last.failure is None
    whole = Office(tmp_path / "whole", office.environment)
    whole.configure(tokens_a_run="600000")
    whole.load(app(whole.desk(sales(), NOW + timedelta(days=2))), NOW + timedelta(days=2))
    columns = ("fact_key", "occurred_at", "amount", "stage")
    assert office.log().select(columns).equals(whole.log().select(columns))
    asked = sum((histories(one) for one in served), Counter())
    assert len(asked) == 130
    assert asked.total() < 130 + 2 * 25 + 10  # at most a page is read again where a run stopped


def test_what_did_not_fit_is_not_covered_and_no_key_result_that_needs_it_is_green(office: Office) -> None:
    office.configure(tokens_a_run="2000")
    report = office.load(app(office.desk(sales(), NOW)), NOW)["deals"]
    assert report.load.covered is None
    read = office.lake.log.scan().filter(pl.col("event_type") == COVERED).select("covers").collect()
    assert "deal.won" not in set(read.to_series())
    assert len(office.facts("deal.won", "subject_id")) > 0  # what was read is there
    kr = definition(measure={"count": "deal.won"}, target={"value": 10})
    rows = compute([kr], organisation(), office.lake.log.scan(), date(2026, 2, 28))
    standing = rows.filter(pl.col("as_of") == date(2026, 2, 28))
    assert set(standing.get_column("status")) <= {"no_data", "unreliable"}
    office.configure(tokens_a_run="600000")
    office.load(app(office.desk(sales(), day(61))), day(61))
    rows = compute([kr], organisation(), office.lake.log.scan(), date(2026, 2, 28))
    assert set(rows.filter(pl.col("as_of") == date(2026, 2, 28)).get_column("status")) == {"achieved"}


def test_the_streams_of_a_run_spend_from_one_purse(office: Office) -> None:
    office.configure(tokens_a_run="2000")
    people = [contact(n, (day(2), "lead"), (day(3), "customer")) for n in range(1, 80)]
    company = business(contacts=people, deals=sales(80).deals)
    served = Tampering(app(office.desk(company, NOW)))
    office.load(served, NOW)
    assert sum(cost(exchange) for exchange in served.exchanges) <= 2000


def test_nothing_is_bought_of_records_that_were_never_changed(office: Office) -> None:
    company = business(contacts=[contact(n) for n in range(1, 61)], deals=[deal(301, (day(6), "contacto"))])
    served = Tampering(app(office.desk(company, NOW)))
    reports = office.load(served, NOW)
    assert {one.failure for one in reports.values()} == {None}
    assert not histories(served)
    assert len(office.facts("lead.created", "subject_id")) == 60
    assert office.facts("deal.stage_entered", "stage", "occurred_at") == [("contacto", day(6))]


def test_without_a_setting_a_run_spends_half_of_what_the_smallest_account_has(office: Office) -> None:
    office.configure(tokens_a_run=None)
    assert TOKENS_A_RUN == 30_000 / 2
    served = Tampering(app(office.desk(sales(800), NOW)))
    reading, marks = office.read(served, "deals", NOW)
    assert "the 15000 tokens" in str(reading.failure)
    assert 14_000 < sum(cost(exchange) for exchange in served.exchanges) <= 15_000
    assert len(marks) == len(reading.records) / 25


@pytest.mark.parametrize("given", ["", "0", "-5", "1999", "many", "1e6", "20000.5"])
def test_a_number_of_tokens_that_is_none_or_too_small_is_refused_before_anything_is_asked(
    office: Office, given: str
) -> None:
    office.configure(tokens_a_run=given or " ")
    served = Tampering(app(office.desk(sales(1), NOW)))
    reading, _ = office.read(served, "deals", NOW)
    assert f"Set it to a number of tokens, {FEWEST_TOKENS} at least" in str(reading.failure)
    assert served.exchanges == []


# What the company has in a day


def test_tokens_that_are_used_up_end_the_stream_until_the_next_day_and_nobody_hammers(office: Office) -> None:
    """Pipedrive shuts out whoever goes on asking; one refusal that is not of the window is enough."""
    served = Tampering(app(office.desk(sales(), NOW), tokens_a_day=1500))
    reports = office.load(served, NOW)
    assert "the company's tokens of today are used up (HTTP 429)" in str(reports["deals"].failure)
    assert reports["deals"].load.covered is None
    refused = [one for one in served.exchanges if one.status == 429]
    assert 1 <= len(refused) <= 3  # once a stream
    for n in (1, 2):
        office.clock.sleep(86_400)
        again = Tampering(app(office.desk(sales(), NOW + timedelta(days=n)), tokens_a_day=1500))
        reports = office.load(again, NOW + timedelta(days=n))
    assert reports["deals"].failure is None
    assert len(office.facts("deal.won", "subject_id")) == 130


@pytest.mark.parametrize(
    ("times", "headers", "seconds"),
    [
        (1, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, 1),
        (1, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1735689600"}, 2),  # not the seconds of a window
        (3, {}, 6),  # as it comes without any header
        (2, {"Retry-After": "7"}, 14),
    ],
)
def test_a_window_that_is_full_is_waited_for(
    office: Office, times: int, headers: dict[str, str], seconds: float
) -> None:
    served = Tampering(app(office.desk(sales(3), NOW)), refusing(times, 429, headers, LATER, "/api/v2/deals"))
    before = office.clock.waited_seconds()
    reading, _ = office.read(served, "deals", NOW)
    assert reading.failure is None
    assert office.clock.waited_seconds() - before == seconds


@pytest.mark.parametrize(
    ("times", "headers", "refusals", "said"),
    [
        (99, {}, 4, "tokens of today are used up"),  # windows came and went
        (99, {"x-ratelimit-remaining": "39"}, 1, "tokens of today are used up"),  # the window is not full
        (99, {"Retry-After": "43200"}, 1, "asks to wait 12.0 hours: a quota is used up"),
    ],
)
def test_a_refusal_that_lasts_until_the_next_day_is_not_waited_for(
    office: Office, times: int, headers: dict[str, str], refusals: int, said: str
) -> None:
    served = Tampering(app(office.desk(sales(3), NOW)), refusing(times, 429, headers, LATER, "/api/v2/deals"))
    reading, _ = office.read(served, "deals", NOW)
    assert said in str(reading.failure)
    assert sum(one.path == "/api/v2/deals" for one in served.exchanges) == refusals
    assert office.clock.waited_seconds() < 10


def test_more_requests_than_a_window_has_are_spread_over_several(office: Office) -> None:
    served = Tampering(app(office.desk(sales(100), NOW)))
    reading, _ = office.read(served, "deals", NOW)
    assert reading.failure is None
    assert len(served.exchanges) > 100
    assert office.clock.waited_seconds() >= 2 * (len(served.exchanges) // 40)
    assert not [one for one in served.exchanges if one.status == 429]  # the headers are heeded before that


def test_a_firewall_that_shuts_out_is_no_matter_of_credentials(office: Office) -> None:
    def cloudflare(exchange: Exchange) -> Answer | None:
        page = b"<html>This error is produced by Cloudflare.</html>"
        return (403, {"content-type": "text/html; charset=UTF-8"}, page) if "deals" in exchange.path else None

    served = Tampering(app(office.desk(sales(3), NOW)), cloudflare)
    reading, _ = office.read(served, "deals", NOW)
    assert "Pipedrive has shut out the company's API tokens" in str(reading.failure)
    assert sum("deals" in one.path for one in served.exchanges) == 1


# Going on from a mark


def dying(after: int) -> Callable[[Exchange], Answer | None]:
    """A vendor that fails for good after so many histories."""
    seen = [0]

    def alter(exchange: Exchange) -> Answer | None:
        seen[0] += exchange.path.endswith("/changelog")
        return (402, {}, b"{}") if seen[0] > after else None

    return alter


def test_a_reading_goes_on_at_the_page_after_its_mark(office: Office) -> None:
    served = Tampering(app(office.desk(sales(130), NOW)), dying(after=60))
    broken, marks = office.read(served, "deals", NOW)
    assert "HTTP 402" in str(broken.failure)
    assert (len(broken.records), len(marks)) == (50, 2)
    again = Tampering(app(office.desk(sales(130), NOW)))
    rest, _ = office.read(again, "deals", NOW, mark=marks[-1])
    assert rest.failure is None
    assert (broken.keys + rest.keys) == [str(3000 + n) for n in range(130)]
    assert histories(again).total() == 80
    assert rest.covered is not None
    assert (rest.covered.start, rest.covered.end) == (None, NOW)


def test_the_archived_deals_are_not_forgotten_where_the_mark_is_between_the_lists(office: Office) -> None:
    at = day(500)  # all of these deals are archived by then
    company = business(contacts=[contact(1)], deals=[*sales(30).deals, deal(9000, (day(400), "contacto"))])
    whole, marks = office.read(app(office.desk(company, at)), "deals", at)
    assert whole.failure is None
    assert len(marks) == 3  # the live list, and two pages of the archived one
    after_live, _ = office.read(app(office.desk(company, at)), "deals", at, mark=marks[0])
    assert after_live.keys == [str(3000 + n) for n in range(30)]
    at_end, _ = office.read(app(office.desk(company, at)), "deals", at, mark=marks[-1])
    assert (at_end.keys, at_end.failure) == ([], None)
    assert at_end.covered == whole.covered


def test_a_cursor_that_pipedrive_does_not_know_any_more_begins_the_list_anew(office: Office) -> None:
    mark = orjson.dumps({"list": 0, "after": "a cursor of last year"}).decode()
    reading, _ = office.read(app(office.desk(sales(60), NOW)), "deals", NOW, mark=mark)
    assert reading.failure is None
    assert reading.keys == [str(3000 + n) for n in range(60)]


def test_a_mark_says_nothing_of_a_person_but_the_id_that_pipedrives_cursor_goes_on_after(office: Office) -> None:
    """An erasure forgets every mark, for that id."""
    company = business(contacts=[contact(7_000_000 + n, (day(2), "lead"), (day(3), "customer")) for n in range(60)])
    _, marks = office.read(app(office.desk(company, NOW)), "persons", NOW)
    contents = [orjson.loads(mark) for mark in marks]
    assert [(one["list"], sorted(one)) for one in contents] == [(0, ["after", "list"])] * 2 + [(1, ["after", "list"])]
    cursors = [base64.urlsafe_b64decode(one["after"] + "=" * (-len(one["after"]) % 4)) for one in contents]
    sorting = {"field": "id", "sortDirection": "asc"}
    assert [orjson.loads(one) for one in cursors[:2]] == [
        {**sorting, "fieldValue": id_, "id": id_} for id_ in (7_000_024, 7_000_049)
    ]
    assert cursors[2] == b""


def test_what_changes_while_a_reading_is_under_way_is_read_once_it_has_ended(office: Office) -> None:
    office.configure(tokens_a_run="2000")
    office.load(app(office.desk(sales(130), NOW)), NOW)
    lost = [deal(3000, (day(6), "contacto"), (day(60, 12), "perdido")), *sales(130).deals[1:]]
    later = business(contacts=[contact(1)], deals=lost)
    for n in (1, 2):
        office.load(app(office.desk(later, NOW + timedelta(days=n))), NOW + timedelta(days=n))
    assert office.facts("deal.lost", "subject_id", "occurred_at") == [("3000", day(60, 12))]
    assert len(office.facts("deal.won", "subject_id")) == 129
