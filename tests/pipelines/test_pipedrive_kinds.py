"""What Pipedrive's deals, persons and activities mean, told without Pipedrive: forecasts, listings, leads, calls."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hubspot_agency import day
from pipedrive_office import ACCOUNT, OPTIONS
from pipedrive_told import History, a_deal, payload, rows, told

from pipelines.pipedrive import PIPEDRIVE, PipedriveOptions

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
