"""What Pipedrive's records come to when they are read again: all of them, renamed, restored, with more asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from crm_office import Answer
from pipedrive_office import (
    SALES,
    Exchange,
    Office,
    Tampering,
    amended,
    app,
    business,
    changes,
    contact,
    day,
    deal,
)

from pipelines.sandbox.company import Company

NOW = day(60)


def sales(count: int = 2, **first: Any) -> Company:
    """Deals that were changed once; first: what is different of the first one."""
    course = ((day(6), "contacto"), (day(7), "ganado"))
    return business(
        contacts=[contact(1)], deals=[deal(301 + n, *course, **(first if n == 0 else {})) for n in range(count)]
    )


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch)


def histories(served: Tampering) -> int:
    return sum(one.path.endswith("/changelog") for one in served.exchanges)


def hiding(*ids: int) -> Callable[[Exchange], Answer | None]:
    """Pipedrive says nothing of these deals, neither that they are there nor that they were deleted."""

    def alter(exchange: Exchange) -> Answer | None:
        if exchange.path not in ("/api/v2/deals", "/api/v2/deals/archived"):
            return None
        content = exchange.content
        content["data"] = [one for one in content["data"] if one["id"] not in ids]
        return 200, {}, orjson.dumps(content)

    return alter


def won(office: Office) -> list[str]:
    return [id_ for (id_,) in office.facts("deal.won", "subject_id")]


def test_all_lists_are_read_again_once_in_a_while_without_a_history_and_what_is_missing_is_gone(office: Office) -> None:
    company = sales(3)
    office.load(app(office.desk(company, NOW)), NOW)
    seen = []
    for at in (day(61), day(89), day(90), day(91)):
        served = Tampering(app(office.desk(company, at)), hiding(301) if at >= day(89) else hiding())
        report = office.load(served, at)["deals"]
        assert (report.failure, histories(served)) == (None, 0)
        seen.append((report.load.removed, won(office)))
    assert seen == [
        (0, ["301", "302", "303"]),
        (0, ["301", "302", "303"]),  # not missed yet
        (1, ["302", "303"]),
        (0, ["302", "303"]),
    ]
    back = Tampering(app(office.desk(company, day(121))))
    assert office.load(back, day(121))["deals"].failure is None
    assert (won(office), histories(back)) == (["301", "302", "303"], 0)
    assert office.facts("deal.won", "occurred_at") == [(day(7),)] * 3  # the history was not lost


def test_after_thirty_days_without_a_reading_deletions_may_have_come_and_gone(office: Office) -> None:
    options = amended(reread_days=365)
    office.load(app(office.desk(sales(3), NOW)), NOW, options)
    late = NOW + timedelta(days=45)
    report = office.load(Tampering(app(office.desk(sales(3), late)), hiding(302)), late, options)["deals"]
    assert (report.failure, won(office)) == (None, ["301", "303"])


def test_where_more_than_half_is_missing_the_permissions_are_doubted_and_nothing_is_gone(office: Office) -> None:
    company = sales(24)
    office.load(app(office.desk(company, NOW)), NOW)
    blind = hiding(*range(301, 314))
    report = office.load(Tampering(app(office.desk(company, day(95))), blind), day(95))["deals"]
    assert "13 of the 25 records that were known are not in it" in str(report.failure)
    assert "the account may still see all of it" in str(report.failure)
    assert (report.load.covered, len(won(office))) == (None, 24)
    believed = office.load(Tampering(app(office.desk(company, day(96))), blind), day(96), amended(most_removed=1))
    assert (believed["deals"].failure, len(won(office))) == (None, 11)


def renamed(name: str, to: str) -> Callable[[Exchange], Answer | None]:
    def alter(exchange: Exchange) -> Answer | None:
        if exchange.path not in ("/api/v2/dealFields", "/api/v2/stages"):
            return None
        return 200, {}, exchange.answer.replace(f'"{name}"'.encode(), f'"{to}"'.encode())

    return alter


def test_a_rename_costs_nothing_and_everything_is_called_so(office: Office) -> None:
    office.load(app(office.desk(sales(3), NOW)), NOW)
    served = Tampering(app(office.desk(sales(3), day(61))), renamed("Plataforma", "Plataforma 2"))
    assert office.load(served, day(61))["deals"].failure is None
    assert histories(served) == 0
    assert office.facts("deal.won", "product") == [("Plataforma 2",)] * 3
    again = Tampering(app(office.desk(sales(3), day(62))), renamed("contacto", "primer contacto"))
    assert office.load(again, day(62))["deals"].failure is None
    assert histories(again) == 0
    assert {stage for (stage,) in office.facts("deal.stage_entered", "stage")} == {"primer contacto", "ganado"}
    assert {product for (product,) in office.facts("deal.won", "product")} == {"Plataforma"}  # called so again


def test_what_was_restored_is_heard_when_more_is_asked_of_it(office: Office) -> None:
    """What says that a record is gone must not outlive what comes back of it, nor that what is read of it later."""
    office.load(app(office.desk(sales(), NOW)), NOW)
    office.load(app(office.desk(sales(archived_at=day(61)), day(62))), day(62))
    assert won(office) == ["302"]
    office.load(app(office.desk(sales(), day(64))), day(64))
    more = amended(sales=[{**SALES, "category": "producto", "market": None}])
    assert office.load(app(office.desk(sales(), day(66))), day(66), more)["deals"].failure is None
    for event_type in ("deal.won", "deal.created"):
        assert office.facts(event_type, "subject_id", "category") == [("301", "Plataforma"), ("302", "Plataforma")]
    office.load(app(office.desk(sales(archived_at=day(67)), day(68))), day(68), more)
    assert won(office) == ["302"]  # and that it is gone again, too


def untold(exchange: Exchange) -> Answer | None:
    """An import changed values without a word in any changelog."""
    if not exchange.path.endswith("/changelog"):
        return None
    content = exchange.content
    content["data"] = [one for one in content["data"] if one["field_key"] != "value"]
    return 200, {}, orjson.dumps(content)


def test_what_no_changelog_tells_stays_where_it_was_first_seen_in_the_log_too(office: Office) -> None:
    imported = changes((day(6), Decimal(5000)), (day(61, 12), Decimal(7000)))
    edits = changes(*((day(n), one) for n, one in ((6, "Madrid"), (69, "Getafe"), (79, "Parla"))))
    company = sales(amount=imported, says={"mercado": edits})
    for n in (60, 62, 70, 80):
        assert office.load(Tampering(app(office.desk(company, day(n))), untold), day(n))["deals"].failure is None
        expected = [] if n == 60 else [("301", day(61, 12), Decimal(7000))]
        assert office.facts("deal.amount_changed", "subject_id", "occurred_at", "amount") == expected
    assert office.facts("deal.won", "amount") == [(Decimal(7000),), (Decimal(5000),)]


# What cannot be had, or is strange


def answering(path: str, *answer: Any) -> Callable[[Exchange], Answer | None]:
    return lambda one: answer if one.path == path else None  # type: ignore[return-value]


def test_a_record_whose_history_is_not_there_is_kept_as_its_list_says(office: Office) -> None:
    gone = answering("/api/v1/deals/301/changelog", 404, {}, b'{"success":false,"error":"Deal not found"}')
    assert office.load(Tampering(app(office.desk(sales(3), NOW)), gone), NOW)["deals"].failure is None
    assert office.facts("deal.won", "subject_id", "occurred_at") == [(str(n), day(7)) for n in (301, 302, 303)]
    later = replace(sales(3), deals=(replace(sales().deals[0], currency="EUR"), *sales(3).deals[1:]))
    assert office.load(app(office.desk(later, day(61))), day(61))["deals"].failure is None


def test_where_no_history_of_a_page_is_there_the_stream_ends(office: Office) -> None:
    none = Tampering(
        app(office.desk(sales(6), NOW)), lambda one: (404, {}, b"{}") if one.path.endswith("/changelog") else None
    )
    reading, _ = office.read(none, "deals", NOW)
    assert "none of 6 histories of deals that were asked for is there (HTTP 404)" in str(reading.failure)
    assert (reading.records, reading.covered) == ([], None)


def test_a_changelog_with_a_strange_entry_sets_its_record_aside_alone(office: Office) -> None:
    strange = {
        "301": [None],
        "302": ["text"],
        "303": [{"time": "2026-01-07 09:00:00", "old_value": "open", "new_value": "won"}],
        "304": [{"field_key": "status", "old_value": "open", "new_value": "won", "time": None}],
        "305": [{"field_key": "status", "old_value": "open", "new_value": "won", "time": 1767776400}],
        "306": [{"field_key": "value", "old_value": 5000, "new_value": 6000.5, "time": "2026-01-07 09:00:00"}],
    }

    def alter(exchange: Exchange) -> Answer | None:
        id_ = exchange.path.split("/")[4] if exchange.path.endswith("/changelog") else ""
        return (200, {}, orjson.dumps({**exchange.content, "data": strange[id_]})) if id_ in strange else None

    report = office.load(Tampering(app(office.desk(sales(7), NOW)), alter), NOW)["deals"]
    assert report.failure is None
    aside = office.lake.quarantine().sort("record_key").select("record_key", "problem").collect()
    assert aside.rows() == [
        *((id_, "its changelog has an entry that names no field") for id_ in ("301", "302", "303")),
        *((id_, "the history of status has an entry without a time") for id_ in ("304", "305")),
    ]
    assert won(office) == ["306", "307"]


def test_a_record_of_a_strange_shape_is_set_aside_alone(office: Office) -> None:
    def alter(exchange: Exchange) -> Answer | None:
        if exchange.path != "/api/v2/persons":
            return None
        content = exchange.content
        content["data"][0]["emails"] = [None]
        return 200, {}, orjson.dumps(content)

    company = business(contacts=[contact(1), contact(2)])
    options = amended(persons={"identified_by": ["domain"]})
    served = Tampering(app(office.desk(company, NOW)), alter)
    assert office.load(served, NOW, options)["persons"].failure is None
    aside = office.lake.quarantine().select("record_key", "problem").collect()
    assert aside.rows() == [("1", "it has another shape than Pipedrive documents (TypeError)")]
    assert [id_ for (id_,) in office.facts("lead.created", "subject_id")] == ["2"]
