"""What Pipedrive's persons say: new potential customers, lifecycle stages, referrals.

Belongs here: which fields of a person are read, and the facts they make. Does not: fetching.

Pipedrive has no lifecycle of its own: companies keep one in a field with options, or in labels.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from kr_definitions.events import IDENTIFIED
from pipelines.decoding import problems
from pipelines.identification import fields_of as identifying
from pipelines.identification import identified
from pipelines.leads import CARRIED, leads_created, lifecycle_entered, referrals
from pipelines.pipedrive.changes import changes, has_strange_time, instant, said
from pipelines.pipedrive.declared import Field
from pipelines.pipedrive.options import PipedriveOptions, Said, fields_of
from pipelines.pipedrive.reading import OWNER, Wanted, own_fields
from pipelines.pipedrive.stored import payload_of, together
from pipelines.turns import added, in_force, once

KEPT = ("add_time", "org_id")


def feeds(options: PipedriveOptions) -> tuple[str, ...]:
    """The types of fact that persons make."""
    has_one = {
        "lifecycle.entered": options.persons.lifecycle,
        "referral.received": options.persons.referrer,
        IDENTIFIED: options.persons.identified_by,
    }
    return tuple(name for name in (*CARRIED, IDENTIFIED) if has_one.get(name, True))


def attributes(options: PipedriveOptions) -> dict[str, Said]:
    """Attribute of an event -> the field that says it."""
    given = {name: getattr(options.persons, name) for name in CARRIED["lead.created"]}
    return {name: attribute for name, attribute in given.items() if attribute is not None}


def said_by(options: PipedriveOptions) -> tuple[Said, ...]:
    """The fields that the options name with what their options mean."""
    lifecycle = options.persons.lifecycle
    return (*attributes(options).values(), *((lifecycle,) if lifecycle else ()))


def declared(options: PipedriveOptions) -> tuple[str, ...]:
    """The fields that the options name."""
    return fields_of(*said_by(options), options.persons.referrer)


def named(options: PipedriveOptions) -> tuple[str, ...]:
    """The same, and those that identify a customer, of which no history is read."""
    return tuple(dict.fromkeys((*declared(options), *identifying(options.persons.identified_by))))


def wanted(options: PipedriveOptions, fields: Mapping[str, Field]) -> Wanted:
    """What is read of a person. Where no field is declared, nothing of a person changes that a fact says."""
    known = options.persons.identified_by
    return Wanted(
        "persons",
        KEPT,
        {**{name: fields[name] for name in declared(options)}, **own_fields(OWNER)},
        has_histories=bool(declared(options)),
        identified_by=known,
        identifying={name: fields[name] for name in identifying(known)},
    )


def payload(options: PipedriveOptions) -> pl.Struct:
    """The shape of a stored person."""
    names = dict.fromkeys((OWNER, *declared(options)))
    return payload_of(KEPT, names, has_histories=True, is_identified=bool(options.persons.identified_by))


def facts(records: pl.LazyFrame, options: PipedriveOptions) -> pl.LazyFrame:
    """Facts of persons, and the problem of each that cannot be understood."""
    persons = once(together(records)).with_columns(created_at=instant(pl.col("add_time")))
    entered = _stages(persons, options)
    found = [leads_created(entered, options.persons.new_customer_stages)]
    if options.persons.lifecycle is not None:
        found.append(lifecycle_entered(entered))
    if options.persons.referrer is not None:
        found.append(referrals(changes(persons, options.persons.referrer)))
    stated = in_force(pl.concat(found, how="diagonal"), changes(persons, OWNER), "actor")
    for name, attribute in attributes(options).items():
        types = [type_ for type_, carried in CARRIED.items() if name in carried]
        value = pl.when(pl.col("event_type").is_in(types)).then(said(attribute, pl.col(name)))
        stated = in_force(stated, changes(persons, attribute.field), name).with_columns(value.alias(name))
    if options.persons.identified_by:
        stated = pl.concat([stated, identified(persons, "contact")], how="diagonal")
    if options.account == "organization":
        whose = persons.select("record_key", account_id=options.customer)
        stated = stated.drop("account_id").join(whose, on="record_key", how="left")
    url = pl.lit(options.record_url("person")) + pl.col("record_key")
    stated = stated.with_columns(subject_id=pl.col("record_key"), source_url=url)
    strange = problems(
        persons,
        (pl.col("strange").is_not_null(), pl.col("strange")),
        (pl.col("created_at").is_null(), "add_time is not a time"),
        *(
            (has_strange_time(name), f"the history of {name} has an entry without a time")
            for name in (OWNER, *declared(options))
        ),
    )
    return pl.concat([stated, strange], how="diagonal")


def _stages(persons: pl.LazyFrame, options: PipedriveOptions) -> pl.LazyFrame:
    """Each lifecycle stage that somebody entered; of labels, each that somebody was given."""
    lifecycle = options.persons.lifecycle
    if lifecycle is None:
        first = pl.lit(options.persons.new_customer_stages[0])
        return persons.select("record_key", occurred_at="created_at", lifecycle=first, account_id="record_key")
    return added(changes(persons, lifecycle.field)).select(
        "record_key", occurred_at="at", lifecycle=said(lifecycle, pl.col("value")), account_id="record_key"
    )
