"""Typeform's HTTP API: the token, a form, and the responses to it from a time on.

Belongs here: authentication, walking the list, telling a whole answer from a broken one. Does not: what is kept of an
answer, or what it means (`responses`).

Facts (typeform.com/developers/responses): at most 1,000 responses a request; `since` and `until` include the second
that they name, in UTC, and go by `submitted_at` of completed responses, by `staged_at` of partial ones and by
`landed_at` of started ones; `total_items` says how many there are. Without `response_type` only completed ones come;
started and partial ones have no time of their submission, and started ones no answers and no hidden fields. A response
has one token from when the form is opened, and is of one type at a time. Two requests a second are allowed.

`after` and `before` walk by the token of a response, in the order in which Typeform processed them; they cannot be
combined with an order, nothing says where such a walk begins, and with a token that is gone they have been seen to
answer from the start. So the list is walked in the order of submission instead: each request begins at the second of
the last response of the one before, which is harmless, and in the end there must be as many as were promised. More
than a page of responses of one second cannot be passed, and are told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, NoReturn

import requests

from kr_definitions.vocabulary import nearest
from pipelines.http import PatientSession, whole_json
from pipelines.settings import Settings
from pipelines.source import READ_AGAIN, Account, Clock, SourceConfigError, VendorError

PAGE_SIZE = 1000

Item = dict[str, Any]

Kind = Literal["completed", "partial", "started"]
TIMES: dict[Kind, str] = {"completed": "submitted_at", "partial": "staged_at", "started": "landed_at"}
"""Of each type of response, the time that it is asked for and ordered by."""


class Api:
    """The API over HTTP. Configuration and credentials are read when it is made."""

    def __init__(self, account: Account, host: str, clock: Clock) -> None:
        self.settings = Settings(account)
        self.source, self.base_url = self.settings.source, self.settings.base_url(host)
        self.session = PatientSession(self.source, clock)
        self.session.headers["Authorization"] = f"Bearer {self.settings.need('access_token')}"

    def form(self, form: str) -> Item:
        """A form's questions and hidden fields. Raises `SourceConfigError` where there is no such form."""
        response = self._get(f"/forms/{form}", {})
        if response.status_code == 404:
            found = f"there is no form {form}"
            do = "Check its id in organisation.yaml, and that the token is of an account that sees it"
            raise SourceConfigError(self.source, found, do)
        return whole_json(self.source, response, ("id", "fields"))

    def responses(self, form: str, start: str | None, kind: Kind = "completed") -> Iterator[list[Item]]:
        """Responses of a type in the order of their times, from a second on (`second`); each comes once."""
        promised: int | None = None
        seen: set[str] = set()
        while True:
            asked = {"sort": f"{TIMES[kind]},asc", "page_size": str(PAGE_SIZE)}
            items, total = self._page(form, asked, start, kind)
            times = [str(one.get(TIMES[kind])) for one in items]
            if times != sorted(times) or (start is not None and times and times[0] < start):
                self._fail(form, "are not in the order or span that was asked for")
            promised = total if promised is None else promised
            new = [one for one in items if one["token"] not in seen]
            seen.update(one["token"] for one in new)
            yield new
            if not items or total <= len(items):
                if total > len(items) or len(seen) < promised:
                    self._fail(form, f"are {len(seen)}, where {promised} were promised")
                return
            if items[-1].get(TIMES[kind]) is None:
                self._fail(form, f"have no {TIMES[kind]}, so that no request reaches those after the first page")
            if times[-1] == start:
                self._fail(form, f"of the second {start} are more than a page, and no request reaches the rest")
            start = times[-1]

    def count(self, form: str, until: datetime) -> int:
        """How many completed responses there are up to a second."""
        return self._page(form, {"page_size": "1", "until": second(until)}, None)[1]

    def _page(
        self, form: str, params: Mapping[str, str], since: str | None, kind: Kind = "completed"
    ) -> tuple[list[Item], int]:
        asked = {**params, "response_type": kind, **({} if since is None else {"since": since})}
        content = whole_json(self.source, self._get(f"/forms/{form}/responses", asked), ("items", "total_items"))
        items, total = content["items"], content["total_items"]
        if not isinstance(items, list) or not all(isinstance(one, dict) and one.get("token") for one in items):
            self._fail(form, "are no list of responses with tokens")
        if not isinstance(total, int) or total < len(items):
            self._fail(form, f"are said to be {str(total)[:20]}, and {len(items)} came")
        return items, total

    def _get(self, path: str, params: Mapping[str, str]) -> requests.Response:
        try:
            return self.session.get(self.base_url + path, params=params)
        except SourceConfigError as refused:
            do = (
                f"Check {self.settings.name('access_token')}, its scopes (forms:read, responses:read), and the option "
                "`region`: an account in the EU has another address"
            )
            raise SourceConfigError(self.source, refused.found, do) from None

    def _fail(self, form: str, found: str) -> NoReturn:
        raise VendorError(self.source, f"the responses to {form} {found}", READ_AGAIN)


def questions(form: Item) -> dict[str, Item]:
    """Reference or id -> question, those in groups too."""
    found: dict[str, Item] = {}
    for one in form["fields"]:
        if not isinstance(one, dict):
            continue
        inner = (one.get("properties") or {}).get("fields")
        found |= questions({"fields": inner}) if isinstance(inner, list) else {}
        found |= {str(name): one for name in (one.get("id"), one.get("ref")) if name}
    return found


def refuse_unknown(source: str, what: str, name: str, known: list[str]) -> None:
    """Raise where a form has no field of a name, with the nearest that it has."""
    if name in known:
        return
    likely = nearest(name, known) or known[:10]
    do = f"Did you mean {' or '.join(likely)}?" if likely else "It has none"
    raise SourceConfigError(source, f"the form has no {what} {name}", do)


def second(at: datetime) -> str:
    """An instant as the vendor compares it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
