"""Results of an estate agency as a run leaves them, for tests of what is made of them: believable, and the same always.

Fourteen key results over the year up to a day in November, most of them met anew in each window. YouTube was never
read, the flyers' last row was held back by a check, the survey has a week that is not known, and the last run
corrected two days.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import polars as pl
from agency_kinds import KINDS, OBJECTIVES, Kind

from assets.publication import Publication, Results
from assets.publication.results import EVENTS_SCHEMA, FINDINGS_SCHEMA, RESTATEMENT_EVENTS_SCHEMA
from kr_definitions.check_ins import CHECK_INS_SCHEMA
from kr_definitions.history import HISTORY_SCHEMA, KEY_RESULTS_SCHEMA, OBJECTIVES_SCHEMA
from kr_definitions.objective_history import OBJECTIVE_HISTORY_SCHEMA
from kr_definitions.organisation import Organisation, Title
from kr_definitions.periods import Calendar, Span, windows
from kr_definitions.seals import STANDING_SCHEMA
from pipelines.aside import QUARANTINE_SCHEMA
from pipelines.load import LOADS_SCHEMA

ORGANISATION = Organisation(
    id="inmobiliaria",
    title=Title(es="Agencia inmobiliaria", en="Estate agency"),
    zone="Europe/Madrid",
    country="ES-MD",
    currency="EUR",
)
YEAR = Span(date(2026, 1, 1), date(2026, 12, 31))
LAST_DAY = date(2026, 11, 20)
RAN_AT = datetime(2026, 11, 21, 4, 0, 12, tzinfo=UTC)
RUN, RUN_BEFORE = "run-0325", "run-0324"

_DAY = timedelta(days=1)
_CALENDAR = Calendar("ES-MD")


def publication(**changes: Any) -> Publication:
    """The publication of the last run; changes are made to the agency's results."""
    return Publication(RUN, RAN_AT + timedelta(seconds=41), [replace(results(), **changes)])


@cache
def results() -> Results:
    """The agency's results after the last run."""
    rows = [row for kind in KINDS for row in _rows(kind)]
    history = pl.DataFrame([*rows, *_restated(rows)], schema=dict(HISTORY_SCHEMA))
    return Results(
        organisation=ORGANISATION,
        key_results=pl.DataFrame([declared(kind) for kind in KINDS], schema=dict(KEY_RESULTS_SCHEMA)),
        history=history,
        contributions=pl.DataFrame([_event()], schema=dict(EVENTS_SCHEMA)),
        restatement_events=pl.DataFrame([_mover(history)], schema=dict(RESTATEMENT_EVENTS_SCHEMA)),
        objectives=pl.DataFrame(_objectives(rows), schema=dict(OBJECTIVES_SCHEMA)),
        objective_history=_told_of_objectives(rows),
        findings=pl.DataFrame([_finding()], schema=dict(FINDINGS_SCHEMA)),
        loads=pl.DataFrame(_loads(), schema=dict(LOADS_SCHEMA)),
        quarantine=pl.DataFrame(_quarantine(), schema=dict(QUARANTINE_SCHEMA)),
        set_aside=pl.DataFrame(_quarantine(), schema=dict(QUARANTINE_SCHEMA)),
        feeds={kind.id: kind.feeds for kind in KINDS},
        check_ins=pl.DataFrame(_check_ins(rows), schema=dict(CHECK_INS_SCHEMA)),
        seals=pl.DataFrame(_seals(), schema=dict(STANDING_SCHEMA)),
    )


def _told_of_objectives(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Each day of an objective as it was told the morning after, and never moved."""
    figures = pl.DataFrame(_objectives(rows), schema=dict(OBJECTIVES_SCHEMA))
    told = [
        {**row, "recorded_at": _morning_after(row["as_of"]), "is_withdrawn": False, "is_restatement": False}
        for row in figures.to_dicts()
    ]
    schema = dict(OBJECTIVE_HISTORY_SCHEMA)
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in told], schema=schema)


def _event() -> dict[str, Any]:
    """A property that was taken on, and counts to the end of its month."""
    return {
        "key_result_id": "inmobiliaria.ventas.captaciones", "first_day": date(2026, 11, 18),
        "last_day": date(2026, 11, 30), "event_id": "e1", "numerator": Decimal(1), "event_type": "listing.captured",
        "occurred_at": datetime(2026, 11, 18, 10, tzinfo=UTC), "known_since": _morning_after(date(2026, 11, 18)),
        "subject_id": "1", "source": "hubspot", "source_url": "https://app.hubspot.com/contacts/1/record/0-3/1",
    }  # fmt: skip


def _mover(history: pl.DataFrame) -> dict[str, Any]:
    """The same property, as what moved a day that had been reported."""
    restated = history.filter("is_restatement").row(0, named=True)
    return {
        **_event(), "key_result_id": restated["key_result_id"], "first_day": restated["as_of"],
        "last_day": restated["as_of"], "change": "entered", "cause": "late_event", "numerator_change": Decimal(1),
        "recorded_at": restated["recorded_at"], "run_id": restated["run_id"],
    }  # fmt: skip


def _check_ins(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Somebody knew on 18 November of two properties more than are entered."""
    on = date(2026, 11, 18)
    said = {
        "checked_in_on": on, "checked_in_at": _morning_after(on), "checked_in_by": "3f2a9c", "confidence": 0.7,
        "note": "Dos encargos firmados, aún sin subir", "stated_value": 17.0, "stated_progress": 0.97,
        "stated_status": "at_risk", "source": "check_ins", "recorded_at": _morning_after(on),
    }  # fmt: skip
    of_days = [row for row in rows if row["key_result_id"].endswith("captaciones") and row["as_of"] >= on]
    figures = ("key_result_id", "as_of", "value", "progress", "status")
    return [{**said, **{name: row[name] for name in figures}} for row in of_days]


def _seals() -> list[dict[str, Any]]:
    """The year before was closed in January; an invoice of it was declared void since."""
    sealed = {
        "objective_id": "inmobiliaria.empresa", "period_start": date(2025, 1, 1), "period_end": date(2025, 12, 31),
        "as_of": date(2025, 12, 31), "definition_version": "1.0", "sealed_value": 412_350.4, "sealed_target": 400_000.0,
        "sealed_progress": 1.03, "sealed_score": 1.0, "sealed_status": "achieved", "is_provisional": False,
        "sealed_at": datetime(2026, 1, 12, 9, tzinfo=UTC), "sealed_by": "direccion", "value": 399_120.0,
        "target": 400_000.0, "progress": 0.9978, "score": 0.9978, "status": "missed", "moved_since_seal": True,
    }  # fmt: skip
    return [{**sealed, "key_result_id": "inmobiliaria.facturacion"}, {**sealed, "note": "Revisión de enero"}]


def declared(kind: Kind) -> dict[str, Any]:
    """A key result as `KEY_RESULTS_SCHEMA` has it."""
    return {
        "key_result_id": kind.id,
        "objective_id": kind.objective,
        "organisation": ORGANISATION.id,
        "title_es": kind.title.es,
        "title_en": kind.title.en,
        "type": kind.type,
        "level": "team",
        "owner": "equipo-ventas",
        "unit": kind.unit,
        "every": kind.every,
        "period_start": YEAR.first,
        "period_end": YEAR.last,
        "target_text": kind.extra.get("target_text", f"{kind.target:g}" if kind.target else None),
        "direction": kind.direction,
        "supports": "inmobiliaria.facturacion",
        "why": "Más actividad, más ventas.",
        "measure_text": "number of deal.won",
        "definition_hash": "5f2c",
        "definition_file": f"kr_definitions/inmobiliaria/{kind.objective.split('.')[1]}.yaml:12",
    }


def _rows(kind: Kind) -> list[dict[str, Any]]:
    """A row for each day of the year so far, recorded the morning after it."""
    last = LAST_DAY - _DAY if kind.id.endswith("buzoneo") else LAST_DAY
    rows: list[dict[str, Any]] = []
    spans = windows(kind.every, YEAR, _CALENDAR) if kind.every else [YEAR]
    met: list[float] = []
    for number in range((last - YEAR.first).days + 1):
        day = YEAR.first + number * _DAY
        held = [span for span in spans if span.first <= day]
        if not held:
            continue
        rows.append(_row(kind, day, held[-1], met))
    return rows


def _row(kind: Kind, day: date, window: Span, met: list[float]) -> dict[str, Any]:
    value = kind.value(min(day, window.last), window)
    of_window = _progress(kind, value)
    if kind.every and day == window.last and of_window is not None:
        met.append(min(of_window, 1.0))
    elapsed = ((day - YEAR.first).days + 1) / YEAR.days
    in_window = min(((day - window.first).days + 1) / window.days, 1.0)
    progress = _whole(kind, of_window, met, 0.0 if day >= window.last else in_window)
    expected = 1.0 if kind.every or kind.direction == "at_least" else elapsed
    fraction = {"numerator": value}
    if kind.unit == "share" and value is not None:
        fraction = {"numerator": round(value * 200), "denominator": 200}
    return {
        "key_result_id": kind.id,
        "as_of": day,
        "window_start": window.first,
        "window_end": window.last,
        "value": value,
        **{name: None if figure is None else Decimal(str(figure)) for name, figure in fraction.items()},
        "events": None if value is None else int(value),
        "baseline": kind.extra.get("baseline"),
        "start": kind.start,
        "target": kind.target,
        "progress": progress,
        "expected": expected,
        "window_progress": of_window if kind.every else None,
        "window_expected": in_window if kind.every else None,
        "windows_met": sum(part >= 1 for part in met) if kind.every else None,
        "windows_closed": len(met) if kind.every else None,
        "status": _status(progress, expected),
        "score": None if progress is None else min(max(progress, 0.0), 1.0),
        "forecast": None if value is None or kind.unit == "share" else value / in_window,
        "is_provisional": day > LAST_DAY - 3 * _DAY,
        "edition": 1,
        "definition_version": "1.0",
        "is_withdrawn": False,
        "recorded_at": _morning_after(day),
        "run_id": RUN if day == LAST_DAY else RUN_BEFORE if day == LAST_DAY - _DAY else f"run-{day:%j}",
        "quality": "passed",
        "is_restatement": False,
    }


def _progress(kind: Kind, value: float | None) -> float | None:
    if value is None or kind.target is None:
        return None
    if kind.direction == "at_least":
        return float(value >= kind.target)
    return (value - kind.start) / (kind.target - kind.start)


def _whole(kind: Kind, of_window: float | None, met: list[float], elapsed: float) -> float | None:
    if not kind.every or of_window is None:
        return of_window
    of_open = elapsed * min(of_window / elapsed, 1.0) if elapsed else 0.0
    return (sum(met) + of_open) / (len(met) + elapsed) if met or elapsed else None


def _status(progress: float | None, expected: float) -> str:
    if progress is None:
        return "no_data"
    return "on_track" if progress >= expected else "at_risk" if progress >= expected - 0.25 else "off_track"


def _morning_after(day: date) -> datetime:
    return RAN_AT - (LAST_DAY - day)


def _restated(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last run took one property off a day of last week, and added a sale to yesterday's month."""
    changes = {
        ("inmobiliaria.ventas.captaciones", date(2026, 11, 12)): (-1.0, "deletion"),
        ("inmobiliaria.ventas.operaciones", date(2026, 11, 19)): (1.0, "late_event"),
    }
    found = []
    for row in rows:
        if change := changes.get((row["key_result_id"], row["as_of"])):
            by, cause = change
            found.append(
                {
                    **row,
                    "value": row["value"] + by,
                    "numerator": row["numerator"] + Decimal(int(by)),
                    "recorded_at": RAN_AT,
                    "run_id": RUN,
                    "previous_value": row["value"],
                    "is_restatement": True,
                    "cause": cause,
                }
            )
    return found


def _objectives(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    order = ("off_track", "no_data", "at_risk", "on_track")
    made = []
    for name, title in OBJECTIVES.items():
        ids = [kind.id for kind in KINDS if kind.objective == name]
        for number in range((LAST_DAY - YEAR.first).days + 1):
            day = YEAR.first + number * _DAY
            of_day = (
                [row for row in rows if row["as_of"] == day and row["key_result_id"] in ids] if number > 320 else []
            )
            if not of_day:
                continue
            known = [row["progress"] for row in of_day]
            made.append(
                {
                    "objective_id": name,
                    "organisation": ORGANISATION.id,
                    "title_es": title.es,
                    "title_en": title.en,
                    "owner": "direccion",
                    "supports": None if name.endswith("empresa") else "inmobiliaria.empresa",
                    "period_start": YEAR.first,
                    "period_end": YEAR.last,
                    "as_of": day,
                    "progress": None if None in known else sum(known) / len(known),
                    "expected": sum(row["expected"] for row in of_day) / len(of_day),
                    "status": min((row["status"] for row in of_day), key=order.index),
                    "key_results": len(of_day),
                    "in_force": len(of_day),
                }
            )
    return made


def _finding() -> dict[str, Any]:
    return {
        "organisation": ORGANISATION.id,
        "run_id": RUN,
        "recorded_at": RAN_AT,
        "check": "computed_progress.quantity_is_in_range",
        "severity": "critical",
        "says": "numerator is 0 or more.",
        "found": "inmobiliaria.ventas.buzoneo 2026-11-20 (numerator -20), of 14 checked",
        "do": "Look at the sheet's row of that day",
        "key_results": "inmobiliaria.ventas.buzoneo",
        "failed": 1,
        "checked": 14,
        "is_crash": False,
    }


def _loads() -> list[dict[str, Any]]:
    def load(source: str, stream: str, delivered: int, inserted: int, failure: str | None = None) -> dict[str, Any]:
        return {
            "source": source,
            "stream": stream,
            "delivered": delivered,
            "inserted": inserted,
            "duplicates": delivered - inserted,
            "covered_from": None,
            "covered_to": None if failure else RAN_AT,
            "cursor": "opaque",
            "failure": failure,
            "recorded_at": RAN_AT,
            "run_id": RUN,
        }

    before = {"recorded_at": RAN_AT - _DAY, "covered_to": RAN_AT - _DAY, "run_id": RUN_BEFORE}
    earlier = [
        {**load(source, stream, delivered, inserted), **before}
        for source, stream, delivered, inserted in (("crm", "deals", 40, 31), ("zendesk", "surveys", 12, 12))
    ]
    return [
        *earlier,
        load("crm", "deals", 47, 38),
        load("crm", "calls", 1_204, 1_131),
        load("billing", "invoices", 6, 6),
        load("zendesk", "surveys", 19, 14),
        load("hojas", "buzoneo", 46, 1),
        load(
            "youtube",
            "videos",
            0,
            0,
            "youtube: sources.inmobiliaria.youtube.api_key is missing. Set it in .dlt/secrets.toml",
        ),
    ]


def _quarantine() -> list[dict[str, Any]]:
    return [
        {
            "source": "crm",
            "stream": "calls",
            "record_key": f"call/{number}",
            "problem": "duration: found 'abc', which is not a number",
            "recorded_at": RAN_AT,
            "run_id": RUN,
        }
        for number in (8811, 8812)
    ]
