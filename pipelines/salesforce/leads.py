"""What Salesforce's leads and contacts say: new potential customers, and the stages of their lives.

Belongs here: which fields of them are read, and the facts they make. Does not: fetching.

A lead that is converted becomes a contact, and is the same person: its facts are the person's. A contact states the
stages that its own field says, and what it became as a lead, its lead does: so a stage that it had been in as a lead is
not stated again where the conversion made the contact with it, and nobody becomes a potential customer twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import polars as pl

from kr_definitions.events import IDENTIFIED
from pipelines.decoding import problems
from pipelines.identification import fields_of as identifying
from pipelines.identification import identified
from pipelines.salesforce.changes import changes, date_of, entries_of, has_strange_time, instant
from pipelines.salesforce.customers import Customers
from pipelines.salesforce.options import Contacts, Leads, People, Said, SalesforceOptions, fields_of
from pipelines.salesforce.reading import LEAD_HISTORY, LEAD_STATUS, OWNER, Wanted
from pipelines.turns import in_force, with_attributes

FEEDS = ("lead.created", "lifecycle.entered")
CARRIED = {
    "channel": FEEDS,
    "segment": FEEDS,
    "market": FEEDS,
    "industry": ("lead.created",),
    "campaign": ("lead.created",),
}
STATUS = LEAD_STATUS

_DAY = timedelta(days=1)


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
    tracked, customers = fields_of(*attributes(leads).values()), Customers(options)
    return Wanted(
        "Lead",
        fields=("OwnerId", STATUS, *tracked),
        whose=customers.of_lead(),
        tracked=(OWNER, STATUS, *tracked),
        moved=customers.moved("Lead"),
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
        was_lead=options.leads is not None,
    )


def lead_facts(records: pl.LazyFrame, options: SalesforceOptions, leads: Leads) -> pl.LazyFrame:
    """Facts of leads, and the problem of each that cannot be understood."""
    people = records.with_columns(created_at=instant(pl.col("created")))
    stages = _stages(changes(people, STATUS), leads.lifecycle)
    return _facts(people, stages, stages, options, leads, "Lead")


def contact_facts(records: pl.LazyFrame, options: SalesforceOptions, contacts: Contacts) -> pl.LazyFrame:
    """Facts of contacts, and the problem of each that cannot be understood."""
    people = records.with_columns(created_at=instant(pl.col("created")))
    names = contacts.lifecycle.values
    stages = _stages(changes(people, contacts.lifecycle.field), names, is_all=True)
    if options.leads is None:
        return _facts(people, stages, stages, options, contacts, "Contact")
    told = _told_by_leads(people, options.leads)
    entered = _not_told_again(people, stages, told)
    were_new = told.filter(pl.col("lifecycle").is_in(options.new_customer_stages)).select("record_key")
    return _facts(people, entered, entered.join(were_new, on="record_key", how="anti"), options, contacts, "Contact")


def _told_by_leads(people: pl.LazyFrame, leads: Leads) -> pl.LazyFrame:
    """The stages that contacts were in as leads: record_key, lifecycle; of those that were made by the conversion."""
    since = pl.col("created_at").dt.replace_time_zone(None) - date_of(pl.col("converted_on")).cast(pl.Datetime("us"))
    converted = people.filter(since.abs() <= 2 * _DAY)
    statuses = [
        converted.select("record_key", status="lead_status"),
        *(entries_of(converted, LEAD_HISTORY).select("record_key", status=end) for end in ("old", "new")),
    ]
    meant = pl.col("status").replace_strict(dict(leads.lifecycle), default=None, return_dtype=pl.String)
    return pl.concat(statuses).select("record_key", lifecycle=meant).drop_nulls("lifecycle").unique()


def _not_told_again(people: pl.LazyFrame, stages: pl.LazyFrame, told: pl.LazyFrame) -> pl.LazyFrame:
    """Stages without what a contact was made with, where that is a stage that it had been in as a lead."""
    made = people.select("record_key", occurred_at="created_at")
    again = stages.join(made, on=["record_key", "occurred_at"], how="semi").join(
        told, on=["record_key", "lifecycle"], how="semi"
    )
    return stages.join(again, on=["record_key", "occurred_at", "lifecycle"], how="anti", maintain_order="left")


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
    people: pl.LazyFrame,
    stages: pl.LazyFrame,
    of_new: pl.LazyFrame,
    options: SalesforceOptions,
    says: People,
    sobject: str,
) -> pl.LazyFrame:
    """of_new: the stages of those who may become potential customers by them."""
    found = pl.concat([_entered(stages, sobject), _created(of_new, options.new_customer_stages, sobject)])
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
