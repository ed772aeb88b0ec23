"""What the org has: the kinds of record, their fields, and how they are described.

Belongs here: the schema that queries are read against, and descriptions of kinds of record. Does not: any record.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pipelines.sandbox.company import Company
from pipelines.sandbox.salesforce.names import (
    CASE_STATUSES,
    DISPOSITIONS,
    LIFECYCLE,
    MEETING,
    NUMBER,
    ORIGINS,
    RESULTS,
    STATUSES,
    VISIT,
    field_name,
    record_type,
)
from pipelines.sandbox.salesforce.soql import Sobject

_ALWAYS = {"Id": "id", "IsDeleted": "boolean", "CreatedDate": "datetime", "SystemModstamp": "datetime"}


def _typed(**names: str) -> dict[str, str]:
    """Name of a field -> its type, from the type -> the names."""
    return {name: type_ for type_, listed in names.items() for name in listed.split()}


_PERSON = _ALWAYS | _typed(
    string=f"FirstName LastName Municipio__c {NUMBER}",
    email="Email",
    phone="Phone",
    picklist="LeadSource",
    reference="OwnerId MasterRecordId",
)
_FIELDS: Mapping[str, Mapping[str, str]] = {
    "Lead": _PERSON
    | _typed(
        string="Company",
        picklist="Status",
        boolean="IsConverted",
        date="ConvertedDate",
        reference="ConvertedContactId ConvertedAccountId",
    ),
    "Contact": _PERSON | _typed(reference="AccountId", picklist=LIFECYCLE),
    "Account": _ALWAYS | _typed(string=f"Name {NUMBER}", reference="MasterRecordId"),
    "Opportunity": _ALWAYS
    | _typed(
        string="Name",
        textarea="Description",
        picklist="StageName ForecastCategory",
        currency="Amount Ponderado__c",
        date="CloseDate",
        reference="OwnerId AccountId ContactId RecordTypeId",
    ),
    "Task": _ALWAYS
    | _typed(
        string="Subject CallDisposition",
        picklist="Type TaskSubtype Status CallType",
        boolean="IsClosed IsRecurrence IsArchived",
        date="ActivityDate",
        datetime="CompletedDateTime Hora_de_llamada__c",
        double="CallDurationInSeconds",
        reference="WhoId AccountId OwnerId",
    ),
    "Event": _ALWAYS
    | _typed(
        string="Subject",
        picklist="Type Resultado__c",
        boolean="IsAllDayEvent IsChild IsRecurrence IsArchived",
        datetime="StartDateTime EndDateTime",
        reference="WhoId AccountId OwnerId",
    ),
    "Case": _ALWAYS
    | _typed(
        string="Subject",
        email="SuppliedEmail",
        picklist="Status Priority Origin",
        datetime="Primera_respuesta__c",
        reference="OwnerId AccountId ContactId MasterRecordId",
    ),
    "FieldHistory": _typed(id="Id", picklist="Field", datetime="CreatedDate", anyType="OldValue NewValue"),
    "OpportunityHistory": _typed(
        id="Id", datetime="CreatedDate", picklist="StageName ForecastCategory", currency="Amount", date="CloseDate"
    ),
    "OpportunityLineItem": _typed(
        id="Id", boolean="IsDeleted", datetime="CreatedDate", currency="TotalPrice", double="Quantity"
    ),
    "Product2": _typed(id="Id", string="Name ProductCode", picklist="Family"),
    "EntityDefinition": _typed(string="QualifiedApiName"),
    "FieldDefinition": _typed(string="QualifiedApiName", boolean="IsFieldHistoryTracked"),
    "RecordType": _typed(id="Id", string="DeveloperName"),
}
_PARENTS: Mapping[str, Mapping[str, str]] = {
    "Contact": {"Account": "Account"},
    "Opportunity": {"Account": "Account", "Contact": "Contact", "RecordType": "RecordType"},
    "Task": {"Account": "Account"},
    "Event": {"Account": "Account"},
    "Case": {"Account": "Account", "Contact": "Contact"},
    "OpportunityLineItem": {"Product2": "Product2"},
    "FieldDefinition": {"EntityDefinition": "EntityDefinition"},
}
_CHILDREN: Mapping[str, Mapping[str, str]] = {
    "Lead": {"Histories": "FieldHistory"},
    "Contact": {"Histories": "FieldHistory"},
    "Case": {"Histories": "FieldHistory"},
    "Opportunity": {
        "Histories": "FieldHistory",
        "OpportunityHistories": "OpportunityHistory",
        "OpportunityLineItems": "OpportunityLineItem",
    },
}
_KINDS = {"Lead": "contacts", "Contact": "contacts", "Opportunity": "deals", "Task": "calls", "Event": "meetings"}
"""Whose properties are fields of which kind."""
_AGENCY_STAGES = ("appointment", "offer", "reservation", "won", "lost")
FORMULAS = ("Ponderado__c",)


def schema(company: Company, *, has_currencies: bool) -> dict[str, Sobject]:
    """What can be asked of each kind of record. has_currencies: the org has several."""
    found = {}
    for name, fields in _FIELDS.items():
        own = company.crm.properties.get(_KINDS.get(name, ""), ()) if company.crm else ()
        more = {field_name(one): "picklist" for one in own if one != "hs_activity_type"}
        is_money = name in ("Opportunity", "OpportunityHistory")
        more |= {"CurrencyIsoCode": "picklist"} if has_currencies and is_money else {}
        found[name] = Sobject({**fields, **more}, _PARENTS.get(name, {}), _CHILDREN.get(name, {}))
    return found


def description(name: str, sobject: Sobject, company: Company) -> dict[str, Any]:
    """A kind of record, as Salesforce describes it."""
    crm = company.crm
    stages = [stage for one in crm.pipelines for stage in one.stages] if crm else _AGENCY_STAGES
    choices = {
        ("Lead", "Status"): tuple(STATUSES.values()),
        ("Contact", LIFECYCLE): tuple(STATUSES),
        ("Opportunity", "StageName"): tuple(dict.fromkeys(stages)),
        ("Opportunity", "ForecastCategory"): ("Omitted", "Pipeline", "BestCase", "Forecast", "Closed"),
        ("Case", "Priority"): ("low", "normal", "high", "urgent"),
        ("Case", "Origin"): tuple(ORIGINS.values()),
        ("Task", "CallDisposition"): tuple(DISPOSITIONS.values()),
        ("Event", "Type"): crm.activity_types if crm else (VISIT, MEETING),
        ("Event", "Resultado__c"): tuple(RESULTS.values()),
        ("Case", "Status"): tuple(CASE_STATUSES.values()),
    }
    types = [record_type(one.id) for one in crm.pipelines] if crm else ["Default"]
    return {
        "name": name,
        "fields": [
            {
                "name": field,
                "label": field,
                "type": type_,
                "calculated": field in FORMULAS,
                "picklistValues": [
                    {"value": value, "label": value, "active": True, "defaultValue": False}
                    for value in choices.get((name, field), ())
                ],
            }
            for field, type_ in sobject.fields.items()
        ],
        "recordTypeInfos": [
            {"developerName": one, "name": one, "active": True, "master": one == "Master"} for one in (*types, "Master")
        ],
    }


def field_definitions(schema: Mapping[str, Sobject], untracked: Collection[str]) -> list[dict[str, Any]]:
    """Every field of every kind, and whether its history is tracked. untracked: as `Lead.Status`."""
    return [
        {
            "EntityDefinition": {"QualifiedApiName": name},
            "EntityDefinition.QualifiedApiName": name,
            "QualifiedApiName": field,
            "IsFieldHistoryTracked": f"{name}.{'Owner' if field == 'OwnerId' else field}" not in untracked,
        }
        for name, sobject in schema.items()
        for field in sobject.fields
    ]
