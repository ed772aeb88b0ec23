"""The shapes of HubSpot's answers: records, histories, associations, pages, definitions.

Belongs here: how a record is written down. Does not: which records are answered (`__init__`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pipelines.sandbox.company import Crm, Pipeline
from pipelines.sandbox.hubspot.shown import (
    CAPTURED,
    KEPT,
    LISTINGS_PIPELINE,
    MEETING,
    MODIFIED,
    MOST_KEPT,
    SALES_PIPELINE,
    STAGES,
    VISIT,
    Shown,
    owner_id,
    text_of,
)

ASSOCIATION_PAGE = 100
CREATED = {"contacts": "createdate", "companies": "createdate", "deals": "createdate"}
"""Name of the creation; `hs_createdate` for the other types."""
SHOWN_UNASKED = {
    "contacts": ("firstname", "lastname", "email"),
    "deals": ("dealname", "amount", "dealstage", "pipeline"),
}
DECLARED = {
    "contacts": (
        *("firstname", "lastname", "email", "phone", "lifecyclestage", "hubspot_owner_id"),
        *("canal_de_entrada", "municipio", "cliente_que_recomienda"),
    ),
    "deals": (
        *("dealname", "dealstage", "pipeline", "amount", "deal_currency_code", "hubspot_owner_id", "municipio"),
        *("tipo_de_mandato", "portales", "tipo_de_inmueble", "fecha_de_captacion"),
    ),
    "calls": ("hs_timestamp", "hs_call_status", "hs_call_disposition", "hs_call_duration", "hs_activity_type"),
    "meetings": (
        "hs_timestamp",
        "hs_meeting_start_time",
        "hs_meeting_end_time",
        "hs_meeting_outcome",
        "hs_activity_type",
    ),
    "companies": ("name", "domain", "phone"),
    "line_items": ("name", "hs_sku", "description"),
    "notes": ("hs_timestamp", "hs_note_body"),
    "tasks": ("hs_timestamp", "hs_task_status", "hs_task_type", "hs_task_completion_date"),
    "emails": ("hs_timestamp", "hs_email_status", "hs_email_direction", "hs_email_subject"),
    "feedback_submissions": ("hs_submission_timestamp", "hs_response_group", "hs_value", "hs_content"),
}
CHOICES = {
    "lifecyclestage": ("subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer"),
    "hs_activity_type": (VISIT, MEETING),
}
AGENCY_PIPELINES = (
    Pipeline(SALES_PIPELINE, "Ventas", tuple(STAGES.values())),
    Pipeline(LISTINGS_PIPELINE, "Captaciones", (CAPTURED,)),
)
BEGINNING = "2020-01-01T00:00:00.000Z"


def record(type_: str, one: Shown, names: Sequence[str], histories: Sequence[str]) -> dict[str, Any]:
    """A record with the properties that were asked for, those without a value included."""
    always = (CREATED.get(type_, "hs_createdate"), MODIFIED.get(type_, "hs_lastmodifieddate"), "hs_object_id")
    asked = names or SHOWN_UNASKED.get(type_, ())
    found: dict[str, Any] = {
        "id": str(one.id),
        "properties": {name: one.properties.get(name) for name in (*always, *asked, *histories)},
        "createdAt": text_of(one.created_at),
        "updatedAt": text_of(one.modified_at),
        "archived": False,
    }
    if histories:
        found["propertiesWithHistory"] = {
            name: [_entry(change.at, change.value) for change in reversed(changes)]
            for name in histories
            if (changes := one.changes(name, KEPT.get(type_, MOST_KEPT)))
        }
    return found


def _entry(at: datetime, value: str) -> dict[str, Any]:
    return {
        "value": value,
        "timestamp": text_of(at),
        "sourceType": "CRM_UI",
        "sourceId": "userId:7",
        "sourceLabel": "Nombre7 Apellido7",
        "updatedByUserId": 7,
    }


def page(results: Sequence[Any], after: str | None, path: str) -> dict[str, Any]:
    """A page, and where the next one begins if there is one."""
    if after is None:
        return {"results": results}
    return {"results": results, "paging": {"next": {"after": after, "link": f"{path}?after={after}"}}}


def associations_page(
    type_: str, to: str, ids: Sequence[int], start: int, path: str, *, is_dated: bool
) -> dict[str, Any]:
    """A page of a record's associations; the dated endpoints for associations write them in a way of their own."""
    following = start + ASSOCIATION_PAGE
    if is_dated:
        kinds = [{"category": "HUBSPOT_DEFINED", "typeId": 1, "label": "Primary" if to == "companies" else None}]
        results: list[dict[str, Any]] = [
            {"toObjectId": str(id_), "associationTypes": kinds} for id_ in ids[start:following]
        ]
    else:
        results = [{"id": str(id_), "type": f"{_one(type_)}_to_{_one(to)}"} for id_ in ids[start:following]]
    return page(results, str(following) if following < len(ids) else None, path)


def _one(type_: str) -> str:
    return "company" if type_ == "companies" else type_[:-1]


def owner(agent: str, *, is_archived: bool) -> dict[str, Any]:
    """A user who owns records; one who has left keeps their address in other letters."""
    address = f"{agent}@agencia.example"
    return {
        "id": owner_id(agent),
        "email": address.upper() if is_archived else address,
        "firstName": agent.title(),
        "lastName": "Apellido",
        "userId": 7,
        "createdAt": BEGINNING,
        "updatedAt": BEGINNING,
        "archived": is_archived,
    }


def property_definitions(type_: str, crm: Crm | None = None) -> list[dict[str, Any]]:
    """The properties that records of a type have: those of an agency, and those that somebody else has set up."""
    own = crm.properties.get(type_, ()) if crm else ()
    choices = CHOICES | ({"hs_activity_type": crm.activity_types} if crm else {})
    return [
        {
            "name": name,
            "label": name,
            "type": "enumeration" if name in choices else "string",
            "fieldType": "select" if name in choices else "text",
            "groupName": f"{type_}information",
            "options": [
                {"label": value, "value": value, "displayOrder": place, "hidden": False}
                for place, value in enumerate(choices.get(name, ()))
            ],
        }
        for name in dict.fromkeys((*DECLARED[type_], *own))
    ]


def pipeline_definitions(crm: Crm | None = None) -> list[dict[str, Any]]:
    """The deal pipelines: of an agency, one for sales and one for listings; or those that somebody else has set up."""
    shared = {"archived": False, "createdAt": BEGINNING, "updatedAt": BEGINNING}
    return [
        {
            "id": pipeline.id,
            "label": pipeline.label,
            "displayOrder": place,
            "stages": [
                {"id": stage, "label": stage, "displayOrder": n, "metadata": {"probability": "0.5"}, **shared}
                for n, stage in enumerate(pipeline.stages)
            ],
            **shared,
        }
        for place, pipeline in enumerate(crm.pipelines if crm else AGENCY_PIPELINES)
    ]
