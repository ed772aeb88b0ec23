"""Google's Sheets API v4 over HTTP: signing in, and asking for a spreadsheet's properties and its cells.

Belongs here: requests, and which answers can be trusted. Does not: what is in the cells (`reading`, `values`).

Settings of an account: `client_email` and `private_key` of a service account with which the spreadsheet is shared (both
are in the key file that Google gives out); or `client_id`, `client_secret` and `refresh_token` of somebody who may see
it, with the scope `spreadsheets.readonly`; or, of a spreadsheet that anybody with the link may see, an `api_key`.

Sources of the facts: https://developers.google.com/workspace/sheets/api/limits (300 reads a minute for a project, 60
for a user of it, refilled each minute; 429 without Retry-After, to be asked again with growing pauses) and
/reference/rest/v4/spreadsheets.values/batchGet (empty rows and cells at the end are left out; ranges are answered in
the order that they were asked in). An Excel file in Drive is refused with 400, FAILED_PRECONDITION.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipelines import google, oauth
from pipelines.google_sheets.places import Box, Range
from pipelines.http import PatientSession, whole_json
from pipelines.settings import Settings
from pipelines.source import READ_AGAIN, Account, Clock, SourceConfigError, VendorError

HOST = "https://sheets.googleapis.com"
SCOPE = "https://www.googleapis.com/auth/spreadsheets.readonly"

_PROPERTIES = "properties(locale),sheets(properties(sheetId,title,sheetType,gridProperties),merges)"

Cell = Any
"""Text, a number, a boolean; "" for an empty cell before others."""


@dataclass(frozen=True)
class Grid:
    """A sheet. rows, columns: how large it is, empty cells included; merges: cells that are one."""

    title: str
    rows: int
    columns: int
    merges: tuple[Box, ...]


@dataclass(frozen=True)
class Spreadsheet:
    """A spreadsheet and those of its sheets that have cells, by title."""

    locale: str
    grids: Mapping[str, Grid]


class Api:
    """One spreadsheet over HTTP; what signs in is in headers, as what is in a query ends up in logs."""

    def __init__(self, account: Account, clock: Clock, spreadsheet: str) -> None:
        self.settings = Settings(account)
        self.source = self.settings.source
        root, self.oauth = google.hosts(self.settings, HOST)
        self.url = f"{root}/v4/spreadsheets/{spreadsheet}"
        self.session = PatientSession(self.source, clock)
        self.shared = "Share the spreadsheet with the service account (its client_email), as with anybody, to view"
        if any(self.settings.get(name) for name in google.OF_SERVICE):
            self._sign_in(lambda: google.service(self.session, self.settings, self.oauth, SCOPE))
        elif any(self.settings.get(name) for name in oauth.OF_SOMEBODY):
            self.shared = "Share the spreadsheet with whoever the refresh token is of, to view"
            self._sign_in(lambda: google.renewed(self.session, self.settings, self.oauth))
        elif key := self.settings.get("api_key"):
            self.shared = f"Check {self.settings.name('api_key')}, and let anybody with the link view the spreadsheet"
            self.session.headers["X-Goog-Api-Key"] = key
        else:
            raise self.settings.missing(*google.OF_SERVICE)

    def _sign_in(self, token: Any) -> None:
        self.session.headers.update(token())
        self.session.renew_token = token

    def spreadsheet(self) -> Spreadsheet:
        """What there is in it. Raises `VendorError` for an answer that is not as documented."""
        content = self._answer(self.url, {"fields": _PROPERTIES}, ("properties", "sheets"))
        try:
            found = [_grid(one) for one in content["sheets"] if one["properties"].get("sheetType", "GRID") == "GRID"]
            return Spreadsheet(str(content["properties"].get("locale", "")), {grid.title: grid for grid in found})
        except (KeyError, TypeError, ValueError, AttributeError) as failure:
            raise self._strange("the spreadsheet", failure) from None

    def cells(self, ranges: Sequence[Range]) -> list[list[list[Cell]]]:
        """The rows of each range, without the empty ones at its end. Raises `VendorError` for another range's."""
        asked = {
            "ranges": [str(one) for one in ranges],
            "majorDimension": "ROWS",
            "valueRenderOption": "UNFORMATTED_VALUE",
            "dateTimeRenderOption": "SERIAL_NUMBER",
        }
        answered = self._answer(f"{self.url}/values:batchGet", asked, ("valueRanges",))["valueRanges"]
        try:
            told = [one["range"] for one in answered]
            rows = [one.get("values", []) for one in answered]
            whole = all(isinstance(row, list) for one in rows for row in one)
        except (KeyError, TypeError, AttributeError) as failure:
            raise self._strange("its cells", failure) from None
        if not whole or len(told) != len(ranges) or not all(map(Range.is_answered_by, ranges, told)):
            raise VendorError(self.source, "the cells that came are not those that were asked for", READ_AGAIN)
        if any(len(one) > asked.height for one, asked in zip(rows, ranges, strict=True)):
            raise VendorError(self.source, "more rows came than were asked for", READ_AGAIN)
        return rows

    def _answer(self, url: str, params: Mapping[str, Any], must_have: Sequence[str]) -> dict[str, Any]:
        try:
            response = self.session.get(url, params=params)
        except SourceConfigError as refused:
            if f"{self.oauth}/token" in refused.found:  # says already what to do
                raise
            do = f"{self.shared}; and enable the Google Sheets API for its project"
            raise SourceConfigError(self.source, refused.found, do) from None
        if response.status_code == 404:
            do = "Check the option `spreadsheet` in organisation.yaml: it is in the address, between /d/ and /edit"
            raise SourceConfigError(self.source, "there is no such spreadsheet (HTTP 404)", do)
        if response.status_code == 400 and google.status(response) == "FAILED_PRECONDITION":
            do = "Open it there and save it as Google Sheets; the new one has another id"
            raise SourceConfigError(self.source, "the document is no Google spreadsheet, but a file in Drive", do)
        if response.status_code == 400 and "API_KEY_INVALID" in google.reasons(response):
            key = self.settings.name("api_key")
            raise SourceConfigError(self.source, "the vendor says that the API key is not valid", f"Check {key}")
        return whole_json(self.source, response, must_have)

    def _strange(self, what: str, failure: Exception) -> VendorError:
        found = f"{what} came in another shape than the Sheets API documents ({type(failure).__name__})"
        return VendorError(self.source, found, READ_AGAIN)


def _grid(sheet: Mapping[str, Any]) -> Grid:
    properties = sheet["properties"]
    size = properties["gridProperties"]
    merges = tuple(Box.of(one) for one in sheet.get("merges", ()))
    return Grid(str(properties["title"]), int(size["rowCount"]), int(size["columnCount"]), merges)
