"""What the options may say of a Pipedrive company, and what becomes of a slip of the pen."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from pipedrive_office import (
    ACCOUNT,
    SALES,
    Exchange,
    Office,
    Tampering,
    amended,
    app,
    business,
    contact,
    day,
    deal,
)
from shop import code

from pipelines.pipedrive import PIPEDRIVE, PipedriveOptions

NOW = day(60)
BUSINESS = business(
    contacts=[contact(1, (day(2), "lead"), (day(4), "customer")), contact(2, (day(10), "lead"))],
    deals=[deal(301, (day(12), "contacto"), (day(15), "propuesta"), (day(41), "ganado"))],
)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch)


# By what else persons are known


def knowing(*by: object) -> PipedriveOptions:
    return amended(persons={"identified_by": by})


def test_persons_are_known_by_their_addresses_domains_and_fields(office: Office) -> None:
    says = {"email": "Ana@Acme.Example", "hs_additional_emails": "ana@otra.example", "mercado": "A-77"}
    company = business(contacts=[contact(1, (day(2), "lead"), says=says), contact(2)])
    office.load(app(office.desk(company, NOW)), NOW, knowing("email", "domain", {"external_id": "mercado"}))
    said = office.facts("account.identified", "account_id", "identified_by", "identifier", "occurred_at")
    assert sorted(row for row in said if row[0] == "1") == [
        ("1", "domain", "acme.example", day(2)),
        ("1", "domain", "otra.example", day(2)),
        *sorted(("1", "email", code(f"ana@{domain}.example"), day(2)) for domain in ("acme", "otra")),
        ("1", "external_id", "A-77", day(2)),
    ]
    stored = office.lake.raw.scan("pipedrive", "persons").collect()["payload"].to_list()
    assert not any("@" in one or "ana" in one for one in stored)


def test_where_something_else_identifies_persons_all_are_read_again(office: Office) -> None:
    for hour, by in enumerate((["domain"], ["email"], [{"mail": "email"}])):
        office.load(app(office.desk(BUSINESS, NOW)), NOW + timedelta(hours=hour), knowing(*by))
        known = {name for (name,) in office.facts("account.identified", "identified_by")}
        assert known == {"mail" if hour == 2 else by[0]}


# What the options may say


def test_the_example_of_the_options_is_whole() -> None:
    text = (PipedriveOptions.__doc__ or "").split("writes::", 1)[1]
    options = PipedriveOptions.model_validate(yaml.safe_load(text))
    assert options.persons.lifecycle is not None
    assert {name for stream in PIPEDRIVE.streams(ACCOUNT, options) for name in stream.feeds} >= {
        *("lead.created", "lifecycle.entered", "deal.won", "forecast.stated", "call.made", "meeting.held"),
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"domain": "acme.pipedrive.com"}, "domain"),
        ({"persons": {"market": "email"}}, "holds personal data"),
        ({"persons": {"identified_by": ["phone"]}}, "holds personal data"),
        ({"sales": [{"pipeline": "a"}, {"pipeline": "a"}]}, "pipeline a is declared twice"),
        ({"sales": [{"pipeline": "a", "won": "x", "lost": "x"}]}, "calls won and lost deals alike"),
        ({"calls": [{"type": "call"}], "meetings": [{"type": "call"}]}, "activity type call is declared twice"),
        ({"calls": [{"type": "call", "direction": "sideways"}]}, "direction"),
        ({"sales": [{"pipeline": "a", "product": "x", "product_of_lines": True}]}, "both say what is sold"),
        ({"account": "organization", "persons": {"referrer": "x"}}, "customers are organisations here"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        PipedriveOptions.model_validate({"domain": "acme", **given})


def test_a_company_without_pipelines_or_activities_has_only_persons() -> None:
    options = PipedriveOptions(domain="acme", calls=(), meetings=())
    [persons] = PIPEDRIVE.streams(ACCOUNT, options)
    assert (persons.name, persons.feeds) == ("persons", ("lead.created",))


def test_without_a_field_for_the_lifecycle_whoever_is_entered_is_a_lead_and_no_history_is_bought(
    office: Office,
) -> None:
    served, options = Tampering(app(office.desk(BUSINESS, NOW))), PipedriveOptions(domain="acme", calls=(), meetings=())
    office.load(served, NOW, options)
    assert office.facts("lead.created", "subject_id", "occurred_at") == [("1", day(2)), ("2", day(10))]
    assert {one.path for one in served.exchanges} == {"/api/v2/persons"}


@pytest.mark.parametrize(
    ("options", "stream", "said"),
    [
        (amended(persons={"market": "mercdao"}), "persons", "there is no field in personFields called 'mercdao'. "),
        (amended(sales=[{**SALES, "pipeline": "venta"}]), "deals", "no pipeline 'venta'. .* there is ventas"),
        (amended(sales=[{**SALES, "stages": {"propuestas": "x"}}]), "deals", "'ventas' has no stage 'propuestas'"),
        (amended(sales=[{**SALES, "product": {"field": "producto", "values": {"Plata": "x"}}}]), "deals",
         "field 'producto' of dealFields has no option 'Plata'"),
        (amended(calls=[{"type": "llamada"}]), "activities", "no type of activity 'llamada'"),
        (amended(persons={"lifecycle": "ciclo_de_vida", "new_customer_stages": ["leed"]}), "persons",
         "no option of the lifecycle is called 'leed'. .* there is lead"),
        (amended(persons={"market": "phone_of_theirs"}), "persons", "there is no field"),
    ],
)  # fmt: skip
def test_a_name_that_the_company_does_not_have_stops_its_stream_and_is_named(
    office: Office, options: PipedriveOptions, stream: str, said: str
) -> None:
    reading, _ = office.read(app(office.desk(BUSINESS, NOW)), stream, NOW, options=options)
    assert re.search(said, str(reading.failure))
    assert (reading.records, reading.covered) == ([], None)


def test_a_field_is_found_by_its_key_too_and_one_that_could_be_either_of_two_is_refused(office: Office) -> None:
    served = Tampering(app(office.desk(BUSINESS, NOW)), twice)
    by_name, _ = office.read(served, "deals", NOW)
    assert by_name.failure is not None
    assert "2 fields in dealFields are called 'mercado'. Name one by key: " in by_name.failure
    key = by_name.failure.rpartition("key: ")[2].split(", ")[0]
    by_key = amended(sales=[{**SALES, "market": key}])
    found, _ = office.read(Tampering(app(office.desk(BUSINESS, NOW)), twice), "deals", NOW, options=by_key)
    assert found.failure is None
    assert [one.payload["values"][key] != "" for one in found.records] == [True]


def twice(exchange: Exchange) -> Any:
    """A second field of the same name, as Pipedrive lets people make."""
    if exchange.path != "/api/v2/dealFields":
        return None
    content = exchange.content
    [one] = [one for one in content["data"] if one["field_name"] == "mercado"]
    content["data"].append({**one, "field_code": "f" * 40})
    return 200, {}, orjson.dumps(content)


def test_a_field_of_a_type_that_may_hold_what_is_personal_is_refused(office: Office) -> None:
    def a_telephone(exchange: Exchange) -> Any:
        if exchange.path != "/api/v2/personFields":
            return None
        content = exchange.content
        content["data"].append(
            {"field_name": "Segundo teléfono", "field_code": "e" * 40, "field_type": "phone", "options": None}
        )
        return 200, {}, orjson.dumps(content)

    served = Tampering(app(office.desk(BUSINESS, NOW)), a_telephone)
    reading, _ = office.read(served, "persons", NOW, options=amended(persons={"market": "Segundo teléfono"}))
    assert "is of type phone, which may hold personal data" in str(reading.failure)
