"""What Salesforce's leads and contacts say: new potential customers, and the stages of their lives.

Belongs here: which fields of them are read, and the facts they make. Does not: fetching.

A lead that is converted becomes a contact, and is the same person: its facts are the person's. A contact states the
stages that its own field says, and what it became as a lead, its lead does.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from kr_definitions.events import IDENTIFIED
from pipelines.identification import fields_of as identifying
from pipelines.identification import identified
from pipelines.salesforce.changes import changes, has_strange_time, in_force, instant, problems, with_attributes
from pipelines.salesforce.customers import Customers
from pipelines.salesforce.options import Contacts, Leads, People, Said, SalesforceOptions, fields_of
from pipelines.salesforce.reading import OWNER, Moved, Wanted

FEEDS = ("lead.created", "lifecycle.entered")
CARRIED = {
    "channel": FEEDS,
    "segment": FEEDS,
    "market": FEEDS,
    "industry": ("lead.created",),
    "campaign": ("lead.created",),
}
STATUS = "Status"


def feeds(people: People) -> tuple[str, ...]:
    """The types of fact that they make."""
    return (*FEEDS, *((IDENTIFIED,) if people.identified_by else ()))


def named(people: People) -> tuple[str, ...]:
    """The fields that the options name."""
    own = (people.lifecycle,) if isinstance(people, Contacts) else ()
    return fields_of(*own, *attributes(people).values(), *identifying(people.identified_by))


def attributes(people: People) -> dict[str, Said]:
    """Attribute of an event -> the field that says it."""
    given = {name: getattr(people, name) for name in CARRIED}
    return {name: attribute for name, attribute in given.items() if attribute is not None}


def wanted_leads(options: SalesforceOptions, leads: Leads) -> Wanted:
    """What is read of a lead."""
    tracked = fields_of(*attributes(leads).values())
    return Wanted(
        "Lead",
        fields=("OwnerId", STATUS, *tracked),
        whose=Customers(options).of_lead(),
        tracked=(OWNER, STATUS, *tracked),
        moved=(Moved("Contact", "MasterRecordId", "ConvertedContactId"),),
        is_mergeable=True,
        identified_by=leads.identified_by,
    )


def wanted_contacts(options: SalesforceOptions, contacts: Contacts) -> Wanted:
    """What is read of a contact."""
    tracked = fields_of(contacts.lifecycle, *attributes(contacts).values())
    customers = Customers(options)
    return Wanted(
        "Contact",
        fields=("OwnerId", *tracked),
        whose=customers.of_contact(),
        tracked=(OWNER, *tracked),
        moved=customers.moved("Contact"),
        is_mergeable=True,
        identified_by=contacts.identified_by,
    )


def lead_facts(records: pl.LazyFrame, options: SalesforceOptions, leads: Leads) -> pl.LazyFrame:
    """Facts of leads, and the problem of each that cannot be understood."""
    people = records.with_columns(created_at=instant(pl.col("created")))
    stages = _stages(changes(people, STATUS), leads.lifecycle)
    return _facts(people, stages, options, leads, "Lead")


def contact_facts(records: pl.LazyFrame, options: SalesforceOptions, contacts: Contacts) -> pl.LazyFrame:
    """Facts of contacts, and the problem of each that cannot be understood."""
    people = records.with_columns(created_at=instant(pl.col("created")))
    names = contacts.lifecycle.values
    stages = _stages(changes(people, contacts.lifecycle.field), names, is_all=True)
    return _facts(people, stages, options, contacts, "Contact")


def _stages(changed: pl.LazyFrame, names: Mapping[str, str], *, is_all: bool = False) -> pl.LazyFrame:
    """The lifecycle stages entered. is_all: values without another name keep their own."""
    called = (
        pl.col("value").replace(dict(names))
        if is_all
        else pl.col("value").replace_strict(dict(names), default=None, return_dtype=pl.String)
    )
    return (
        changed.with_columns(lifecycle=called)
        .filter(pl.col("lifecycle").is_not_null())
        .select("record_key", "lifecycle", occurred_at="at")
    )


def _facts(
    people: pl.LazyFrame, stages: pl.LazyFrame, options: SalesforceOptions, says: People, sobject: str
) -> pl.LazyFrame:
    found = pl.concat([_entered(stages, sobject), _created(stages, options.new_customer_stages, sobject)])
    stated = in_force(found, changes(people, "OwnerId", OWNER), "actor")
    turns = ((name, changes(people, attribute.field), attribute.values) for name, attribute in attributes(says).items())
    stated = with_attributes(stated, turns, CARRIED)
    if says.identified_by:
        known = identified(people, sobject.lower()).drop("subject_id", "account_id")
        stated = pl.concat([stated, known], how="diagonal")
    whose = people.select("record_key", subject_id="person", account_id="customer")
    stated = stated.join(whose, on="record_key", how="left").with_columns(
        source_url=pl.lit(options.record_url(sobject)) + pl.col("record_key") + "/view"
    )
    strange = problems(
        people,
        (pl.col("created_at").is_null(), "CreatedDate is not a time"),
        (has_strange_time("history"), "its history has an entry without a time"),
    )
    return pl.concat([stated, strange], how="diagonal")


def _entered(stages: pl.LazyFrame, sobject: str) -> pl.LazyFrame:
    at = pl.col("occurred_at").dt.epoch("ms")
    key = pl.format("{}/{}/lifecycle/{}/{}", pl.lit(sobject.lower()), "record_key", "lifecycle", at)
    return stages.with_columns(event_type=pl.lit("lifecycle.entered"), fact_key=key)


def _created(stages: pl.LazyFrame, new_customer_stages: tuple[str, ...], sobject: str) -> pl.LazyFrame:
    """Somebody becomes a potential customer once, however often they come back to that stage."""
    return (
        stages.filter(pl.col("lifecycle").is_in(new_customer_stages))
        .unique("record_key", keep="first", maintain_order=True)
        .with_columns(
            lifecycle=pl.lit(None, pl.String),
            event_type=pl.lit("lead.created"),
            fact_key=pl.format("{}/{}/lead", pl.lit(sobject.lower()), "record_key"),
        )
    )
