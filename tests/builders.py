"""Builders that hide what does not matter to a test: events, logs, definitions, organisations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from kr_definitions.catalogue import Definition
from kr_definitions.compute import compute
from kr_definitions.declarations import KeyResult, Objective, ObjectiveFile
from kr_definitions.events import empty_log, facts_frame
from kr_definitions.meaning import meaning
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
        "occurred_at": at.astimezone(UTC),
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


def definition(
    period: Mapping[str, Any] | None = None,
    of: Organisation | None = None,
    folder: Path | None = None,
    **content: Any,
) -> Definition:
    """A resolved definition of `key_result(**content)` over a period (2026 without one) of an organisation.

    A period that an event names is the key result's own, and is left to be looked up.
    """
    whose = of or organisation()
    is_named = period is not None and not {"from_event", "month_of"}.isdisjoint(period)
    kr = key_result(**content, **({"period": dict(period)} if is_named and period else {}))
    said = {"year": 2026} if is_named or period is None else dict(period)
    objective = Objective.model_validate(
        {"id": "test.team", "title": {"es": "x", "en": "x"}, "owner": "team", "period": said}
    )
    ObjectiveFile(objective=objective, key_results=(kr,))
    span = None if is_named else objective.period.span(whose.calendar)
    return Definition(kr, objective, span, meaning(kr, objective, span, whose, folder), "test.yaml", 1, folder)


def figures(
    events: Iterable[Mapping[str, Any]],
    through: str = "2026-12-31",
    zone: str = "Europe/Madrid",
    covered: str | None = "2027-12-31",
    since: str | None = None,
    of: Mapping[str, Any] | None = None,
    **declared: Any,
) -> pl.DataFrame:
    """The figures of one key result over a log that has been read completely, or as `covered` and `since` say.

    of: what is particular to the organisation. declared: as of `definition`.
    """
    whose = organisation(**{"zone": zone, **(of or {})})
    kr = definition(of=whose, **declared)
    read = log(events, covered=covered, since=since, types=kr.types)
    return compute([kr], whose, read, date.fromisoformat(through))


def value(day: str, events: Iterable[Mapping[str, Any]], column: str = "value", **declared: Any) -> Any:
    """One figure of one day, computed on it."""
    return on(own(figures(events, through=day, **declared)), day, column)


def row(day: str, events: Iterable[Mapping[str, Any]], *columns: str, **declared: Any) -> tuple[Any, ...]:
    """Some figures of one day, computed on it."""
    found = own(figures(events, through=day, **declared))
    return tuple(on(found, day, column) for column in columns)


def own(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of the whole, without those of members, parts, guardrails and other windows."""
    return frame.filter(pl.col("member").is_null())


def of_member(frame: pl.DataFrame, member: str) -> pl.DataFrame:
    """The rows of one member, part, guardrail or window."""
    return frame.filter(pl.col("member") == member)


def on(frame: pl.DataFrame, day: str, column: str = "value") -> Any:
    """One figure of one day."""
    return frame.filter(pl.col("as_of") == date.fromisoformat(day)).get_column(column).item()
