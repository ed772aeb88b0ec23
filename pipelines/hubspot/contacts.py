"""What HubSpot's contacts say: new potential customers, lifecycle stages, referrals.

Belongs here: which properties of a contact are read, and the facts they make. Does not: fetching.
"""

from __future__ import annotations

import polars as pl

from kr_definitions.events import IDENTIFIED
from pipelines.decoding import problems
from pipelines.hubspot.changes import changes, current, has_strange_time, instant
from pipelines.hubspot.options import HubSpotOptions, Said, properties_of
from pipelines.hubspot.reading import Wanted
from pipelines.identification import fields_of, identified
from pipelines.leads import CARRIED, leads_created, lifecycle_entered, referrals
from pipelines.turns import in_force, once, with_attributes

LIFECYCLE = "lifecyclestage"
OWNER = "hubspot_owner_id"
TYPE_ID = "0-1"


def feeds(options: HubSpotOptions) -> tuple[str, ...]:
    """The types of fact that contacts make."""
    own = tuple(CARRIED) if options.contacts.referrer else ("lead.created", "lifecycle.entered")
    return (*own, IDENTIFIED) if options.contacts.identified_by else own


def attributes(options: HubSpotOptions) -> dict[str, Said]:
    """Attribute of an event -> the property that says it."""
    given = {name: getattr(options.contacts, name) for name in CARRIED["lead.created"]}
    return {name: attribute for name, attribute in given.items() if attribute is not None}


def declared(options: HubSpotOptions) -> tuple[str, ...]:
    """The properties that the options name."""
    return properties_of(*attributes(options).values(), options.contacts.referrer)


def named(options: HubSpotOptions) -> tuple[str, ...]:
    """The same, and those that identify a customer, of which no history is read."""
    return tuple(dict.fromkeys((*declared(options), *fields_of(options.contacts.identified_by))))


def wanted(options: HubSpotOptions) -> Wanted:
    """What is read of a contact."""
    return Wanted(
        "contacts",
        properties=("createdate",),
        with_history=tuple(dict.fromkeys((LIFECYCLE, OWNER, *declared(options)))),
        associated=("companies",) if options.account == "company" else (),
        is_mergeable=True,
        identified_by=options.contacts.identified_by,
    )


def facts(records: pl.LazyFrame, options: HubSpotOptions, zone: str) -> pl.LazyFrame:
    """Facts of contacts, and the problem of each that cannot be understood."""
    created_at = pl.coalesce(instant(current("createdate"), zone), instant(pl.col("createdAt"), zone))
    contacts = once(records.with_columns(created_at=created_at))
    entered = changes(contacts, LIFECYCLE)
    stages = entered.filter(pl.col("value").is_not_null()).select(
        "record_key", occurred_at="at", lifecycle="value", account_id="record_key"
    )
    if options.account == "company":
        of_company = contacts.select("record_key", account_id=pl.col("companies").list.first())
        stages = stages.drop("account_id").join(of_company, on="record_key", how="left")
    found = [lifecycle_entered(stages), leads_created(stages, options.contacts.new_customer_stages)]
    if options.contacts.referrer:
        found.append(referrals(changes(contacts, options.contacts.referrer)))
    url = pl.lit(options.record_url(TYPE_ID)) + pl.col("record_key")
    stated = in_force(pl.concat(found, how="diagonal"), changes(contacts, OWNER), "actor")
    turned = (
        (name, changes(contacts, attribute.property), attribute.values)
        for name, attribute in attributes(options).items()
    )
    carried = {name: [type_ for type_, names in CARRIED.items() if name in names] for name in attributes(options)}
    stated = with_attributes(stated, turned, carried)
    if options.contacts.identified_by:
        stated = pl.concat([stated, identified(contacts, "contact")], how="diagonal")
    stated = stated.with_columns(subject_id=pl.col("record_key"), source_url=url)
    histories = (
        (has_strange_time(name), f"the history of {name} has an entry without a time")
        for name in wanted(options).with_history
    )
    strange = problems(contacts, (pl.col("created_at").is_null(), "createdate is not a time"), *histories)
    return pl.concat([stated, strange], how="diagonal")
