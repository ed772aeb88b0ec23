"""What Pipedrive's deals say: sales that are opened, move, are won or lost; listings that are captured and advertised.

Belongs here: which fields of a deal are read, and the facts they make. Does not: fetching; what deals make expect of a
month (`forecasts`).

A deal has the role of the pipeline that it is in now. What a fact says of it (stage, owner, market, mandate) is as it
was when the fact happened, the currency too; the value of a won or lost deal, and its currency, are those in force now,
because a corrected value corrects the win. A win or a loss stands while the deal has that status: one that was reopened
was not won. An archived deal is a deal like others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from kr_definitions.vocabulary import vocabulary
from pipelines.decoding import problems
from pipelines.listings import FACTS as LISTING_FACTS
from pipelines.listings import captured, published
from pipelines.pipedrive.changes import changes, current, has_strange, has_strange_time, instant, said
from pipelines.pipedrive.declared import Field
from pipelines.pipedrive.forecasts import forecasts
from pipelines.pipedrive.options import ListingsPipeline, PipedriveOptions, Said, SalesPipeline, fields_of
from pipelines.pipedrive.phases import AT_ONCE, phases, stages_of, standing
from pipelines.pipedrive.reading import (
    CLOSE_DATE,
    CURRENCY,
    OWNER,
    PIPELINE,
    STAGE,
    STATUS,
    VALUE,
    Wanted,
    own_fields,
)
from pipelines.pipedrive.stored import TIMES, payload_of, together
from pipelines.sales import FACTS as SALES_FACTS
from pipelines.sales import FORECAST_FACTS, fact
from pipelines.turns import SAME_SAVE, in_force, number, once, with_attributes

KEPT = ("add_time", "person_id", "org_id", *TIMES)
WITH_HISTORY = (STAGE, STATUS, VALUE, CURRENCY, OWNER)


def feeds(options: PipedriveOptions) -> tuple[str, ...]:
    """The types of fact that deals make."""
    has_portals = any(one.portals for one in options.listings)
    listing_facts = LISTING_FACTS if has_portals else LISTING_FACTS[:1]
    return (
        *(SALES_FACTS if options.sales else ()),
        *(FORECAST_FACTS if is_forecasting(options) else ()),
        *(listing_facts if options.listings else ()),
    )


def is_forecasting(options: PipedriveOptions) -> bool:
    """Whether deals of any pipeline forecast."""
    return any(one.forecast for one in options.sales)


def attributes(pipeline: SalesPipeline | ListingsPipeline) -> dict[str, Said]:
    """Attribute of an event -> the field that says it, in one pipeline."""
    given = {name: getattr(pipeline, name, None) for name in vocabulary().attributes}
    return {name: attribute for name, attribute in given.items() if isinstance(attribute, Said)}


def said_by(options: PipedriveOptions) -> tuple[Said, ...]:
    """The fields that the options name with what their options mean."""
    pipelines: tuple[SalesPipeline | ListingsPipeline, ...] = (*options.sales, *options.listings)
    named = [attribute for pipeline in pipelines for attribute in attributes(pipeline).values()]
    return (*named, *(one.portals for one in options.listings if one.portals is not None))


def declared(options: PipedriveOptions) -> tuple[str, ...]:
    """The fields that the options name."""
    return fields_of(*said_by(options), *(one.captured_on for one in options.listings))


def _has_products(options: PipedriveOptions) -> bool:
    return any(one.product_of_lines for one in options.sales)


def _with_history(options: PipedriveOptions) -> tuple[str, ...]:
    return (*WITH_HISTORY, *((CLOSE_DATE,) if is_forecasting(options) else ()))


def wanted(options: PipedriveOptions, fields: Mapping[str, Field], pipeline: Field, stage: Field) -> Wanted:
    """What is read of a deal."""
    own = own_fields(*(name for name in _with_history(options) if name != STAGE))
    return Wanted(
        "deals",
        KEPT,
        {**fields, **own, PIPELINE: pipeline, STAGE: stage},
        has_histories=True,
        has_products=_has_products(options),
    )


def payload(options: PipedriveOptions) -> pl.Struct:
    """The shape of a stored deal."""
    names = dict.fromkeys((*_with_history(options), PIPELINE, *declared(options)))
    return payload_of(KEPT, names, has_histories=True, has_products=_has_products(options))


def facts(records: pl.LazyFrame, options: PipedriveOptions, zone: str) -> pl.LazyFrame:
    """Facts of deals, and the problem of each that cannot be understood."""
    roles = [*(one.pipeline for one in options.sales), *(one.pipeline for one in options.listings)]
    all_deals = once(together(records)).with_columns(
        created_at=instant(pl.col("add_time")), in_pipeline=current(PIPELINE), account_id=options.customer
    )
    deals = all_deals.filter(pl.col("in_pipeline").is_in(roles))
    found = [_sales(deals, pipeline, zone) for pipeline in options.sales]
    found += [_listings(deals, pipeline, zone) for pipeline in options.listings]
    stated = in_force(pl.concat(found, how="diagonal"), changes(deals, OWNER), "actor").with_columns(
        subject_id=pl.col("record_key"), source_url=pl.lit(options.record_url("deal")) + pl.col("record_key")
    )
    whose = deals.select("record_key", "account_id", currency_now=current(CURRENCY))
    stated = in_force(stated, changes(deals, CURRENCY), "currency_then").join(whose, on="record_key", how="left")
    is_now = pl.col("event_type").is_in(["deal.won", "deal.lost"])
    currency = pl.when(is_now).then("currency_now").otherwise("currency_then")
    stated = stated.with_columns(currency=pl.when(pl.col("amount").is_not_null()).then(currency))
    strange = problems(all_deals, (pl.col("strange").is_not_null(), pl.col("strange")))
    told = stated.drop("currency_now", "currency_then")
    return pl.concat([told, strange, _problems(deals, options, zone)], how="diagonal")


def _problems(deals: pl.LazyFrame, options: PipedriveOptions, zone: str) -> pl.LazyFrame:
    def a_time(text: pl.Expr) -> pl.Expr:
        return instant(text, zone)

    forecasting = [one.pipeline for one in options.sales if one.forecast]
    dates = fields_of(*(one.captured_on for one in options.listings))
    return problems(
        deals,
        (pl.col("created_at").is_null(), "add_time is not a time"),
        (has_strange(VALUE, number), f"{VALUE} is, or has been, not a number"),
        (current(VALUE).is_not_null() & current(CURRENCY).is_null(), "there is a value and no currency"),
        *(
            (has_strange_time(name), f"the history of {name} has an entry without a time")
            for name in (*_with_history(options), *(name for name in declared(options) if name not in dates))
        ),
        *((current(name).is_not_null() & a_time(current(name)).is_null(), f"{name} is not a time") for name in dates),
        *(
            (
                has_strange(CLOSE_DATE, a_time) & pl.col("in_pipeline").is_in(forecasting),
                f"{CLOSE_DATE} is, or has been, not a day",
            )
            for _ in forecasting[:1]
        ),
    )


# Sales


def _sales(all_deals: pl.LazyFrame, pipeline: SalesPipeline, zone: str) -> pl.LazyFrame:
    deals = all_deals.filter(pl.col("in_pipeline") == pipeline.pipeline)
    stages, amounts = once(phases(deals, pipeline)), once(_amounts(deals))
    created = fact(deals, "deal.created", pl.format("deal/{}/created", "record_key"), "created_at")
    created = in_force(in_force(created, amounts, "amount", or_first=False), stages, "stage")
    stated = [
        created,
        _stages_entered(stages, amounts),
        _amounts_changed(deals, stages, amounts),
        _ended(deals),
    ]
    if pipeline.forecast:
        stated.append(forecasts(deals, amounts, zone))
    found = pl.concat(stated, how="diagonal").with_columns(pipeline=pl.lit(pipeline.name or pipeline.pipeline))
    if pipeline.product_of_lines:
        of_one = pl.when(pl.col("products").list.len() == 1).then(pl.col("products").list.first())
        found = found.join(deals.select("record_key", product=of_one), on="record_key", how="left")
    return with_attributes(found, _changed(deals, pipeline))


def _amounts(deals: pl.LazyFrame) -> pl.LazyFrame:
    """Each change of a deal's value, or of the currency that it is in: record_key, at, value, currency."""
    values, currencies = changes(deals, VALUE, number), changes(deals, CURRENCY)
    moments = pl.concat([one.select("record_key", occurred_at="at") for one in (values, currencies)]).unique()
    found = in_force(moments, values, "value", or_first=False, same_save=AT_ONCE)
    found = in_force(found, currencies, "currency").sort("record_key", "occurred_at")

    def is_other(name: str) -> pl.Expr:
        return pl.col(name).ne_missing(pl.col(name).shift(1).over("record_key"))

    is_change = is_other("value") | (is_other("currency") & pl.col("value").is_not_null())
    return found.filter(is_change).select("record_key", "value", "currency", at="occurred_at")


def _stages_entered(stages: pl.LazyFrame, amounts: pl.LazyFrame) -> pl.LazyFrame:
    entered = stages.filter(pl.col("value").is_not_null()).with_columns(stage="value")
    key = pl.format("deal/{}/stage/{}/{}", "record_key", "stage", pl.col("at").dt.epoch("ms"))
    return in_force(fact(entered, "deal.stage_entered", key, "at", "stage"), amounts, "amount", or_first=False)


def _amounts_changed(deals: pl.LazyFrame, stages: pl.LazyFrame, amounts: pl.LazyFrame) -> pl.LazyFrame:
    """The value that a deal is opened with is no change."""
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
    return in_force(fact(changed, "deal.amount_changed", key, "at", "amount"), stages, "stage")


def _ended(deals: pl.LazyFrame) -> pl.LazyFrame:
    """Deals that stand as won or lost, since they came to do so; with the value in force now."""
    now = deals.select("record_key", amount=number(current(VALUE)))
    ended = standing(deals).join(now, on="record_key").with_columns(event_type="deal." + pl.col("status"))
    return ended.select(
        "record_key", "event_type", "amount", fact_key=pl.format("deal/{}/{}", "record_key", "status"), occurred_at="at"
    )


# Listings


def _listings(all_deals: pl.LazyFrame, pipeline: ListingsPipeline, zone: str) -> pl.LazyFrame:
    deals = all_deals.filter(pl.col("in_pipeline") == pipeline.pipeline)
    found = [_captured(deals, pipeline, zone)]
    if pipeline.portals is not None:
        found.append(_published(deals, pipeline.portals))
    return with_attributes(pl.concat(found, how="diagonal"), _changed(deals, pipeline))


def _captured(deals: pl.LazyFrame, pipeline: ListingsPipeline, zone: str) -> pl.LazyFrame:
    said_on = (
        instant(current(pipeline.captured_on), zone) if pipeline.captured_on else pl.lit(None, pl.Datetime("us", "UTC"))
    )
    taken_on = captured(stages_of(deals), pipeline.captured, deals.select("record_key", said_on=said_on))
    return in_force(taken_on, changes(deals, VALUE, number), "amount")


def _published(deals: pl.LazyFrame, portals: Said) -> pl.LazyFrame:
    return published(changes(deals, portals.field)).with_columns(portal=said(portals, pl.col("portal")))


# Both


def _changed(
    deals: pl.LazyFrame, pipeline: SalesPipeline | ListingsPipeline
) -> Iterator[tuple[str, pl.LazyFrame, Mapping[str, str]]]:
    for name, attribute in attributes(pipeline).items():
        yield name, changes(deals, attribute.field), attribute.values
