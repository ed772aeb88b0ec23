"""Whether what the options name is there: properties, their values, pipelines and stages of the account.

Belongs here: asking the account for its own words before its records are read. Does not: the records.

HubSpot ignores the name of a property that it does not have, and a stage that is not there is never entered: a slip of
the pen would count nothing for a whole quarter, without an error.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from pipelines.hubspot.api import Api
from pipelines.hubspot.options import HubSpotOptions, Said
from pipelines.naming import require_known


def require_properties(
    api: Api, object_type: str, names: Iterable[str], values: Mapping[str, Collection[str]] | None = None
) -> None:
    """Raises `SourceConfigError` for a property that the account does not have, or a value that one does not allow."""
    wanted = {name: given for name, given in (values or {}).items() if given}
    named = list(names)
    if not named and not wanted:
        return
    allowed = api.property_values(object_type)
    require_known(api.source, f"{object_type} have no property", named, allowed)
    for name, given in wanted.items():
        if allowed.get(name):
            require_known(api.source, f"{name} of {object_type} has no value", given, allowed[name])


def named_values(
    said: Iterable[Said | None], own: Mapping[str, Iterable[str]] | None = None
) -> dict[str, tuple[str, ...]]:
    """The values that the options name, by property: those of attributes that they call otherwise, and others."""
    found = {name: tuple(values) for name, values in (own or {}).items()}
    for one in said:
        if one is not None:
            found[one.property] = (*found.get(one.property, ()), *one.values)
    return found


def require_stages(api: Api, options: HubSpotOptions) -> None:
    """Raises `SourceConfigError` for a deal pipeline that the account does not have, or a stage that one does not."""
    stages = api.deal_stages()
    named: list[tuple[str, tuple[str, ...]]] = [
        *((one.pipeline, (*one.won, *one.lost, *one.stages)) for one in options.sales),
        *((one.pipeline, one.captured) for one in options.listings),
    ]
    for pipeline, wanted in named:
        require_known(api.source, "there is no deal pipeline", [pipeline], stages)
        require_known(api.source, f"deal pipeline {pipeline} has no stage", wanted, stages[pipeline])
