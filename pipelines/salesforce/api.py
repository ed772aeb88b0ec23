"""Salesforce's REST API: queries, their batches and what an object's fields are.

Belongs here: requests, and whole answers as Salesforce gives them. Does not: signing in (`access`), which records to
read (`reading`) or what they mean.

Everything is asked through `queryAll`, which gives what was deleted, what was merged away, and activities that have
been archived for their age as well. A query is answered in batches of at most 2,000 rows, fewer where they are large,
and so are the children of each row, which go on at an address of their own. Nothing is believed for its status of 200:
the rows come in the order and number that were asked for and promised, and no batch comes twice.

Sources of the facts: the REST API Developer Guide (QueryAll; Query More Results), the SOQL and SOSL Reference
(relationship queries; TYPEOF); at most 16,384 bytes of URI and headers: github.com/estuary/connectors/pull/2519.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus

import requests

from pipelines.http import whole_json
from pipelines.salesforce.access import Access, error_code
from pipelines.source import READ_AGAIN, SourceConfigError, VendorError

MOST_BYTES = 16_384
"""Of a request's URI and headers together."""


Row = dict[str, Any]
"""A record as Salesforce gives it."""

_UNDECLARED = {"INVALID_FIELD", "INVALID_TYPE"}


class Api:
    """What one org's API answers."""

    def __init__(self, access: Access) -> None:
        self.access, self.source = access, access.source
        self.base = f"/services/data/v{access.version}"

    def described(self, sobject: str) -> Row:
        """What an object is: the `fields` of it that this user may see, and its `recordTypeInfos`."""
        content = self._answer(f"{self.base}/sobjects/{sobject}/describe", None, ("fields",))
        if not isinstance(content["fields"], list) or not all(_is_named(one) for one in content["fields"]):
            raise self.strange(f"the fields of {sobject} were answered in another shape than is documented")
        return content

    def query(self, soql: str) -> Iterator[list[Row]]:
        """The rows of a query, batch by batch, each with all of its children."""
        for batch in self._batches(self._answer(f"{self.base}/queryAll", {"q": soql}, _PAGE)):
            yield [self._with_children(row) for row in batch]

    def tracked(self, sobject: str) -> set[str]:
        """Those of an object's fields whose history the org keeps."""
        of_object = f"EntityDefinition.QualifiedApiName = {text_literal(sobject)}"
        asked = ("QualifiedApiName", "IsFieldHistoryTracked")
        soql = select(asked, "FieldDefinition", of_object)
        try:
            content = self._answer(f"{self.base}/tooling/query", {"q": soql}, _PAGE)
        except SourceConfigError:
            raise SourceConfigError(
                self.source,
                f"this user may not see which fields of {sobject} have a history (FieldDefinition, Tooling API)",
                'Give the user the permission "View Setup and Configuration"',
            ) from None
        rows = [row for batch in self._batches(content) for row in batch]
        return {str(row.get("QualifiedApiName")) for row in rows if row.get("IsFieldHistoryTracked") is True}

    def _batches(self, content: Row) -> Iterator[list[Row]]:
        came, seen, total = 0, set(), content["totalSize"]
        while True:
            rows = content["records"]
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise self.strange("a query was answered with what are not records")
            came += len(rows)
            if rows:
                yield rows
            following = content.get("nextRecordsUrl")
            if content["done"] is True:
                if came != total:
                    raise self.strange(f"a query was said to have {total} rows and gave {came}")
                return
            if not rows:
                raise self.strange("a batch of a query is empty, though there was to be more")
            if not isinstance(following, str) or not following.startswith("/services/data/"):
                raise self.strange("a query does not say where its next batch is")
            if following in seen:
                raise self.strange("a batch of a query is one that came before")
            seen.add(following)
            content = self._answer(following, None, _PAGE)

    def _with_children(self, row: Row) -> Row:
        """The row with its children as lists; where it has none, Salesforce gives null."""
        return {
            name: [child for batch in self._batches(value) for child in batch] if _is_query(value) else value
            for name, value in row.items()
        }

    def _answer(self, path: str, params: dict[str, str] | None, must_have: Sequence[str]) -> Row:
        self._require_short(path, params)
        response = self.access.get(path, params)
        if response.status_code >= 400:
            self._refuse(response)
        content: Row = whole_json(self.source, response, must_have)
        return content

    def _require_short(self, path: str, params: dict[str, str] | None) -> None:
        url = requests.Request("GET", self.access.root + path, params=params).prepare().url or ""
        headers = sum(len(name) + len(str(value)) + 4 for name, value in self.access.session.headers.items())
        if len(url) + headers > MOST_BYTES:
            raise SourceConfigError(
                self.source,
                f"a query would be {len(url) + headers:,} bytes long, and Salesforce takes {MOST_BYTES:,}",
                "Name fewer fields in the options of organisation.yaml",
            )

    def _refuse(self, response: requests.Response) -> None:
        code = error_code(response)
        if response.status_code in (404, 410) and code != "INVALID_QUERY_LOCATOR":
            raise SourceConfigError(
                self.source,
                f"there is nothing of version {self.access.version} of the API (HTTP {response.status_code})",
                f"Check {self.access.settings.name('base_url')}, and set {self.access.settings.name('api_version')} "
                "to a version that the org has",
            )
        if code in _UNDECLARED:
            asked = set(re.findall(r"\w+", unquote_plus(response.url)))
            named = re.search(r"No such column '(\w+)' on (?:entity|sobject of type) '?(\w+)", response.text)
            is_ours = named is not None and {named[1], named[2]} <= asked
            found = f"there is no field {named[1]} of {named[2]}" if named and is_ours else "a field is not there"
            raise SourceConfigError(
                self.source,
                f"{found} ({code}), or this user may not see it",
                "Correct the options of organisation.yaml, or let the user read it (field-level security)",
            )
        raise self.strange(f"a query was refused with HTTP {response.status_code} {code}".rstrip())

    def strange(self, found: str) -> VendorError:
        """The error for an answer that cannot be trusted."""
        return VendorError(self.source, found, READ_AGAIN)


_PAGE = ("records", "done", "totalSize")


def _is_query(value: Any) -> bool:
    return isinstance(value, dict) and "records" in value and "done" in value and "totalSize" in value


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("name"), str)


def instant_literal(at: datetime) -> str:
    """An instant as SOQL writes it."""
    at = at.astimezone(UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def text_literal(text: str) -> str:
    """A text as SOQL writes it."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def any_of(texts: Sequence[str]) -> str:
    """A list of texts as SOQL writes it."""
    return f"({', '.join(text_literal(one) for one in texts)})"


def select(what: Sequence[str], source: str, *conditions: str, then: str = "") -> str:
    """A query. Names come from here, or from options that allow nothing but names; values are literals, as above."""
    met = " AND ".join(f"({one})" for one in conditions if one)
    where = f" WHERE {met}" if met else ""
    return f"SELECT {', '.join(what)} FROM {source}{where}{then and ' ' + then}"  # noqa: S608 - as said
