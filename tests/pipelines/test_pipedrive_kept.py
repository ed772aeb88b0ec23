"""What is kept of Pipedrive's records and what is not, whom it names, and how large the pages are that it comes in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import polars as pl
import pytest
from crm_office import Answer
from pipedrive_office import (
    ACCOUNT,
    OPTIONS,
    Exchange,
    Office,
    Tampering,
    app,
    business,
    call,
    contact,
    day,
    deal,
    meeting,
    small,
)

from pipelines.pipedrive import PIPEDRIVE, PipedriveOptions

NOW = day(60)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch)


KEPT = {
    "persons": {"add_time", "org_id", "values"},
    "deals": {
        *("add_time", "stage_change_time", "won_time", "lost_time", "close_time"),
        *("person_id", "org_id", "values"),
    },
    "activities": {
        *("add_time", "due_date", "due_time", "duration", "done", "marked_as_done_time"),
        *("person_id", "org_id", "deal_id", "values"),
    },
}
VALUES = {
    "persons": {"owner_id", "ciclo_de_vida", "canal_de_entrada", "mercado"},
    "deals": {
        *("owner_id", "stage_id", "status", "value", "currency", "expected_close_date", "pipeline_id"),
        *("producto", "mercado"),
    },
    "activities": {"owner_id", "type"},
}


def test_nothing_is_kept_but_what_is_listed_here_whatever_pipedrive_sends(office: Office) -> None:
    def talkative(exchange: Exchange) -> Answer | None:
        if not exchange.path.endswith(("/persons", "/deals", "/activities", "/changelog")):
            return None
        content = exchange.content
        for one in content["data"] or ():
            one |= {"job_title": "Directora", "secret": "persona1@correo.example", "notes": "Nombre1 llama"}
        if exchange.path.endswith("/changelog"):
            said = {
                "field_key": "email",
                "old_value": "persona2@correo.example",
                "new_value": "persona3@correo.example",
            }
            content["data"].append({**content["data"][0], **said})
        return 200, {}, orjson.dumps(content)

    company = replace(small(3), activities=(call(401, day(8), "connected"), meeting(402, day(9), "completed")))
    assert {one.failure for one in office.load(Tampering(app(office.desk(company, NOW)), talkative), NOW).values()} == {
        None
    }
    for stream, kept in KEPT.items():
        stored = office.lake.raw.scan("pipedrive", stream).select("record_key", "payload").collect().rows()
        payloads = {key: orjson.loads(text) for key, text in stored}
        assert set(payloads.pop("names")) == {"names"}
        histories = [one for key, one in payloads.items() if key.endswith("/history")]
        assert {key for one in histories for key in one} <= {"history", "person_id"}
        listed = [one for key, one in payloads.items() if key.isdigit()]
        assert len(listed) + len(histories) == len(payloads)
        assert {key for one in listed for key in one} <= kept
        assert {key for one in listed for key in one["values"]} <= VALUES[stream]
        entries = [entry for one in histories for name in one["history"].values() for entry in name]
        assert {key for entry in entries for key in entry} <= {"time", "old", "new"}
        canaries = ("Nombre", "Apellido", "correo", "+34", "Directora", "Firefox", "prefiere")
        assert not any(canary in text for _, text in stored for canary in canaries)


def test_whoever_is_named_is_declared_for_erasure(office: Office) -> None:
    options = PipedriveOptions.model_validate(
        {**OPTIONS.model_dump(exclude_defaults=True), "persons": {"referrer": "cliente_que_recomienda"}}
    )
    company = business(
        contacts=[contact(7001, (day(2), "lead")), contact(7002, (day(3), "lead"), referrer_id=7001)],
        deals=[deal(301, (day(6), "contacto"), contact_id=7002)],
        activities=[call(401, day(8), "connected", contact_id=7002)],
    )
    office.load(app(office.desk(company, NOW)), NOW, options)
    named = {}
    for stream in PIPEDRIVE.streams(ACCOUNT, options):
        rows = office.lake.raw.scan("pipedrive", stream.name).select("record_key", "payload").collect().iter_rows()
        found = [(key, orjson.loads(text)) for key, text in rows]
        named[stream.name] = {one for key, payload in found for one in stream.people.named(key, payload)}
    people = {("person", "7001"), ("person", "7002")}
    assert people <= named["persons"]
    assert ("person", "7002") in named["deals"]
    assert ("person", "7002") in named["activities"]
    users = {kind for kind, _ in named["deals"] | named["activities"]}
    assert users == {"person", "user"}
    assert office.facts("referral.received", "subject_id", "account_id") == [("7002", "7001")]
    log = office.log().filter(pl.col("stream") == "persons")
    assert set(log.get_column("account_id")) <= {"7001", "7002"}


def test_a_history_is_of_whom_its_record_is_and_names_are_nobodys() -> None:
    people = {stream.name: stream.people for stream in PIPEDRIVE.streams(ACCOUNT, OPTIONS)}

    def is_erased(kind: str, id_: str) -> bool:
        return (kind, id_) == ("person", "7001")

    history = {"history": {"status": []}}
    assert people["persons"].is_theirs("7001/history", history, is_erased)
    assert not people["persons"].is_theirs("70011/history", history, is_erased)
    assert people["deals"].is_theirs("301/history", {**history, "person_id": "7001"}, is_erased)
    assert [*people["persons"].named("names", {"names": [{"field": "x", "id": "7001", "name": "y"}]})] == []


# Sizes


def test_pages_are_as_large_as_pipedrive_allows_and_small_where_each_record_costs_a_history(office: Office) -> None:
    served = Tampering(app(office.desk(small(60), NOW)))
    for stream in ("persons", "deals", "activities"):
        reading, _ = office.read(served, stream, NOW)
        assert reading.failure is None
    limits = {one.path: one.query.split("limit=")[1].split("&")[0] for one in served.exchanges if "limit=" in one.query}
    assert {path: limits[path] for path in ("/api/v2/persons", "/api/v2/deals", "/api/v2/activities")} == {
        "/api/v2/persons": "25",
        "/api/v2/deals": "25",
        "/api/v2/activities": "500",
    }
    assert limits["/api/v1/deals/3000/changelog"] == "500"
