"""A company's calls, meetings, notes, tasks, mails and answers to surveys as records of a CRM.

Belongs here: which property of an activity says what. Does not: other records (`records`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial

from pipelines.sandbox.company import Activity, Company, mail_address
from pipelines.sandbox.hubspot.shown import (
    CALL_STATUS,
    DISPOSITIONS,
    MEETING,
    MEETING_OUTCOME,
    VISIT,
    Merge,
    Shown,
    last_seen,
    owner_id,
    shown,
    text_of,
    whose,
)


def _calls(company: Company, present: datetime, merged: Mapping[int, Merge]) -> Iterator[Shown]:
    for call in company.activities:
        if call.kind == "call" and call.entered_at <= present:
            outcome, modified_at = _outcome(call, last_seen(call.archived_at, present))
            properties = {
                "hs_call_title": f"Llamada con Nombre{call.contact_id}",
                "hs_timestamp": text_of(call.starts_at),
                "hs_call_direction": "OUTBOUND",
                "hubspot_owner_id": owner_id(call.agent),
                **call.says,
            }
            if outcome is not None:
                properties["hs_call_status"] = CALL_STATUS[outcome]
                properties["hs_call_disposition"] = DISPOSITIONS[outcome]
                properties["hs_call_duration"] = str(call.seconds * 1000)
            yield _activity("calls", call, modified_at, properties, merged)


def _meetings(company: Company, present: datetime, merged: Mapping[int, Merge]) -> Iterator[Shown]:
    for meeting in company.activities:
        if meeting.kind in ("visit", "meeting") and meeting.entered_at <= present:
            outcome, modified_at = _outcome(meeting, last_seen(meeting.archived_at, present))
            properties = {
                "hs_meeting_title": f"Cita con Nombre{meeting.contact_id}",
                "hs_timestamp": text_of(meeting.starts_at),
                "hs_meeting_start_time": text_of(meeting.starts_at),
                "hs_meeting_end_time": text_of(meeting.starts_at + timedelta(seconds=meeting.seconds)),
                "hs_activity_type": VISIT if meeting.kind == "visit" else MEETING,
                "hs_meeting_outcome": "SCHEDULED" if outcome is None else MEETING_OUTCOME[outcome],
                "hubspot_owner_id": owner_id(meeting.agent),
                **meeting.says,
            }
            yield _activity("meetings", meeting, modified_at, properties, merged)


def _others(
    object_type: str, kind: str, company: Company, present: datetime, merged: Mapping[int, Merge]
) -> Iterator[Shown]:
    """Notes, tasks, mails, or answers to surveys."""
    for one in company.activities:
        if one.kind == kind and one.entered_at <= present:
            outcome, modified_at = _outcome(one, last_seen(one.archived_at, present))
            properties = {
                "hs_timestamp": text_of(one.starts_at),
                "hubspot_owner_id": owner_id(one.agent),
                **_OTHER_PROPERTIES[kind](one, outcome, modified_at),
                **one.says,
            }
            yield _activity(object_type, one, modified_at, properties, merged)


def _note(one: Activity, outcome: str | None, modified_at: datetime) -> dict[str, str]:
    return {"hs_note_body": f"Nombre{one.contact_id} quiere vender", "hs_body_preview": "quiere vender"}


def _task(one: Activity, outcome: str | None, modified_at: datetime) -> dict[str, str]:
    """Due when it starts; completed when its outcome came."""
    usual = {"hs_task_subject": f"Llamar a Nombre{one.contact_id}", "hs_task_type": "TODO"}
    if outcome is None:
        return {**usual, "hs_task_status": "NOT_STARTED", "hs_task_completion_date": text_of(one.starts_at)}
    return {**usual, "hs_task_status": "COMPLETED", "hs_task_completion_date": text_of(modified_at)}


def _email(one: Activity, outcome: str | None, modified_at: datetime) -> dict[str, str]:
    return {
        "hs_email_subject": "Su piso",
        "hs_email_text": f"Hola Nombre{one.contact_id}",
        "hs_email_to_email": mail_address(one.contact_id, {}),
        "hs_email_status": "SENT" if outcome else "SCHEDULED",
        "hs_email_direction": outcome or "EMAIL",
    }


def _answer(one: Activity, outcome: str | None, modified_at: datetime) -> dict[str, str]:
    scores = {"PROMOTER": "10", "PASSIVE": "7", "DETRACTOR": "2"}
    return {
        "hs_submission_name": f"Nombre{one.contact_id}",
        "hs_content": "Marta me atendió muy bien",
        "hs_submission_timestamp": text_of(one.starts_at),
        "hs_survey_type": "NPS",
        "hs_survey_channel": "EMAIL",
        "hs_response_group": outcome or "PASSIVE",
        "hs_value": scores[outcome or "PASSIVE"],
        "hs_survey_id": str(modified_at.year),
    }


_OTHER_PROPERTIES: Mapping[str, Callable[[Activity, str | None, datetime], dict[str, str]]] = {
    "note": _note,
    "task": _task,
    "email": _email,
    "answer": _answer,
}


def _activity(
    object_type: str, one: Activity, modified_at: datetime, properties: dict[str, str], merged: Mapping[int, Merge]
) -> Shown:
    return shown(
        object_type,
        one.id,
        one.entered_at,
        modified_at,
        one.archived_at,
        properties,
        contacts=whose(one.contact_id, merged),
    )


def _outcome(one: Activity, present: datetime) -> tuple[str | None, datetime]:
    """The outcome as it is known now, and when the record was last changed."""
    known = [change for change in one.outcome if change.at <= present]
    return (known[-1].value, max(known[-1].at, one.entered_at)) if known else (None, one.entered_at)


BUILDERS: Mapping[str, Callable[[Company, datetime, Mapping[int, Merge]], Iterator[Shown]]] = {
    "calls": _calls,
    "meetings": _meetings,
    "notes": partial(_others, "notes", "note"),
    "tasks": partial(_others, "tasks", "task"),
    "emails": partial(_others, "emails", "email"),
    "feedback_submissions": partial(_others, "feedback_submissions", "answer"),
}
