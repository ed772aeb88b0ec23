"""What can be wrong with the declaration of files before any file is seen, and where in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kr_definitions.documents import DeclarationErrors
from pipelines.files import FilesOptions, read_declaration

RULE: dict[str, Any] = {"type": "ticket.created", "at": "opened", "subject": "number"}
STREAM: dict[str, Any] = {
    "path": "x*.csv", "format": "csv", "delivery": "append", "key": "number", "events": [RULE],
}  # fmt: skip
HISTORY: dict[str, Any] = {**STREAM, "revision": {"column": "updated"}}


def problems(folder: Path, stream: dict[str, Any]) -> list[str]:
    """What is said of a declaration in a file of its own: line, what was found and what to do."""
    path = folder / "files.yaml"
    path.write_text(yaml.safe_dump({"streams": {"rows": stream}}, sort_keys=False, allow_unicode=True))
    try:
        read_declaration(path)
    except DeclarationErrors as errors:
        return [
            f"{path.read_text().splitlines()[problem.line - 1].strip()} -> {problem}" for problem in errors.problems
        ]
    return []


def rule(**changes: Any) -> dict[str, Any]:
    return {**STREAM, "events": [{**RULE, **changes}]}


@pytest.mark.parametrize(
    "stream",
    [
        STREAM,
        HISTORY,
        {**STREAM, "format": {"type": "jsonl"}},
        {**STREAM, "key": ["a", "b"]},
        {**HISTORY, "events": [{**RULE, "once": True}, {**RULE, "id": "b", "subject": "x", "once": True}]},
    ],
)
def test_a_sound_declaration_has_no_problems(tmp_path: Path, stream: dict[str, Any]) -> None:
    assert problems(tmp_path, stream) == []


@pytest.mark.parametrize(
    ("stream", "line", "found", "do"),
    [
        # each part by itself
        ({**STREAM, "path": "../x.csv"}, "path:", "leaves the folder", "below it"),
        ({**STREAM, "path": "/etc/passwd"}, "path:", "leaves the folder", "below it"),
        ({**STREAM, "path": "C:\\x.csv"}, "path:", "leaves the folder", "below it"),
        ({**STREAM, "format": "xlsx"}, "format:", "not read (found 'xlsx')", "csv, jsonl or parquet"),
        ({**STREAM, "format": {"separator": ";"}}, "format:", "not read", "csv, jsonl or parquet"),
        ({**STREAM, "format": {"type": "csv", "encoding": "utf-9"}}, "encoding:", "utf-9", "windows-1252"),
        ({**STREAM, "format": {"type": "csv", "decimal": ",", "thousands": ","}}, "format:", "same sign", "thousands"),
        ({**STREAM, "format": {"type": "csv", "seperator": ";"}}, "seperator:", "not known here", "separator"),
        ({**STREAM, "delivery": "daily"}, "delivery:", "snapshot", "Write one of them"),
        ({**STREAM, "key": []}, "key:", "empty", "at least one"),
        ({**STREAM, "columns": {"paid": "money"}}, "paid:", "text, number, boolean, date, instant", "Write one"),
        (rule(at={"column": "opened", "format": "%d/%m"}), "format:", "does not say day, month and year", "%d/%m/%Y"),
        (rule(at={"column": "opened", "format": "%Q-%m-%Y"}), "format:", "has %Q", "%d %m %Y"),
        (rule(at={"column": "opened", "zone": "Madrid"}), "zone:", "not a time zone", "IANA"),
        ({**STREAM, "events": []}, "events:", "empty", "at least one"),
        # expressions
        (rule(when="number = "), "when:", "does not fit", "The language has"),
        (rule(when="number"), "when:", "a text where a condition was expected", "Compare it"),
        (rule(subject="sha(number)"), "subject:", "an unknown function, sha, at character 1", "The functions are"),
        (rule(attributes={"priority": "prio =="}), "priority:", "does not fit", "The language has"),
        ({**STREAM, "expect": [{"that": "closed >= ", "says": "x"}]}, "- that:", "does not fit", "The language has"),
        # events
        (rule(type="ticket.creatd"), "- type:", "there is no event ticket.creatd", "ticket.created"),
        (rule(type="source.covered"), "- type:", "there is no event source.covered", "Choose"),
        (rule(attributes={"prioritty": "x"}), "prioritty:", "has no attribute prioritty", "priority"),
        (rule(amount="paid", currency="'EUR'"), "amount:", "ticket.created has no amount", "Leave it out"),
        (rule(quantity="paid"), "quantity:", "ticket.created has no quantity", "Leave it out"),
        (rule(type="invoice.paid", amount="paid", currency="'EUR'"), "amount:", "it is String", "columns"),
        (
            {**rule(type="invoice.paid", amount="paid"), "columns": {"paid": "number"}},
            "- type:", "amount and currency go together", "'EUR'",
        ),
        (rule(type="ticket.solved", attributes={"is_within_sla": "ok"}), "is_within_sla:", "it is String", "Boolean"),
        (rule(at=None), "- type:", "ticket.created has no time", "Name in at"),
        ({**STREAM, "columns": {"opened": "number"}}, "at: opened", "opened is Decimal", "text, date or instant"),
        (
            {**rule(at={"column": "opened", "zone": "UTC"}), "columns": {"opened": "instant"}},
            "at:", "has its format under columns", "one place",
        ),
        ({**STREAM, "events": [RULE, RULE]}, "- type:", "two rules are called ticket.created", "id"),
        # histories
        (rule(at=None, each_rise_of="reopened"), "each_rise_of:", "there is no revision", "orders the rows"),
        ({**HISTORY, "events": [{"type": "ticket.reopened", "subject": "number", "each_rise_of": "reopened"}]},
         "each_rise_of:", "reopened is text", "number"),
        ({**HISTORY, "columns": {"n": "number"}, "events": [{**RULE, "each_rise_of": "n"}]},
         "each_rise_of:", "each_rise_of has at beside it", "leave out at"),
        ({**HISTORY, "columns": {"n": "number"}, "events": [{"type": "ticket.reopened", "subject": "number",
                                                             "each_rise_of": "n", "once": True}]},
         "each_rise_of:", "each_rise_of and once together", "leave one of them"),
        (rule(at=None, each_change_of="state"), "each_change_of:", "there is no revision", "orders the rows"),
        (rule(**{"at": None, "while": "state = 'x'"}), "while:", "there is no revision", "orders the rows"),
        ({**HISTORY, "events": [{**RULE, "while": "state = 'x'", "when": "state = 'x'"}]},
         "while:", "while has when beside it", "with AND"),
        ({**HISTORY, "events": [{**RULE, "while": "state"}]}, "while:", "a text where a condition", "Compare it"),
        ({**HISTORY, "events": [{**RULE, "while": "agent = 'Ana'", "actor": "agent"}]},
         "while:", "it looks into agent", "IS NULL"),
        ({**STREAM, "revision": {"column": "updated", "then": "n"}}, "then:", "n is text", "number"),
        ({**HISTORY, "columns": {"updated": "number"}}, "column:", "updated is no time", "text or an instant"),
        (rule(at=None, once=True), "- type:", "ticket.created has no time", "Name in at"),
        ({**STREAM, "events": [{**RULE, "once": True}, {**RULE, "id": "b", "subject": "x", "once": True}]},
         "events:", "different subjects", "streams of their own"),
        # people, and names
        (rule(when="agent = 'Ana'", actor="agent"), "when:", "it looks into agent, which is personal", "IS NULL"),
        (rule(attributes={"category": "agent"}, actor="agent"), "category:", "it looks into agent", "IS NULL"),
        ({**STREAM, "personal": "n", "columns": {"n": "number"}}, "n:", "n is personal", "Leave it out"),
        ({**STREAM, "codes": "n"}, "codes:", "n is personal, or says of nothing who did it", "Leave it out"),
        ({**rule(actor="n"), "codes": "n", "personal": "n"}, "codes:", "n is personal", "Leave it out"),
        ({**STREAM, "key": "^.*$"}, "rows:", "is called like a pattern", "Rename it"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_by_its_line_with_what_to_do(
    tmp_path: Path, stream: dict[str, Any], line: str, found: str, do: str
) -> None:
    stream = {
        **stream,
        "events": [{key: value for key, value in one.items() if value is not None} for one in stream["events"]],
    }
    told = problems(tmp_path, stream)
    assert len(told) >= 1
    assert any(one.startswith(line) and found in one and do in one for one in told), told


def test_all_mistakes_of_a_stream_are_told_at_once(tmp_path: Path) -> None:
    told = problems(tmp_path, rule(when="number =", subject="x(", attributes={"priority": ")"}))
    assert sorted(one.split(":")[0] for one in told) == ["priority", "subject", "when"]


def test_whether_a_person_is_known_may_be_asked(tmp_path: Path) -> None:
    assert problems(tmp_path, rule(when="agent IS NOT NULL AND channel = 'web'", actor="agent")) == []


def test_only_columns_that_are_named_are_used() -> None:
    stream = FilesOptions.model_validate({"streams": {"rows": {
        **HISTORY, "columns": {"n": "number"}, "expect": [{"that": "closed > opened", "says": "x"}],
        "events": [{**RULE, "when": "lower(state) = 'x'", "actor": "agent", "attributes": {"priority": "prio || '-'"}}],
    }}}).streams["rows"]  # fmt: skip
    assert stream.used == ("agent", "closed", "n", "number", "opened", "prio", "state", "updated")
    assert stream.pseudonymised == {"agent"}


def test_a_declaration_is_frozen_and_dumps_to_plain_values() -> None:
    options = FilesOptions.model_validate({"streams": {"rows": STREAM}})
    assert options == FilesOptions.model_validate(options.model_dump(mode="json", by_alias=True, exclude_unset=True))
    with pytest.raises(Exception, match="frozen"):
        options.streams = {}  # type: ignore[misc]  # what is tried
