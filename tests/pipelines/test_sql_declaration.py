"""What can be wrong with the declaration of tables before any table is seen, and where in it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pipelines.rows.declaration import History, Versions
from pipelines.sql import SqlOptions
from pipelines.sql.declaration import SqlStream

RULE: dict[str, Any] = {"type": "deal.created", "at": "created_at", "subject": "id"}
STREAM: dict[str, Any] = {"table": "crm.deal", "delivery": "snapshot", "key": "id", "events": [RULE]}
ENTERED: dict[str, Any] = {
    "type": "deal.stage_entered", "each_change_of": "stage", "subject": "id", "attributes": {"stage": "stage"},
}  # fmt: skip
HISTORY: dict[str, Any] = {
    **STREAM, "shape": {"type": "history", "field": "name", "value": "value", "fields": ["stage", "amount"]},
    "revision": "changed_at", "columns": {"amount": "number"}, "events": [ENTERED],
}  # fmt: skip
VERSIONS: dict[str, Any] = {
    **STREAM, "shape": {"type": "versions", "to": "valid_to"}, "revision": "valid_from", "events": [ENTERED],
}  # fmt: skip


def declared(content: dict[str, Any]) -> SqlStream:
    return SqlOptions.model_validate({"streams": {"deals": content}}).streams["deals"]


@pytest.mark.parametrize(
    "content",
    [STREAM, HISTORY, VERSIONS, {**STREAM, "shape": "current"}, {**VERSIONS, "shape": "versions"},
     {**STREAM, "table": "deal"}, {**STREAM, "table": "warehouse.crm.deal"},
     {**STREAM, "delivery": "changes", "cursor": ["a", "b"]}, {**STREAM, "revision": "updated_at"}],
)  # fmt: skip
def test_a_sound_declaration_has_no_problems(content: dict[str, Any]) -> None:
    assert declared(content).feeds


@pytest.mark.parametrize(
    ("content", "place", "found"),
    [
        ({**STREAM, "table": "a.b.c.d"}, ("table",), "should match pattern"),
        ({**STREAM, "table": ".deal"}, ("table",), "should match pattern"),
        ({**STREAM, "shape": "scd2"}, ("shape",), "Write current, versions or history"),
        ({**STREAM, "delivery": "append"}, ("delivery",), "'snapshot' or 'changes'"),
        ({**STREAM, "cursor": "updated_at"}, ("cursor",), "a snapshot reads the whole table each time"),
        ({**STREAM, "delivery": "changes", "cursor": []}, ("cursor", "columns"), "at least 1"),
        ({**STREAM, "delivery": "changes", "cursor": {"columns": "a", "overlap_minutes": 5, "overlap_numbers": 5}},
         ("cursor",), "overlap_minutes and overlap_numbers together"),
        ({**STREAM, "loaded_at": "at", "covers": {"through": "reading"}}, ("covers", "through"), "Leave one of them"),
        ({**STREAM, "zone": "Madrid"}, ("zone",), "not a time zone"),
        ({**VERSIONS, "revision": None}, ("shape",), "versions without a revision"),
        ({**HISTORY, "revision": None}, ("shape",), "history without a revision"),
        ({**VERSIONS, "deleted": "gone"}, ("deleted",), "of versions it is said in their shape"),
        ({**HISTORY, "key": "stage", "shape": {**HISTORY["shape"], "fields": "stage"}},
         ("shape", "fields"), "stage is a column of the table itself"),
        ({**HISTORY, "shape": {**HISTORY["shape"], "fields": []}}, ("shape", "history", "fields"), "at least 1"),
        ({**STREAM, "revision": {"column": "a", "then": "n"}, "columns": {"n": "number"}},
         ("revision", "then"), "a thing has one row here"),
        ({**STREAM, "events": [ENTERED]}, ("events", 0, "each_change_of"), "there is no revision"),
        ({**STREAM, "revision": "updated_at", "events": [ENTERED]}, ("events", 0, "each_change_of"), "no revision"),
        ({**STREAM, "events": [{**RULE, "type": "deal.wn"}]}, ("events", 0, "type"), "there is no event deal.wn"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_where_it_stands(content: dict[str, Any], place: tuple[Any, ...], found: str) -> None:
    with pytest.raises(ValidationError) as caught:
        declared(content)
    told = [(error["loc"], error["msg"]) for error in caught.value.errors()]
    assert any(loc[-len(place) :] == place and found in message for loc, message in told), told


def test_of_a_table_only_columns_that_are_named_are_read() -> None:
    stream = declared({**STREAM, "delivery": "changes", "cursor": "synced_at", "deleted": "gone"})
    assert stream.read_columns == ("created_at", "gone", "id", "synced_at")
    assert stream.used == ("created_at", "id")


def test_of_a_history_the_fields_become_columns_and_the_value_is_not_kept_beside_them() -> None:
    stream = declared(HISTORY)
    assert stream.read_columns == ("changed_at", "id", "name", "value")
    assert stream.used == ("amount", "changed_at", "id", "name", "stage")
    assert isinstance(stream.history, History)


def test_what_says_that_a_version_has_ended_is_kept_with_it() -> None:
    stream = declared({**VERSIONS, "shape": {"type": "versions", "to": "valid_to", "deleted": "gone"}})
    assert stream.used == ("gone", "id", "stage", "valid_from", "valid_to")
    assert isinstance(stream.versions, Versions)


def test_a_declaration_is_frozen_and_dumps_to_plain_values() -> None:
    for content in (STREAM, HISTORY, VERSIONS):
        options = SqlOptions.model_validate({"streams": {"deals": content}})
        dumped = options.model_dump(mode="json", by_alias=True, exclude_unset=True)
        assert options == SqlOptions.model_validate(dumped)
        with pytest.raises(ValidationError, match="frozen"):
            options.streams = {}  # type: ignore[misc]  # what is tried
