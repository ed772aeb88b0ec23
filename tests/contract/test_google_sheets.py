"""Whether the source and its stand-in speak the Sheets API as Google describes it.

Google's description (a discovery document) says which parameters a method has, and what each resource is made of.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jsonschema
import pytest
from google_described import every_method, path_of, schema_of
from helpdesk_office import Exchange, Office, at, company

from pipelines.google_sheets import GOOGLE_SHEETS, SheetsOptions
from pipelines.sandbox import google_sheets as stand_in

SPECS = Path(os.environ.get("HITO_SPECS", Path(__file__).parents[3] / "shared" / "specs"))

pytestmark = pytest.mark.skipif(
    not SPECS.is_dir(), reason=f"not run: the descriptions are not in {SPECS} (HITO_SPECS names another folder)"
)

RULE = {"type": "event.attended", "at": "fecha", "subject": "id"}
TABS = {"Mis eventos": [["id", "fecha"], ["E1", 46084], [], ["E2", "2026-03-04", "", True, 1.5]]}
BOX = {"startRowIndex": 5, "endRowIndex": 7, "startColumnIndex": 0, "endColumnIndex": 1}


@pytest.fixture
def exchanges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Exchange]:
    """What is asked and answered at a reading."""
    stream = {"sheet": "Mis eventos", "key": "id", "events": [RULE]}
    options = SheetsOptions.model_validate({"spreadsheet": stand_in.SPREADSHEET, "streams": {"eventos": stream}})
    office = Office(tmp_path, monkeypatch, GOOGLE_SHEETS, options, stand_in)
    loaded = office.load(company(), at(10), tabs=TABS, merges={"Mis eventos": [BOX]})["eventos"]
    assert (loaded.failure, loaded.delivered) == (None, 2)
    return [one for one in office.exchanges if one.path != "/token"]


@cache
def description() -> dict[str, Any]:
    return dict(json.loads((SPECS / "sheets.v4.json").read_text(encoding="utf-8")))


def method_of(path: str) -> dict[str, Any]:
    """The method that reads what is at a path."""
    [found] = [
        method
        for method in every_method(description()["resources"])
        if method["httpMethod"] == "GET" and re.fullmatch(re.sub(r"\{\w+\}", "[^/:]+", path_of(method)), path)
    ]
    return found


@cache
def schema(name: str) -> jsonschema.Draft202012Validator:
    return schema_of(description(), name)


def leaves(mask: str) -> Iterator[tuple[str, ...]]:
    """The paths of a mask of fields."""
    place: tuple[str, ...] = ()
    for name, sign in re.findall(r"(\w*)([(),]|$)", mask):
        if name and sign != "(":
            yield (*place, name)
        if sign == "(":
            place = (*place, name)
        elif sign == ")":
            place = place[:-1]


def judge(exchange: Exchange) -> None:
    """Raises for a request or an answer that is not as described."""
    method = method_of(exchange.path)
    known = {**description()["parameters"], **method["parameters"]}
    asked = parse_qsl(exchange.query)
    assert {name for name, _ in asked} <= {*known}, {name for name, _ in asked} - {*known}
    for name, text in asked:
        assert text in known[name].get("enum", (text,)), (name, text)
        if name == "fields":
            for path in leaves(text):
                resource = method["response"]["$ref"]
                for part in path:
                    found = description()["schemas"][resource]["properties"][part]
                    resource = found.get("$ref") or found.get("items", {}).get("$ref")
    once = [name for name, _ in asked if not known[name].get("repeated")]
    assert len(once) == len({*once})
    schema(method["response"]["$ref"]).validate(exchange.content)


def test_every_request_and_answer_of_a_reading_is_as_described(exchanges: list[Exchange]) -> None:
    for one in exchanges:
        judge(one)
    assert [method_of(one.path)["id"] for one in exchanges] == [
        "sheets.spreadsheets.get", "sheets.spreadsheets.values.batchGet",
    ]  # fmt: skip


def test_the_judge_sees_what_is_not_as_described(exchanges: list[Exchange]) -> None:
    sheet, cells = exchanges
    sheet.query = sheet.query.replace("locale", "language")
    with pytest.raises(KeyError, match="language"):
        judge(sheet)
    content = cells.content
    content["valueRanges"][0]["range"] = 1
    cells.answer = json.dumps(content).encode()
    with pytest.raises(jsonschema.ValidationError, match="1 is not of type 'string'"):
        judge(cells)
    cells.query = cells.query.replace("SERIAL_NUMBER", "SERIAL")
    with pytest.raises(AssertionError, match="SERIAL"):
        judge(cells)
