"""What Salesforce's opportunities say: sales that are opened, move, are forecast, won or lost.

Belongs here: which fields of an opportunity are read, and the facts they make. Does not: fetching.

What a fact says of a deal (stage, owner, market) is as it was when the fact happened; the amount of a won or lost deal
is the one in force now, because a corrected amount corrects the win. A win or a loss stands while the deal stays there:
one that was put back was not won. What is sold may be said by the products on the deal, of which Salesforce keeps no
history: the one with the highest price.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal

import polars as pl

from kr_definitions.vocabulary import DECIMAL, vocabulary
from pipelines.salesforce.changes import (
    SAME_SAVE,
    changes,
    current,
    date_of,
    has_strange,
    has_strange_time,
    in_force,
    instant,
    number,
    problems,
    stage_changes,
    with_attributes,
)
from pipelines.salesforce.customers import Customers
from pipelines.salesforce.options import Said, Sales, SalesforceOptions, fields_of
from pipelines.salesforce.reading import OWNER, Wanted

SALES_FACTS = ("deal.created", "deal.stage_entered", "deal.amount_changed", "deal.won", "deal.lost")
FORECAST_FACTS = ("forecast.stated",)
ATTRIBUTES = ("product", "segment", "market", "industry", "category", "campaign")
CURRENCY, RECORD_TYPE = "CurrencyIsoCode", "RecordType.DeveloperName"
STAGE, AMOUNT, CLOSE_DATE = "StageName", "Amount", "CloseDate"

_CARRIED = {name: tuple(one.name for one in vocabulary().types.values() if name in one.carries) for name in ATTRIBUTES}
_NOTHING = pl.lit(Decimal(0), DECIMAL)


def feeds(options: SalesforceOptions) -> tuple[str, ...]:
    """The types of fact that opportunities make."""
    return (*SALES_FACTS, *(FORECAST_FACTS if any(one.forecast for one in options.sales) else ()))


def attributes(sales: Sales) -> dict[str, Said]:
    """Attribute of an event -> the field that says it."""
    given = {name: getattr(sales, name) for name in ATTRIBUTES}
    return {name: attribute for name, attribute in given.items() if attribute is not None}


def declared(options: SalesforceOptions) -> tuple[str, ...]:
    """The fields that the options name."""
    return fields_of(*(one for sales in options.sales for one in attributes(sales).values()))


def wanted(options: SalesforceOptions) -> Wanted:
    """What is read of an opportunity."""
    named, customers = declared(options), Customers(options)
    lines = sorted({one.product_of_lines for one in options.sales if one.product_of_lines})
    has_types = any(one.record_type for one in options.sales)
    return Wanted(
        "Opportunity",
        fields=(STAGE, AMOUNT, CLOSE_DATE, "OwnerId", *((RECORD_TYPE,) if has_types else ()), *named),
        whose=customers.of_record(),
        tracked=(OWNER, *named),
        has_stages=True,
        line_field=lines[0] if lines else None,
        moved=customers.moved("Opportunity"),
    )


def facts(records: pl.LazyFrame, options: SalesforceOptions) -> pl.LazyFrame:
    """Facts of opportunities, and the problem of each that cannot be understood."""
    opened = records.with_columns(
        created_at=instant(pl.col("created")),
        deal_currency=pl.coalesce(current(CURRENCY), pl.lit(options.currency)),
        deal_type=current(RECORD_TYPE) if wanted(options).fields.count(RECORD_TYPE) else pl.lit(None, pl.String),
    )
    types = [one.record_type for one in options.sales if one.record_type]
    deals = opened.filter(pl.col("deal_type").is_in(types)) if types else opened
    stated = in_force(
        pl.concat([_of(deals, sales) for sales in options.sales], how="diagonal"),
        changes(deals, "OwnerId", OWNER),
        "actor",
    )
    whose = deals.select("record_key", "deal_currency", account_id="customer", subject_id="record_key")
    stated = stated.join(whose, on="record_key", how="left").with_columns(
        currency=pl.when(pl.col("amount").is_not_null()).then(pl.col("deal_currency")),
        source_url=pl.lit(options.record_url("Opportunity")) + pl.col("record_key") + "/view",
    )
    strange = problems(
        deals,
        (pl.col("created_at").is_null(), "CreatedDate is not a time"),
        (current(AMOUNT).is_not_null() & number(current(AMOUNT)).is_null(), "Amount is not a number"),
        (has_strange("stages", "amount"), "Amount has been what is not a number"),
        (has_strange("stages", "close_date", is_date=True), "CloseDate has been what is not a day"),
        (has_strange_time("stages"), "its stage history has an entry without a time"),
        (has_strange_time("history"), "its history has an entry without a time"),
    )
    return pl.concat([stated.drop("deal_currency"), strange], how="diagonal")


def _of(all_deals: pl.LazyFrame, sales: Sales) -> pl.LazyFrame:
    deals = all_deals.filter(pl.col("deal_type") == sales.record_type) if sales.record_type else all_deals
    stages = stage_changes(deals, "stage", STAGE)
    amounts = stage_changes(deals, "amount", AMOUNT).with_columns(value=number(pl.col("value")))
    created = _fact(deals, "deal.created", pl.format("deal/{}/created", "record_key"), "created_at")
    created = in_force(in_force(created, amounts, "amount", or_first=False), stages, "stage")
    stated = [created, _entered(stages, amounts), _repriced(deals, stages, amounts), _ended(deals, stages, sales)]
    if sales.forecast:
        stated.append(_forecasts(deals, amounts, stages, sales))
    found = pl.concat(stated, how="diagonal").with_columns(
        pipeline=pl.lit(sales.pipeline), stage=pl.col("stage").replace(sales.stages)
    )
    return with_attributes(found, _attributes(deals, sales), _CARRIED)


def _attributes(deals: pl.LazyFrame, sales: Sales) -> Iterator[tuple[str, pl.LazyFrame, Mapping[str, str]]]:
    for name, attribute in attributes(sales).items():
        yield name, changes(deals, attribute.field), attribute.values
    if sales.product_of_lines:
        yield "product", _products(deals), {}


def _products(deals: pl.LazyFrame) -> pl.LazyFrame:
    """The product with the highest price on each deal, as if it had been there from the beginning."""
    lines = deals.select("record_key", "created_at", line="lines").explode("line").drop_nulls("line").unnest("line")
    return (
        lines.filter(pl.col("product").is_not_null())
        .with_columns(price=number(pl.col("value")))
        .sort("record_key", "price", "product", descending=[False, True, False], nulls_last=True)
        .unique("record_key", keep="first", maintain_order=True)
        .select("record_key", at="created_at", value="product", before=pl.lit(None, pl.String))
    )


def _entered(stages: pl.LazyFrame, amounts: pl.LazyFrame) -> pl.LazyFrame:
    entered = stages.filter(pl.col("value").is_not_null()).with_columns(stage="value")
    key = pl.format("deal/{}/stage/{}/{}", "record_key", "stage", pl.col("at").dt.epoch("ms"))
    return in_force(_fact(entered, "deal.stage_entered", key, "at", "stage"), amounts, "amount", or_first=False)


def _repriced(deals: pl.LazyFrame, stages: pl.LazyFrame, amounts: pl.LazyFrame) -> pl.LazyFrame:
    """The amount that a deal is opened with is no change."""
    changed = (
        amounts.filter(pl.col("value").is_not_null())
        .join(deals.select("record_key", "created_at"), on="record_key", maintain_order="left")
        .filter(pl.col("at") > pl.col("created_at") + SAME_SAVE)
        .with_columns(amount="value", _at=pl.col("at").dt.epoch("ms"))
        .unique(["record_key", "_at"], keep="last", maintain_order=True)  # of several in one save, the last holds
        .drop("_at")
    )
    key = pl.format("deal/{}/amount/{}", "record_key", pl.col("at").dt.epoch("ms"))
    return in_force(_fact(changed, "deal.amount_changed", key, "at", "amount"), stages, "stage")


def _ended(deals: pl.LazyFrame, stages: pl.LazyFrame, sales: Sales) -> pl.LazyFrame:
    """Deals that stand as won or lost, since they came to do so; with the amount in force now."""
    ends = {**dict.fromkeys(sales.won, "won"), **dict.fromkeys(sales.lost, "lost")}
    standing = (
        stages.with_columns(end=pl.col("value").replace_strict(ends, default="open", return_dtype=pl.String))
        .with_columns(has_turned=(pl.col("end") != pl.col("end").shift(1).over("record_key")).fill_null(value=True))
        .filter("has_turned")
        .unique("record_key", keep="last", maintain_order=True)
        .filter(pl.col("end") != "open")
        .join(deals.select("record_key", amount=number(current(AMOUNT))), on="record_key")
        .with_columns(event_type="deal." + pl.col("end"))
    )
    return standing.select(
        "record_key", "event_type", "amount", fact_key=pl.format("deal/{}/{}", "record_key", "end"), occurred_at="at"
    )


def _fact(rows: pl.LazyFrame, event_type: str, key: pl.Expr, at: str, *kept: str) -> pl.LazyFrame:
    return rows.select("record_key", *kept, fact_key=key, event_type=pl.lit(event_type), occurred_at=at)


# Forecasts


def _forecasts(deals: pl.LazyFrame, amounts: pl.LazyFrame, stages: pl.LazyFrame, sales: Sales) -> pl.LazyFrame:
    """What was expected of which month, whenever amount or month changed, or a deal was lost or taken up again.

    A deal forecasts while its forecast category is one that counts; one that had been forecast before it lost that, its
    amount or its close date is forecast as nothing, once; one that is lost, too.
    """
    months, losses = _months(deals, sales), _losses(stages, sales.lost)
    moments = pl.concat([one.select("record_key", occurred_at="at") for one in (amounts, months, losses)]).unique()
    found = in_force(moments, amounts, "amount", or_first=False)
    found = in_force(found, months, "forecast_month", or_first=False)
    found = in_force(found, losses, "is_lost", or_first=False).with_columns(
        amount=pl.when("is_lost").then(_NOTHING).otherwise("amount")
    )
    return _stated(found).select(
        "record_key",
        "occurred_at",
        "amount",
        "forecast_month",
        fact_key=pl.format("deal/{}/forecast/{}", "record_key", pl.col("occurred_at").dt.epoch("ms")),
        event_type=pl.lit("forecast.stated"),
    )


def _months(deals: pl.LazyFrame, sales: Sales) -> pl.LazyFrame:
    """The changes of the first day of the month that a deal is expected in; null while its category does not count.

    A lost deal counts nowhere, and is forecast as nothing of the month that it was expected in.
    """
    entries = deals.select("record_key", entry="stages").explode("entry").drop_nulls("entry").unnest("entry")
    counts = pl.col("forecast").is_in(sales.forecast)
    month = pl.when(counts).then(date_of(pl.col("close_date")).dt.month_start())
    return (
        entries.filter(~pl.col("stage").is_in(sales.lost).fill_null(value=False))
        .select("record_key", at=instant(pl.col("at")), value=month)
        .sort("record_key", "at", maintain_order=True)
        .with_columns(before=pl.col("value").shift(1).over("record_key"))
        .filter(pl.col("value").ne_missing(pl.col("before")))
    )


def _losses(stages: pl.LazyFrame, lost: Collection[str]) -> pl.LazyFrame:
    """When a deal came to be lost (value: true), and when it was taken up again."""
    return (
        stages.with_columns(value=pl.col("value").is_in(list(lost)).fill_null(value=False))
        .with_columns(was_lost=pl.col("value").shift(1).over("record_key", order_by="at").fill_null(value=False))
        .filter(pl.col("value") != pl.col("was_lost"))
    )


def _stated(found: pl.LazyFrame) -> pl.LazyFrame:
    """Of what was in force at each moment, the forecasts; what was saved in one click is one."""

    def before(column: str) -> pl.Expr:
        return pl.col(column).shift(1).over("record_key", order_by="occurred_at")

    month = pl.col("forecast_month")
    is_forecast = pl.col("amount").is_not_null() & month.is_not_null()
    is_withdrawn = ~is_forecast & before("amount").is_not_null() & before("forecast_month").is_not_null()
    is_same_save = pl.col("occurred_at") - before("occurred_at") <= SAME_SAVE
    is_again = is_same_save & (pl.col("amount") == before("amount")) & (month == before("forecast_month"))
    return found.with_columns(
        amount=pl.when(is_withdrawn).then(_NOTHING).otherwise("amount"),
        forecast_month=pl.when(is_withdrawn).then(before("forecast_month")).otherwise("forecast_month"),
        is_stated=is_withdrawn | (is_forecast & ~is_again.fill_null(value=False)),
    ).filter("is_stated")
