"""What Salesforce's opportunities say: sales that are opened, move, are forecast, won or lost.

Belongs here: which fields of an opportunity are read, and the facts they make. Does not: fetching; what follows from
the course of a sale (`pipelines.sales`).

What a fact says of a deal (stage, owner, market, currency) is as it was when the fact happened. What is sold may be
said by the products on the deal, of which Salesforce keeps no history: the one with the highest price.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import polars as pl

from pipelines.decoding import problems
from pipelines.sales import FACTS as SALES_FACTS
from pipelines.sales import FORECAST_FACTS, Course, losses, standing, won_as_said
from pipelines.salesforce.changes import (
    changes,
    current,
    date_of,
    entries_of,
    has_strange,
    has_strange_time,
    instant,
    stage_changes,
)
from pipelines.salesforce.customers import Customers
from pipelines.salesforce.options import Said, Sales, SalesforceOptions, fields_of
from pipelines.salesforce.reading import CURRENCY, OWNER, Wanted
from pipelines.turns import in_force, number, once, turns, with_attributes

ATTRIBUTES = ("product", "segment", "market", "industry", "category", "campaign")
RECORD_TYPE = "RecordType.DeveloperName"
STAGE, AMOUNT, CLOSE_DATE, CATEGORY = "StageName", "Amount", "CloseDate", "ForecastCategory"


def feeds(options: SalesforceOptions) -> tuple[str, ...]:
    """The types of fact that opportunities make."""
    return (*SALES_FACTS, *(FORECAST_FACTS if any(one.forecast for one in options.sales) else ()))


def attributes(sales: Sales) -> dict[str, Said]:
    """Attribute of an event -> the field that says it."""
    given = {name: getattr(sales, name) for name in ATTRIBUTES}
    return {name: attribute for name, attribute in given.items() if attribute is not None}


def declared(options: SalesforceOptions) -> tuple[str, ...]:
    """The fields that the options name."""
    return fields_of(*_attribute_fields(options), *_dates(options))


def said(options: SalesforceOptions) -> tuple[Said, ...]:
    """The attributes that the options name."""
    return tuple(one for sales in options.sales for one in attributes(sales).values())


def _attribute_fields(options: SalesforceOptions) -> tuple[str, ...]:
    return fields_of(*said(options))


def _dates(options: SalesforceOptions) -> tuple[str, ...]:
    """The fields that say when something happened: what they say now counts, and their histories do not."""
    return fields_of(*(one.won_on for one in options.sales))


def _is_strange(name: str) -> pl.Expr:
    text = current(name)
    return text.is_not_null() & date_of(text).is_null() & instant(text).is_null()


def wanted(options: SalesforceOptions) -> Wanted:
    """What is read of an opportunity."""
    named, customers = declared(options), Customers(options)
    lines = sorted({one.product_of_lines for one in options.sales if one.product_of_lines})
    has_types = any(one.record_type for one in options.sales)
    return Wanted(
        "Opportunity",
        fields=(STAGE, AMOUNT, CLOSE_DATE, "OwnerId", *((RECORD_TYPE,) if has_types else ()), *named),
        whose=customers.of_record(),
        tracked=(OWNER, *_attribute_fields(options)),
        has_stages=True,
        line_field=lines[0] if lines else None,
        moved=customers.moved("Opportunity"),
    )


def facts(records: pl.LazyFrame, options: SalesforceOptions, zone: str) -> pl.LazyFrame:
    """Facts of opportunities, and the problem of each that cannot be understood."""
    opened = records.with_columns(
        created_at=instant(pl.col("created")),
        deal_currency=pl.coalesce(current(CURRENCY), pl.lit(options.currency)),
        deal_type=current(RECORD_TYPE) if wanted(options).fields.count(RECORD_TYPE) else pl.lit(None, pl.String),
    )
    types = [one.record_type for one in options.sales if one.record_type]
    deals = once(opened.filter(pl.col("deal_type").is_in(types)) if types else opened)
    stated = in_force(
        pl.concat([_of(deals, sales, options, zone) for sales in options.sales], how="diagonal"),
        changes(deals, "OwnerId", OWNER),
        "actor",
    )
    whose = deals.select("record_key", account_id="customer", subject_id="record_key")
    stated = stated.join(whose, on="record_key", how="left").with_columns(
        source_url=pl.lit(options.record_url("Opportunity")) + pl.col("record_key") + "/view",
    )
    strange = problems(
        deals,
        (pl.col("created_at").is_null(), "CreatedDate is not a time"),
        (current(AMOUNT).is_not_null() & number(current(AMOUNT)).is_null(), "Amount is not a number"),
        (has_strange("stages", "amount"), "Amount has been what is not a number"),
        (has_strange("stages", "close_date", is_date=True), "CloseDate has been what is not a day"),
        *((_is_strange(name), f"{name} is not a time") for name in _dates(options)),
        (has_strange_time("stages"), "its stage history has an entry without a time"),
        (has_strange_time("history"), "its history has an entry without a time"),
    )
    return pl.concat([stated, strange], how="diagonal")


def _of(all_deals: pl.LazyFrame, sales: Sales, options: SalesforceOptions, zone: str) -> pl.LazyFrame:
    deals = all_deals.filter(pl.col("deal_type") == sales.record_type) if sales.record_type else all_deals
    now = deals.select("record_key", "created_at", amount=number(current(AMOUNT)), currency="deal_currency")
    stages = stage_changes(deals, "stage", STAGE)
    amounts = stage_changes(deals, "amount", AMOUNT).with_columns(value=number(pl.col("value")))
    currencies = stage_changes(deals, "currency", CURRENCY, is_never_empty=True)
    course = Course(now, stages, amounts, currencies, options.currency)
    ended = standing(stages, sales.won, sales.lost)
    if sales.won_on is not None:
        when = {"won_on": date_of(current(sales.won_on)), "won_at": instant(current(sales.won_on))}
        ended = won_as_said(ended, deals.select("record_key", **when), zone)
    stated = [course.facts(ended)]
    if sales.forecast:
        stated.append(course.forecasts(_months(deals, sales), losses(stages, sales.lost)))
    found = pl.concat(stated, how="diagonal").with_columns(
        pipeline=pl.lit(sales.pipeline), stage=pl.col("stage").replace(sales.stages)
    )
    return with_attributes(found, _attributes(deals, sales))


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


def _months(deals: pl.LazyFrame, sales: Sales) -> pl.LazyFrame:
    """The changes of the first day of the month that a deal is expected in; null while its category does not count.

    A lost deal counts nowhere, and is forecast as nothing of the month that it was expected in. A deal forecasts while
    its forecast category is one that counts; one that had been forecast before it lost that is forecast as nothing.
    """
    counts = pl.col("forecast").is_in(sales.forecast)
    month = pl.when(counts).then(date_of(pl.col("close_date")).dt.month_start())
    expected = entries_of(deals, "stages").filter(~pl.col("stage").is_in(sales.lost).fill_null(value=False))
    return turns(expected.select("record_key", at=instant(pl.col("at")), value=month))
