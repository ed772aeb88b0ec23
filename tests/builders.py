"""Builders that hide what does not matter to a test: events, logs, definitions, organisations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from kr_definitions.catalogue import Definition
from kr_definitions.declarations import KeyResult, Objective, ObjectiveFile
from kr_definitions.events import facts_frame
from kr_definitions.organisation import Organisation
from pipelines.event_log import readings, statements

LOADED_AT = datetime(2026, 11, 21, 5, tzinfo=UTC)
MADRID = ZoneInfo("Europe/Madrid")


def event(event_type: str, at: str | datetime, subject: str = "1", **columns: Any) -> dict[str, Any]:
    """A fact. at: an instant, or a local time in Madrid as text (2026-07-01 10:00; a day alone is its noon)."""
    if isinstance(at, str):
        text = at if " " in at else f"{at} 12:00"
        at = datetime.fromisoformat(text).replace(tzinfo=MADRID)
    key = columns.pop("key", f"{event_type}/{subject}/{at.isoformat()}/{sorted(columns.items())}")
    return {
        "record_key": key,
        "fact_key": key,
        "event_type": event_type,
        "subject_id": subject,
        "occurred_at": at,
        **columns,
    }


def facts(events: Iterable[Mapping[str, Any]]) -> pl.LazyFrame:
    """Facts as a frame with every column of `FACT_SCHEMA`; numbers may be given as text."""
    rows = list(events)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if not rows:
        columns = ["record_key", "fact_key", "event_type", "subject_id", "occurred_at"]
    frame = pl.DataFrame(
        {name: [row.get(name) for row in rows] for name in columns}, strict=False, infer_schema_length=None
    )
    times = [name for name in ("occurred_at", "covered_from", "covered_to", "read_at") if name in frame.columns]
    return facts_frame(frame.with_columns(pl.col(name).cast(pl.Datetime("us", "UTC")) for name in times).lazy())


def log(
    events: Iterable[Mapping[str, Any]],
    covered: str | datetime | None = "2027-12-31",
    since: str | None = None,
    recorded_at: datetime = LOADED_AT,
    types: Iterable[str] = (),
) -> pl.LazyFrame:
    """A log that states these facts and that their types (and `types`) were read up to the end of the day `covered`."""
    rows = facts(events)
    stated = statements(empty(), rows, rows.select("record_key"), "test", "stream", recorded_at)
    if covered is None:
        return stated.lazy()
    named = sorted({*types, *stated.get_column("event_type").to_list()})
    to = covered if isinstance(covered, datetime) else _midnight(covered) + timedelta(1)
    start = None if since is None else _midnight(since)
    loads = pl.DataFrame(
        {"covered_from": [start], "covered_to": [to], "read_at": [recorded_at]},
        schema=dict.fromkeys(("covered_from", "covered_to", "read_at"), pl.Datetime("us", "UTC")),
    )
    return pl.concat([stated, readings(loads, tuple(named), "test", "stream", "1", recorded_at)]).lazy()


def _midnight(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=MADRID)


def empty() -> pl.LazyFrame:
    """A log in which nothing was ever recorded."""
    from kr_definitions.events import empty_log  # noqa: PLC0415

    return empty_log()


def organisation(**changes: Any) -> Organisation:
    """An organisation in Madrid."""
    content = {
        "id": "test", "title": {"es": "Prueba", "en": "Test"},
        "zone": "Europe/Madrid", "country": "ES-MD", "currency": "EUR",
    }  # fmt: skip
    return Organisation.model_validate({**content, **changes})


def key_result(**content: Any) -> KeyResult:
    """A key result that counts deals won; give `measure`, `target`, `every` … to change it."""
    whole = {
        "id": "test.team.kr", "title": {"es": "x", "en": "x"}, "type": "outcome", "level": "team", "owner": "team",
        "measure": {"count": "deal.won"}, "target": {"value": 10}, "why": "because", **content,
    }  # fmt: skip
    if whole["type"] == "kpi":
        whole.pop("target")
    return KeyResult.model_validate(whole)


def definition(period: Mapping[str, Any] | None = None, version: str = "v1", **content: Any) -> Definition:
    """A resolved definition of `key_result(**content)` over a period (2026 without one)."""
    kr = key_result(**content)
    objective = Objective.model_validate(
        {"id": "test.team", "title": {"es": "x", "en": "x"}, "owner": "team", "period": dict(period or {"year": 2026})}
    )
    ObjectiveFile(objective=objective, key_results=(kr,))
    return Definition(kr, objective, objective.period.span(organisation().calendar), version, "test.yaml", 1)


def on(frame: pl.DataFrame, day: str, column: str = "value") -> Any:
    """One figure of one day."""
    return frame.filter(pl.col("as_of") == date.fromisoformat(day)).get_column(column).item()
