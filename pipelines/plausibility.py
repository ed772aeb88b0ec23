"""What no fact may say, whatever its vendor: the record that says it is set aside, and stops nobody else.

Belongs here: limits that hold for every event. Does not: one vendor's own (its mapping), or the audit of a whole load
(`assets.checks`), which would refuse all of it for one such fact and so is only the backstop.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import polars as pl

from kr_definitions.check_ins import as_typed
from kr_definitions.events import FACT_SCHEMA
from kr_definitions.vocabulary import vocabulary
from pipelines.addresses import ADDRESS, HIDDEN

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
CLOCKS_DIFFER_BY = timedelta(minutes=5)

_MAIL_ADDRESS = rf"{ADDRESS}|{HIDDEN}"
"""One, or the trace of one that was not stored."""

_GAP = r"[ \u00a0()./-]{0,2}"
_TELEPHONE = re.compile(
    rf"""(?<![\w.,#€$£/-])(?:
        (?P<abroad>(?:\+|00)\(?[1-9](?:{_GAP}\d){{8,13}})              # +34 612 345 678
        |[67]\d{{2}}[ -]?\d{{3}}[ -]?\d{{3}}|[67]\d{{2}}(?:[ -]\d{{2}}){{3}}  # as in Spain: 612 345 678, 612 34 56 78
        |[89]\d[ -]\d{{3}}(?:[ -]\d{{2}}){{2}}|[89]\d{{2}}(?:[ -]\d{{3}}){{2}}|[89]\d{{2}}(?:[ -]\d{{2}}){{3}}
        |3\d{{2}}[ -]?\d{{3}}[ -]?\d{{2}}[ -]?\d{{2}}                      # as in Colombia: 300 123 4567
        |\(?[2-9]\d{{2}}\)?[ -]\d{{3}}[ -]\d{{4}}                        # as in North America: (212) 555-0123
    )(?!\w|[.,/-]\d|[ \u00a0]\d)""",
    re.VERBOSE,
)
_COUNTED = re.compile(r"[ \u00a0]*(?:[€$£%]|[A-Z]{3}\b|(?:euros?|d[oó]lar(?:es)?|dollars?|pesos?)\b)", re.IGNORECASE)
_NUMBERED = re.compile(
    r"(?:[#€$£]|\b(?:EUR|USD|COP|MXN|GBP|n[.º°o]+|nr|id|ref\w*|deals?|tickets?|issues?|negocios?|facturas?|invoices?"
    r"|pedidos?|orders?|contratos?|contracts?|oportunidad|opportunity|cuenta|account))[ \u00a0.:#º]*$",
    re.IGNORECASE,
)
_THOUSANDS = re.compile(r"\+?\d{1,3}(?:[.,]\d{3})+")
_TEXTS = [name for name, dtype in FACT_SCHEMA.items() if dtype == pl.String() and name != "source_url"]


def holds_a_telephone_number(text: str) -> bool:
    """Whether a text seems to name somebody's telephone. An amount, a date or the number of a record is none."""
    return any(
        _NUMBERED.search(text[: found.start()]) is None
        and _COUNTED.match(text[found.end() :]) is None
        and _THOUSANDS.fullmatch(found[0]) is None
        and (found["abroad"] is not None or not found[0].endswith("000"))
        for found in _TELEPHONE.finditer(text)
    )


def _of_notes(holds: Callable[[str], bool]) -> pl.Expr:
    """Whether notes hold something; most facts have none."""

    def found(notes: pl.Series) -> pl.Series:
        told = {text: holds(text) for text in notes.drop_nulls().unique().to_list()}
        return notes.replace_strict(told, default=False, return_dtype=pl.Boolean)

    return pl.col("note").map_batches(found, return_dtype=pl.Boolean)


def problem(feeds: Sequence[str], now: datetime) -> pl.Expr:
    """What is wrong with a fact (`FACT_SCHEMA` columns), as text; null where nothing is.

    feeds: the event types that its stream declares. now: the run's instant: what lies after it has not happened yet;
    the record is tried again by each run, so a planned thing counts from its day on.
    """
    at = pl.col("occurred_at")
    day = at.dt.strftime("%Y-%m-%d %H:%M UTC")
    has_number = pl.col("amount").is_not_null()
    found = (
        pl.when(at.is_null())
        .then(pl.format("{}: no time is given", "event_type"))
        .when(at > now + CLOCKS_DIFFER_BY)
        .then(pl.format("{}: {} is in the future", "event_type", day))
        .when(at < EARLIEST)
        .then(pl.format("{}: {} is before the year 2000", "event_type", day))
        .when(pl.col("subject_id").fill_null("") == "")
        .then(pl.format("{}: nothing says whom or what it is about", "event_type"))
        .when(has_number & pl.col("currency").is_null())
        .then(pl.format("{}: an amount without a currency", "event_type"))
        .when(~pl.col("currency").str.contains("^[A-Z]{3}$"))
        .then(pl.format("{}: {} is no ISO 4217 currency", "event_type", "currency"))
        .when(pl.col("quantity") < 0)
        .then(pl.format("{}: a negative quantity ({})", "event_type", "quantity"))
        .when(pl.col("event_type").str.ends_with(".observed") & pl.col("quantity").is_null())
        .then(pl.format("{}: an observation without a figure", "event_type"))
        .when(pl.any_horizontal(pl.col(_TEXTS).str.contains(_MAIL_ADDRESS)))
        .then(pl.format("{}: a text holds a mail address, which is never stored", "event_type"))
        .when(_of_notes(holds_a_telephone_number))
        .then(pl.format("{}: a note holds a telephone number, which is never stored", "event_type"))
        .when(~pl.col("event_type").is_in(list(feeds)))
        .then(pl.format("{}: the stream does not declare that it feeds it", "event_type"))
    )
    for attribute in vocabulary().attributes.values():
        if attribute.values:
            said, known = pl.col(attribute.name), ", ".join(attribute.values)
            unknown = pl.format(
                "{}: {} is no {} that is known ({})", "event_type", said, pl.lit(attribute.name), pl.lit(known)
            )
            found = found.when(~said.is_in(attribute.values)).then(unknown)
        if attribute.domain.least is not None and attribute.domain.most is not None:
            said, ends = pl.col(attribute.name), [attribute.domain.least, attribute.domain.most]
            written = (pl.lit(text) for text in (attribute.name, *map(str, ends)))
            beyond = pl.format("{}: {} is a number from {} to {}, not {}", "event_type", *written, as_typed(said))
            found = found.when(~said.is_between(*ends)).then(beyond)
    return found.otherwise(pl.lit(None, dtype=pl.String))
