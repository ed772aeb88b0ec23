"""Google Sheets: sheets that people keep by hand, as they are typed, corrected, rearranged, emptied and broken."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from helpdesk_office import Exchange, Office, Reading, StoredOffice, at, company
from pydantic import ValidationError

from pipelines.google_sheets import GOOGLE_SHEETS, SheetsOptions
from pipelines.google_sheets import reading as fetching
from pipelines.google_sheets.places import Box, Range, letters
from pipelines.google_sheets.values import Odd, as_text
from pipelines.sandbox import google_sheets as stand_in
from pipelines.sandbox.company import Change, SheetRow
from pipelines.sandbox.google_sheets import serial

NOW = at(10)
ROUNDS: dict[str, Any] = {
    "sheet": "Buzoneo",
    "key": "id",
    "columns": {"folletos": "number"},
    "events": [
        {"type": "flyers.distributed", "at": {"column": "fecha", "format": "%d/%m/%Y"}, "subject": "id",
         "quantity": "folletos", "attributes": {"market": "zona"}},
    ],
}  # fmt: skip
HEADER = ["id", "fecha", "zona", "folletos"]
F1 = ["F1", serial(date(2026, 3, 3)), "Retiro", 200]
F2 = ["F2", serial(date(2026, 3, 4)), "Sol", 180]
SO = "; until it is mended, no row is taken for removed"
COLUMNS = ("subject_id", "market", "quantity")


def options(**changes: Any) -> SheetsOptions:
    given = {"spreadsheet": stand_in.SPREADSHEET, "streams": {"buzoneo": {**ROUNDS, **changes}}}
    return SheetsOptions.model_validate(given)


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path, monkeypatch, GOOGLE_SHEETS, options(), stand_in)


def load(of: Office, *rows: Sequence[Any], now: datetime = NOW, header: Sequence[str] = HEADER, **more: Any) -> Any:
    """A reading of a sheet with these rows."""
    return of.load(company(), now, tabs={"Buzoneo": [header, *rows]}, **more)["buzoneo"]


def refused(of: Office, *rows: Sequence[Any], header: Sequence[str] = HEADER, **more: Any) -> str:
    """Why a sheet is not read."""
    told = read(of, [header, *rows], **more)
    assert told.pages == []
    return str(told.failure)


def read(of: Office, rows: Sequence[Sequence[Any]], alter: Any = None, **more: Any) -> Reading:
    return of.first(of.served(company(), NOW, alter, tabs={"Buzoneo": rows}, **more), "buzoneo", NOW)


# What becomes of a sheet


def test_days_and_amounts_are_what_the_cells_hold_and_not_how_they_are_shown(office: Office) -> None:
    loaded = load(office, F1, ["F2", serial(date(2026, 3, 4)), "Sol", 0.1 + 0.2], ["F3", "5/3/2026", "Sol", "90"])
    assert (loaded.failure, loaded.covered.end) == (None, NOW)
    assert office.said("subject_id", "occurred_at", "market", "quantity") == [
        ("F1", at(3, 0) - timedelta(hours=1), "Retiro", Decimal(200)),
        ("F2", at(4, 0) - timedelta(hours=1), "Sol", Decimal("0.3")),
        ("F3", at(5, 0) - timedelta(hours=1), "Sol", Decimal(90)),
    ]
    assert office.quarantined() == []


def test_a_second_reading_of_the_same_sheet_in_another_order_states_nothing(office: Office) -> None:
    load(office, F1, F2)
    before = office.statements().collect().height
    loaded = load(office, F2, [], F1, now=at(11))
    assert (loaded.inserted, office.statements().collect().height) == (0, before)
    assert [one.path.rpartition("/")[2] for one in office.exchanges] == [
        "token", stand_in.SPREADSHEET, "values:batchGet",
    ]  # fmt: skip


def test_an_edited_row_corrects_and_a_removed_one_withdraws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    office = StoredOffice(tmp_path, monkeypatch, GOOGLE_SHEETS, options(), stand_in)
    f3 = ["F3", serial(date(2026, 3, 5)), "Sol", 90]
    load(office, F1, F2, f3)
    load(office, [*F1[:3], 250], f3, now=at(11))
    assert office.said(*COLUMNS) == [("F1", "Retiro", Decimal(250)), ("F3", "Sol", Decimal(90))]
    emptied = load(office, now=at(12))
    assert "most_removed" in str(emptied.failure)
    gone = load(office, header=[], now=at(13))
    assert "Buzoneo has no header in row 1: it may have been emptied" in str(gone.failure)
    assert office.said(*COLUMNS) == [("F1", "Retiro", Decimal(250)), ("F3", "Sol", Decimal(90))]


def test_a_note_stands_alone_in_its_row_as_an_id_may_begin_like_one(office: Office) -> None:
    office.options = options(format={"notes": "#"})
    loaded = load(office, ["# escribid abajo", "", "", "", False], ["#1", *F1[1:]], ["#2", "", "Sol", ""])
    assert (loaded.failure, loaded.delivered) == (None, 2)
    assert office.said(*COLUMNS) == [("#1", "Retiro", Decimal(200))]


def test_columns_may_move_and_rows_may_be_empty_short_or_long(office: Office) -> None:
    office.options = options(columns={"folletos": "number", "hecho": "boolean"})
    header = ["notas", " fecha ", "zona", "", "folletos", "id", "hecho"]
    rows = [
        ["llamar a Marta", F1[1], "Retiro", "x", 200, "F1", True],
        [],
        ["", "", "", "", "", "", False],  # a box that nobody ticked, in a row that nobody has filled in
        ["", F2[1], "", "", 180, "F2"],
        ["solo una nota"],
    ]
    loaded = load(office, *rows, header=header)
    assert (loaded.failure, loaded.delivered) == (None, 2)
    assert office.said(*COLUMNS) == [("F1", "Retiro", Decimal(200)), ("F2", None, Decimal(180))]
    assert "Marta" not in office.stored()


def test_only_what_is_declared_is_kept_and_people_only_as_codes(office: Office) -> None:
    rule = {**ROUNDS["events"][0], "actor": "quien"}
    office.options = options(events=[rule])
    load(office, [*F1, "Ana Ruiz", "600 123 456"], header=[*HEADER, "quien", "teléfono"])
    [payload] = [json.loads(text) for text in office.rows("buzoneo")["payload"]]
    assert {*payload["row"]} == {"id", "fecha", "zona", "folletos", "quien"}
    assert "Ana" not in office.stored()
    assert "600" not in office.stored()


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (["F2", "#REF!", "Sol", 1], "Buzoneo row 3: fecha (B3) holds the error #REF!"),
        (["F2", 2026, "Sol", 1], "Buzoneo row 3: fecha (B3) holds a number that is no day"),
        (["F2", F2[1] + 0.5, "Sol", 1], "Buzoneo row 3: fecha (B3) holds a time, where its format %d/%m/%Y is of days"),
        (["F2", "31/2/2026", "Sol", 1], "Buzoneo row 3: fecha: '99/9/9999' is not a time written as %d/%m/%Y"),
        (["F2", F2[1], "Sol", "1.200"], "Buzoneo row 3: folletos: a number such as 1.200 can be read in two ways"),
        (["F2", F2[1], "Sol", "180,5"], "Buzoneo row 3: folletos: '999,9' is not a number with '.'"),
        (["F2", F2[1], "Sol", True], "Buzoneo row 3: folletos: 'aaaa' is not a number"),
        (["F2", F2[1], "Sol"], "Buzoneo row 3: flyers.distributed: its quantity is empty"),
        (["", F2[1], "Sol", 1], f"Buzoneo row 3: id is empty, and identifies the row{SO}"),
        (["Total", "", "", 500], "Buzoneo row 3: flyers.distributed: fecha is empty"),
    ],
)
def test_a_row_that_cannot_be_understood_is_told_by_sheet_row_and_column(
    office: Office, row: list[Any], told: str
) -> None:
    load(office, F1, row)
    [(_, problem)] = office.quarantined()
    assert problem.startswith(told)
    assert office.said(*COLUMNS) == [("F1", "Retiro", Decimal(200))]


def test_rows_that_share_a_key_and_differ_are_set_aside_together(office: Office) -> None:
    load(office, F1, F2, ["F1", F1[1], "Sol", 1])
    assert [told for _, told in office.quarantined()] == [
        f"2 rows have the same id and differ: Buzoneo row 2, Buzoneo row 4{SO}"
    ]


def test_of_merged_cells_the_first_row_speaks_and_the_others_are_told(office: Office) -> None:
    box = {"startRowIndex": 1, "endRowIndex": 3, "startColumnIndex": 2, "endColumnIndex": 3}
    load(office, F1, ["F2", F2[1], "", 180], merges={"Buzoneo": [box]})
    assert office.quarantined() == [
        ("F2", "Buzoneo row 3: zona (C3) is merged with others (C2:C3): unmerge them, and write in each what it says")
    ]
    assert office.said(*COLUMNS) == [("F1", "Retiro", Decimal(200))]


def test_numbers_typed_as_text_are_read_as_declared(office: Office) -> None:
    office.options = options(format={"decimal": ",", "thousands": "."})
    load(office, [*F1[:3], "1.200"], [*F2[:3], "180,5"], ["F3", F2[1], "Sol", 180.25])
    assert [found[2] for found in office.said(*COLUMNS)] == [Decimal(1200), Decimal("180.5"), Decimal("180.25")]


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (["id", "fechas", "zona", "folletos"], "Buzoneo has no column fecha. Did you mean 'fechas' for fecha?"),
        ([*HEADER, "zona"], "Buzoneo has 2 columns called zona (C, E). Rename one of them"),
        (["", ""], "Buzoneo has no header in row 1: it may have been emptied"),
    ],
)
def test_a_header_that_is_renamed_doubled_or_gone_ends_the_stream(office: Office, header: list[str], told: str) -> None:
    assert told in refused(office, F1, header=header)


def test_merged_cells_in_the_header_are_told(office: Office) -> None:
    box = {"startRowIndex": 0, "endRowIndex": 1, "startColumnIndex": 2, "endColumnIndex": 4}
    told = refused(office, F1, header=["id", "fecha", "zona y folletos", ""], merges={"Buzoneo": [box]})
    assert "has no column folletos, zona, but merged cells in its header (C1:D1)" in told


def test_a_sheet_that_is_called_otherwise_or_typed_in_another_locale_is_not_read(office: Office) -> None:
    office.options = options(sheet="Buzoneos")
    assert "there is no sheet Buzoneos. Did you mean Buzoneo?" in refused(office, F1)
    office.options = options().model_copy(update={"locale": "en_US"})
    assert "the spreadsheet's locale is es_ES, where en_US is declared" in refused(office, F1)


def test_what_is_still_being_computed_is_not_read(office: Office) -> None:
    assert "Buzoneo row 2: folletos (D2) is still being computed" in refused(office, [*F1[:3], "Loading..."])


def test_a_header_may_stand_lower_and_titles_above_it(office: Office) -> None:
    office.options = options(header=3)
    load(office, [], HEADER, F1, header=["Buzoneo 2026"])
    assert office.said(*COLUMNS) == [("F1", "Retiro", Decimal(200))]


def test_how_far_a_sheet_reaches_can_be_declared(office: Office) -> None:
    office.options = options(covers={"from": "2026-03-01", "through": "last_event"})
    covered = load(office, F1, F2).covered
    assert (covered.start, covered.end) == (
        at(1, 0) - timedelta(hours=1),
        at(4, 0) + timedelta(hours=-1, microseconds=1),
    )
    assert "no row of Buzoneo tells of an event" in str(read(office, [HEADER]).failure)


# Large sheets


def in_pieces(monkeypatch: pytest.MonkeyPatch) -> list[list[Any]]:
    """Ten rows, and pieces of four."""
    monkeypatch.setattr(fetching, "CELLS_A_PIECE", 4 * 26)
    return [HEADER, *([f"F{n}", F1[1] + n % 5, "Sol", n] for n in range(1, 11))]


def test_a_sheet_in_pieces_is_read_as_one(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = in_pieces(monkeypatch)
    sheet[4:4] = [[], [], [], []]
    found = read(office, sheet)
    assert (found.failure, found.keys) == (None, [f"F{n}" for n in range(1, 11)])


def test_a_sheet_that_lost_a_row_while_it_was_read_is_not_read(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet, asked = in_pieces(monkeypatch), [0]

    def later(exchange: Exchange) -> Any:
        if not exchange.path.endswith(stand_in.SPREADSHEET):
            return None
        asked[0] += 1
        content = exchange.content
        content["sheets"][0]["properties"]["gridProperties"]["rowCount"] -= asked[0] - 1
        return 200, {}, json.dumps(content).encode()

    found = read(office, sheet, later)
    assert (found.pages, asked[0], "was rearranged while it was read" in str(found.failure)) == ([], 2, True)


@pytest.mark.parametrize("where", [0, 1])
def test_a_sheet_that_is_rearranged_while_it_is_read_is_not_read(
    office: Office, monkeypatch: pytest.MonkeyPatch, where: int
) -> None:
    sheet, pieces = in_pieces(monkeypatch), [0]

    def later(exchange: Exchange) -> Any:
        if "values" not in exchange.path:
            return None
        pieces[0] += 1
        content = exchange.content
        if pieces[0] == 2:  # somebody took a row out, or moved a column
            content["valueRanges"][where]["values"][0] = ["F9", "zona", 1]
        return 200, {}, json.dumps(content).encode()

    found = read(office, sheet, later)
    assert (found.pages, "Buzoneo was rearranged while it was read" in str(found.failure)) == ([], True)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda found: found["valueRanges"].pop(), "not those that were asked for"),
        (lambda found: found["valueRanges"].reverse(), "not those that were asked for"),
        (lambda found: found["valueRanges"][1].update(range="Buzoneo!A5:Z9"), "not those that were asked for"),
        (lambda found: found["valueRanges"][1].update(values=[F1] * 99), "more rows came than were asked for"),
        (lambda found: found["valueRanges"][1].update(values="x"), "not those that were asked for"),
        (lambda found: found.update(valueRanges=[1, 2]), "in another shape than the Sheets API documents"),
        (lambda found: found.pop("valueRanges"), "answered without valueRanges"),
    ],
)
def test_other_cells_than_those_that_were_asked_for_are_not_read(office: Office, change: Any, told: str) -> None:
    def changed(exchange: Exchange) -> Any:
        if "values" not in exchange.path:
            return None
        content = exchange.content
        change(content)
        return 200, {}, json.dumps(content).encode()

    found = read(office, [HEADER, F1], changed)
    assert (found.pages, told in str(found.failure)) == ([], True)


def test_the_limit_of_a_minute_is_waited_for(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(office, in_pieces(monkeypatch), reads_a_minute=3)
    assert (found.failure, len(found.keys)) == (None, 10)
    assert office.clock.waited_seconds() >= 60


# Signing in


def test_a_service_account_signs_in_with_its_key(office: Office) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    office.configure(**dict.fromkeys(stand_in.CREDENTIALS), client_email=stand_in.SERVICE_ACCOUNT)
    office.configure(private_key=pem.replace("\n", "\\n"))  # as it stands in the key file
    assert read(office, [HEADER, F1], public_key=key.public_key()).keys == ["F1"]
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    told = refused(office, F1, public_key=other.public_key())
    assert (
        "/token refused to renew the access token (HTTP 400). Check sources.agencia.google_sheets.client_email" in told
    )
    office.configure(private_key="no key")
    assert "private_key is no RSA key in PEM" in refused(office, F1)
    office.configure(private_key=None)
    assert "sources.agencia.google_sheets.private_key is not set" in refused(office, F1)


def test_a_key_reads_what_anybody_may_see(office: Office) -> None:
    office.configure(**dict.fromkeys(stand_in.CREDENTIALS), api_key=stand_in.API_KEY)
    assert read(office, [HEADER, F1]).keys == ["F1"]
    office.configure(api_key="another")
    assert "the API key is not valid. Check sources.agencia.google_sheets.api_key" in refused(office, F1)
    office.configure(api_key=None)
    told = refused(office, F1)
    assert (
        "sources.agencia.google_sheets.client_email and sources.agencia.google_sheets.private_key are not set" in told
    )


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"api_key": "x"}, "Check sources.agencia.google_sheets.api_key, and let anybody with the link view"),
        ({"client_id": "c", "client_secret": "s", "refresh_token": "r"}, "with whoever the refresh token is of"),
    ],
)
def test_a_refusal_asks_nobody_to_share_with_an_account_that_is_not_used(
    office: Office, given: dict[str, str], told: str
) -> None:
    office.configure(**{**dict.fromkeys(stand_in.CREDENTIALS), **given})
    token = (200, {}, b'{"access_token": "ya29.a", "expires_in": 3600}')
    found = refused(office, F1, alter=lambda exchange: token if exchange.path.endswith("token") else (403, {}, b"{}"))
    assert told in found
    assert "service account" not in found


def test_a_token_that_has_ended_is_renewed(office: Office) -> None:
    refusals = [b'{"error": {"code": 401, "status": "UNAUTHENTICATED"}}']

    def ended(exchange: Exchange) -> Any:
        return None if exchange.path.endswith("token") or not refusals else (401, {}, refusals.pop())

    assert read(office, [HEADER, F1], ended).keys == ["F1"]
    assert refusals == []


def test_a_sign_in_that_is_refused_later_says_so(office: Office) -> None:
    def revoked(exchange: Exchange) -> Any:
        if exchange.path.endswith("token") and office.exchanges:
            return 400, {}, b'{"error": "invalid_grant"}'
        office.exchanges.append(exchange)
        return None if exchange.path.endswith("token") else (401, {}, b"{}")

    assert "/token refused to renew the access token (HTTP 400). Check" in refused(office, F1, alter=revoked)


@pytest.mark.parametrize(
    ("status", "word", "told"),
    [
        (403, "PERMISSION_DENIED", "Share the spreadsheet with whoever the refresh token is of, to view; and enable"),
        (404, "NOT_FOUND", "there is no such spreadsheet (HTTP 404). Check the option `spreadsheet`"),
        (400, "FAILED_PRECONDITION", "the document is no Google spreadsheet, but a file in Drive"),
    ],
)
def test_a_refusal_says_what_to_do(office: Office, status: int, word: str, told: str) -> None:
    body = json.dumps({"error": {"code": status, "message": "…", "status": word}}).encode()
    answer = status, {}, body
    assert told in refused(office, F1, alter=lambda exchange: None if exchange.path.endswith("token") else answer)


# Options


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"spreadsheet": "https://docs.google.com/spreadsheets/d/1aBcD_eFgHiJkLmNoPqRs/edit"}, "its id alone: 1aBcD_"),
        ({"spreadsheet": "hoja"}, "no id of a spreadsheet"),
        ({"locale": "es-ES"}, "locale"),
        ({"streams": {"b": {**ROUNDS, "columns": {"folletos": "nmber"}}}}, "type"),
        ({"streams": {"b": {**ROUNDS, "events": [{**ROUNDS["events"][0], "type": "flyers.distr"}]}}}, "flyers.dist"),
        (
            {"streams": {"b": {**ROUNDS, "events": [*ROUNDS["events"], {
                "type": "event.attended", "at": "fecha", "subject": "id"}]}}},
            "fecha is written in two ways | Say format once, under columns",
        ),
    ],
)  # fmt: skip
def test_options_that_cannot_be_are_told(given: dict[str, Any], told: str) -> None:
    whole = {"spreadsheet": stand_in.SPREADSHEET, "streams": {"b": ROUNDS}}
    with pytest.raises(ValidationError) as refusal:
        SheetsOptions.model_validate({**whole, **given})
    assert told in str(refusal.value)


# Cells


@pytest.mark.parametrize(
    ("value", "column", "text"),
    [
        (101, "id", "101"), (101.0, "id", "101"), (1.5, "id", "1.5"), (1e15, "id", "1000000000000000"),
        (True, "hecho", "sí"), (False, "hecho", "no"), (True, "id", "true"), ("", "id", ""), (None, "id", None),
        (1.25, "n", "1.25"), (1.125, "n", "1.1250"), (1e-7, "n", "0.0000001"), (-3, "n", "-3"),
        (46084, "dia", "2026-03-03"), (46084.5, "a", "2026-03-03T12:00:00.000"),
        (46084 + 61 / 86400, "hora", "03/03/2026 00:01"), (46084, "hora", "03/03/2026 00:00"),
        (1_772_000_000, "unix", "1772000000"),
    ],
)  # fmt: skip
def test_a_value_is_written_as_its_column_is_declared(value: Any, column: str, text: str | None) -> None:
    columns = {
        "n": "number", "hecho": {"type": "boolean", "yes": "sí", "no": "no"}, "dia": "date", "a": "instant",
        "hora": {"type": "instant", "format": "%d/%m/%Y %H:%M"}, "unix": {"type": "instant", "format": "unix"},
    }  # fmt: skip
    assert as_text(value, column, options(columns={"folletos": "number", **columns}).streams["buzoneo"]) == text


@pytest.mark.parametrize("value", [0.5, 1903, 20_260_303, "#N/A", [1], -1])
def test_a_value_that_is_none_of_its_column_is_odd(value: Any) -> None:
    with pytest.raises(Odd):
        as_text(value, "fecha", options().streams["buzoneo"])


def test_places_are_named_as_people_see_them() -> None:
    assert [letters(n) for n in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]
    asked = Range("Año d'or", 2, 9, 27)
    assert str(asked) == "'Año d''or'!A2:AA9"
    assert asked.is_answered_by("'Año d''or'!A2:AA9")
    assert not asked.is_answered_by("'Año d''or'!A3:AA9")
    assert not Range("x", 1, 1, 1).is_answered_by(None)
    box = Box(1, 3, 2, 3)
    assert (str(box), box.hides(1, 2), box.hides(2, 2), box.hides(3, 2)) == ("C2:C3", False, True, False)


# What the company keeps


def test_the_companys_own_sheet_is_read_as_it_is_kept(office: Office) -> None:
    def row(number: str, day: int, *flyers: tuple[int, str], removed: int | None = None) -> SheetRow:
        cells = ({"fecha": f"{day}/03/2026", "zona": "Sol", "folletos": count} for _, count in flyers)
        typed = tuple(Change(at(one), cell) for (one, _), cell in zip(flyers, cells, strict=True))
        return SheetRow("flyers", number, typed, None if removed is None else at(removed))

    rows = (row("F1", 3, (3, "200"), (5, "190")), row("F2", 3, (3, "90"), removed=6), row("F3", 7, (7, "80")))
    kept = replace(company(), sheet_rows=rows)
    office.load(kept, at(4))
    assert office.said(*COLUMNS) == [("F1", "Sol", Decimal(200)), ("F2", "Sol", Decimal(90))]
    assert office.load(kept, at(8))["buzoneo"].delivered == 2
    assert "Marta" not in office.stored()
