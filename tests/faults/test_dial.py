"""Whatever fault an answer has, each vendor's streams end right or loud: what is not told to be missing is there.

Each simulated vendor is read with some answers spoilt, in small pages, so that every list has several. What a stream
that told of no failure has read is what there was; and one that told of one goes on, unspoilt, from its last mark to
all that there was.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from faults.vendors import VENDORS, faulty, in_small_pages, office, read

from kr_definitions import catalogue
from pipelines.connectors import KINDS, connector
from pipelines.sandbox.faults import FAULTS, Answer, Fault, Faulty, asked
from pipelines.sandbox.runner import SandboxError
from pipelines.source import Account

PASSING = ("500", "503", "drop", "429", "429-retry-after")
"""Faults of an answer that asking again makes good."""
LASTING = [fault for fault in FAULTS if fault not in PASSING]
OF_PAGES = ("empty-page", "repeat-page")


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
