"""Whether what the options name is there: fields and their values, and record types of the org.

Belongs here: asking the org for its own words before its records are read. Does not: the records.

A field that is not there ends a query with an error, but a stage that is not there is never entered: a slip of the pen
would count nothing for a whole quarter. A formula's value changes without the record being changed, so that nobody
could say since when; and what is a person's, or a free text, is not kept. Of a field that the org does not track there
is no history: all that it ever was would be taken for what it is now. Of a multi-select picklist a history says that it
was changed, and not from what to what.

Sources of the facts: the Object Reference (StandardObjectNameHistory), the Tooling API (FieldDefinition, which users
with the permission "View Setup and Configuration" may ask).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from pipelines.naming import require_known
from pipelines.salesforce.api import Api, Row
from pipelines.source import SourceConfigError

PERSONAL_TYPES = frozenset({"address", "email", "encryptedstring", "location", "phone", "reference", "textarea", "url"})

_DO = "Correct it in the options of organisation.yaml, or let the user see it"


def has_field(described: Row, name: str) -> bool:
    """Whether an object has a field that this user may see."""
    return any(one["name"] == name for one in described["fields"])


def values_of(described: Row, name: str) -> list[str]:
    """The values that a field allows; none where it has no picklist."""
    return [
        str(value["value"])
        for one in described["fields"]
        if one["name"] == name
        for value in one.get("picklistValues") or ()
    ]


def require(
    api: Api, sobject: str, described: Row, names: Iterable[str], values: Mapping[str, Collection[str]] | None = None
) -> None:
    """Raises `SourceConfigError` for a field that the object does not have or that cannot be an attribute.

    values: of each field, those that it has to allow.
    """
    fields = {str(one["name"]): one for one in described["fields"]}
    for name in names:
        require_known(api.source, f"{sobject} has no field", [name], fields, _DO)
        if fields[name].get("type") in PERSONAL_TYPES:
            raise _refused(api, f"{name} of {sobject} is of the type {fields[name]['type']}, which is never fetched")
        if fields[name].get("type") == "multipicklist":
            raise _refused(api, f"{name} of {sobject} is a multi-select picklist: its history does not say its values")
        if fields[name].get("calculated"):
            raise _refused(
                api,
                f"{name} of {sobject} is a formula: Salesforce does not say when its value changes",
                "Name the field that it is calculated from in the options of organisation.yaml",
            )
    for name, given in (values or {}).items():
        if allowed := values_of(described, name):
            require_known(api.source, f"{name} of {sobject} has no value", given, allowed, _DO)


def require_tracked(api: Api, sobject: str, names: Iterable[str], untracked: Collection[str]) -> None:
    """Raises `SourceConfigError` for fields whose history is read and that the org does not track.

    untracked: those of which that is known, as `Lead.OwnerId`.
    """
    needed = [name for name in names if f"{sobject}.{name}" not in untracked]
    if not needed:
        return
    tracked = api.tracked(sobject)
    if missing := [f"{sobject}.{name}" for name in needed if name not in tracked]:
        raise _refused(
            api,
            f"the org does not track the history of {', '.join(missing)}: what they were before, nobody could say",
            f"Switch on Field History Tracking for {'it' if len(missing) == 1 else 'them'}; or, to take what is there "
            f"now for what has always been, name {'it' if len(missing) == 1 else 'them'} in the option `untracked`",
        )


def require_stages(api: Api, stages: Iterable[str], known: Collection[str]) -> None:
    """Raises `SourceConfigError` for a stage of new customers that no status and no value of a lifecycle means."""
    require_known(api.source, "new_customer_stages: nothing means", stages, known, _DO)


def require_record_types(api: Api, described: Row, names: Iterable[str]) -> None:
    """Raises `SourceConfigError` for a record type that opportunities do not have."""
    known = [str(one.get("developerName")) for one in described.get("recordTypeInfos") or ()]
    require_known(api.source, "there is no record type", names, known, _DO)


def _refused(
    api: Api, found: str, do: str = "Name another field in the options of organisation.yaml"
) -> SourceConfigError:
    return SourceConfigError(api.source, found, do)
