"""Secrets that were read are told by no error, in whatever spelling a vendor gives them back."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator
from html import escape
from urllib.parse import quote, quote_plus

import pytest

from pipelines import source
from pipelines.source import SourceError, never_tell

SECRET = "pl4nted/Se+cret=&\"ñ'<42>"
QUOTED = quote(SECRET, safe="")


@pytest.fixture(autouse=True)
def planted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(source, "_never_told", set())
    never_tell(SECRET)
    yield
    source._told.cache_clear()


@pytest.mark.parametrize(
    "spelled",
    [
        SECRET,
        SECRET.upper(),
        QUOTED,
        QUOTED.lower(),
        quote(SECRET),
        quote_plus(SECRET),
        escape(SECRET),
        escape(SECRET, quote=False),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        repr(SECRET),
        b64encode(SECRET.encode()).decode(),
        urlsafe_b64encode(SECRET.encode()).decode(),
        *(b64encode(f"{user}:{SECRET}:x".encode()).decode() for user in ("u", "us", "use", "user")),
    ],
)
def test_a_secret_is_told_in_no_spelling(spelled: str) -> None:
    told = str(SourceError("office.crm", f"the vendor says {spelled}, which it does not know", "Ask"))
    assert "the vendor says" in told
    assert "…" in told
    assert spelled[4:-4] not in told


def test_what_is_no_secret_is_told() -> None:
    told = str(SourceError("office.crm", "the list of invoices is not JSON (text/html)", "Ask"))
    assert told == "office.crm: the list of invoices is not JSON (text/html). Ask"
