"""A stand-in for Google's Sheets API v4: the company's spreadsheet, with the vendor's sign-in, limits and errors.

Belongs here: requests, answers, and how a spreadsheet shows what people typed. Does not: who typed what (`sheets`), or
what it means (`pipelines.google_sheets`).

Like the vendor: only the present is known; days are numbers of days since 30 December 1899; empty cells at the end of a
row and empty rows at the end of a range are left out, and of merged cells only the first one has a value; 60 reads a
minute for each user and 300 for the project. Where somebody took a row out, they emptied its cells: the row is there.
"""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pipelines.sandbox.company import value_at
from pipelines.sandbox.googleapis import (
    Json,
    Refusal,
    form_of,
    guarded,
    is_by_refresh_token,
    not_signed_in,
    signed_in,
    wrong_key,
)
from pipelines.sandbox.sheets import ONLINE, Sheet, standing
from pipelines.sandbox.stand_in import Desk, Limit

CREDENTIALS: dict[str, str] = {
    "client_id": "sandbox-sheets-client",
    "client_secret": "sandbox-sheets-client-secret",
    "refresh_token": "sandbox-sheets-refresh-token",
}
SERVICE_ACCOUNT = "hito@agencia.iam.gserviceaccount.example"
API_KEY = "sandbox-sheets-key"
SPREADSHEET = "1agenciaInmobiliaria-hojas_0000000000000000"
SCOPE = "https://www.googleapis.com/auth/spreadsheets.readonly"

READS_A_MINUTE, READS_A_MINUTE_OF_A_PROJECT = 60, 300
TOKEN_LIFE = timedelta(seconds=3599)

_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_RANGE = re.compile(r"(?:'((?:[^']|'')+)'|([^'!]+))!A(\d+):([A-Z]+)(\d+)")
_NUMBERS = frozenset({"folletos"})
_SPARE_ROWS = 20

Rows = Sequence[Sequence[Any]]


def app(
    desk: Desk,
    *,
    tabs: Mapping[str, Rows] | None = None,
    merges: Mapping[str, Sequence[Json]] | None = None,
    columns: int = 26,
    rows: int | None = None,
    reads_a_minute: int = READS_A_MINUTE,
    public_key: RSAPublicKey | None = None,
) -> Starlette:
    """The stand-in.

    tabs: what stands in each sheet, instead of what the company keeps. merges: its merged cells. columns, rows: how
    large its sheets are. public_key: the service account's.
    """
    held = tabs or {title: _typed(desk, sheet) for title, sheet in ONLINE.items()}
    size = (rows, columns)
    return _Sheets(desk, held, merges or {}, size, Limit(reads_a_minute, 60), public_key).starlette()


@dataclass
class _Sheets:
    desk: Desk
    tabs: Mapping[str, Rows]
    merges: Mapping[str, Sequence[Json]]
    size: tuple[int | None, int]
    of_user: Limit
    public_key: RSAPublicKey | None
    of_project: Limit = field(default_factory=lambda: Limit(READS_A_MINUTE_OF_A_PROJECT, 60))
    tokens: dict[str, datetime] = field(default_factory=dict)

    def starlette(self) -> Starlette:
        place = "/v4/spreadsheets/{id}"
        return Starlette(
            routes=[
                Route("/token", self.token, methods=["POST"]),
                Route(f"{place}/values:batchGet", guarded(self._admit, self.values)),
                Route(place, guarded(self._admit, self.spreadsheet)),
            ]
        )

    async def token(self, request: Request) -> JSONResponse:
        """A new access token for an hour, by a refresh token or by the service account's signature."""
        form = await form_of(request)
        is_signed = form.get("grant_type") == _JWT_BEARER and self._is_signed(form.get("assertion", ""))
        if not is_signed and not is_by_refresh_token(form, CREDENTIALS):
            return not_signed_in("Invalid JWT Signature.") if "assertion" in form else not_signed_in()
        issued = f"sandbox-sheets-access-token-{len(self.tokens) + 1}"
        self.tokens[issued] = self.desk.clock.now() + TOKEN_LIFE
        return signed_in(issued, SCOPE)

    def _is_signed(self, assertion: str) -> bool:
        signed, _, signature = assertion.rpartition(".")
        header, _, body = signed.partition(".")
        if self.public_key is None or orjson.loads(_decoded(header)) != {"alg": "RS256", "typ": "JWT"}:
            return False
        try:
            self.public_key.verify(_decoded(signature), signed.encode(), PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        claims, now = orjson.loads(_decoded(body)), self.desk.clock.now().timestamp()
        lasts = claims.pop("exp") - claims.pop("iat")
        who = {"iss": SERVICE_ACCOUNT, "scope": SCOPE, "aud": "https://oauth2.googleapis.com/token"}
        return bool(claims == who and 0 < lasts <= 3600 and now > 0)

    def _admit(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        key, now = request.headers.get("x-goog-api-key"), self.desk.clock.now()
        if key is not None and key != API_KEY:
            raise wrong_key()
        if key is None and (scheme != "Bearer" or self.tokens.get(token, now) <= now):
            message = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie…"
            raise Refusal(401, message, status="UNAUTHENTICATED")
        for limit, whose in ((self.of_user, "Read requests per minute per user"), (self.of_project, "Read requests")):
            if limit.wait_seconds(now) is not None:
                message = f"Quota exceeded for quota metric 'Read requests' and limit '{whose}' of service"
                says = f"{message} 'sheets.googleapis.com' for consumer 'project'."
                raise Refusal(429, says, status="RESOURCE_EXHAUSTED")
        if request.path_params["id"] != SPREADSHEET:
            raise Refusal(404, "Requested entity was not found.", status="NOT_FOUND")

    def spreadsheet(self, request: Request) -> Json:
        """What there is: a chart on a sheet of its own besides. Cells it does not show."""
        if "fields" not in request.query_params:
            raise _invalid("This stand-in shows no whole spreadsheets.")
        found = [self._sheet(number, title) for number, title in enumerate(self.tabs)]
        chart = {"sheetId": 99, "title": "Gráfico", "sheetType": "OBJECT"}
        return {
            "properties": {"locale": "es_ES"},
            "sheets": [*found, {"properties": chart}],
        }

    def _sheet(self, number: int, title: str) -> Json:
        rows, columns = self._size(title)
        size = {"rowCount": rows, "columnCount": columns}
        properties = {"sheetId": number, "title": title, "sheetType": "GRID", "gridProperties": size}
        merged = [{"sheetId": number, **box} for box in self.merges.get(title, ())]
        return {"properties": properties, **({"merges": merged} if merged else {})}

    def _size(self, title: str) -> tuple[int, int]:
        rows, columns = self.size
        return rows or len(self.tabs[title]) + _SPARE_ROWS, columns

    def values(self, request: Request) -> Json:
        """The values of the ranges that are asked for, unformatted."""
        asked = request.query_params
        if asked.get("valueRenderOption") != "UNFORMATTED_VALUE":
            raise _invalid("This stand-in shows no formatted values.")
        ranges = [self._range(text) for text in asked.getlist("ranges")]
        return {"spreadsheetId": SPREADSHEET, "valueRanges": ranges}

    def _range(self, text: str) -> Json:
        parts = _RANGE.fullmatch(text)
        title = "" if parts is None else (parts[1] or parts[2]).replace("''", "'")
        if parts is None or title not in self.tabs:
            raise _invalid(f"Unable to parse range: {text}")
        rows, columns = self._size(title)
        first, last, width = int(parts[3]), min(int(parts[5]), rows), _number(parts[4])
        if first > rows or width > columns:
            message = f"Range ({text}) exceeds grid limits. Max rows: {rows}, max columns: {columns}"
            raise _invalid(message)
        name = title if re.fullmatch(r"[A-Za-z_]\w*", title) else "'" + title.replace("'", "''") + "'"
        values = _trimmed([_trimmed(row[:width], ("",)) for row in self.tabs[title][first - 1 : last]], ([],))
        told: Json = {"range": f"{name}!A{first}:{parts[4]}{last}", "majorDimension": "ROWS"}
        return {**told, **({"values": values} if values else {})}


def _invalid(message: str) -> Refusal:
    return Refusal(400, message, status="INVALID_ARGUMENT")


def serial(day: date) -> int:
    """A day as a sheet counts it."""
    return (day - date(1899, 12, 30)).days


def _typed(desk: Desk, sheet: Sheet) -> Rows:
    """A sheet as people keep it: a column that nobody asked for beside the others, and gaps where rows were."""
    rows: list[list[Any]] = [["id", "notas", *sheet.columns]]
    for row in sorted(desk.company.sheet_rows, key=lambda row: (row.cells[0].at, row.id)):
        cells = value_at(row.cells, desk.present)
        if row.sheet != sheet.rows or cells is None:
            continue
        said = [row.id, "con Marta Ruiz, 600 123 456", *(_value(name, cells[name]) for name in sheet.columns)]
        rows.append(said if standing(row, desk.present) else [])
    return rows


def _value(column: str, text: str) -> Any:
    """What a sheet of Spain makes of what is typed."""
    if column == "fecha":
        day, month, year = map(int, text.split("/"))
        return serial(date(year, month, day))
    return int(text) if column in _NUMBERS else text


def _trimmed(cells: Sequence[Any], empty: Sequence[Any]) -> list[Any]:
    kept = list(cells)
    while kept and kept[-1] in empty:
        kept.pop()
    return kept


def _number(letters: str) -> int:
    found = 0
    for letter in letters:
        found = found * 26 + ord(letter) - ord("A") + 1
    return found


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
