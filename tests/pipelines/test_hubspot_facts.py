"""What HubSpot's texts and histories mean, record by record: the pure half of the source."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from crm_office import facts_of, problems
from hubspot_agency import ACCOUNT, OPTIONS, day
from hypothesis import given
from hypothesis import strategies as st

from kr_definitions.vocabulary import vocabulary
from pipelines.hubspot import HUBSPOT, HubSpotOptions, deals, reading
from pipelines.hubspot.api import Api
from pipelines.hubspot.changes import changes, instant
from pipelines.novelty import Novelty
from pipelines.raw_zone import RAW_SCHEMA
from pipelines.understanding import understand

NOW = day(60)


def text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def history(*pairs: tuple[Any, str]) -> list[dict[str, str]]:
    """Newest first, as HubSpot gives it; the pairs are given oldest first."""
    return [{"timestamp": at if isinstance(at, str) else text(at), "value": value} for at, value in reversed(pairs)]


def facts(stream: str, records: dict[str, dict[str, Any]], options: HubSpotOptions = OPTIONS) -> list[dict[str, Any]]:
    """The facts of records that were stored; what is null is left out."""
    [of] = [one for one in HUBSPOT.streams(ACCOUNT, options) if one.name == stream]
    rows = [
        {"record_key": key, "revision": NOW, "createdAt": text(day(1)), "contacts": [], **payload}
        for key, payload in records.items()
    ]
    shape = {
        "record_key": pl.String(),
        "revision": pl.Datetime("us", "UTC"),
        **{f.name: f.dtype for f in of.payload.fields},
    }
    found = of.facts(pl.LazyFrame([{name: row.get(name) for name in shape} for row in rows], schema=shape)).collect()
    return [{name: value for name, value in row.items() if value is not None} for row in found.iter_rows(named=True)]


def deal(pipeline: str = "default", contacts: tuple[str, ...] = (), **given: Any) -> dict[str, Any]:
    """A deal. given: a text is a present value, a list of (instant, text) a history."""
    histories = {name: history(*pairs) for name, pairs in given.items() if isinstance(pairs, list)}
    now = {name: entries[0]["value"] for name, entries in histories.items() if entries}
    properties = {"pipeline": pipeline, "createdate": text(day(1)), **now}
    properties |= {name: value for name, value in given.items() if isinstance(value, str)}
    return {"properties": properties, "history": histories, "contacts": list(contacts)}


# Texts


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2026-02-25T16:26:25.880Z", datetime.fromisoformat("2026-02-25T16:26:25.880Z")),
        ("2026-02-25T16:26:25Z", datetime.fromisoformat("2026-02-25T16:26:25Z")),
        ("2026-02-25T17:26:25.880+01:00", datetime.fromisoformat("2026-02-25T16:26:25.880Z")),
        ("1572480000000", datetime.fromisoformat("2019-10-31T00:00:00Z")),
        ("2026-07-01", datetime.fromisoformat("2026-07-01T00:00:00+02:00")),
        ("2026-03-29", datetime.fromisoformat("2026-03-29T00:00:00+01:00")),
        ("ayer", None),
        ("", None),
        ("2026", None),
        ("2026-02-30", None),
    ],
)
def test_a_time_is_read_in_each_of_the_shapes_that_hubspot_writes(given: str, expected: datetime | None) -> None:
    found = pl.LazyFrame({"text": [given]}).select(instant(pl.col("text"), "Europe/Madrid")).collect().item()
    assert found == expected


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["", "a", "b"])), max_size=8))
def test_changes_are_those_moments_at_which_the_value_became_another_one(pairs: list[tuple[int, str]]) -> None:
    ordered = sorted(pairs, key=lambda pair: pair[0])
    expected, before = [], None
    for number, value in ordered:
        if (value or None) != before:
            expected.append((day(2 + number), value or None, before))
        before = value or None
    entries = history(*((day(2 + number), value) for number, value in ordered))
    shape = {"timestamp": pl.String, "value": pl.String}
    records = pl.LazyFrame(
        {"record_key": ["1"], "properties": [{"p": None}], "history": [{"p": entries}], "created_at": [day(1)]},
        schema={
            "record_key": pl.String,
            "properties": pl.Struct({"p": pl.String}),
            "history": pl.Struct({"p": pl.List(pl.Struct(shape))}),
            "created_at": pl.Datetime("us", "UTC"),
        },
    )
    assert changes(records, "p").select("at", "value", "before").collect().rows() == expected


# Deals


def test_amounts_are_exact_and_in_the_deals_own_currency() -> None:
    given = {
        "1": deal(dealstage=[(day(1), "closedwon")], amount=[(day(1), "0.1")], deal_currency_code="GBP"),
        "2": deal(dealstage=[(day(1), "closedwon")], amount=[(day(1), "12345678901234567890.123456")]),
        "3": deal(dealstage=[(day(1), "closedwon")]),
    }
    assert sorted(facts_of(facts("deals", given), "deal.won", "record_key", "amount", "currency")) == [
        ("1", Decimal("0.1"), "GBP"),
        ("2", Decimal("12345678901234567890.123456"), "EUR"),
        ("3", None, None),
    ]


def test_what_was_saved_in_one_click_was_in_force_though_some_milliseconds_apart() -> None:
    a_moment_later = "2026-01-01T09:00:00.700Z"
    found = facts("deals", {"1": deal(dealstage=[(day(1), "contractsent")], amount=[(a_moment_later, "700")])})
    assert facts_of(found, "deal.created", "stage", "amount") == [("reservation", Decimal(700))]
    assert facts_of(found, "deal.stage_entered", "amount") == [Decimal(700)]
    assert facts_of(found, "deal.amount_changed", "amount") == []


def test_an_amount_that_was_not_known_yet_is_no_amount_and_its_arrival_is_a_change() -> None:
    found = facts("deals", {"1": deal(dealstage=[(day(1), "contractsent")], amount=[(day(3), "700"), (day(4), "")])})
    assert facts_of(found, "deal.created", "amount", "currency") == [(None, None)]
    assert facts_of(found, "deal.amount_changed", "occurred_at", "amount") == [(day(3), Decimal(700))]


def test_of_two_amounts_of_one_instant_the_later_saved_one_is_stated() -> None:
    given = {"1": deal(dealstage=[(day(1), "contractsent")], amount=[(day(3), "700"), (day(3), "900")])}
    assert facts_of(facts("deals", given), "deal.amount_changed", "occurred_at", "amount") == [(day(3), Decimal(900))]


def test_attributes_and_owner_are_as_they_were_or_the_first_that_were_ever_known() -> None:
    given = deal(
        dealstage=[(day(1), "appointmentscheduled"), (day(5), "closedwon")],
        municipio=[(day(2), "Getafe"), (day(6), "Madrid")],
        hubspot_owner_id=[(day(1), "11"), (day(4), "22"), (day(7), "33")],
    )
    found = facts("deals", {"1": given})
    assert facts_of(found, "deal.created", "market", "actor") == [("Getafe", "11")]
    assert facts_of(found, "deal.won", "market", "actor") == [("Getafe", "22")]


def test_a_win_that_moves_on_within_the_won_stages_was_won_when_it_came_to_them() -> None:
    options = HubSpotOptions.model_validate(
        {"portal_id": "1", "currency": "EUR", "sales": [{"pipeline": "default", "won": ["signed", "paid"]}]}
    )
    given = deal(dealstage=[(day(1), "open"), (day(2), "signed"), (day(3), "paid")])
    found = facts("deals", {"1": given}, options)
    assert facts_of(found, "deal.won", "occurred_at", "pipeline") == [(day(2), "default")]
    assert facts_of(found, "deal.stage_entered", "stage") == ["open", "signed", "paid"]


def test_deals_of_other_pipelines_state_nothing_whatever_is_wrong_with_them() -> None:
    assert facts("deals", {"1": deal("9000", dealstage=[(day(1), "closedwon")], amount="mucho")}) == []


def test_a_listing_without_a_date_of_its_own_was_captured_when_it_came_to_that_stage() -> None:
    given = {
        "1": deal("80417731", ("5",), dealstage=[(day(3), "151617181")], fecha_de_captacion=""),
        "2": deal("80417731", ("5",), dealstage=[(day(3), "151617181")], fecha_de_captacion="2026-01-02"),
        "3": deal("80417731", ("5",), dealstage=[(day(3), "valoracion")], fecha_de_captacion="2026-01-02"),
        "4": deal("80417731", ("5",), dealstage=[(day(3), "151617181")], fecha_de_captacion="pronto"),
    }
    found = facts("deals", given)
    assert facts_of(found, "listing.captured", "record_key", "occurred_at") == [
        ("2", datetime.fromisoformat("2026-01-02T00:00:00+01:00")),
        ("1", day(3)),
        ("4", day(3)),
    ]
    assert problems(found) == {"4": "fecha_de_captacion is not a time"}


def test_values_are_called_what_the_options_say_and_keep_their_names_otherwise() -> None:
    given = deal(
        "80417731",
        dealstage=[(day(1), "151617181")],
        tipo_de_mandato=[(day(1), "exclusiva")],
        tipo_de_inmueble=[(day(1), "garaje")],
        portales=[(day(1), " idealista; ;pisos")],
    )
    found = facts("deals", {"1": given})
    assert facts_of(found, "listing.captured", "mandate", "category") == [("exclusive", "garaje")]
    assert sorted(facts_of(found, "listing.published", "portal")) == ["idealista", "pisos"]


# Forecasts

SALES = OPTIONS.sales[0].model_dump()
FORECASTING = HubSpotOptions.model_validate(
    {
        "portal_id": "1",
        "currency": "EUR",
        "sales": [
            {**SALES, "forecast": True, "product": "producto"},
            {"pipeline": "other", "won": ["closedwon"], "lost": ["closedlost"]},
        ],
    }
)
FORECAST = ("occurred_at", "forecast_month", "amount")


def forecast(**given: Any) -> list[Any]:
    """What a deal forecasts: when, of which month, how much."""
    usual = {"dealstage": [(day(1), "contractsent")], "amount": [(day(1), "700")]}
    return facts_of(facts("deals", {"1": deal(**{**usual, **given})}, FORECASTING), "forecast.stated", *FORECAST)


def test_a_forecast_is_stated_when_the_amount_or_the_close_date_changes() -> None:
    amounts = [(day(2), "700"), (day(8), "900.50")]
    closes = [(day(3), "2026-03-15T10:00:00Z"), (day(5), "2026-04-30T10:00:00Z"), (day(9), "2026-04-02T10:00:00Z")]
    assert forecast(amount=amounts, closedate=closes) == [
        (day(3), date(2026, 3, 1), Decimal(700)),
        (day(5), date(2026, 4, 1), Decimal(700)),
        (day(8), date(2026, 4, 1), Decimal("900.50")),
        (day(9), date(2026, 4, 1), Decimal("900.50")),
    ]


@pytest.mark.parametrize(
    ("written", "month"),
    [
        ("2026-03-31T21:59:59.999Z", date(2026, 3, 1)),
        ("2026-03-31T22:00:00Z", date(2026, 4, 1)),
        ("1774994400000", date(2026, 4, 1)),
        ("1774994399999", date(2026, 3, 1)),
        ("2026-04-01", date(2026, 4, 1)),
        ("2026-12-31T23:30:00Z", date(2027, 1, 1)),
    ],
)
def test_the_month_is_that_of_the_close_date_in_the_organisations_zone(written: str, month: date) -> None:
    assert forecast(closedate=[(day(1), written)]) == [(day(1), month, Decimal(700))]


def test_a_deal_that_is_lost_is_forecast_as_nothing_until_it_is_taken_up_again() -> None:
    stages = [(day(1), "contractsent"), (day(4), "closedlost"), (day(6), "contractsent"), (day(9), "closedwon")]
    amounts = [(day(1), "700"), (day(5), "800")]
    assert forecast(dealstage=stages, amount=amounts, closedate=[(day(1), "2026-03-15")]) == [
        (day(1), date(2026, 3, 1), Decimal(700)),
        (day(4), date(2026, 3, 1), Decimal(0)),
        (day(5), date(2026, 3, 1), Decimal(0)),
        (day(6), date(2026, 3, 1), Decimal(800)),
    ]


def test_what_one_click_saves_is_one_forecast() -> None:
    """HubSpot itself moves the close date when a deal is lost, a moment after the stage."""
    stages = [(day(1), "contractsent"), (day(4), "closedlost")]
    closes = [("2026-01-01T09:00:00.700Z", "2026-03-15"), ("2026-01-04T09:00:00.040Z", "2026-01-04T09:00:00.000Z")]
    assert forecast(dealstage=stages, closedate=closes) == [
        (day(1), date(2026, 3, 1), Decimal(700)),
        (day(4), date(2026, 1, 1), Decimal(0)),
    ]


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"closedate": ""},
        {"closedate": [(day(2), "")]},
        {"amount": "", "closedate": "2026-03-15"},
        {"dealstage": [(day(1), "contractsent"), (day(4), "closedlost")]},
    ],
)
def test_a_deal_without_a_close_date_or_an_amount_forecasts_nothing(given: dict[str, Any]) -> None:
    assert forecast(**given) == []


@pytest.mark.parametrize("emptied", ["amount", "closedate"])
def test_a_forecast_whose_amount_or_close_date_is_emptied_is_withdrawn_once(emptied: str) -> None:
    values = {"amount": [(day(1), "700")], "closedate": [(day(1), "2026-03-15")]}
    values[emptied] += [(day(4), ""), (day(6), values[emptied][0][1])]
    other = "closedate" if emptied == "amount" else "amount"
    values[other] += [(day(5), {"amount": "800", "closedate": "2026-04-15"}[other])]
    month, amount = (date(2026, 4, 1), 700) if emptied == "amount" else (date(2026, 3, 1), 800)
    assert forecast(**values) == [
        (day(1), date(2026, 3, 1), Decimal(700)),
        (day(4), date(2026, 3, 1), Decimal(0)),
        (day(6), month, Decimal(amount)),
    ]


def test_a_deal_without_histories_forecasts_since_it_was_created() -> None:
    assert forecast(amount="700", closedate="2026-03-15") == [(day(1), date(2026, 3, 1), Decimal(700))]


def test_a_forecast_is_of_its_deal_with_its_attributes_of_then_under_a_stable_key() -> None:
    given = deal(
        dealstage=[(day(1), "contractsent")],
        amount=[(day(1), "700")],
        closedate=[(day(2), "2026-03-15"), (day(7), "2026-04-15")],
        municipio=[(day(1), "Getafe"), (day(6), "Madrid")],
        producto=[(day(1), "alquiler")],
        deal_currency_code="GBP",
    )
    columns = ("fact_key", "subject_id", "pipeline", "stage", "market", "product", "currency")
    assert facts_of(facts("deals", {"1": given}, FORECASTING), "forecast.stated", *columns) == [
        (f"deal/1/forecast/{int(day(2).timestamp()) * 1000}", "1", "ventas", None, "Getafe", "alquiler", "GBP"),
        (f"deal/1/forecast/{int(day(7).timestamp()) * 1000}", "1", "ventas", None, "Madrid", "alquiler", "GBP"),
    ]


def test_only_pipelines_that_say_so_forecast_and_only_their_close_dates_have_to_be_times() -> None:
    given = {
        "1": deal("other", dealstage=[(day(1), "open")], amount="1", closedate=[(day(1), "2026-03-15")]),
        "2": deal("other", dealstage=[(day(1), "open")], amount="1", closedate=[(day(1), "pronto")]),
        "3": deal(dealstage=[(day(1), "open")], amount="1", closedate=[(day(1), "pronto"), (day(2), "2026-03-15")]),
    }
    found = facts("deals", given, FORECASTING)
    assert {row["record_key"] for row in found if row.get("event_type") == "forecast.stated"} <= {"3"}
    assert problems(found) == {"3": "closedate is, or has been, not a time"}


def test_close_dates_are_read_and_forecasts_declared_only_where_they_are_asked_for() -> None:
    for options, is_asked in ((OPTIONS, False), (FORECASTING, True)):
        [of_deals] = [one for one in HUBSPOT.streams(ACCOUNT, options) if one.name == "deals"]
        assert ("forecast.stated" in of_deals.feeds) is is_asked
        asked = deals.wanted(options)
        assert ("closedate" in asked.with_history) is is_asked
        assert "closedate" not in asked.properties


# Contacts


def person(**given: Any) -> dict[str, Any]:
    histories = {name: history(*pairs) for name, pairs in given.items()}
    now = {name: entries[0]["value"] for name, entries in histories.items()}
    return {"properties": {"createdate": text(day(1)), **now}, "history": histories}


def test_a_contact_is_a_lead_once_however_often_it_is_emptied_and_becomes_one_again() -> None:
    stages = [(day(1), "subscriber"), (day(2), "lead"), (day(3), "lead"), (day(4), ""), (day(5), "lead")]
    found = facts("contacts", {"1": person(lifecyclestage=stages)})
    assert facts_of(found, "lead.created", "occurred_at") == [day(2)]
    assert facts_of(found, "lifecycle.entered", "occurred_at", "lifecycle") == [
        (day(1), "subscriber"),
        (day(2), "lead"),
        (day(5), "lead"),
    ]


def test_a_referral_came_when_the_property_was_filled_from_whom_it_now_names() -> None:
    given = {
        "1": person(cliente_que_recomienda=[(day(2), "77"), (day(9), "88")]),
        "2": person(cliente_que_recomienda=[(day(2), "77"), (day(3), "")]),
        "3": person(cliente_que_recomienda=[(day(2), "77"), (day(3), ""), (day(4), "99")]),
    }
    found = facts("contacts", given)
    assert facts_of(found, "referral.received", "record_key", "account_id", "occurred_at") == [
        ("1", "88", day(2)),
        ("3", "99", day(4)),
    ]


# Calls and meetings


def call(**properties: str) -> dict[str, Any]:
    return {"properties": {"hs_timestamp": text(day(3)), **properties}, "contacts": ["7", "12"]}


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({"hs_call_disposition": "f240bbac-87c9-4f6e-bf70-924b57d47db7"}, "connected"),
        ({"hs_call_disposition": "own", "hs_call_status": "COMPLETED"}, "interested"),
        ({"hs_call_disposition": "another"}, "another"),
        ({"hs_call_status": "COMPLETED"}, "completed"),
        ({"hs_call_status": "BUSY"}, "busy"),
        ({"hs_call_status": "NO_ANSWER", "hs_call_disposition": ""}, "no_answer"),
        ({"hs_call_status": "QUEUED"}, None),
        ({"hs_call_status": "CANCELED"}, None),
        ({}, None),
    ],
)
def test_a_call_took_place_when_it_has_an_outcome(properties: dict[str, str], expected: str | None) -> None:
    options = HubSpotOptions.model_validate({"portal_id": "1", "calls": {"outcomes": {"own": "interested"}}})
    found = facts("calls", {"1": call(**properties)}, options)
    assert facts_of(found, "call.made", "outcome", "account_id") == ([(expected, "7")] if expected else [])


def test_a_call_without_a_time_or_before_it_is_made_is_a_problem() -> None:
    done = {"hs_call_status": "COMPLETED"}
    given = {
        "1": call(**done, hs_timestamp=""),
        "2": call(**done, hs_timestamp=text(day(62))),
        "3": call(**done, hs_timestamp=text(day(60, 20))),
        "4": call(hs_call_status="QUEUED", hs_timestamp=text(day(62))),
    }
    assert problems(facts("calls", given)) == {
        "1": "hs_timestamp is not a time",
        "2": "hs_timestamp is after the last change of a call made",
    }


def test_a_call_lasts_its_milliseconds_in_seconds() -> None:
    given = call(hs_call_status="COMPLETED", hs_call_duration="61500", hs_activity_type="Seguimiento")
    assert facts_of(facts("calls", {"1": given}), "call.made", "quantity", "category") == [
        (Decimal("61.5"), "Seguimiento")
    ]


def test_a_meeting_that_ends_before_it_begins_has_no_duration() -> None:
    def held(ends_at: datetime) -> dict[str, Any]:
        times = {"hs_meeting_start_time": text(day(3, 10)), "hs_meeting_end_time": text(ends_at)}
        return {"properties": {"hs_meeting_outcome": "COMPLETED", "hs_createdate": text(day(1)), **times}}

    found = facts("meetings", {"1": held(day(3, 11)), "2": held(day(3, 9))})
    assert sorted(facts_of(found, "meeting.held", "record_key", "quantity"), key=str) == [
        ("1", Decimal(60)),
        ("2", None),
    ]


WORDED = HubSpotOptions.model_validate(
    {
        "portal_id": "1",
        "currency": "EUR",
        "sales": [
            {
                **SALES,
                "forecast": True,
                "product": "producto",
                "segment": "segmento",
                "industry": "sector",
                "category": {"property": "tipo_de_venta", "values": {"Ampliación": "upsell"}},
                "campaign": "hs_campaign",
            }
        ],
        "contacts": {"market": "municipio", "segment": "segmento", "industry": "sector", "campaign": "hs_campaign"},
        "calls": {"segment": "segmento"},
        "meetings": {
            "visits": ["Visita"],
            "categories": {"Reunión": "discovery", "Visita": "viewing"},
            "market": "municipio",
            "segment": "segmento",
            "product": {"property": "producto", "values": {"alquiler": "rental"}},
        },
    }
)
"""Options that say as much of calls, meetings, contacts and sales as options can."""


def test_a_deals_category_and_campaign_are_as_they_were() -> None:
    given = deal(
        dealstage=[(day(1), "appointmentscheduled"), (day(5), "closedwon")],
        tipo_de_venta=[(day(1), "Nuevo"), (day(4), "Ampliación")],
        hs_campaign=[(day(2), "primavera"), (day(6), "verano")],
    )
    found = facts("deals", {"1": given}, WORDED)
    assert facts_of(found, "deal.created", "category", "campaign") == [("Nuevo", "primavera")]
    assert facts_of(found, "deal.won", "category", "campaign") == [("upsell", "primavera")]


def test_a_leads_campaign_is_the_one_of_then_and_its_stages_have_none() -> None:
    given = person(lifecyclestage=[(day(2), "lead")], hs_campaign=[(day(1), "primavera"), (day(3), "verano")])
    found = facts("contacts", {"1": given}, WORDED)
    assert facts_of(found, "lead.created", "campaign") == ["primavera"]
    assert facts_of(found, "lifecycle.entered", "campaign") == [None]


def test_a_call_says_its_segment() -> None:
    found = facts("calls", {"1": call(hs_call_status="COMPLETED", segmento="pyme")}, WORDED)
    assert facts_of(found, "call.made", "segment") == ["pyme"]


def test_meetings_say_segment_product_and_category_in_the_words_of_the_options() -> None:
    held = {"hs_meeting_outcome": "COMPLETED", "hs_meeting_start_time": text(day(2)), "segmento": "pyme"}
    given = {
        "1": {"properties": {**held, "hs_activity_type": "Reunión", "producto": "alquiler"}},
        "2": {"properties": {**held, "hs_activity_type": "Comida", "producto": "venta"}},
        "3": {"properties": {**held, "hs_activity_type": "Visita", "municipio": "Getafe"}},
    }
    found = facts("meetings", given, WORDED)
    assert facts_of(found, "meeting.scheduled", "category", "segment", "product") == [
        ("discovery", "pyme", "rental"),
        ("Comida", "pyme", "venta"),
        ("viewing", "pyme", None),
    ]
    assert facts_of(found, "meeting.held", "category", "segment", "product") == [
        ("discovery", "pyme", "rental"),
        ("Comida", "pyme", "venta"),
    ]
    assert facts_of(found, "visit.held", "category", "segment", "product", "market") == [(None, None, None, "Getafe")]


# All of them


@pytest.mark.parametrize("options", [OPTIONS, WORDED], ids=["an agency's", "all"])
def test_facts_say_only_what_their_type_may_carry(options: HubSpotOptions) -> None:
    """Every type of fact, from records that say as much as they can."""
    more = {"segmento": "pyme", "producto": "alquiler", "municipio": "Getafe"}
    held = {"hs_meeting_outcome": "COMPLETED", "hs_meeting_start_time": text(day(2)), **more}
    names = ("municipio", "segmento", "producto", "sector", "tipo_de_venta", "hs_campaign")
    place = {"hubspot_owner_id": [(day(1), "7")], **{name: [(day(1), "Getafe")] for name in names}}
    sold = {**place, "amount": [(day(1), "1"), (day(2), "2")], "closedate": [(day(1), "2026-03-15")]}
    taken = {**place, "tipo_de_mandato": [(day(1), "abierta")], "tipo_de_inmueble": [(day(1), "piso")]}
    given = {
        "contacts": {
            "1": person(
                lifecyclestage=[(day(1), "lead")],
                cliente_que_recomienda=[(day(1), "7")],
                canal_de_entrada=[(day(1), "web")],
                **place,
            )
        },
        "deals": {
            "1": deal(dealstage=[(day(1), "contractsent"), (day(2), "closedwon")], **sold),
            "2": deal(dealstage=[(day(1), "closedlost")], **sold),
            "3": deal("80417731", dealstage=[(day(1), "151617181")], portales=[(day(1), "pisos")], **taken),
        },
        "calls": {
            "1": call(
                hs_call_status="COMPLETED",
                hs_call_duration="1",
                hs_activity_type="a",
                hs_call_direction="INBOUND",
                segmento="pyme",
            )
        },
        "meetings": {
            "1": {"properties": {**held, "hs_activity_type": "Visita"}},
            "2": {"properties": {**held, "hs_activity_type": "Reunión"}},
        },
    }
    known = vocabulary()
    stated = [row for stream, records in given.items() for row in facts(stream, records, options)]
    assert problems(stated) == {}
    fed = {type_ for one in HUBSPOT.streams(ACCOUNT, options) for type_ in one.feeds}
    assert {row["event_type"] for row in stated} == fed
    for row in stated:
        type_ = known.types[row["event_type"]]
        assert set(row) & set(known.attributes) <= set(type_.carries), row["event_type"]
        assert "amount" not in row or type_.amount is not None
        assert "quantity" not in row or type_.quantity is not None


def test_a_stream_without_records_states_nothing() -> None:
    assert [facts(stream.name, {}) for stream in HUBSPOT.streams(ACCOUNT, OPTIONS)] == [[], [], [], []]


# Currencies, imports, what is no history


EXAMPLE = OPTIONS.model_dump(exclude_unset=True)


def selling(**given: Any) -> HubSpotOptions:
    """The example's options, with something more said of its sales pipeline."""
    return HubSpotOptions.model_validate({**EXAMPLE, "sales": [{**EXAMPLE["sales"][0], **given}]})


def test_a_deal_is_worth_what_it_was_in_the_currency_of_that_time() -> None:
    sold = deal(
        dealstage=[(day(1), "appointmentscheduled"), (day(20), "closedwon")],
        amount=[(day(1), "5000"), (day(5), "6000")],
        deal_currency_code=[(day(1), "EUR"), (day(10), "USD")],
        closedate=[(day(2), text(day(40)))],
    )
    found = facts("deals", {"1": sold}, selling(forecast=True))
    columns = ("occurred_at", "amount", "currency")
    assert facts_of(found, "deal.created", *columns) == [(day(1), Decimal(5000), "EUR")]
    assert facts_of(found, "deal.amount_changed", *columns) == [
        (day(5), Decimal(6000), "EUR"),
        (day(10), Decimal(6000), "USD"),
    ]
    assert facts_of(found, "deal.won", *columns) == [(day(20), Decimal(6000), "USD")]
    assert facts_of(found, "forecast.stated", *columns) == [
        (day(2), Decimal(5000), "EUR"),
        (day(5), Decimal(6000), "EUR"),
        (day(10), Decimal(6000), "USD"),
    ]


def test_an_amount_and_its_currency_that_are_changed_in_one_save_are_one_change() -> None:
    sold = deal(
        dealstage=[(day(1), "appointmentscheduled")],
        amount=[(day(1), "5000"), (day(10), "6000")],
        deal_currency_code=[(day(1), "EUR"), (day(10, 9, 0, 2), "USD")],
    )
    found = facts("deals", {"1": sold})
    assert facts_of(found, "deal.amount_changed", "amount", "currency") == [(Decimal(6000), "USD")]


def test_before_it_has_a_currency_a_deal_is_in_the_accounts() -> None:
    sold = deal(
        dealstage=[(day(1), "appointmentscheduled")],
        amount=[(day(1), "5000")],
        deal_currency_code=[(day(10), "EUR"), (day(20), "USD")],
    )
    found = facts("deals", {"1": sold})
    assert facts_of(found, "deal.created", "currency") == ["EUR"]
    assert facts_of(found, "deal.amount_changed", "occurred_at", "currency") == [(day(20), "USD")]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2024-03-05", datetime.fromisoformat("2024-03-05T00:00:00+01:00")),
        ("2024-03-05T10:30:00Z", datetime.fromisoformat("2024-03-05T10:30:00Z")),
        (f"{day(20):%Y-%m-%d}", day(20)),
        ("", day(20)),
    ],
)
def test_an_imported_deal_was_won_when_it_says(said: str, expected: datetime) -> None:
    imported = deal(
        dealstage=[(day(20), "closedwon")], amount=[(day(20), "5000")], fecha_de_venta=said, createdate=text(day(20))
    )
    found = facts("deals", {"1": imported}, selling(won_on="fecha_de_venta"))
    assert facts_of(found, "deal.won", "occurred_at", "amount") == [(expected, Decimal(5000))]
    assert facts_of(found, "deal.stage_entered", "occurred_at") == [day(20)]


def test_a_lost_deal_was_not_won_on_any_day() -> None:
    lost = deal(dealstage=[(day(20), "closedlost")], amount=[(day(20), "5000")], fecha_de_venta="2024-03-05")
    found = facts("deals", {"1": lost}, selling(won_on="fecha_de_venta"))
    assert (facts_of(found, "deal.won", "occurred_at"), facts_of(found, "deal.lost", "occurred_at")) == ([], [day(20)])


def test_a_day_of_winning_that_is_none_sets_the_deal_aside() -> None:
    strange = deal(dealstage=[(day(20), "closedwon")], amount=[(day(20), "5000")], fecha_de_venta="marzo")
    assert problems(facts("deals", {"1": strange}, selling(won_on="fecha_de_venta"))) == {
        "1": "fecha_de_venta is not a time"
    }


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ({"amount": ["x"]}, "the history of amount has an entry without a time"),
        ({"amount": [None]}, "the history of amount has an entry without a time"),
        ({"amount": [{"value": "5"}]}, "the history of amount has an entry without a time"),
        ({"amount": [{"value": {"of": "Ana"}, "timestamp": text(day(1))}]}, "history.amount[0].value is an object"),
        ({"amount": "x"}, "history.amount is an object, not a list"),
        (["x"], "history is a list, not an object"),
    ],
)
def test_a_history_that_is_none_sets_its_record_aside_alone(told: Any, problem: str) -> None:
    api: Any = SimpleNamespace(pseudonym=lambda given: given)
    sold = {"dealstage": [{"value": "appointmentscheduled", "timestamp": text(day(1))}]}
    given = {
        id_: {
            "id": id_,
            "updatedAt": text(day(1)),
            "createdAt": text(day(1)),
            "properties": {"pipeline": "default", "createdate": text(day(1)), "amount": 5000},
            "propertiesWithHistory": histories,
        }
        for id_, histories in (("1", told), ("2", sold))
    }
    [of_deals] = [one for one in HUBSPOT.streams(ACCOUNT, OPTIONS) if one.name == "deals"]
    records = reading._records(api, deals.wanted(OPTIONS), list(given.values()), {})
    novelty = Novelty("hubspot", "deals", NOW, pl.LazyFrame(schema=RAW_SCHEMA))
    rows = pl.DataFrame([novelty.row(one) for one in records], schema=RAW_SCHEMA)
    understood = understand(of_deals, "hubspot", rows, NOW)
    [(key, found)] = understood.problems.select("record_key", "problem").rows()
    assert (key, problem in found, "Ana" in found) == ("1", True, False)
    assert understood.facts.collect().get_column("record_key").unique().to_list() == ["2"]


# Which company


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        ([{"type": "deal_to_company"}], True),
        ([{"type": "deal_to_company_unlabeled"}], False),
        ([{"type": "facilitator"}], False),
        ([{"type": "contact_to_company"}], False),
        ([{"associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": 5, "label": "Primary"}]}], True),
        ([{"associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": 341, "label": None}]}], False),
        ([{"associationTypes": [{"category": "USER_DEFINED", "typeId": 5, "label": "Primary"}]}], False),
    ],
)
def test_only_hubspots_own_type_makes_a_company_the_primary_one(kinds: list[Any], expected: bool) -> None:
    """Two older companies, and one that is associated so."""
    account: Any = SimpleNamespace(pseudonym=str)
    access: Any = SimpleNamespace(source="hubspot", session=None, clock=None, root="", version="v3", account=account)
    api = Api(access)
    older: Any = {"type": "deal_to_company_unlabeled"} if "type" in kinds[0] else {"associationTypes": []}
    page = {"results": [*({**older, "id": id_} for id_ in ("11", "12")), *({**kind, "id": "99"} for kind in kinds)]}
    assert api.associated("deals", "1", "companies", page) == (["99", "11", "12"] if expected else ["11", "12", "99"])
