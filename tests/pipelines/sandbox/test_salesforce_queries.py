"""The stand-in's queries: what it understands, and that it refuses the rest as Salesforce does."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from hubspot_agency import activity, contact, day
from salesforce_org import deal, organisation

from pipelines.sandbox.salesforce import CREDENTIALS, app
from pipelines.sandbox.salesforce.names import id_of
from pipelines.sandbox.server import serving
from pipelines.sandbox.stand_in import Desk, SharedClock

NOW = day(400)
TEAM = organisation(
    contacts=[contact(1, (day(2), "lead"), (day(3), "opportunity")), contact(2, (day(4), "lead"))],
    deals=[
        deal(301, (day(3), "preventa"), (day(5), "ganado"), says={"producto": "A"}),
        deal(302, (day(6), "preventa"), archived_at=day(395)),
        deal(303, (day(7), "preventa"), archived_at=day(300)),
    ],
    activities=[
        activity(401, "call", day(5), "connected"),
        activity(402, "call", day(390), "busy", contact_id=2),
    ],
)


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Any:
    clock = SharedClock(tmp_path_factory.mktemp("clock") / "clock.json", NOW)
    with serving(app(Desk(TEAM, NOW, clock), batch=2, children=1)) as url:
        form = {**CREDENTIALS, "grant_type": "client_credentials"}
        token = requests.post(f"{url}/services/oauth2/token", data=form, timeout=5).json()["access_token"]
        signed = {"Authorization": f"Bearer {token}"}

        def asked(soql: str | None, path: str = "queryAll") -> requests.Response:
            where = path if path.startswith("/") else f"/services/data/v62.0/{path}"
            return requests.get(url + where, params={"q": soql} if soql else None, headers=signed, timeout=5)

        yield asked


def ids(answer: requests.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [row["Id"] for row in answer.json()["records"]]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("", [301, 302]),
        (" WHERE IsDeleted = false", [301]),
        (" WHERE StageName IN ('ganado', 'perdido')", [301]),
        (" WHERE StageName != 'ganado'", [302]),
        (" WHERE CreatedDate > 2026-01-03T09:00:00Z", [302]),
        (" WHERE CreatedDate >= 2026-01-03T09:00:00.000Z AND (Amount = 5000 OR Amount = null)", [301, 302]),
        (" WHERE CloseDate >= 2026-04-06", [302]),
        (f" WHERE (CreatedDate > 2026-01-06T09:00:00Z) OR (Id > '{id_of('006', 301)}')", [302]),
        (" ORDER BY CreatedDate DESC", None),
        (" LIMIT 1", [301]),
    ],
)
def test_rows_are_those_that_the_conditions_mean(ask: Any, where: str, expected: list[int] | None) -> None:
    answer = ask(f"SELECT Id FROM Opportunity{where}")
    if expected is None:
        assert answer.json()[0]["errorCode"] == "MALFORMED_QUERY"
    else:
        assert ids(answer) == [id_of("006", one) for one in expected]


def test_what_was_deleted_is_seen_by_query_all_alone_and_after_fifteen_days_by_nobody(ask: Any) -> None:
    assert ids(ask("SELECT Id FROM Opportunity")) == [id_of("006", 301), id_of("006", 302)]
    assert ids(ask("SELECT Id FROM Opportunity", "query")) == [id_of("006", 301)]


def test_old_activities_are_seen_by_query_all_alone(ask: Any) -> None:
    assert ids(ask("SELECT Id FROM Task")) == [id_of("00T", 401), id_of("00T", 402)]
    assert ids(ask("SELECT Id FROM Task", "query")) == [id_of("00T", 402)]


def test_batches_and_the_children_of_a_row_go_on_at_their_own_addresses(ask: Any) -> None:
    soql = "SELECT Id, (SELECT StageName FROM OpportunityHistories ORDER BY CreatedDate, Id) FROM Opportunity LIMIT 1"
    [row] = ask(soql).json()["records"]
    children = row["OpportunityHistories"]
    assert (children["totalSize"], children["done"], children["records"][0]["StageName"]) == (2, False, "preventa")
    rest = ask(None, children["nextRecordsUrl"]).json()
    assert (rest["done"], rest["records"][0]["StageName"]) == (True, "ganado")
    assert ask(None, "query/01g000000000099AAA-2").json()[0]["errorCode"] == "INVALID_QUERY_LOCATOR"


def test_what_a_record_belongs_to_is_said_by_path_and_by_kind(ask: Any) -> None:
    [row] = ask("SELECT Contact.Numero_de_cliente__c, ContactId FROM Opportunity LIMIT 1").json()["records"]
    assert (row["Contact"]["Numero_de_cliente__c"], row["ContactId"]) == ("1", id_of("003", 1))
    soql = "SELECT Id, TYPEOF Who WHEN Contact THEN Id, LeadSource WHEN Lead THEN Status END FROM Task"
    first, second = ask(soql.replace("Status", "LeadSource")).json()["records"]
    assert first["Who"] == {"attributes": {"type": "Contact"}, "Id": id_of("003", 1), "LeadSource": "web"}
    assert second["Who"] == {"attributes": {"type": "Lead"}, "LeadSource": "web"}


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT * FROM Task", "MALFORMED_QUERY"),
        ("SELECT Id Task", "MALFORMED_QUERY"),
        ("SELECT Id FROM Task WHERE", "MALFORMED_QUERY"),
        ("SELECT Id FROM Task WHERE IsDeleted = true AND IsClosed = true OR IsClosed = false", "MALFORMED_QUERY"),
        ("SELECT Id FROM Task WHERE (IsDeleted = true", "MALFORMED_QUERY"),
        ("SELECT Id FROM Task LIMIT ten", "MALFORMED_QUERY"),
        ("SELECT Id FROM Task; SELECT Id FROM Event", "MALFORMED_QUERY"),
        ("SELECT Id FROM Task ORDER Id", "MALFORMED_QUERY"),
        ("SELECT Id, (SELECT Id FROM Histories FROM Opportunity", "MALFORMED_QUERY"),
        ("DELETE FROM Task", "MALFORMED_QUERY"),
        ("SELECT Id, Nombre__c FROM Task", "INVALID_FIELD"),
        ("SELECT Id FROM Task WHERE Nombre__c = 'a'", "INVALID_FIELD"),
        ("SELECT Id FROM Task ORDER BY Nombre__c", "INVALID_FIELD"),
        ("SELECT Contact.Nombre__c FROM Opportunity", "INVALID_FIELD"),
        ("SELECT Who.Name FROM Task", "INVALID_FIELD"),
        ("SELECT CurrencyIsoCode FROM Opportunity", "INVALID_FIELD"),
        ("SELECT Id FROM Task WHERE IsDeleted = 'false'", "INVALID_FIELD"),
        ("SELECT Id FROM Task WHERE CreatedDate > '2026-01-01'", "INVALID_FIELD"),
        ("SELECT Id FROM Task WHERE CreatedDate > 2026-01-01", "INVALID_FIELD"),
        ("SELECT Id, (SELECT Id FROM Histories WHERE NewValue = 'a') FROM Opportunity", "INVALID_FIELD"),
        ("SELECT Id FROM Tarea", "INVALID_TYPE"),
        ("SELECT Id, (SELECT Id FROM OpportunityHistories) FROM Task", "INVALID_TYPE"),
    ],
)
def test_what_is_no_query_is_refused_in_salesforces_words(ask: Any, soql: str, code: str) -> None:
    answer = ask(soql)
    assert (answer.status_code, [one["errorCode"] for one in answer.json()]) == (400, [code])


def test_each_answer_says_how_much_of_the_orgs_requests_is_used(ask: Any) -> None:
    before = ask("SELECT Id FROM Task").headers["Sforce-Limit-Info"]
    after = ask("SELECT Id FROM Task").headers["Sforce-Limit-Info"]
    used = [int(one.removeprefix("api-usage=").partition("/")[0]) for one in (before, after)]
    assert used[1] == used[0] + 1
    assert before.endswith("/100000")


def test_a_lead_becomes_a_contact_when_a_deal_is_opened_with_them(ask: Any) -> None:
    soql = "SELECT Id, Status, IsConverted, ConvertedContactId, (SELECT Field FROM Histories) FROM Lead"
    first, second = ask(soql).json()["records"]
    assert (first["Status"], first["IsConverted"], first["ConvertedContactId"]) == ("Convertido", True, id_of("003", 1))
    assert (second["Status"], second["IsConverted"], second["ConvertedContactId"]) == ("Nuevo", False, None)
    assert ids(ask("SELECT Id FROM Contact")) == [id_of("003", 1)]
