"""WordPress against its stand-in: what is published and taken back, what a second reading asks for, what is loud."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest
from helpdesk_office import Exchange, Office
from pydantic import ValidationError

from pipelines.sandbox import wordpress as stand_in
from pipelines.sandbox.company import Article, Company
from pipelines.source import Read
from pipelines.wordpress import WORDPRESS, WordPressOptions

SITE = "https://blog.agencia.example"
NOW = datetime(2026, 6, 20, 6, tzinfo=UTC)


def at(day: int, hour: int = 9, minute: int = 0) -> datetime:
    """An instant of June 2026 (UTC); day 0 is the last of May."""
    return datetime(2026, 6, 1, tzinfo=UTC) + timedelta(days=day - 1, hours=hour, minutes=minute)


FIRST, SINCE = at(1), at(18)


def article(number: int = 1, published: datetime | None = FIRST, **different: Any) -> Article:
    usual: dict[str, Any] = {
        "written_at": at(0), "is_scheduled": False, "edited_at": () if published is None else (published,),
        "removed_at": None, "category": "Consejos", "title": "Con Marta Ruiz, 600 123 456",
    }  # fmt: skip
    return Article(id=number, published_at=published, **{**usual, **different})


def company(*articles: Article, zone: str = "Europe/Madrid") -> Company:
    none: tuple[Any, ...] = ()
    return Company(
        seed=0, zone=zone, founded=date(2026, 1, 1), last_day=date(2026, 12, 31), contacts=none, listings=none,
        sales=none, activities=none, tickets=none, invoices=none, videos=none, sheet_rows=none, subscribers={},
        views={}, articles=articles,
    )  # fmt: skip


def crowd(count: int, **different: Any) -> Company:
    return company(*(article(number, **different) for number in range(1, count + 1)))


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch, WORDPRESS, WordPressOptions(site=SITE), stand_in)


def published(office: Office) -> list[str]:
    return [subject for (subject,) in office.said("subject_id", of="article.published")]


def read(office: Office, of: Company, alter: Any = None, *, after: Read | None = None, **settings: Any) -> Any:
    """One reading, into no lake; the requests are in `exchanges`."""
    application = office.served(of, NOW, alter, **settings)
    found = office.read(application, "articles", after or Read(None, NOW, None, office.clock))
    office.exchanges = application.exchanges  # type: ignore[attr-defined]
    return found


def again(found: Any, since: datetime = SINCE, clock: Any = None) -> Read:
    """What the reading after one is asked for."""
    assert found.covered is not None
    return Read(since, NOW, found.covered.cursor, clock)


def asked(office: Office, part: str = "/wp/v2/posts") -> list[dict[str, list[str]]]:
    return [parse_qs(one.query) for one in office.exchanges if one.path.endswith(part)]  # type: ignore[attr-defined]


# What is stated


def test_an_article_is_published_at_its_time_in_its_category(office: Office) -> None:
    office.load(company(article(5)), NOW)
    columns = ("subject_id", "occurred_at", "category", "source_url")
    assert office.said(*columns, of="article.published") == [("5", at(1), "Consejos", f"{SITE}/?p=5")]


def test_days_go_by(office: Office) -> None:
    """A draft never counts, a scheduled article once its time has come, though nobody changed it then.

    What is taken
    back is withdrawn; the same day again changes nothing.
    """
    told = company(
        article(1),
        article(2, None),
        article(3, at(10), is_scheduled=True, edited_at=()),
        article(4, at(2), removed_at=at(12)),
    )
    office.load(told, at(9))
    assert published(office) == ["1", "4"]
    office.load(told, at(11))
    assert published(office) == ["1", "4", "3"]
    load = office.load(told, at(13))["articles"]
    assert (load.failure, published(office)) == (None, ["1", "3"])
    load = office.load(told, at(13))["articles"]
    assert (load.inserted, load.delivered, load.removed) == (0, load.duplicates, 0)
    assert office.quarantined() == []


def test_an_article_that_comes_back_is_published_again(office: Office) -> None:
    office.load(company(article(1), article(2)), at(5))
    office.load(company(article(1), article(2, removed_at=at(6))), at(7))
    office.load(company(article(1), article(2, edited_at=(at(8),))), at(9))
    assert published(office) == ["1", "2"]


def test_what_is_kept_of_an_article(office: Office) -> None:
    [record] = read(office, company(article(1))).records
    assert {"id": 1, "date_gmt": "2026-06-01T09:00:00", "status": "publish", "category": "Consejos"} == record.payload
    assert {tuple(one["_fields"]) for one in asked(office)} == {("id,date_gmt,status,categories",)}


@pytest.mark.parametrize(
    ("declared", "ids", "category"),
    [((), ["Consejos"], "Consejos"), ((), ["Consejos", "Mercado"], None), ((), [], None),
     (("Mercado", "Consejos"), ["Consejos", "Mercado"], "Mercado"), (("Mercado",), ["Consejos"], None)],
)  # fmt: skip
def test_an_article_in_several_categories_has_the_first_that_is_declared(office, declared, ids, category):
    office.with_options(categories=declared)
    known = {"Consejos": 2, "Mercado": 3}

    def several(exchange: Exchange) -> Any:
        if not exchange.path.endswith("/posts"):
            return None
        return 200, {"X-WP-Total": "1"}, orjson.dumps([{**exchange.content[0], "categories": [known[n] for n in ids]}])

    told = company(article(1), article(9, None, category="Mercado"))
    assert [category] == [one.payload["category"] for one in read(office, told, several).records]


def test_a_category_that_is_renamed_is_renamed_everywhere(office: Office) -> None:
    office.load(company(article(1, category="Consejo")), at(5))
    office.load(company(article(1, category="Consejos")), at(6))
    assert office.said("category", of="article.published") == [("Consejos",)]


# What is asked for


def test_requests_ask_only_for_what_everybody_can_read(office: Office) -> None:
    read(office, crowd(250))
    assert [(one["offset"], one["per_page"], one["orderby"], one["order"]) for one in asked(office)] == [
        ([str(offset)], ["100"], ["id"], ["asc"]) for offset in (0, 99, 198)
    ]
    assert not [one for one in asked(office) if "status" in one or "context" in one]


def test_a_second_reading_fetches_only_what_changed(office: Office) -> None:
    quiet = crowd(250)
    first = read(office, quiet)
    changed = company(*quiet.articles[:-1], article(250, edited_at=(at(1), at(19))), article(251, at(19)))
    found = read(office, changed, after=again(first, clock=office.clock))
    assert (["250", "251", "251"], 3) == (found.keys, len(asked(office)))
    assert found.covered.start == at(18)


def test_all_are_read_again_once_in_a_while(office: Office) -> None:
    first = read(office, crowd(3))
    office.with_options(reread_days=1)
    later = Read(at(18), NOW + timedelta(days=1), first.covered.cursor, office.clock)
    assert ["1", "2", "3"] == read(office, crowd(3), after=later).keys


def test_times_are_asked_for_on_the_sites_clock(office: Office) -> None:
    first = read(office, crowd(3))
    for settings, told in (({}, "2026-06-18T11:00:00"), ({"has_zone_name": False}, "2026-06-18T11:00:00")):
        read(office, crowd(3), after=again(first, clock=office.clock), **settings)
        assert {tuple(one[name]) for one in asked(office) for name in one if "after" in name} == {(told,)}


def test_what_is_changed_while_the_clock_goes_back_is_not_passed_over(office: Office) -> None:
    """A change an hour after the last reading ended, at a time that the site's clock showed before."""
    ended = datetime(2026, 10, 25, 0, 50, tzinfo=UTC)
    office.load(company(article(1)), ended)
    changed = company(article(1, edited_at=(ended + timedelta(minutes=20),), category="Mercado"))
    office.load(changed, ended + timedelta(hours=3))
    assert office.said("category", of="article.published") == [("Mercado",)]


def test_a_long_reading_goes_on_where_it_was_interrupted(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("pipelines.wordpress.articles"), "PAGES_A_MARK", 2)
    whole = crowd(410)
    marks = read(office, whole).marks
    assert len(marks) == 2
    found = read(office, whole, after=Read(None, NOW, None, office.clock, marks[0]))
    assert found.keys[0] == "200"
    assert found.covered == read(office, whole).covered
    without = company(*(one for one in whole.articles if one.id != 7))
    found = read(office, without, after=Read(None, NOW, None, office.clock, marks[0]))
    assert (found.keys[0], len(found.keys)) == ("1", 409)


# How it is reached


def test_a_public_site_needs_no_credentials(office: Office) -> None:
    office.configure(username=None, application_password=None)
    assert read(office, company(article(1)), is_closed=False).keys == ["1"]
    closed = read(office, company(article(1)))
    assert "401" in closed.failure
    assert "set sources.agencia.wordpress.username and sources.agencia.wordpress.application_password" in closed.failure


@pytest.mark.parametrize("missing", ["username", "application_password"])
def test_half_a_credential_is_refused(office: Office, missing: str) -> None:
    office.configure(**{missing: None})
    assert f"sources.agencia.wordpress.{missing} is not set" in read(office, company(article(1))).failure


def test_a_refused_password_is_told_and_not_shown(office: Office) -> None:
    office.configure(application_password="otra-clave-1234")
    failure = read(office, company(article(1)), is_closed=False).failure
    assert "the credentials were refused" in failure
    assert "otra-clave" not in failure


def test_plain_permalinks_are_found(office: Office) -> None:
    assert len(read(office, crowd(150), is_plain=True).keys) == 150


@pytest.mark.parametrize(
    "before", [b"\xef\xbb\xbf", b"\n\n", b"<br />\n<b>Notice</b>: Undefined index: [x] in <b>/a/{b}.php</b><br />\n"]
)
def test_what_stands_before_the_json_is_passed_over(office: Office, before: bytes) -> None:
    assert len(read(office, crowd(150), before=before).keys) == 150


def test_a_site_without_an_api_is_told(office: Office) -> None:
    found = read(office, company(article(1)), lambda exchange: (200, {}, b"<html>"))
    assert f"there is no WordPress REST API at {office_url(office)}" in found.failure
    assert "Check the option `site`" in found.failure


def office_url(office: Office) -> str:
    from pipelines.settings import Settings  # noqa: PLC0415 - the address that was configured last

    return Settings(office.account).base_url("")


# What is loud


def posts(change: Callable[[Exchange], Any]) -> Callable[[Exchange], Any]:
    return lambda exchange: change(exchange) if exchange.path.endswith("/posts") else None


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((200, {"Content-Type": "text/html"}, b"<html>Mantenimiento</html>"), "what is not JSON ("),
        ((200, {}, b'[{"id": 1, "date_g'), "what is not JSON"),
        ((200, {}, b"{}"), "not a list of items with ids"),
        ((200, {}, b'{"code": "internal_server_error", "message": "Marta", "data": {"status": 500}}'), "not a list"),
        ((200, {}, b'[{"date_gmt": "2026-06-01T09:00:00"}]'), "not a list of items with ids"),
        ((400, {}, b'{"code": "rest_invalid_param", "data": {"status": 400}}'), "HTTP 400 (rest_invalid_param)"),
        ((400, {}, b"<html>Marta Ruiz</html>"), "HTTP 400. "),
        ((200, {}, b'[{"id": 2}, {"id": 1}]'), "out of order"),
        ((200, {}, b'[{"id": 2}, {"id": 2}]'), "has an item twice"),
        ((200, {"X-WP-Total": "1"}, b'[{"id": 2, "categories": 7}]'), "article 2 are int, where WordPress has a list"),
        ((200, {"X-WP-Total": "1"}, b'[{"id": 2, "categories": "23"}]'), "are str, where WordPress has a list"),
    ],
)
def test_an_answer_that_is_no_list_is_loud(office: Office, answer: Any, says: str) -> None:
    found = read(office, crowd(3), posts(lambda exchange: answer))
    assert says in found.failure
    assert "Marta" not in found.failure
    assert found.covered is None


def test_a_host_that_is_busy_is_waited_for(office: Office) -> None:
    before = office.clock.waited_seconds()
    assert len(read(office, crowd(250), requests_a_minute=2).keys) == 250
    assert office.clock.waited_seconds() - before >= 60
    left = [(503, {}, b"<html>"), (429, {}, b"<html>")]
    assert len(read(office, crowd(3), posts(lambda exchange: left.pop() if left else None)).keys) == 3


def test_a_limit_until_tomorrow_ends_the_reading(office: Office) -> None:
    found = read(office, crowd(3), posts(lambda exchange: (429, {"Retry-After": "43200"}, b"")))
    assert "asks to wait 12.0 hours" in found.failure


def test_a_list_that_changes_while_it_is_read_is_read_again(office: Office) -> None:
    """One of the first hundred is taken back between two pages: all after it move."""
    left = [150, 149]

    def moving(exchange: Exchange) -> Any:
        total = left.pop(0) if left else 149
        ids = [number for number in range(1, 151) if total == 150 or number != 7]
        offset = int(parse_qs(exchange.query)["offset"][0])
        page = [{"id": number, "status": "publish"} for number in ids[offset : offset + 100]]
        return 200, {"X-WP-Total": str(said or total)}, orjson.dumps(page)

    for said in (None, 150):  # some caches go on saying how many there were
        left = [150, 149]
        found = read(office, crowd(150), posts(moving))
        assert (149, {"7"}) == (len(set(found.keys) - {"7"}), set(found.keys[:100]) & {"7"})
        assert (found.failure is None) == (said is None)


def test_a_list_that_never_stands_still_is_loud(office: Office) -> None:
    totals = iter(range(1000, 2000))
    found = read(office, crowd(150), posts(lambda one: (200, {"X-WP-Total": str(next(totals))}, one.answer)))
    assert "changed each of 5 times that it was read" in found.failure


def test_a_page_that_is_beyond_the_last_means_that_the_list_changed(office: Office) -> None:
    refused = b'{"code": "rest_post_invalid_page_number", "data": {"status": 400}}'
    left = [(400, {}, refused)]
    found = read(office, crowd(150), posts(lambda one: left.pop() if left and "offset=99" in one.query else None))
    assert len(set(found.keys)) == 150


def test_a_site_that_does_not_say_how_many_there_are_is_read_whole_each_time(office: Office) -> None:
    def silent(exchange: Exchange) -> Any:
        return 200, {}, exchange.answer

    first = read(office, crowd(150), posts(silent))
    found = read(office, crowd(149), posts(silent), after=again(first, clock=office.clock))
    assert [one.key for one in found.records if one.is_deleted] == ["150"]


def test_a_site_that_suddenly_shows_nothing_is_doubted(office: Office) -> None:
    first = read(office, crowd(30))
    empty = read(office, crowd(0), after=again(first, clock=office.clock))
    assert "30 of the 30 articles that were known are not on the site any more" in empty.failure
    office.with_options(most_removed=1.0)
    found = read(office, crowd(0), after=again(first, clock=office.clock))
    assert len([one for one in found.records if one.is_deleted]) == 30


@pytest.mark.parametrize("when", [None, "ayer", "0000-00-00T00:00:00", "2026-06-01 09:00"])
def test_an_article_without_a_possible_time_is_set_aside_alone(office: Office, when: str | None) -> None:
    def strange(exchange: Exchange) -> Any:
        items = [{**one, "date_gmt": when} if one["id"] == 2 else one for one in exchange.content]
        return 200, {"X-WP-Total": "3"}, orjson.dumps(items)

    office.load(crowd(3), NOW, posts(strange))
    assert published(office) == ["1", "3"]
    assert office.quarantined() == [("2", f"date_gmt: not a time ({when or 'nothing'})")]


def test_an_article_of_2062_is_set_aside(office: Office) -> None:
    then, never = b"2026-06-01T09:00:00", b"2062-01-01T00:00:00"
    office.load(crowd(2), NOW, posts(lambda one: (200, {"X-WP-Total": "2"}, one.answer.replace(then, never, 1))))
    assert "2062-01-01 00:00 UTC is in the future" in office.quarantined()[0][1]


# What is declared


def test_a_misspelt_category_or_type_is_told_with_the_nearest(office: Office) -> None:
    office.with_options(categories=("Consejo",))
    assert "the site has no category Consejo. Did you mean Consejos?" in read(office, crowd(1)).failure
    office.with_options(categories=(), type="post")
    assert "no type of content that is listed as post. Did you mean posts" in read(office, crowd(1)).failure


@pytest.mark.parametrize(
    "options", [{}, {"site": "http://a.example"}, {"site": "https://ana:clave@a.example"}, {"site": SITE, "tipe": "x"}]
)
def test_impossible_options_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        WordPressOptions.model_validate(options)
