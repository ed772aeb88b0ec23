"""What HubSpot's deals say: sales that are opened, move, are won or lost; listings that are captured and advertised.

Belongs here: which properties of a deal are read, and the facts they make. Does not: fetching; what follows from the
course of a sale (`pipelines.sales`).

A deal has the role of the pipeline that it is in now. What a fact says of it (stage, owner, market, mandate, currency)
is as it was when the fact happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from kr_definitions.vocabulary import vocabulary
from pipelines.decoding import problems
from pipelines.hubspot.changes import (
    changes,
    current,
    has_strange_instant,
    has_strange_number,
    has_strange_time,
    instant,
    said,
    when_said,
)
from pipelines.hubspot.options import HubSpotOptions, ListingsPipeline, Said, SalesPipeline, properties_of
from pipelines.hubspot.reading import LINES, Wanted
from pipelines.listings import FACTS as LISTING_FACTS
from pipelines.listings import captured, published
from pipelines.sales import FACTS as SALES_FACTS
from pipelines.sales import FORECAST_FACTS, Course, losses, standing, won_as_said
from pipelines.turns import in_force, number, once, with_attributes

TYPE_ID = "0-3"
STAGE, AMOUNT, PIPELINE, OWNER, CURRENCY = "dealstage", "amount", "pipeline", "hubspot_owner_id", "deal_currency_code"
CLOSE_DATE = "closedate"


def feeds(options: HubSpotOptions) -> tuple[str, ...]:
    """The types of fact that deals make."""
    has_portals = any(one.portals for one in options.listings)
    listing_facts = LISTING_FACTS if has_portals else LISTING_FACTS[:1]
    return (
        *(SALES_FACTS if options.sales else ()),
        *(FORECAST_FACTS if forecasting(options) else ()),
        *(listing_facts if options.listings else ()),
    )


def forecasting(options: HubSpotOptions) -> tuple[str, ...]:
    """The pipelines whose deals forecast."""
    return tuple(one.pipeline for one in options.sales if one.forecast)


def attributes(pipeline: SalesPipeline | ListingsPipeline) -> dict[str, Said]:
    """Attribute of an event -> the property that says it, in one pipeline."""
    given = {name: getattr(pipeline, name, None) for name in vocabulary().attributes}
    return {name: attribute for name, attribute in given.items() if isinstance(attribute, Said)}


def said_by(options: HubSpotOptions) -> tuple[Said, ...]:
    """The attributes that the options name; of a property of several values, none."""
    pipelines: tuple[SalesPipeline | ListingsPipeline, ...] = (*options.sales, *options.listings)
    return tuple(one for pipeline in pipelines for one in attributes(pipeline).values())


def dates(options: HubSpotOptions) -> tuple[str, ...]:
    """The properties that say when something happened: what they say now counts, and their histories do not."""
    return properties_of(*(one.captured_on for one in options.listings), *(one.won_on for one in options.sales))


def declared(options: HubSpotOptions) -> tuple[str, ...]:
    """The properties that the options name."""
    named: list[Said | str | None] = []
    for sales in options.sales:
        named += [*attributes(sales).values(), sales.won_on]
    for listings in options.listings:
        named += [*attributes(listings).values(), listings.portals, listings.captured_on]
    return properties_of(*named)


def wanted(options: HubSpotOptions) -> Wanted:
    """What is read of a deal."""
    own = (STAGE, AMOUNT, CURRENCY, OWNER, *((CLOSE_DATE,) if forecasting(options) else ()))
    lines = properties_of(*(one.product_of_lines for one in options.sales))
    histories = dict.fromkeys((*own, *(name for name in declared(options) if name not in dates(options))))
    return Wanted(
        "deals",
        properties=("createdate", PIPELINE, *dates(options)),
        with_history=tuple(histories),
        associated=(*options.associated, *((LINES,) if lines else ())),
        is_mergeable=True,
        of_lines=lines,
    )


def facts(records: pl.LazyFrame, options: HubSpotOptions, zone: str) -> pl.LazyFrame:
    """Facts of deals, and the problem of each that cannot be understood."""
    created_at = pl.coalesce(instant(current("createdate"), zone), instant(pl.col("createdAt"), zone))
    roles = [*(one.pipeline for one in options.sales), *(one.pipeline for one in options.listings)]
    deals = once(
        records.with_columns(
            created_at=created_at,
            in_pipeline=current(PIPELINE),
            account_id=pl.col(options.customers).list.first(),
            deal_currency=pl.coalesce(current(CURRENCY), pl.lit(options.currency)),
        ).filter(pl.col("in_pipeline").is_in(roles))
    )
    found = [_sales(deals, pipeline, options, zone) for pipeline in options.sales]
    found += [_listings(deals, pipeline, options, zone) for pipeline in options.listings]
    stated = in_force(pl.concat(found, how="diagonal"), changes(deals, OWNER), "actor").with_columns(
        subject_id=pl.col("record_key"), source_url=pl.lit(options.record_url(TYPE_ID)) + pl.col("record_key")
    )
    stated = stated.join(deals.select("record_key", "account_id"), on="record_key", how="left")
    return pl.concat([stated, _problems(deals, options, zone)], how="diagonal")


def _problems(deals: pl.LazyFrame, options: HubSpotOptions, zone: str) -> pl.LazyFrame:
    asked = wanted(options)
    return problems(
        deals,
        (pl.col("created_at").is_null(), "createdate is not a time"),
        (has_strange_number(AMOUNT), "amount is, or has been, not a number"),
        *(
            (has_strange_time(name), f"the history of {name} has an entry without a time")
            for name in asked.with_history
        ),
        *(
            (current(name).is_not_null() & instant(current(name), zone).is_null(), f"{name} is not a time")
            for name in dates(options)
        ),
        *(
            (
                has_strange_instant(CLOSE_DATE, zone) & (pl.col("in_pipeline") == pipeline),
                f"{CLOSE_DATE} is, or has been, not a time",
            )
            for pipeline in forecasting(options)
        ),
    )


# Sales


def _sales(all_deals: pl.LazyFrame, pipeline: SalesPipeline, options: HubSpotOptions, zone: str) -> pl.LazyFrame:
    deals = all_deals.filter(pl.col("in_pipeline") == pipeline.pipeline)
    now = deals.select("record_key", "created_at", amount=number(current(AMOUNT)), currency="deal_currency")
    stages = changes(deals, STAGE)
    course = Course(now, stages, _amounts(deals), changes(deals, CURRENCY), options.currency)
    ended = standing(stages, pipeline.won, pipeline.lost)
    if (won_on := pipeline.won_on) is not None:
        ended = won_as_said(ended, deals.select("record_key", **when_said(current(won_on), zone)), zone)
    stated = [course.facts(ended)]
    if pipeline.forecast:
        stated.append(course.forecasts(_months(deals, zone), losses(stages, pipeline.lost)))
    found = pl.concat(stated, how="diagonal").with_columns(
        pipeline=pl.lit(pipeline.name or pipeline.pipeline), stage=pl.col("stage").replace(pipeline.stages)
    )
    if pipeline.product_of_lines is not None:
        found = found.join(_products(deals, pipeline.product_of_lines), on="record_key", how="left")
    return with_attributes(found, _changed(deals, pipeline))


def _months(deals: pl.LazyFrame, zone: str) -> pl.LazyFrame:
    """The changes of the first day of the month that a deal is expected to be closed in.

    HubSpot sets the close date itself when a deal is won or lost, in the same save as the stage.
    """
    month = instant(pl.col("value"), zone).dt.convert_time_zone(zone).dt.date().dt.month_start()
    return changes(deals, CLOSE_DATE).with_columns(value=month)


def _products(deals: pl.LazyFrame, product: Said) -> pl.LazyFrame:
    """What is sold by each deal now: what all of its line items say; nothing where they say several things."""
    values = pl.col("lines").struct.field(product.property)
    said_by_all = pl.when(values.list.len() == 1).then(values.list.first())
    return deals.select("record_key", product=said(product, pl.when(said_by_all != "").then(said_by_all)))


# Listings


def _listings(all_deals: pl.LazyFrame, pipeline: ListingsPipeline, options: HubSpotOptions, zone: str) -> pl.LazyFrame:
    deals = all_deals.filter(pl.col("in_pipeline") == pipeline.pipeline)
    found = [_captured(deals, pipeline, options.currency, zone)]
    if pipeline.portals is not None:
        found.append(_published(deals, pipeline.portals))
    return with_attributes(pl.concat(found, how="diagonal"), _changed(deals, pipeline))


def _captured(deals: pl.LazyFrame, pipeline: ListingsPipeline, currency: str | None, zone: str) -> pl.LazyFrame:
    said_on = (
        instant(current(pipeline.captured_on), zone) if pipeline.captured_on else pl.lit(None, pl.Datetime("us", "UTC"))
    )
    taken_on = captured(changes(deals, STAGE), pipeline.captured, deals.select("record_key", said_on=said_on))
    priced = in_force(in_force(taken_on, _amounts(deals), "amount"), changes(deals, CURRENCY), "currency")
    known = pl.coalesce("currency", pl.lit(currency, pl.String))
    return priced.with_columns(currency=pl.when(pl.col("amount").is_not_null()).then(known))


def _published(deals: pl.LazyFrame, portals: Said) -> pl.LazyFrame:
    return published(changes(deals, portals.property)).with_columns(portal=said(portals, pl.col("portal")))


# Both


def _amounts(deals: pl.LazyFrame) -> pl.LazyFrame:
    return changes(deals, AMOUNT).with_columns(value=number(pl.col("value")))


def _changed(
    deals: pl.LazyFrame, pipeline: SalesPipeline | ListingsPipeline
) -> Iterator[tuple[str, pl.LazyFrame, Mapping[str, str]]]:
    for name, attribute in attributes(pipeline).items():
        yield name, changes(deals, attribute.property), attribute.values
