"""What HubSpot's deals say: sales that are opened, move, are won or lost; listings that are captured and advertised.

Belongs here: which properties of a deal are read, and the facts they make. Does not: fetching; what deals make expect
of a month (`forecasts`).

A deal has the role of the pipeline that it is in now. What a fact says of it (stage, owner, market, mandate) is as it
was when the fact happened; the amount of a won or lost deal is the one in force now, because a corrected fee corrects
the win. A win or a loss stands while the deal stays there: one that was put back was not won.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from kr_definitions.vocabulary import vocabulary
from pipelines.hubspot.changes import (
    SAME_SAVE,
    changes,
    current,
    has_strange_instant,
    has_strange_number,
    has_strange_time,
    in_force,
    instant,
    number,
    problems,
    said,
)
from pipelines.hubspot.forecasts import CLOSE_DATE, forecasts
from pipelines.hubspot.options import HubSpotOptions, ListingsPipeline, Said, SalesPipeline, properties_of
from pipelines.hubspot.reading import LINES, Wanted

TYPE_ID = "0-3"
STAGE, AMOUNT, PIPELINE, OWNER, CURRENCY = "dealstage", "amount", "pipeline", "hubspot_owner_id", "deal_currency_code"
SALES_FACTS = ("deal.created", "deal.stage_entered", "deal.amount_changed", "deal.won", "deal.lost")
FORECAST_FACTS = ("forecast.stated",)
LISTING_FACTS = ("listing.captured", "listing.published")


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


def declared(options: HubSpotOptions) -> tuple[str, ...]:
    """The properties that the options name."""
    named: list[Said | str | None] = []
    for sales in options.sales:
        named += attributes(sales).values()
    for listings in options.listings:
        named += [*attributes(listings).values(), listings.portals, listings.captured_on]
    return properties_of(*named)


def wanted(options: HubSpotOptions) -> Wanted:
    """What is read of a deal."""
    dates = properties_of(*(one.captured_on for one in options.listings))
    own = (STAGE, AMOUNT, OWNER, *((CLOSE_DATE,) if forecasting(options) else ()))
    lines = properties_of(*(one.product_of_lines for one in options.sales))
    histories = dict.fromkeys((*own, *(name for name in declared(options) if name not in dates)))
    return Wanted(
        "deals",
        properties=("createdate", PIPELINE, CURRENCY, *dates),
        with_history=tuple(histories),
        associated=(*options.associated, *((LINES,) if lines else ())),
        is_mergeable=True,
        of_lines=lines,
    )


def facts(records: pl.LazyFrame, options: HubSpotOptions, zone: str) -> pl.LazyFrame:
    """Facts of deals, and the problem of each that cannot be understood."""
    created_at = pl.coalesce(instant(current("createdate"), zone), instant(pl.col("createdAt"), zone))
    roles = [*(one.pipeline for one in options.sales), *(one.pipeline for one in options.listings)]
    deals = records.with_columns(
        created_at=created_at,
        in_pipeline=current(PIPELINE),
        account_id=pl.col(options.customers).list.first(),
        deal_currency=pl.coalesce(current(CURRENCY), pl.lit(options.currency)),
    ).filter(pl.col("in_pipeline").is_in(roles))
    found = [_sales(deals, pipeline, zone) for pipeline in options.sales]
    found += [_listings(deals, pipeline, zone) for pipeline in options.listings]
    stated = in_force(pl.concat(found, how="diagonal"), changes(deals, OWNER), "actor").with_columns(
        subject_id=pl.col("record_key"), source_url=pl.lit(options.record_url(TYPE_ID)) + pl.col("record_key")
    )
    whose = deals.select("record_key", "account_id", "deal_currency")
    has_amount = pl.col("amount").is_not_null()
    stated = stated.join(whose, on="record_key", how="left").with_columns(
        currency=pl.when(has_amount).then(pl.col("deal_currency"))
    )
    return pl.concat([stated.drop("deal_currency"), _problems(deals, options, zone)], how="diagonal")


def _problems(deals: pl.LazyFrame, options: HubSpotOptions, zone: str) -> pl.LazyFrame:
    asked = wanted(options)
    dates = properties_of(*(one.captured_on for one in options.listings))
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
            for name in dates
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


def _sales(all_deals: pl.LazyFrame, pipeline: SalesPipeline, zone: str) -> pl.LazyFrame:
    deals = all_deals.filter(pl.col("in_pipeline") == pipeline.pipeline)
    stages, amounts = changes(deals, STAGE), _amounts(deals)
    created = _fact(deals, "deal.created", pl.format("deal/{}/created", "record_key"), "created_at")
    created = in_force(in_force(created, amounts, "amount", or_first=False), stages, "stage")
    stated = [
        created,
        _stages_entered(stages, amounts),
        _amounts_changed(deals, stages, amounts),
        _ended(deals, pipeline),
    ]
    if pipeline.forecast:
        stated.append(forecasts(deals, amounts, stages, pipeline.lost, zone))
    found = pl.concat(stated, how="diagonal").with_columns(
        pipeline=pl.lit(pipeline.name or pipeline.pipeline), stage=pl.col("stage").replace(pipeline.stages)
    )
    if pipeline.product_of_lines is not None:
        found = found.join(_products(deals, pipeline.product_of_lines), on="record_key", how="left")
    return _with_attributes(found, deals, attributes(pipeline).items())


def _products(deals: pl.LazyFrame, product: Said) -> pl.LazyFrame:
    """What is sold by each deal now: what all of its line items say; nothing where they say several things."""
    values = pl.col("lines").struct.field(product.property)
    said_by_all = pl.when(values.list.len() == 1).then(values.list.first())
    return deals.select("record_key", product=said(product, pl.when(said_by_all != "").then(said_by_all)))


def _stages_entered(stages: pl.LazyFrame, amounts: pl.LazyFrame) -> pl.LazyFrame:
    entered = stages.filter(pl.col("value").is_not_null()).with_columns(stage="value")
    key = pl.format("deal/{}/stage/{}/{}", "record_key", "stage", pl.col("at").dt.epoch("ms"))
    return in_force(_fact(entered, "deal.stage_entered", key, "at", "stage"), amounts, "amount", or_first=False)


def _amounts_changed(deals: pl.LazyFrame, stages: pl.LazyFrame, amounts: pl.LazyFrame) -> pl.LazyFrame:
    """The amount that a deal is opened with is no change."""
    opened = deals.select("record_key", "created_at")
    changed = (
        amounts.filter(pl.col("value").is_not_null())
        .join(opened, on="record_key", maintain_order="left")
        .filter(pl.col("at") > pl.col("created_at") + SAME_SAVE)
        .with_columns(amount="value", _at=pl.col("at").dt.epoch("ms"))
        .unique(["record_key", "_at"], keep="last", maintain_order=True)  # of several in one save, the last holds
        .drop("_at")
    )
    key = pl.format("deal/{}/amount/{}", "record_key", pl.col("at").dt.epoch("ms"))
    return in_force(_fact(changed, "deal.amount_changed", key, "at", "amount"), stages, "stage")


def _ended(deals: pl.LazyFrame, pipeline: SalesPipeline) -> pl.LazyFrame:
    """Deals that stand as won or lost, since they came to do so; with the amount in force now."""
    ends = {**dict.fromkeys(pipeline.won, "won"), **dict.fromkeys(pipeline.lost, "lost")}
    now = deals.select("record_key", amount=number(current(AMOUNT)))
    standing = (
        changes(deals, STAGE)
        .with_columns(end=pl.col("value").replace_strict(ends, default="open", return_dtype=pl.String))
        .with_columns(has_turned=(pl.col("end") != pl.col("end").shift(1).over("record_key")).fill_null(value=True))
        .filter("has_turned")
        .unique("record_key", keep="last", maintain_order=True)
        .filter(pl.col("end") != "open")
        .join(now, on="record_key")
        .with_columns(event_type="deal." + pl.col("end"))
    )
    return standing.select(
        "record_key", "event_type", "amount", fact_key=pl.format("deal/{}/{}", "record_key", "end"), occurred_at="at"
    )


# Listings


def _listings(all_deals: pl.LazyFrame, pipeline: ListingsPipeline, zone: str) -> pl.LazyFrame:
    deals = all_deals.filter(pl.col("in_pipeline") == pipeline.pipeline)
    found = [_captured(deals, pipeline, zone)]
    if pipeline.portals is not None:
        found.append(_published(deals, pipeline.portals))
    return _with_attributes(pl.concat(found, how="diagonal"), deals, attributes(pipeline).items())


def _captured(deals: pl.LazyFrame, pipeline: ListingsPipeline, zone: str) -> pl.LazyFrame:
    """A property is taken on once: on the day that the agency says, or else when it first came to that stage."""
    said_on = (
        instant(current(pipeline.captured_on), zone) if pipeline.captured_on else pl.lit(None, pl.Datetime("us", "UTC"))
    )
    first = (
        changes(deals, STAGE)
        .filter(pl.col("value").is_in(pipeline.captured))
        .unique("record_key", keep="first", maintain_order=True)
        .join(deals.select("record_key", said_on=said_on), on="record_key")
        .with_columns(captured_at=pl.coalesce("said_on", "at"))
    )
    captured = _fact(first, "listing.captured", pl.format("listing/{}/captured", "record_key"), "captured_at")
    return in_force(captured, _amounts(deals), "amount")


def _published(deals: pl.LazyFrame, portals: Said) -> pl.LazyFrame:
    """A listing is published on each portal that is added to it, as often as it is added."""
    added = (
        changes(deals, portals.property)
        .with_columns(portal=_set(pl.col("value")).list.set_difference(_set(pl.col("before"))))
        .explode("portal")
        .filter(pl.col("portal").is_not_null())
    )
    key = pl.format("listing/{}/portal/{}/{}", "record_key", "portal", pl.col("at").dt.epoch("ms"))
    return _fact(added, "listing.published", key, "at", "portal").with_columns(portal=said(portals, pl.col("portal")))


def _set(values: pl.Expr) -> pl.Expr:
    """The values of a property that has several, separated by `;`."""
    each = values.fill_null("").str.split(";").list.eval(pl.element().str.strip_chars())
    return each.list.eval(pl.element().filter(pl.element() != ""))


# Both


def _fact(rows: pl.LazyFrame, event_type: str, key: pl.Expr, at: str, *kept: str) -> pl.LazyFrame:
    return rows.select("record_key", *kept, fact_key=key, event_type=pl.lit(event_type), occurred_at=at)


def _amounts(deals: pl.LazyFrame) -> pl.LazyFrame:
    return changes(deals, AMOUNT).with_columns(value=number(pl.col("value")))


def _with_attributes(found: pl.LazyFrame, deals: pl.LazyFrame, given: Iterable[tuple[str, Said]]) -> pl.LazyFrame:
    """Facts with the attributes that their type carries, as they were when it happened."""
    for name, attribute in given:
        types = [one.name for one in vocabulary().types.values() if name in one.carries]
        value = pl.when(pl.col("event_type").is_in(types)).then(said(attribute, pl.col(name)))
        found = in_force(found, changes(deals, attribute.property), name).with_columns(value.alias(name))
    return found
