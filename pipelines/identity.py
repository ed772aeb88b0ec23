"""Links between customers, as events of the log: stated when they are found, withdrawn when they hold no longer.

Belongs here: bringing the log's links up to what it states of customers. Does not: which links follow from that
(`kr_definitions.identities`), or what a vendor knows of a customer.

A link is a fact like any other: found on a later day it is recorded on that day, and a declaration or a correction that
undoes it retracts it, so that what was known of a customer at any instant can be told.
"""

from __future__ import annotations

from datetime import datetime

import polars as pl

from kr_definitions.events import IDENTIFIED, LINKED, current, digest, facts_frame
from kr_definitions.identities import links
from kr_definitions.organisation import Organisation
from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines import event_log

NAME, STREAM = "identity", "links"
"""What the log says that links come from."""


def statements(log: pl.LazyFrame, organisation: Organisation, recorded_at: datetime) -> pl.DataFrame:
    """What has to be appended so that the log states exactly the links that hold: `EVENT_SCHEMA` rows.

    log: `EVENT_SCHEMA`, what is about to be appended included.
    """
    identified = current(log).filter(pl.col("event_type") == IDENTIFIED)
    found = pl.DataFrame(
        [
            (link.one, link.other, link.by, link.since or recorded_at)
            for link in links(identified, organisation.identity, organisation.identity.customers)
        ],
        schema={"one": pl.String, "other": pl.String, "by": pl.String, "since": UTC_MICROSECONDS},
        orient="row",
    )
    held = current(log).filter(pl.col("source") == NAME, pl.col("event_type") == LINKED)
    by_hand = held.select("record_key", _held="occurred_at").collect()
    keyed = found.with_columns(record_key=digest(found.select(pl.format("{}\x1f{}", "one", "other")).to_series()))
    facts = facts_frame(
        keyed.join(by_hand, on="record_key", how="left")
        .lazy()
        .select(
            "record_key",
            fact_key="record_key",
            event_type=pl.lit(LINKED),
            subject_id="one",
            same_as="other",
            identified_by="by",
            # What is said by hand is dated by when it was first read.
            occurred_at=pl.when(pl.col("by") == "hand").then(pl.coalesce("_held", "since")).otherwise("since"),
        )
    )
    touched = pl.concat([held.select("record_key"), facts.select("record_key")])
    return event_log.statements(log, facts, touched, NAME, STREAM, recorded_at)
