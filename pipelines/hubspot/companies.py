"""What HubSpot's companies say, where customers are companies: by what else each is known.

Belongs here: which properties of a company are read, and the facts they make. Does not: fetching; whose a deal or a
contact is (their associations).

Of a company nothing is kept but when it was created, its domains, and the properties that the options name.
"""

from __future__ import annotations

import polars as pl

from pipelines.decoding import problems
from pipelines.hubspot.changes import current, instant
from pipelines.hubspot.options import HubSpotOptions
from pipelines.hubspot.reading import Wanted
from pipelines.identification import identified

TYPE_ID = "0-2"


def wanted(options: HubSpotOptions) -> Wanted:
    """What is read of a company."""
    return Wanted(
        "companies",
        properties=("createdate",),
        associated=(),
        is_mergeable=True,
        identified_by=options.companies.identified_by,
    )


def facts(records: pl.LazyFrame, options: HubSpotOptions, zone: str) -> pl.LazyFrame:
    """Facts of companies, and the problem of each that cannot be understood."""
    created_at = pl.coalesce(instant(current("createdate"), zone), instant(pl.col("createdAt"), zone))
    companies = records.with_columns(created_at=created_at)
    url = pl.lit(options.record_url(TYPE_ID)) + pl.col("record_key")
    strange = problems(companies, (pl.col("created_at").is_null(), "createdate is not a time"))
    return pl.concat([identified(companies, "company").with_columns(source_url=url), strange], how="diagonal")
