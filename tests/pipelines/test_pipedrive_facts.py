"""What Pipedrive's stored records mean, told without Pipedrive: histories, phases, forecasts, labels."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hubspot_agency import day
from hypothesis import given
from hypothesis import strategies as st
from pipedrive_office import ACCOUNT, OPTIONS

from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines.pipedrive import PIPEDRIVE, PipedriveOptions
from pipelines.pipedrive.changes import changes, instant, number, payload_of
from pipelines.pipedrive.declared import Field

History = dict[str, list[tuple[datetime, Any, Any]]]
"""Field -> its changes in the order of time: when, from what, to what."""


def bare(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def payload(values: dict[str, Any], history: History | None = None, **kept: Any) -> dict[str, Any]:
    entries = {
        name: [{"time": bare(at), "old": old, "new": new} for at, old, new in reversed(steps)]
        for name, steps in (history or {}).items()
    }
    return {"values": values, "history": entries, **kept}


def a_deal(history: History | None = None, **values: Any) -> dict[str, Any]:
    own = {"pipeline_id": "ventas", "stage_id": "propuesta", "status": "open", "value": "5000", "owner_id": "7"}
    created = values.pop("add_time", "2026-01-06T09:00:00Z")
    return payload({**own, **values}, history, add_time=created, person_id="1", currency="EUR")


def told(stream: str, *payloads: dict[str, Any], options: PipedriveOptions = OPTIONS) -> pl.DataFrame:
    """The facts of records, and their problems; each was last changed on day 60."""
    [of] = [one for one in PIPEDRIVE.streams(ACCOUNT, options) if one.name == stream]
    shape = {"record_key": pl.String(), "revision": UTC_MICROSECONDS, "payload": of.payload}
    rows = [{"record_key": str(n), "revision": day(60), "payload": one} for n, one in enumerate(payloads, 1)]
    found = of.facts(pl.DataFrame(rows, schema=shape).unnest("payload").lazy()).collect()
    return found.sort("record_key", "occurred_at", "event_type")


def rows(found: pl.DataFrame, event_type: str, *columns: str) -> list[tuple[Any, ...]]:
    return found.filter(pl.col("event_type") == event_type).select(columns).rows()


# Times, numbers, labels


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2026-01-06T09:00:00Z", datetime(2026, 1, 6, 9, tzinfo=UTC)),
        ("2026-01-06T10:00:00+01:00", datetime(2026, 1, 6, 9, tzinfo=UTC)),
        ("2026-01-06T09:00:00.551Z", datetime(2026, 1, 6, 9, 0, 0, 551_000, tzinfo=UTC)),
        ("2026-01-06 09:00:00", datetime(2026, 1, 6, 9, tzinfo=UTC)),  # of the first version
        ("2026-07-06", datetime(2026, 7, 5, 22, tzinfo=UTC)),  # a day of the organisation's
        ("06/01/2026", None),
        ("ayer", None),
        ("", None),
    ],
)
def test_a_time_is_read_in_each_of_the_shapes_that_pipedrive_writes(given: str, expected: datetime | None) -> None:
    found = pl.LazyFrame({"text": [given]}).select(instant(pl.col("text"), "Europe/Madrid")).collect().item()
    assert found == expected


FIELD = Field(("f" * 40,), labels={"1": "Uno", "2": "Dos"})
SEVERAL = Field(("f" * 40,), has_several=True, labels={"1": "Uno", "2": "Dos"})


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        (FIELD, 1, "Uno"),
        (FIELD, "1", "Uno"),  # as a changelog has it
        (FIELD, {"id": 2, "label": "Dos"}, "Dos"),
        (FIELD, 3, "3"),  # an option that was deleted
        (FIELD, None, None),
        (FIELD, "", None),
        (SEVERAL, [1, 2], "Uno;Dos"),
        (SEVERAL, "1,2", "Uno;Dos"),
        (SEVERAL, "", None),
        (SEVERAL, [], None),
        (Field(("value",)), 5000.0, "5000"),
        (Field(("value",)), 5000.5, "5000.5"),
        (Field(("value",)), True, "true"),
        (Field(("f" * 40,)), {"value": 12.0, "currency": "EUR"}, "12"),
    ],
)
def test_a_value_is_one_word_in_lists_and_in_changelogs(field: Field, value: Any, expected: str | None) -> None:
    assert field.text(value) == expected


# Histories


VALUE = st.sampled_from(["a", "b", None])


@given(first=VALUE, steps=st.lists(st.tuples(st.integers(1, 90), VALUE), max_size=8))
def test_changes_are_those_moments_at_which_the_value_became_another_one(
    first: str | None, steps: list[tuple[int, str | None]]
) -> None:
    """Against a walk through the same history, one step after the other."""
    steps = sorted(steps, key=lambda step: step[0])
    expected, value, entries = ([] if first is None else [(day(1), first)]), first, []
    for n, new in steps:
        entries.append((day(1) + timedelta(days=n), value, new))
        if new != value:
            expected.append((entries[-1][0], new))
        value = new
    record = payload({"x": value} if value else {}, {"x": entries} if entries else {})
    shape = {"record_key": pl.String(), "created_at": UTC_MICROSECONDS, "revision": UTC_MICROSECONDS}
    frame = pl.DataFrame(
        [{"record_key": "1", "created_at": day(1), "revision": day(120), "payload": record}],
        schema={**shape, "payload": payload_of((), ("x",), has_histories=True)},
    )
    found = changes(frame.unnest("payload").lazy(), "x").select("at", "value").collect().rows()
    assert found == expected


def test_what_no_changelog_says_a_record_has_had_since_it_was_last_changed() -> None:
    """An import may change a deal without a line in its changelog."""
    deal = a_deal({"stage_id": [(day(10), "contacto", "propuesta")]}, stage_id="negociacion")
    entered = rows(told("deals", deal), "deal.stage_entered", "occurred_at", "stage")
    assert entered == [(day(6), "contacto"), (day(10), "propuesta"), (day(60), "negociacion")]


def test_a_change_that_came_while_the_record_was_read_is_told_once() -> None:
    """The list said the old stage, and the changelog already has the new one; the next reading says both alike."""
    stale = a_deal({"stage_id": [(day(60, 10), "propuesta", "negociacion")]}, stage_id="propuesta")
    entered = rows(told("deals", stale), "deal.stage_entered", "occurred_at", "stage")
    assert entered == [(day(6), "propuesta"), (day(60, 10), "negociacion")]


def test_a_line_that_is_a_moment_later_than_the_records_last_change_is_told_once() -> None:
    """Both are written by different clocks."""
    late = a_deal({"stage_id": [(day(60, 9, 0, 1), "contacto", "propuesta")]}, stage_id="propuesta")
    entered = rows(told("deals", late), "deal.stage_entered", "occurred_at", "stage")
    assert entered == [(day(6), "contacto"), (day(60, 9, 0, 1), "propuesta")]


def test_an_amount_that_is_written_otherwise_is_no_change() -> None:
    deal = a_deal({"value": [(day(10), "5000", "5000.00"), (day(12), "5000.00", "6000")]}, value="6000.0")
    found = rows(told("deals", deal), "deal.amount_changed", "occurred_at", "amount")
    assert found == [(day(12), Decimal(6000))]


def test_numbers_are_exact() -> None:
    frame = pl.LazyFrame({"text": ["0.1", "1234567890123.45", "12 000", "NaN"]})
    found = frame.select(number(pl.col("text"))).collect().to_series().to_list()
    assert found == [Decimal("0.1"), Decimal("1234567890123.45"), None, None]


# Stages and statuses


def test_a_deal_that_is_won_or_lost_is_in_no_stage_until_it_is_opened_again() -> None:
    deal = a_deal(
        {
            "status": [(day(10), "open", "lost"), (day(20), "lost", "open"), (day(30), "open", "won")],
            "stage_id": [(day(20), "contacto", "propuesta")],
        },
        status="won",
    )
    found = told("deals", deal)
    assert rows(found, "deal.stage_entered", "occurred_at", "stage") == [
        (day(6), "contacto"),
        (day(10), "perdido"),
        (day(20), "propuesta"),  # opened again and moved in one click
        (day(30), "ganado"),
    ]
    assert rows(found, "deal.won", "occurred_at") == [(day(30),)]
    assert rows(found, "deal.lost", "occurred_at") == []


def test_a_deal_that_was_won_when_it_was_entered_was_won_then() -> None:
    found = told("deals", a_deal(status="won"))
    assert rows(found, "deal.won", "occurred_at", "amount") == [(day(6), Decimal(5000))]
    assert rows(found, "deal.created", "stage") == [("ganado",)]


def test_deals_of_other_pipelines_state_nothing_whatever_is_wrong_with_them() -> None:
    assert told("deals", a_deal(pipeline_id="otra", value="mucho", add_time="ayer")).height == 0


def test_stages_are_called_what_the_options_say() -> None:
    sales = OPTIONS.sales[0].model_dump(exclude_defaults=True)
    called = PipedriveOptions.model_validate(
        {"domain": "acme", "sales": [{**sales, "name": "sales", "stages": {"propuesta": "offer"}}]}
    )
    found = told("deals", a_deal(), options=called)
    assert rows(found, "deal.stage_entered", "stage", "pipeline") == [("offer", "sales")]


def test_attributes_and_owner_are_as_they_were_or_the_first_that_were_ever_known() -> None:
    deal = a_deal(
        {
            "producto": [(day(10), None, "A"), (day(20), "A", "B")],
            "owner_id": [(day(15), "7", "8")],
            "status": [(day(30), "open", "won")],
        },
        producto="B",
        owner_id="8",
        status="won",
    )
    found = told("deals", deal)
    assert rows(found, "deal.created", "product", "actor") == [("A", "7")]
    assert rows(found, "deal.won", "product", "actor") == [("B", "8")]


def test_the_product_attached_to_a_deal_is_what_is_sold_where_there_is_only_one() -> None:
    sales = {**OPTIONS.sales[0].model_dump(exclude_defaults=True), "product": None, "product_of_lines": True}
    options = PipedriveOptions.model_validate({"domain": "acme", "sales": [sales]})
    deals = [{**a_deal(status="won"), "products": products} for products in (["A"], ["A", "B"], [])]
    found = told("deals", *deals, options=options)
    assert rows(found, "deal.won", "product") == [("A",), (None,), (None,)]
    assert rows(found, "deal.created", "product") == [("A",), (None,), (None,)]


# Forecasts


def forecast(*steps: tuple[datetime, str | None, str | None], history: History | None = None, **values: Any) -> Any:
    close = {"expected_close_date": list(steps)} if steps else {}
    now = {"expected_close_date": steps[-1][2]} if steps else {}
    found = told("deals", a_deal({**close, **(history or {})}, **{**now, **values}))
    return rows(found, "forecast.stated", "occurred_at", "forecast_month", "amount")


MARCH, APRIL = date(2026, 3, 1), date(2026, 4, 1)


def test_a_forecast_is_stated_when_the_value_or_the_expected_close_date_changes() -> None:
    found = forecast(
        (day(10), None, "2026-03-15"), (day(12), "2026-03-15", "2026-04-02"),
        history={"value": [(day(11), "5000", "6000")]}, value="6000",
    )  # fmt: skip
    assert found == [(day(10), MARCH, Decimal(5000)), (day(11), MARCH, Decimal(6000)), (day(12), APRIL, Decimal(6000))]


def test_a_deal_that_is_lost_is_forecast_as_nothing_until_it_is_taken_up_again() -> None:
    found = forecast(
        (day(10), None, "2026-03-15"), history={"status": [(day(20), "open", "lost"), (day(30), "lost", "open")]}
    )
    assert found == [(day(10), MARCH, Decimal(5000)), (day(20), MARCH, Decimal(0)), (day(30), MARCH, Decimal(5000))]


def test_a_win_is_of_the_month_in_which_it_came_and_later_dates_change_nothing() -> None:
    found = forecast(
        (day(10), None, "2026-04-15"), (day(70), "2026-04-15", "2026-06-01"),
        history={"status": [(day(65), "open", "won")]}, status="won",
    )  # fmt: skip
    assert found == [(day(10), APRIL, Decimal(5000)), (day(65), MARCH, Decimal(5000))]


def test_a_win_on_the_expected_day_is_no_other_forecast() -> None:
    found = forecast(
        (day(10), None, "2026-03-06"), history={"status": [(day(65), "open", "won")]}, status="won"
    )  # fmt: skip
    assert found == [(day(10), MARCH, Decimal(5000))]


def test_a_deal_without_an_expected_close_date_forecasts_nothing_even_when_it_is_won() -> None:
    assert forecast(history={"status": [(day(30), "open", "won")]}, status="won") == []


def test_a_forecast_whose_close_date_is_emptied_is_withdrawn_once() -> None:
    found = forecast((day(10), None, "2026-03-15"), (day(20), "2026-03-15", None))
    assert found == [(day(10), MARCH, Decimal(5000)), (day(20), MARCH, Decimal(0))]


def test_what_one_click_saves_is_one_forecast() -> None:
    at = day(10)
    found = forecast((at, None, "2026-03-15"), history={"value": [(at + timedelta(seconds=2), "1", "5000")]})
    assert found == [(at, MARCH, Decimal(5000))]


def test_a_close_date_that_is_none_is_a_problem_only_where_it_forecasts() -> None:
    strange = a_deal(expected_close_date="pronto")
    assert told("deals", strange)["problem"].drop_nulls().to_list() == [
        "expected_close_date is, or has been, not a day"
    ]
    silent = PipedriveOptions.model_validate({"domain": "acme", "sales": [{"pipeline": "ventas"}]})
    del strange["values"]["expected_close_date"]
    assert told("deals", strange, options=silent)["problem"].drop_nulls().to_list() == []


# Listings, labels and referrals


LISTINGS = PipedriveOptions.model_validate(
    {
        "domain": "acme",
        "listings": [
            {
                "pipeline": "captaciones",
                "captured": ["captada"],
                "captured_on": "fecha",
                "mandate": {"field": "mandato", "values": {"exclusiva": "exclusive", "abierta": "open"}},
                "portals": "portales",
            }
        ],
    }
)


def test_a_listing_is_captured_on_its_day_and_published_on_each_portal_as_often_as_it_is_added() -> None:
    listing = a_deal(
        {
            "mandato": [(day(20), "abierta", "exclusiva")],
            "portales": [(day(7), None, "uno;dos"), (day(15), "uno;dos", "uno"), (day(19), "uno", "uno;dos")],
        },
        pipeline_id="captaciones",
        stage_id="captada",
        fecha="2026-01-05",
        mandato="exclusiva",
        portales="uno;dos",
    )
    found = told("deals", listing, options=LISTINGS)
    midnight = datetime(2026, 1, 4, 23, tzinfo=UTC)
    assert rows(found, "listing.captured", "occurred_at", "mandate", "amount") == [(midnight, "open", Decimal(5000))]
    published = rows(found, "listing.published", "occurred_at", "portal")
    assert sorted(published) == [(day(7), "dos"), (day(7), "uno"), (day(19), "dos")]


def a_person(history: History | None = None, **values: Any) -> dict[str, Any]:
    return payload(values, history, add_time="2026-01-06T09:00:00Z")


def test_somebody_who_is_given_several_labels_enters_each_of_them() -> None:
    labels = PipedriveOptions.model_validate(
        {
            "domain": "acme",
            "persons": {
                "lifecycle": {"field": "label", "values": {"Contacto": "lead", "Cliente": "customer"}},
                "new_customer_stages": ["lead"],
            },
        }
    )
    person = a_person(
        {"label": [(day(10), None, "Contacto"), (day(20), "Contacto", "Cliente;Contacto"),
                   (day(30), "Cliente;Contacto", "Cliente")]},
        label="Cliente",
    )  # fmt: skip
    found = told("persons", person, options=labels)
    assert rows(found, "lifecycle.entered", "occurred_at", "lifecycle") == [(day(10), "lead"), (day(20), "customer")]
    assert rows(found, "lead.created", "occurred_at") == [(day(10),)]


def test_a_person_is_a_lead_once_however_often_it_becomes_one_again() -> None:
    person = a_person(
        {"ciclo_de_vida": [(day(10), "lead", None), (day(20), None, "lead")]}, ciclo_de_vida="lead"
    )  # fmt: skip
    found = told("persons", person)
    assert rows(found, "lead.created", "occurred_at") == [(day(6),)]
    assert rows(found, "lifecycle.entered", "occurred_at") == [(day(6),), (day(20),)]


def test_a_referral_came_when_the_field_was_filled_from_whom_it_now_names() -> None:
    options = PipedriveOptions.model_validate({"domain": "acme", "persons": {"referrer": "recomienda"}})
    person = a_person({"recomienda": [(day(10), None, "7"), (day(20), "7", "8")]}, recomienda="8")
    found = told("persons", person, options=options)
    assert rows(found, "referral.received", "occurred_at", "account_id") == [(day(10), "8")]


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("00:30", 1800), ("00:01:30", 90), ("10:00:00", 36_000), ("00:00", 0), (None, None), ("", None)],
)
def test_a_call_lasts_hours_minutes_and_seconds(given: str | None, seconds: int | None) -> None:
    done = {"done": "true", "due_date": "2026-01-08", "due_time": "09:00", "person_id": "1", "deal_id": None}
    call = {"add_time": "2026-01-07T09:00:00Z", "marked_as_done_time": None, "duration": given, **done}
    found = told("activities", {**call, "values": {"type": "seguimiento", "owner_id": "7"}})
    assert rows(found, "call.made", "occurred_at", "quantity") == [(day(8), seconds)]


def test_an_activity_without_an_hour_took_place_on_its_day_in_the_organisations_zone() -> None:
    done = {"done": "true", "due_date": "2026-07-08", "due_time": "", "duration": "", "deal_id": "5"}
    call = {"add_time": "2026-01-07T09:00:00Z", "marked_as_done_time": None, "person_id": None, **done}
    frame = told("activities", {**call, "due_date": "2026-01-08", "values": {"type": "seguimiento"}})
    assert rows(frame, "call.made", "occurred_at", "source_url") == [
        (datetime(2026, 1, 7, 23, tzinfo=UTC), "https://acme.pipedrive.com/deal/5")
    ]


def test_customers_may_be_organisations() -> None:
    """Then whoever works there is not the customer, and erasing them erases no account."""
    sales = OPTIONS.sales[0].model_dump(exclude_defaults=True)
    options = PipedriveOptions.model_validate(
        {"domain": "acme", "account": "organization", "sales": [sales], "persons": {"lifecycle": "ciclo_de_vida"}}
    )
    deal = {**a_deal(status="won"), "org_id": "90"}
    person = {**a_person(ciclo_de_vida="lead"), "org_id": "90"}
    activity = {"done": "true", "due_date": "2026-01-08", "add_time": "2026-01-07T09:00:00Z", "person_id": "1"}
    call = {**activity, "org_id": "90", "values": {"type": "call"}}
    assert rows(told("deals", deal, options=options), "deal.won", "account_id") == [("90",)]
    assert rows(told("persons", person, options=options), "lead.created", "subject_id", "account_id") == [("1", "90")]
    assert rows(told("activities", call, options=options), "call.made", "account_id") == [("90",)]
    assert {stream.people.account for stream in PIPEDRIVE.streams(ACCOUNT, options)} == {None}
    assert {stream.people.account for stream in PIPEDRIVE.streams(ACCOUNT, OPTIONS)} == {"person"}


def test_activities_of_other_types_state_nothing() -> None:
    mail = {"done": "true", "due_date": "mañana", "values": {"type": "email"}, "add_time": "ayer"}
    assert told("activities", mail).height == 0


@pytest.mark.parametrize("stream", ["persons", "deals", "activities"])
def test_a_stream_without_records_states_nothing(stream: str) -> None:
    assert told(stream).height == 0
