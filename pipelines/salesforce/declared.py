"""Whether what the options name is there: fields and their values, and record types of the org.

Belongs here: asking the org for its own words before its records are read. Does not: the records.

A field that is not there ends a query with an error, but a stage that is not there is never entered: a slip of the pen
would count nothing for a whole quarter. A formula's value changes without the record being changed, so that nobody
could say since when; and what is a person's, or a free text, is not kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from kr_definitions.vocabulary import nearest
from pipelines.salesforce.api import Api, Row
from pipelines.source import SourceConfigError

PERSONAL_TYPES = frozenset({"address", "email", "encryptedstring", "location", "phone", "reference", "textarea", "url"})


def require(
    api: Api, sobject: str, described: Row, names: Iterable[str], values: Mapping[str, Collection[str]] | None = None
) -> None:
    """Raises `SourceConfigError` for a field that the object does not have or that cannot be an attribute.

    values: of each field, those that it has to allow.
    """
    fields = {str(one["name"]): one for one in described["fields"]}
    for name in names:
        _require(api, f"{sobject} has no field", [name], fields)
        if fields[name].get("type") in PERSONAL_TYPES:
            raise _refused(api, f"{name} of {sobject} is of the type {fields[name]['type']}, which is never fetched")
        if fields[name].get("calculated"):
            raise _refused(
                api,
                f"{name} of {sobject} is a formula: Salesforce does not say when its value changes",
                "Name the field that it is calculated from in the options of organisation.yaml",
            )
    for name, given in (values or {}).items():
        allowed = [str(one["value"]) for one in fields.get(name, {}).get("picklistValues") or ()]
        if allowed:
            _require(api, f"{name} of {sobject} has no value", given, allowed)


def require_record_types(api: Api, described: Row, names: Iterable[str]) -> None:
    """Raises `SourceConfigError` for a record type that opportunities do not have."""
    known = [str(one.get("developerName")) for one in described.get("recordTypeInfos") or ()]
    _require(api, "there is no record type", names, known)


def _require(api: Api, problem: str, wanted: Iterable[str], known: Collection[str]) -> None:
    for name in wanted:
        if name not in known:
            like = ", ".join(nearest(name, known) or sorted(known)[:10])
            raise _refused(
                api,
                f"{problem} {name!r}",
                f"Correct it in the options of organisation.yaml, or let the user see it; there is {like}",
            )


def _refused(
    api: Api, found: str, do: str = "Name another field in the options of organisation.yaml"
) -> SourceConfigError:
    return SourceConfigError(api.source, found, do)
