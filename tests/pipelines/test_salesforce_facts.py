"""What Salesforce's texts and histories mean, record by record: the pure half of the source."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from crm_office import facts_of, problems
from hubspot_agency import day
from hypothesis import given
from hypothesis import strategies as st
from salesforce_org import ACCOUNT, EXAMPLE, OPTIONS, options

from pipelines.salesforce import SALESFORCE, SalesforceOptions, leads
from pipelines.salesforce.changes import changes, instant
from pipelines.salesforce.reading import id_check
from pipelines.sandbox.salesforce.names import id_of

NOW = day(60)


def text(at: datetime) -> str:
    """An instant as Salesforce writes it."""
    return f"{at:%Y-%m-%dT%H:%M:%S}.000+0000"


def moved(field: str, at: datetime, old: str | None, new: str | None) -> dict[str, Any]:
    """An entry of a field history."""
    return {"field": field, "at": text(at), "old": old, "new": new}


def stage(
    at: datetime, name: str, amount: str | None = None, close: str | None = None, forecast: str = "Pipeline"
) -> Any:
    """An entry of a stage history."""
    return {"at": text(at), "stage": name, "amount": amount, "close_date": close, "forecast": forecast}


def record(created: str = "2026-01-01T09:00:00.000+0000", **given: Any) -> dict[str, Any]:
    """A stored record. given: parts of it; what begins with a capital is a field."""
    fields = {name: value for name, value in given.items() if name[0].isupper()}
    parts = {name: value for name, value in given.items() if not name[0].isupper()}
    return {"created": created, "customer": "7", "person": "7", "fields": fields, **parts}


def deal(*stages: Any, **more: Any) -> dict[str, Any]:
    """A stored deal, now as its last stage was entered."""
    last = stages[-1] if stages else {"stage": "preventa", "amount": None, "close_date": None}
    now = {"StageName": last["stage"], "Amount": last["amount"], "CloseDate": last["close_date"]}
    return record(**{"stages": list(stages), "RecordType.DeveloperName": "Ventas", **now, **more})


def facts(stream: str, records: dict[str, dict[str, Any]], using: SalesforceOptions = OPTIONS) -> list[dict[str, Any]]:
    """The facts of records that were stored; what is null is left out."""
    [of] = [one for one in SALESFORCE.streams(ACCOUNT, using) if one.name == stream]
    empty = {part.name: [] if isinstance(part.dtype, pl.List) else None for part in of.payload.fields}
    rows = [{"record_key": key, "revision": NOW, **empty, **payload} for key, payload in records.items()]
    shape = {
        "record_key": pl.String(),
        "revision": pl.Datetime("us", "UTC"),
        **{part.name: part.dtype for part in of.payload.fields},
    }
    found = of.facts(pl.LazyFrame([{name: row.get(name) for name in shape} for row in rows], schema=shape)).collect()
    return [{name: value for name, value in row.items() if value is not None} for row in found.iter_rows(named=True)]


# Texts


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2026-05-01T07:25:37.000+0000", datetime(2026, 5, 1, 7, 25, 37, tzinfo=UTC)),
        ("2026-05-01T07:25:37.000Z", datetime(2026, 5, 1, 7, 25, 37, tzinfo=UTC)),
        ("2026-05-01T02:25:37.000-0500", datetime(2026, 5, 1, 7, 25, 37, tzinfo=UTC)),
        ("2026-05-01T02:25:37.000-05:00", datetime(2026, 5, 1, 7, 25, 37, tzinfo=UTC)),
        ("2026-05-01T07:25:37.000", None),
        ("2026-05-01", None),
        ("1777620337000", None),
        ("ayer", None),
    ],
)
def test_a_time_is_read_where_it_says_its_zone(given: str, expected: datetime | None) -> None:
    assert pl.LazyFrame({"text": [given]}).select(instant(pl.col("text"))).collect().item() == expected


@pytest.mark.parametrize("number", [0, 1, 301, 1739253060, 62**9 - 1])
def test_an_id_of_fifteen_letters_has_the_same_end_as_its_long_form(number: int) -> None:
    long = id_of("006", number)
    assert (len(long), long[:15] + id_check(long[:15])) == (18, long)


def test_the_end_of_an_id_is_as_salesforce_computes_it() -> None:
    assert id_check("001A0000006Vm9r") == "IAC"  # the published example of 001A0000006Vm9r
    assert id_check("0" * 15) == "AAA"


# Histories


@given(st.lists(st.sampled_from([None, "a", "b", "c"]), min_size=1, max_size=7))
def test_changes_are_those_moments_at_which_a_value_became_another_one(values: list[str | None]) -> None:
    """values: the first one since the creation, each other one from a day on. Salesforce tells only the changes."""
    entries, expected, before = [], [], None
    for number, value in enumerate(values):
        if value != before:
            expected.append((day(1 + number), value, before))
        if number and value != values[number - 1]:
            entries.append(moved("X__c", day(1 + number), values[number - 1], value))
        before = value
    entry = pl.Struct(dict.fromkeys(("field", "at", "old", "new"), pl.String))
    records = pl.LazyFrame(
        {"record_key": ["1"], "fields": [{"X__c": values[-1]}], "history": [entries], "created_at": [day(1)]},
        schema={
            "record_key": pl.String,
            "fields": pl.Struct({"X__c": pl.String}),
            "history": pl.List(entry),
            "created_at": pl.Datetime("us", "UTC"),
        },
    )
    assert changes(records, "X__c").select("at", "value", "before").collect().rows() == expected


def test_what_was_changed_before_histories_begin_was_so_from_the_beginning() -> None:
    """Of eighteen months: the first entry that is left says what held before it."""
    given = deal(
        stage(day(1), "preventa"),
        stage(day(50), "ganado"),
        history=[moved("Segmento__c", day(40), "clave", "general"), moved("Mercado__c", day(2), None, "Andina")],
        Segmento__c="general",
        Mercado__c="Andina",
    )
    found = facts("opportunities", {"1": given})
    assert facts_of(found, "deal.created", "segment", "market") == [("clave", "Andina")]
    assert facts_of(found, "deal.won", "segment") == ["general"]


def test_the_owner_is_who_had_the_deal_then() -> None:
    given = deal(
        stage(day(1), "preventa"), stage(day(5), "ganado"), OwnerId="C", history=[
            moved("Owner", day(4), "A", "B"), moved("Owner", day(7), "B", "C"),
        ],
    )  # fmt: skip
    found = facts("opportunities", {"1": given})
    assert facts_of(found, "deal.created", "actor") == ["A"]
    assert facts_of(found, "deal.won", "actor") == ["B"]


# Deals


def test_amounts_are_exact_and_in_the_deals_own_currency() -> None:
    given = {
        "1": deal(stage(day(1), "ganado", "0.1"), CurrencyIsoCode="USD"),
        "2": deal(stage(day(1), "ganado", "12345678901234567890.123456")),
        "3": deal(stage(day(1), "ganado")),
    }
    assert sorted(facts_of(facts("opportunities", given), "deal.won", "record_key", "amount", "currency")) == [
        ("1", Decimal("0.1"), "USD"),
        ("2", Decimal("12345678901234567890.123456"), "COP"),
        ("3", None, None),
    ]


def test_what_was_saved_in_one_click_was_in_force_though_some_seconds_apart() -> None:
    given = deal(stage(day(1), "contrato"), stage(day(1, 9, 0, 2), "contrato", "700"))
    found = facts("opportunities", {"1": given})
    assert facts_of(found, "deal.created", "stage", "amount") == [("contrato", Decimal(700))]
    assert facts_of(found, "deal.amount_changed", "amount") == []


def test_a_win_that_moves_on_within_the_won_stages_was_won_when_it_came_to_them() -> None:
    using = options(sales=[{"won": ["firmado", "pagado"]}])
    given = deal(stage(day(1), "preventa"), stage(day(2), "firmado"), stage(day(3), "pagado"))
    found = facts("opportunities", {"1": given}, using)
    assert facts_of(found, "deal.won", "occurred_at", "pipeline") == [(day(2), "sales")]


def test_deals_of_other_record_types_state_nothing_whatever_is_wrong_with_them() -> None:
    other = {"RecordType.DeveloperName": "Otra"}
    assert facts("opportunities", {"1": deal(stage(day(1), "ganado", "mucho"), **other)}) == []


def test_the_product_of_a_deal_is_the_one_with_the_highest_price() -> None:
    lines = [{"value": "900", "product": "A"}, {"value": "1000", "product": "B"}, {"value": None, "product": "C"}]
    given = {"1": deal(stage(day(1), "ganado"), lines=lines), "2": deal(stage(day(1), "ganado"))}
    assert facts_of(facts("opportunities", given), "deal.won", "record_key", "product") == [("1", "B"), ("2", None)]


def test_a_forecast_is_withdrawn_when_its_category_counts_no_more_and_stated_anew_when_a_lost_deal_is_taken_up() -> (
    None
):
    given = deal(
        stage(day(1), "preventa", "500", "2026-03-10", "Omitted"),
        stage(day(2), "propuesta", "500", "2026-03-10"),
        stage(day(3), "propuesta", "500", "2026-04-10"),
        stage(day(4), "propuesta", "500", "2026-04-10", "Omitted"),
        stage(day(5), "propuesta", "500", "2026-04-10"),
        stage(day(6), "perdido", "500", "2026-04-10", "Omitted"),
        stage(day(7), "propuesta", "600", "2026-04-30"),
    )
    found = facts("opportunities", {"1": given})
    march, april = date(2026, 3, 1), date(2026, 4, 1)
    assert facts_of(found, "forecast.stated", "occurred_at", "forecast_month", "amount") == [
        (day(2), march, Decimal(500)),
        (day(3), april, Decimal(500)),
        (day(4), april, Decimal(0)),
        (day(5), april, Decimal(500)),
        (day(6), april, Decimal(0)),
        (day(7), april, Decimal(600)),
    ]


def test_a_deal_that_was_lost_before_anybody_expected_it_forecasts_nothing() -> None:
    given = deal(stage(day(1), "preventa", "5", "2026-03-10", "Omitted"), stage(day(2), "perdido", "5", "2026-03-10"))
    assert facts_of(facts("opportunities", {"1": given}), "forecast.stated", "amount") == []


def test_what_is_strange_in_a_deal_is_named() -> None:
    given = {
        "1": deal(stage(day(1), "ganado", "mucho"), Amount="5"),
        "2": deal(stage(day(1), "ganado", "5", "2026-02-30")),
        "3": deal(stage(day(1), "ganado"), history=[{"field": "Segmento__c", "at": "ayer", "old": None, "new": "a"}]),
        "4": deal(stage(day(1), "ganado"), created="2026-01-01 09:00"),
    }
    assert problems(facts("opportunities", given)) == {
        "1": "Amount has been what is not a number",
        "2": "CloseDate has been what is not a day",
        "3": "its history has an entry without a time",
        "4": "CreatedDate is not a time",
    }


# Calls


def call(**more: Any) -> dict[str, Any]:
    given = {"TaskSubtype": "Call", "IsClosed": "true", "IsRecurrence": "false", "ActivityDate": "2026-01-08"}
    return record(**{**given, **more})


def test_a_call_was_when_the_org_says_or_when_it_was_closed_on_its_day_or_at_the_days_beginning() -> None:
    said, closed, later = day(8, 13), day(8, 20), day(10, 15)
    given = {
        "1": call(Hora_de_llamada__c=text(said), CompletedDateTime=text(closed)),
        "2": call(CompletedDateTime=text(closed)),
        "3": call(CompletedDateTime=text(later)),
        "4": call(),
        "5": call(ActivityDate=None, CompletedDateTime=text(later)),
        "6": call(CompletedDateTime=text(day(9, 3))),  # 22:00 of the 8th in Bogotá
        "7": call(ActivityDate=None),
        "8": call(Hora_de_llamada__c="a las tres"),
    }
    found = facts("calls", given)
    beginning = day(8, 5)  # midnight in Bogotá
    dated = [one for one in found if "occurred_at" in one]
    assert sorted(facts_of(dated, "call.made", "record_key", "occurred_at")) == [
        ("1", said), ("2", closed), ("3", beginning), ("4", beginning), ("5", later), ("6", day(9, 3)),
    ]  # fmt: skip
    assert problems(found) == dict.fromkeys(("7", "8"), "the time of the call is none")


def test_only_closed_calls_are_made_and_a_series_is_none() -> None:
    given = {
        "1": call(CallType="Inbound", CallDisposition="Ocupado", CallDurationInSeconds="0"),
        "2": call(IsClosed="false"),
        "3": call(IsRecurrence="true"),
        "4": call(TaskSubtype="Email"),
        "5": call(CallType="Internal", CallDurationInSeconds="90"),
    }
    columns = ("record_key", "direction", "outcome", "quantity")
    assert facts_of(facts("calls", given), "call.made", *columns) == [
        ("1", "inbound", "busy", Decimal(0)),
        ("5", None, "completed", Decimal(90)),
    ]


def test_calls_may_be_told_by_the_types_that_the_org_gives_its_tasks() -> None:
    using = options(calls={"types": ["Llamada"]})
    given = {"1": call(TaskSubtype="Task", Type="Llamada"), "2": call(Type="Correo")}
    assert facts_of(facts("calls", given, using), "call.made", "record_key", "category") == [("1", "Llamada")]


def test_a_task_of_a_type_that_means_a_call_is_a_call_and_no_task() -> None:
    using = options(calls={"types": ["Llamada"]}, tasks={})
    done = {"TaskSubtype": "Task", "CompletedDateTime": text(day(8))}
    given = {
        "1": call(**done),
        "2": call(**done, Type="Llamada"),
        "3": call(**{**done, "IsClosed": "false"}),
        "4": call(**{**done, "CompletedDateTime": "ayer"}),
        "5": call(**{**done, "CompletedDateTime": "2062-01-05T09:00:00.000+0000"}),
    }
    found = facts("tasks", given, using)
    assert [row["record_key"] for row in found if row.get("occurred_at") == day(8)] == ["1"]
    assert problems(found) == {
        "4": "CompletedDateTime is not a time",
        "5": "a task was completed after its own last change",
    }


# Meetings


def meeting(**more: Any) -> dict[str, Any]:
    given = {"IsAllDayEvent": "false", "IsChild": "false", "IsRecurrence": "false", "Resultado__c": "Realizada"}
    times = {"StartDateTime": text(day(9, 15)), "EndDateTime": text(day(9, 15, 45))}
    return record(**{**given, **times, **more})


def test_the_children_of_an_event_and_the_record_of_a_series_are_no_meetings() -> None:
    given = {"1": meeting(), "2": meeting(IsChild="true"), "3": meeting(IsRecurrence="true")}
    found = facts("meetings", given)
    assert facts_of(found, "meeting.held", "record_key", "quantity") == [("1", Decimal(45))]
    assert facts_of(found, "meeting.scheduled", "record_key") == ["1"]


def test_a_meeting_of_a_whole_day_begins_with_the_day_where_the_organisation_is() -> None:
    given = {"1": meeting(IsAllDayEvent="true", StartDateTime="2026-01-09T00:00:00.000+0000")}
    assert facts_of(facts("meetings", given), "meeting.held", "occurred_at", "quantity") == [(day(9, 5), None)]


def test_without_an_outcome_no_meeting_is_known_to_have_taken_place() -> None:
    using = options(meetings={})
    assert {row["event_type"] for row in facts("meetings", {"1": meeting()}, using)} == {"meeting.scheduled"}
    [stream] = [one for one in SALESFORCE.streams(ACCOUNT, using) if one.name == "meetings"]
    assert stream.feeds == ("meeting.scheduled",)


def test_only_events_of_the_listed_types_are_meetings() -> None:
    using = options(meetings={**EXAMPLE["meetings"], "types": ["comercial"]})
    given = {"1": meeting(Type="comercial"), "2": meeting(Type="Personal"), "3": meeting()}
    assert facts_of(facts("meetings", given, using), "meeting.held", "record_key") == ["1"]


def test_a_meeting_held_in_the_year_2062_is_set_aside() -> None:
    far = {"StartDateTime": "2062-01-05T09:00:00.000+0000", "EndDateTime": "2062-01-05T10:00:00.000+0000"}
    assert problems(facts("meetings", {"1": meeting(**far), "2": meeting(StartDateTime="2026-01-05 09:00")})) == {
        "1": "StartDateTime is after the last change of a meeting held",
        "2": "StartDateTime is not a time",
    }


# Leads


def test_a_lead_that_comes_back_to_its_first_stage_was_new_once_and_other_statuses_mean_nothing() -> None:
    given = record(
        Status="Nuevo",
        history=[
            moved("Status", day(2), "Nuevo", "Perdido"),
            moved("Status", day(3), "Perdido", "Nuevo"),
            moved("Status", day(4), "Nuevo", "Calificado"),
        ],
    )
    found = facts("leads", {"1": given})
    assert facts_of(found, "lead.created", "occurred_at", "subject_id") == [(day(1), "7")]
    assert facts_of(found, "lifecycle.entered", "occurred_at", "lifecycle") == [
        (day(1), "lead"),
        (day(3), "lead"),
        (day(4), "salesqualifiedlead"),
    ]


# Cases


def test_a_case_that_is_closed_from_solved_was_solved_once() -> None:
    def case(*statuses: str) -> dict[str, Any]:
        entries = [moved("Status", day(2 + n), old, new) for n, (old, new) in enumerate(pairwise(statuses))]
        return record(Status=statuses[-1], Priority="Alta", Origin="Email", history=entries)

    given = {
        "1": case("Nuevo", "Resuelto", "Cerrado"),
        "2": case("Nuevo", "Cerrado"),
        "3": case("Nuevo", "Cerrado", "Nuevo", "Resuelto"),
        "4": case("Cerrado"),
    }
    using = options(cases={**EXAMPLE["cases"], "priorities": {"Alta": "high"}})
    found = facts("cases", given, using)
    assert facts_of(found, "ticket.solved", "record_key", "occurred_at") == [
        ("4", day(1)), ("1", day(2)), ("2", day(2)), ("3", day(2)), ("3", day(4)),
    ]  # fmt: skip
    assert facts_of(found, "ticket.reopened", "record_key", "occurred_at") == [("3", day(3))]
    assert facts_of(found, "ticket.closed", "record_key") == ["4", "2", "3", "1"]
    assert {row["priority"] for row in found} == {"high"}
    assert facts_of(found, "ticket.created", "channel") == ["email"] * 4


def test_a_first_reply_that_is_no_time_sets_the_case_aside() -> None:
    given = {"1": record(Status="Nuevo", Primera_respuesta__c="pronto")}
    assert problems(facts("cases", given)) == {"1": "Primera_respuesta__c is not a time"}


# What changes its currency, is imported or converted


def in_currency(entry: dict[str, Any], currency: str) -> dict[str, Any]:
    return {**entry, "currency": currency}


def test_a_deal_is_worth_what_it_was_in_the_currency_of_that_time() -> None:
    sold = deal(
        in_currency(stage(day(1), "preventa", "5000", "2026-02-10"), "COP"),
        in_currency(stage(day(10), "preventa", "5000", "2026-02-10"), "USD"),
        in_currency(stage(day(20), "ganado", "5500", "2026-02-10", "Closed"), "USD"),
        CurrencyIsoCode="USD",
    )
    found = facts("opportunities", {"1": sold})
    columns = ("occurred_at", "amount", "currency")
    assert facts_of(found, "deal.created", *columns) == [(day(1), Decimal(5000), "COP")]
    assert facts_of(found, "deal.amount_changed", *columns) == [
        (day(10), Decimal(5000), "USD"),
        (day(20), Decimal(5500), "USD"),
    ]
    assert facts_of(found, "deal.won", *columns) == [(day(20), Decimal(5500), "USD")]
    assert facts_of(found, "forecast.stated", *columns) == [
        (day(1), Decimal(5000), "COP"),
        (day(10), Decimal(5000), "USD"),
        (day(20), Decimal(5500), "USD"),
    ]


def test_of_a_currency_without_a_history_only_what_it_is_now_is_known() -> None:
    sold = deal(stage(day(1), "preventa", "5000"), stage(day(20), "ganado", "5500"), CurrencyIsoCode="USD")
    found = facts("opportunities", {"1": sold})
    assert [row["currency"] for row in found if "amount" in row] == ["USD"] * 5


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2024-03-05", datetime.fromisoformat("2024-03-05T00:00:00-05:00")),
        ("2024-03-05T10:30:00.000+0000", datetime.fromisoformat("2024-03-05T10:30:00Z")),
        (f"{day(20):%Y-%m-%d}", day(20)),
        (None, day(20)),
    ],
)
def test_an_imported_deal_was_won_when_it_says(said: str | None, expected: datetime) -> None:
    sales = [{**EXAMPLE["sales"][0], "won_on": "Fecha_de_venta__c"}]
    imported = deal(stage(day(20), "ganado", "5000"), created=text(day(20)), Fecha_de_venta__c=said)
    found = facts("opportunities", {"1": imported}, options(sales=sales))
    assert facts_of(found, "deal.won", "occurred_at") == [expected]
    strange = deal(stage(day(20), "ganado", "5000"), Fecha_de_venta__c="marzo")
    found = facts("opportunities", {"1": strange}, options(sales=sales))
    assert [row["problem"] for row in found if "problem" in row] == ["Fecha_de_venta__c is not a time"]


def converted(lifecycle: str, *statuses: tuple[str, str], on: str = "2026-01-10", **more: Any) -> dict[str, Any]:
    """A contact that was made on day 10, by the conversion of a lead that had these changes of its status."""
    moves = [moved("Status", day(9), old, new) for old, new in statuses]
    made = {"created": text(day(10)), "converted_on": on, "lead_status": "Convertido", "lead_history": moves}
    return record(**{**made, "Ciclo_de_vida__c": lifecycle, **more})


@pytest.mark.parametrize(
    ("contact", "entered", "created"),
    [
        (converted("opportunity"), [], []),
        (converted("customer"), ["customer"], []),
        (converted("lead", ("Nuevo", "Convertido")), [], []),
        (converted("lead"), ["lead"], [day(10)]),
        (converted("opportunity", on="2025-06-01"), ["opportunity"], []),
        (
            converted("customer", history=[moved("Ciclo_de_vida__c", day(20), "opportunity", "customer")]),
            ["customer"],
            [],
        ),
        (
            converted(
                "lead",
                ("Nuevo", "Convertido"),
                history=[moved("Ciclo_de_vida__c", day(20), "opportunity", "lead")],
            ),
            ["lead"],
            [],
        ),
    ],
)
def test_a_stage_that_a_contact_was_in_as_a_lead_is_not_stated_twice(
    contact: dict[str, Any], entered: list[str], created: list[datetime]
) -> None:
    found = facts("contacts", {"1": contact})
    assert facts_of(found, "lifecycle.entered", "lifecycle") == entered
    assert facts_of(found, "lead.created", "occurred_at") == created


def test_a_contact_says_all_that_its_field_says_where_leads_are_not_read() -> None:
    found = facts("contacts", {"1": converted("opportunity")}, options(leads=None))
    assert facts_of(found, "lifecycle.entered", "lifecycle") == ["opportunity"]


def test_new_customers_are_of_a_stage_that_a_status_means() -> None:
    with pytest.raises(ValueError, match="no status of leads means 'led'; there is lead"):
        options(contacts=None, new_customer_stages=["led"])


def test_leads_follow_the_accounts_that_theirs_were_merged_into() -> None:
    using = options(customer="account")
    assert using.leads is not None
    assert [one.by for one in leads.wanted_leads(using, using.leads).moved] == [
        "ConvertedContactId",
        "ConvertedAccountId",
    ]
