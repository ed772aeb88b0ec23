"""Whatever fault an answer has, each vendor's streams end right or loud: what is not told to be missing is there.

Each simulated vendor is read with some answers spoilt, in small pages, so that every list has several. What a stream
that told of no failure has read is what there was; and one that told of one goes on, unspoilt, from its last mark to
all that there was.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from helpdesk_office import Office
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kr_definitions import catalogue
from pipelines.connectors import KINDS, connector
from pipelines.sandbox.company import Company
from pipelines.sandbox.faults import FAULTS, Answer, Fault, Faulty, asked
from pipelines.sandbox.runner import ORGANISATIONS, SandboxError
from pipelines.sandbox.stand_in import Desk, SharedClock
from pipelines.source import Account, Read, Record

TODAY = date(2025, 1, 20)
NOW = datetime.combine(TODAY, time(6), UTC)

PASSING = ("500", "503", "drop", "429", "429-retry-after")
"""Faults of an answer that asking again makes good."""
LASTING = [fault for fault in FAULTS if fault not in PASSING]
OF_PAGES = ("empty-page", "repeat-page")


@dataclass(frozen=True)
class Vendor:
    """How a vendor is read.

    organisation: whose options and company, which is so many days old; page: items a page; settings: of the stand-in;
    is_paged: whether it has pages that say that there are more, which some faults are of.
    """

    organisation: str
    options: Mapping[str, Any] | None = None
    days: int = 21
    page: int = 10
    settings: Mapping[str, Any] = field(default_factory=dict)
    is_paged: bool = True


VENDORS = {
    "hubspot": Vendor("inmobiliaria"),
    "salesforce": Vendor("ventas-b2b", settings={"batch": 10}),
    "pipedrive": Vendor("revops", settings={"tokens_a_day": 10**9}),
    "zendesk": Vendor("inmobiliaria", settings={"page_size": 10}),
    "freshdesk": Vendor("inmobiliaria", {"subdomain": "agencia", "first_ticket": None}),
    "jira": Vendor(
        "inmobiliaria",
        {"site": "agencia", "projects": ["SUP"], "solved": ["Resolved"], "closed": ["Closed"]},
        settings={"page_size": 10},
    ),
    "inmovilla": Vendor("inmobiliaria", {"history_days": 61, "portals": True, "requests_a_run": 10_000}, days=60),
    "facebook": Vendor("inmobiliaria", days=60, page=5),
    "instagram": Vendor("inmobiliaria", days=60, page=5),
    "youtube": Vendor("inmobiliaria", days=400, page=1),
    "linkedin": Vendor("inmobiliaria", days=60, page=5),
    "x": Vendor("inmobiliaria", days=400, page=5),
    "stripe": Vendor("revops", days=60, page=5),
    "holded": Vendor("revops", {"categories": ["suscripcion"]}, page=5),
    "typeform": Vendor("inmobiliaria", days=400, page=2),
    "wordpress": Vendor("inmobiliaria", days=400, page=2),
    # Sheets have no pages: a large one is read in pieces, of which none says that there are more.
    "google_sheets": Vendor("inmobiliaria", days=400, settings={"columns": 18_278, "rows": 200}, is_paged=False),
}

_SIZE = re.compile(rb'\b(limit|per_page|page_size|page%5Bsize%5D|maxResults|max_results|count)(=|": ?)\d+')


def in_small_pages(app: ASGIApp, page: int = 10) -> ASGIApp:
    """A stand-in that is asked for fewer items a page than it was."""
    size = rb"\g<1>\g<2>%d" % page

    async def asked_for_less(scope: Scope, receive: Receive, send: Send) -> None:
        async def less() -> Message:
            message = await receive()
            body = message.get("body", b"")
            return {**message, "body": _SIZE.sub(size, body)} if body else message

        query = _SIZE.sub(size, scope.get("query_string", b""))
        await app({**scope, "query_string": query}, less, send)

    return asked_for_less


@cache
def company(organisation: str, days: int) -> Company:
    one = ORGANISATIONS[organisation]
    return one.tell(1, TODAY - timedelta(days=days), TODAY, one.zone)


def office(folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> Office:
    vendor, of_kind = VENDORS[kind], connector(kind)
    options = vendor.options or catalogue.load(vendor.organisation).organisation.sources[kind].options
    stand_in = import_module(f"pipelines.sandbox.{kind}")
    return Office(folder, monkeypatch, of_kind, of_kind.options.model_validate(options), stand_in)


def faulty(of: Office, kind: str, *faults: str) -> Faulty:
    """The vendor with these faults; the numbers of its answers are counted from here."""
    vendor = VENDORS[kind]
    of.clock = SharedClock(of.folder / "clock.json", NOW)
    desk = Desk(company(vendor.organisation, vendor.days), NOW, of.clock)
    app = of.stand_in.app(desk, **vendor.settings)
    return Faulty(in_small_pages(app, vendor.page), [Fault(fault) for fault in faults])


Held = dict[str, Record]


def read(of: Office, app: Faulty, marks: Mapping[str, str | None]) -> tuple[dict[str, str], dict[str, Held], Any]:
    """Read the streams that are named, from a mark or from the beginning: failures, records, and the last marks.

    A failure is also what a reading that ended well tells of in the quarantine: that a metric was not to be had.
    """
    failures, held, last = {}, {}, {}
    for stream, mark in marks.items():
        found = of.read(app, stream, Read(None, NOW, None, of.clock, mark))
        held[stream] = {record.key: record for record in found.records}
        refused = [record.payload["refused"] for record in found.records if record.payload.get("refused")]
        if found.covered is None or refused:
            failures[stream] = str(found.failure or refused)
            last[stream] = found.marks[-1] if found.marks else mark
    return failures, held, last


@pytest.fixture(scope="module")
def unspoilt(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Held]]:
    """What there is to be read of a vendor."""

    @cache
    def found(kind: str) -> dict[str, Held]:
        with pytest.MonkeyPatch.context() as patched:
            of = office(tmp_path_factory.mktemp(kind), patched, kind)
            names = [stream.name for stream in of.source.streams()]
            failures, held, _ = read(of, faulty(of, kind), dict.fromkeys(names))
        assert failures == {}
        assert any(held.values())
        return held

    return found


@pytest.mark.parametrize("kind", VENDORS)
def test_what_passes_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unspoilt: Any, kind: str) -> None:
    of, right = office(tmp_path, monkeypatch, kind), unspoilt(kind)
    app = faulty(of, kind, *PASSING)
    assert read(of, app, dict.fromkeys(right))[:2] == ({}, right)
    assert all(app.changed.values()), app.changed


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (kind, fault)
        for kind, vendor in VENDORS.items()
        for fault in LASTING
        if vendor.is_paged or fault not in OF_PAGES
    ],
)
def test_a_spoilt_reading_ends_right_or_loud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unspoilt: Any, kind: str, fault: str
) -> None:
    of, right = office(tmp_path, monkeypatch, kind), unspoilt(kind)
    app = faulty(of, kind, fault)
    failures, held, marks = read(of, app, dict.fromkeys(right))
    assert app.changed[fault] > 0
    for stream, records in held.items():
        if stream not in failures:
            assert records == right[stream], stream
    failures, rest, _ = read(of, faulty(of, kind), marks)
    assert failures == {}
    for stream, records in rest.items():
        assert {**held[stream], **records} == right[stream], stream


def paths(dtype: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where something stands in a payload, as declared."""
    if isinstance(dtype, pl.Struct):
        for part in dtype.fields:
            yield from paths(part.dtype, (*before, part.name))
    elif isinstance(dtype, pl.List):
        yield from paths(dtype.inner, (*before, "*"))
    else:
        yield before


def found_in(value: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where something stands in a payload, as it came."""
    if isinstance(value, Mapping):
        for name, one in value.items():
            yield from found_in(one, (*before, name))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from found_in(one, (*before, "*"))
    elif value is not None:
        yield before


def test_every_vendor_that_is_simulated_is_driven() -> None:
    simulated = {path.name for path in (Path(__file__).parents[2] / "pipelines" / "sandbox").iterdir()}
    kinds = {kind for kind in KINDS if kind in simulated or f"{kind}.py" in simulated}
    assert {*VENDORS} == kinds - {"ecb"}  # it has no answers but two files: tests/pipelines/test_ecb.py spoils those


# The dial itself


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("zendesk", "'zendesk' names no fault: write <vendor>:<fault>, such as zendesk:429"),
        ("zendsk:429", "There is no vendor 'zendsk' here: choose zendesk"),
        ("zendesk:430", "There is no fault '430': choose from 429, "),
        ("zendesk:429@", "write 429@3 for the third"),
        ("zendesk:429@0", "write 429@3 for the third"),
    ],
)
def test_what_is_not_a_fault_is_told(text: str, told: str) -> None:
    with pytest.raises(SandboxError, match=told):
        asked([text], ["zendesk"])


def test_faults_are_asked_for_by_vendor() -> None:
    assert asked(["zendesk:429, truncate@2", "stripe:500"], ["zendesk", "stripe"]) == {
        "zendesk": (Fault("429"), Fault("truncate", 2)),
        "stripe": (Fault("500"),),
    }


LINKED = {"link": '<https://x/api/v2/tickets?page=2>; rel="next"'}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    ("page", "headers"),
    [
        (b'{"items": [1, 2], "next": "x"}', {}),
        (b'{"items": [1, 2], "has_more": true}', {}),
        (b'{"items": [1, 2], "meta": {"has_more": true, "after_cursor": "x"}}', {}),
        (b'{"tickets": [1], "end_of_stream": false, "after_cursor": "x"}', {}),
        (b'{"records": [1], "done": false, "nextRecordsUrl": "/x"}', {}),
        (b'{"data": [1], "additional_data": {"pagination": {"more_items_in_collection": true}}}', {}),
        (b'{"comments": [{"id": 1}], "startAt": 0, "maxResults": 1, "total": 9}', {}),
        (b'{"values": [1], "isLast": false}', {}),
        (b'[{"id": 1}, {"id": 2}]', LINKED),
    ],
)
def test_each_fault_changes_a_page_before_the_last_one(fault: str, page: bytes, headers: dict[str, str]) -> None:
    answer, before = Answer(200, page, headers), Answer(200, b'{"items": [0]}', {})
    assert FAULTS[fault](answer, before) != answer


@pytest.mark.parametrize(
    "page",
    [
        b'{"items": [1, 2], "next": null}',
        b'{"data": [1], "paging": {"cursors": {"after": "x"}}}',
        b'{"items": [1], "meta": {"has_more": false, "after_cursor": "x"}}',
        b'{"tickets": [1], "end_of_stream": true, "after_cursor": "x"}',
        b'{"comments": [1], "startAt": 8, "maxResults": 1, "total": 9}',
        b'[{"id": 1}]',
    ],
)
def test_a_last_page_is_left_as_it_is_where_nobody_could_notice(page: bytes) -> None:
    answer = Answer(200, page, {"link": '<https://x>; rel="prev"'})
    assert FAULTS["empty-page"](answer, None) == answer


def test_a_fault_waits_for_an_answer_that_it_changes_and_what_each_has_changed_is_counted() -> None:
    last, page = Answer(200, b'{"items": [1]}', {}), Answer(200, b'{"items": [1], "next": "x"}', {})
    app = Faulty(in_small_pages, [Fault("empty-page"), Fault("429", at=2)])  # type: ignore[arg-type]
    given = [app._spoilt(answer, None) for answer in (page, last, last, last, last, page, page)]
    assert [answer.body for answer in given[2:]] == [
        last.body,
        last.body,
        last.body,
        b'{"items": [], "next": "x"}',
        page.body,
    ]
    assert app.changed == {"empty-page": 1, "429": 1}


def test_a_connection_that_is_cut_says_nothing_on_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    of = office(tmp_path, monkeypatch, "youtube")
    logging.getLogger("uvicorn.error").handlers.clear()
    app = faulty(of, "youtube", "drop")
    failures, _, _ = read(of, app, {of.source.streams()[-1].name: None})
    assert (failures, app.changed["drop"] > 0) == ({}, True)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", VENDORS)
def test_nothing_is_kept_that_is_not_understood(unspoilt: Any, kind: str) -> None:
    """Whatever else the stand-ins serve, names and texts among it, is dropped before anything is stored."""
    of_kind = connector(kind)
    options = VENDORS[kind].options or catalogue.load(VENDORS[kind].organisation).organisation.sources[kind].options
    account = Account("agencia", kind, "Europe/Madrid")
    for stream in of_kind.streams(account, of_kind.options.model_validate(options)):
        people = stream.people
        known = {*paths(stream.payload)} | {p.path for p in (*people.own, *people.whose, *people.beside)}
        kept = {path for record in unspoilt(kind)[stream.name].values() for path in found_in(record.payload)}
        assert kept - known <= {("archivedAt",), ("created",), ("livemode",)}, stream.name
