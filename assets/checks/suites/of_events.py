"""What must hold of the events that a load appends.

Belongs here: the suite of events and its rules. Does not: rules that progress has too (`of_both`).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from assets.checks.rules import Condition, Rule, Suite
from assets.checks.suites.of_both import must_be_set, must_have_columns, must_have_rows, not_below
from kr_definitions.events import COVERED, RETRACTED
from kr_definitions.vocabulary import vocabulary

EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
CLOCKS_DIFFER = timedelta(minutes=5)

# Facts that are about money: without an amount a sum leaves them out, and nobody sees it.
MONEY_FACTS = ("deal.won", "invoice.issued", "invoice.paid", "invoice.voided", "payment.received")

_MEND_MAPPING = "Correct the mapping of this stream; the next load maps its stored records again"


def batch_of_events(at: datetime, stated: int | None) -> Suite:
    """Rules for the events of one load.

    at: the run's instant. stated: how many events the load says that it appends (None: at least one).
    """
    return Suite(
        name="batch_of_events",
        keys={"columns": ("column",), "rows": ("source", "stream", "event_type", "event_id")},
        rules=(
            must_have_columns("events.EVENT_SCHEMA"),
            _as_many_as_stated(stated),
            *_identity_of_events(),
            *_times_of_events(at),
            *_money_and_quantities(),
            *_retractions_and_coverage(),
        ),
    )


def _as_many_as_stated(stated: int | None) -> Rule:
    do = "Compare the load's account with the event log: one of them has lost or invented events"
    if stated is None:
        return must_have_rows("rows", "events_are_there", "There is at least one event.", do)
    return Rule(
        "events_are_as_many_as_stated",
        "ExpectTableRowCountToEqual",
        {"value": stated},
        f"There are {stated:,} events, as the load says.",
        do,
    )


def _identity_of_events() -> list[Rule]:
    required = ("event_id", "fact_id", "content_hash", "source", "stream", "record_key", "fact_key")
    types = tuple(vocabulary().types)
    return [
        *(must_be_set(column, _MEND_MAPPING) for column in (*required, "subject_id", "event_type")),
        Rule(
            "event_id_is_unique",
            "ExpectColumnValuesToBeUnique",
            {"column": "event_id"},
            "Each event_id is there once.",
            "An event was appended twice: look for two writers of the log before trusting any count",
        ),
        *(
            Rule(
                f"{column}_is_a_hash",
                "ExpectColumnValuesToMatchRegex",
                {"column": column, "regex": "^[0-9a-f]{32}$"},
                f"{column} is 32 hexadecimal digits.",
                "Only events.digest makes these: find what else wrote to the log",
            )
            for column in ("event_id", "fact_id", "content_hash")
        ),
        Rule(
            "event_type_is_known",
            "ExpectColumnValuesToBeInSet",
            {"column": "event_type", "value_set": list(types)},
            "event_type is in the vocabulary.",
            f"{_MEND_MAPPING}, or add the type to vocabulary.yaml",
            shows=("event_type",),
        ),
        Rule(
            "attributes_are_carried",
            "ExpectColumnValuesToBeNull",
            {"column": "not_carried"},
            "An event has only the attributes that its type carries.",
            f"{_MEND_MAPPING}, or let the type carry them in vocabulary.yaml",
            shows=("not_carried",),
            severity="warning",
        ),
        Rule(
            "no_mail_address_is_stored",
            "ExpectColumnValuesToBeNull",
            {"column": "column_with_mail_address"},
            "No text holds a mail address.",
            "Take the field off the source's allow-list or make it a pseudonym, then erase what was stored",
            shows=("column_with_mail_address",),
        ),
        Rule(
            "source_url_is_a_link",
            "ExpectColumnValuesToMatchRegex",
            {"column": "source_url", "regex": r"^https?://\S+$"},
            "source_url is a link to the record.",
            _MEND_MAPPING,
            severity="warning",
        ),
    ]


def _times_of_events(at: datetime) -> list[Rule]:
    latest = at + CLOCKS_DIFFER
    return [
        must_be_set("occurred_at", _MEND_MAPPING),
        must_be_set("recorded_at", "Only the event log sets it: find what else wrote to the log"),
        Rule(
            "occurred_at_is_not_in_the_future",
            "ExpectColumnValuesToBeBetween",
            {"column": "occurred_at", "max_value": latest},
            f"Nothing happened after {_instant(latest)} (the run and five minutes).",
            "Look at the record's date and zone at the vendor; correct it there, or the mapping",
            shows=("occurred_at",),
        ),
        Rule(
            "occurred_at_is_not_before_2000",
            "ExpectColumnValuesToBeBetween",
            {"column": "occurred_at", "min_value": EARLIEST},
            "Nothing happened before the year 2000.",
            "Look for a missing date read as 1970, or seconds read as milliseconds",
            shows=("occurred_at",),
        ),
    ]


def _money_and_quantities() -> list[Rule]:
    types = vocabulary().types.values()
    return [
        Rule(
            "amount_has_a_currency",
            "ExpectColumnValuesToNotBeNull",
            {"column": "currency"},
            "An amount has a currency.",
            _MEND_MAPPING,
            where=(("amount", "is not null", None),),
            shows=("amount",),
        ),
        Rule(
            "currency_is_iso_4217",
            "ExpectColumnValuesToMatchRegex",
            {"column": "currency", "regex": "^[A-Z]{3}$"},
            "currency is three capital letters, as ISO 4217 has them.",
            _MEND_MAPPING,
            shows=("currency",),
        ),
        Rule(
            "money_fact_has_an_amount",
            "ExpectColumnValuesToNotBeNull",
            {"column": "amount"},
            "An event about money says how much.",
            "Fill in the amount at the vendor: sums leave this event out",
            where=(("event_type", "in", MONEY_FACTS),),
            severity="warning",
        ),
        Rule(
            "observation_has_a_quantity",
            "ExpectColumnValuesToNotBeNull",
            {"column": "quantity"},
            "An observation says what was observed.",
            _MEND_MAPPING,
            where=(("event_type", "in", tuple(t.name for t in types if t.name.endswith(".observed"))),),
        ),
        Rule(
            "quantity_is_not_negative",
            "ExpectColumnValuesToBeBetween",
            {"column": "quantity", "min_value": 0},
            "A quantity (seconds, followers, flyers, …) is not negative.",
            "Look at the record at the vendor; correct it there, or the mapping",
            shows=("quantity",),
        ),
    ]


def _retractions_and_coverage() -> list[Rule]:
    log_mend = "Only event_log.statements and readings make these: find what else wrote to the log"
    covered: Condition = ("event_type", "==", COVERED)
    return [
        Rule(
            "retraction_says_what_it_withdraws",
            "ExpectColumnValuesToNotBeNull",
            {"column": "retracts"},
            "A retraction names the event that it withdraws.",
            log_mend,
            where=(("event_type", "==", RETRACTED),),
        ),
        Rule(
            "only_retractions_withdraw",
            "ExpectColumnValuesToBeNull",
            {"column": "retracts"},
            "Nothing but a retraction withdraws an event.",
            log_mend,
            where=(("event_type", "!=", RETRACTED),),
        ),
        Rule(
            "an_event_is_withdrawn_once",
            "ExpectColumnValuesToBeUnique",
            {"column": "retracts"},
            "An event is withdrawn once.",
            log_mend,
        ),
        Rule(
            "coverage_names_an_event_type",
            "ExpectColumnValuesToBeInSet",
            {"column": "covers", "value_set": list(vocabulary().types)},
            "A reading covers an event type of the vocabulary.",
            "Correct what the stream says that it feeds",
            where=(covered,),
            shows=("covers",),
        ),
        Rule(
            "coverage_says_what",
            "ExpectColumnValuesToNotBeNull",
            {"column": "covers"},
            "A reading says which event type it covers.",
            log_mend,
            where=(covered,),
        ),
        Rule(
            "coverage_has_an_end",
            "ExpectColumnValuesToNotBeNull",
            {"column": "covered_to"},
            "A reading says up to when it covers.",
            log_mend,
            where=(covered,),
        ),
        Rule(
            "coverage_ends_after_it_begins",
            "ExpectColumnPairValuesAToBeGreaterThanB",
            not_below("covered_to", "covered_from"),
            "A reading ends after it begins.",
            "Correct the span that the stream's fetch returns",
            where=(covered,),
            shows=("covered_from", "covered_to"),
        ),
    ]


def _instant(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
