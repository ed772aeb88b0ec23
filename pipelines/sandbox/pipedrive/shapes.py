"""The shapes of Pipedrive's answers: records of both versions, changelogs, pages, definitions.

Belongs here: how a record is written down. Does not: which records are answered (`__init__`).

Source of the shapes: the vendor's API descriptions, https://developers.pipedrive.com/docs/api/v1/openapi-v2.yaml for
lists and openapi.yaml for changelogs, what was changed of late and types of activity.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import orjson

from pipelines.sandbox.pipedrive.records import Entry, Shown
from pipelines.sandbox.pipedrive.setup import OWN, Setup

BEGINNING = "2020-01-01T00:00:00Z"


def text_of(instant: datetime) -> str:
    """An instant as the second version writes it."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z"


def bare_text_of(instant: datetime) -> str:
    """An instant as the first version writes it: in UTC, without saying so."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def record(kind: str, one: Shown, setup: Setup, custom_fields: Sequence[str] = ()) -> dict[str, Any]:
    """A record of the second version; custom_fields: keys of those that were asked for, all where none were."""
    shared = {
        "id": one.id,
        "add_time": text_of(one.added_at),
        "update_time": text_of(one.updated_at),
        "is_deleted": one.deleted_at is not None,
    }
    if kind == "activities":
        return {**shared, **_activity(one)}
    own = {setup.key(name): (name, value) for name, value in one.says.items()}
    known = [setup.key(name) for name in setup.names(kind)]
    custom = {
        key: setup.answered(kind, *own[key]) if key in own else None
        for key in known
        if not custom_fields or key in custom_fields
    }
    found = {**shared, **one.own, "custom_fields": custom}
    return found if kind == "persons" else {**found, **_deal(one)}


def _deal(one: Shown) -> dict[str, Any]:
    closed_at, status, value = one.own["close_time"], one.own["status"], one.own.get("value")
    closed, moved_at = None if closed_at is None else text_of(closed_at), one.own["stage_change_time"]
    return {
        "stage_change_time": None if moved_at is None else text_of(moved_at),
        "value": _json_number(value) if value else 0,
        "status": "deleted" if one.deleted_at is not None else status,
        "expected_close_date": one.own.get("expected_close_date"),
        "close_time": closed,
        "won_time": closed if status == "won" else None,
        "lost_time": closed if status == "lost" else None,
        "is_archived": one.archived_at is not None,
        "archive_time": None if one.archived_at is None else text_of(one.archived_at),
        "label_ids": [],
    }


def _json_number(text: str) -> int | float:
    number = Decimal(text)
    return int(number) if number == number.to_integral_value() else float(number)


def _activity(one: Shown) -> dict[str, Any]:
    starts_at, done_at, seconds = one.own["starts_at"].astimezone(UTC), one.own["done_at"], one.own["seconds"]
    return {
        **{name: one.own[name] for name in ("subject", "note", "type", "owner_id", "person_id", "done")},
        "deal_id": None,
        "due_date": f"{starts_at:%Y-%m-%d}",
        "due_time": f"{starts_at:%H:%M:%S}",
        "duration": f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}",
        "marked_as_done_time": None if done_at is None else text_of(done_at),
        "busy": False,
        "participants": [{"person_id": one.own["person_id"], "primary": True}],
    }


def lines(one: Shown, setup: Setup) -> list[dict[str, Any]]:
    """The products attached to a deal: the one that the company says it is about."""
    if (name := one.says.get("producto")) is None:
        return []
    value = _json_number(one.own.get("value") or "0")
    line = {
        "id": one.id,
        "deal_id": one.id,
        "product_id": setup.options["deals", "producto"][name],
        "name": name,
        "quantity": 1,
        "item_price": value,
        "sum": value,
        "tax": 0,
        "currency": one.own["currency"],
        "is_enabled": True,
        "add_time": text_of(one.added_at),
        "update_time": text_of(one.updated_at),
    }
    return [line]


def recent(item: str, one: Shown) -> dict[str, Any]:
    """A record as the first version says that it was changed or deleted: it is active or not any more."""
    data: dict[str, Any] = {
        "id": one.id,
        "active_flag": one.deleted_at is None,
        "add_time": bare_text_of(one.added_at),
        "update_time": bare_text_of(one.updated_at),
    }
    return {"item": item, "id": one.id, "data": data}


def change(entry: Entry) -> dict[str, Any]:
    """A line of a changelog; who made it and with what is there, too."""
    return {
        "field_key": entry.field,
        "old_value": entry.old,
        "new_value": entry.new,
        "actor_user_id": 7,
        "time": bare_text_of(entry.at),
        "change_source": "app",
        "change_source_user_agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "is_bulk_update_flag": False,
    }


def history(one: Shown) -> list[Entry]:
    """A record's changelog, newest first; the oldest line says that it was added."""
    added = Entry(one.added_at, "add_time", None, bare_text_of(one.added_at))
    return [*reversed(one.history), added]


def page(data: Sequence[Any], following: str | None) -> dict[str, Any]:
    """A page, and where the next one begins, or that there is none."""
    return {"success": True, "data": data, "additional_data": {"next_cursor": following}}


def cursor_of(id_: int) -> str:
    """Where a list goes on after a record."""
    content = orjson.dumps({"field": "id", "fieldValue": id_, "sortDirection": "asc", "id": id_})
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def id_of(cursor: str) -> int:
    """The record that a cursor goes on after. Raises `ValueError` for what is no cursor."""
    content = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    return int(content["id"])


def field_definitions(kind: str, setup: Setup) -> list[dict[str, Any]]:
    """The fields that records of a type have: Pipedrive's own, and the company's own."""
    own = [_definition(code, code, type_) for code, type_ in OWN[kind].items()]
    return [
        *own,
        *(
            _definition(
                setup.key(name), name, setup.type_of(name), setup.options.get((kind, name), {}).items(), is_custom=True
            )
            for name in setup.names(kind)
        ),
    ]


def _definition(
    code: str, name: str, type_: str, options: Iterable[tuple[str, int]] = (), *, is_custom: bool = False
) -> dict[str, Any]:
    labels = [{"id": id_, "label": label, "color": None} for label, id_ in sorted(options)]
    return {
        "field_name": name,
        "field_code": code,
        "description": "",
        "field_type": type_,
        "options": labels or None,
        "subfields": None,
        "is_custom_field": is_custom,
        "is_optional_response_field": False,
    }


def pipeline_definitions(setup: Setup) -> list[dict[str, Any]]:
    """The pipelines."""
    return [
        {
            "id": setup.pipeline_ids[one.id],
            "name": one.id,
            "order_nr": number,
            "is_deleted": False,
            "is_deal_probability_enabled": False,
            "add_time": BEGINNING,
            "update_time": BEGINNING,
        }
        for number, one in enumerate(setup.pipelines, 1)
    ]


def stage_definitions(setup: Setup) -> list[dict[str, Any]]:
    """The stages of all pipelines."""
    return [
        {
            "id": id_,
            "order_nr": number,
            "name": stage,
            "is_deleted": False,
            "deal_probability": 100,
            "pipeline_id": setup.pipeline_ids[pipeline],
            "is_deal_rot_enabled": False,
            "days_to_rotten": None,
            "add_time": BEGINNING,
            "update_time": BEGINNING,
        }
        for number, ((pipeline, stage), id_) in enumerate(setup.stage_ids.items(), 1)
    ]


def activity_types(setup: Setup) -> list[dict[str, Any]]:
    """The types of activity."""
    return [
        {
            "id": number,
            "order_nr": number,
            "name": key.replace("_", " ").capitalize(),
            "key_string": key,
            "icon_key": "call",
            "active_flag": True,
            "color": None,
            "is_custom_flag": True,
            "add_time": "2020-01-01 00:00:00",
            "update_time": "2020-01-01 00:00:00",
        }
        for number, key in enumerate(setup.activity_types, 1)
    ]
