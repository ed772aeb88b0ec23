"""No secret is ever written: not to the lake, to Dagster's records, to a log, nor to what a person sees.

Every kind of source is read, in each way in which it signs in, from a server that tells each caller its own headers,
query and body, in every way in which a vendor may fail; the credentials are recognisable, and everything that was
written is searched, base 64 and %-codes included. A new kind of source is a line of `SOURCES`.
"""

from __future__ import annotations

import base64
import http.server
import json
import logging
import threading
import traceback
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode

import pytest
import requests
from bytes_of import mentions, opened

from assets.home import Home, started_at
from assets.run import run
from pipelines import http as patience
from pipelines.connectors import KINDS, connector
from pipelines.http import PatientSession
from pipelines.load import Source
from pipelines.sandbox.stand_in import SharedClock
from pipelines.settings import PLAIN
from pipelines.source import Account, Read, SourceError

PLANTED = "pl4nted"
APP = "client_id client_secret refresh_token"
SALES = {"app_url": "https://x.lightning.force.com", "currency": "EUR", "sales": [{"won": ["won"], "lost": ["lost"]}]}
FORMS = {"forms": {"compra": {"id": "u6nXL7kd", "rating": {"field": "recomienda", "good_from": 9}}}}

ROWS = {"key": "id", "events": [{"type": "visit.held", "at": "at", "subject": "id"}]}
SHEET = {"spreadsheet": "1" * 44, "streams": {"visits": {**ROWS, "sheet": "x"}}}

# Of each kind that speaks HTTP: its options, and the secrets that it signs in with, in each of the ways that it can.
SOURCES: dict[str, tuple[dict[str, Any], *tuple[str, ...]]] = {
    "hubspot": ({"portal_id": "1", "calls": {}}, "access_token", APP),
    "salesforce": (SALES, "client_id client_secret", APP),
    "pipedrive": ({"domain": "x"}, "api_token", APP),
    "zendesk": ({"subdomain": "x"}, "email api_token", "oauth_token"),
    "freshdesk": ({"subdomain": "x"}, "api_key"),
    "jira": ({"site": "x", "projects": ["SUP"]}, "email api_token"),
    "inmovilla": ({}, "token"),
    "facebook": ({"page": "1"}, "access_token app_secret"),
    "instagram": ({"user": "1"}, "access_token app_secret"),
    "youtube": ({"channel": "UC" + "x" * 22, "analytics": True}, f"api_key {APP}"),
    "linkedin": ({"organization": "1"}, "access_token", APP),
    "x": ({"user": "1"}, "bearer_token"),
    "stripe": ({}, "api_key"),
    "holded": ({}, "api_key"),
    "typeform": (FORMS, "access_token"),
    "wordpress": ({"site": "https://x.example"}, "username application_password"),
    "google_sheets": (SHEET, "client_email private_key", APP, "api_key"),
}
NO_HTTP, NO_SECRETS = {"files", "sql"}, {"ecb"}

# Of databases: connection strings that lead nowhere, each in another way.
DATABASES = (
    f"postgresql+psycopg://hito:{PLANTED}%40a%2Fb@127.0.0.1:9/crm?sslpassword={PLANTED}-key",
    f"postgresql+psycopg://hito:{PLANTED}/a@b@127.0.0.1:9/crm",
    f"snowflake://hito:{PLANTED}-flake@account/crm",
    f"mssql+pyodbc:///?odbc_connect=DRIVER%3Dx%3BUID%3Dhito%3BPWD%3D{PLANTED}-odbc",
)
TABLE = {"table": "deal", "delivery": "snapshot", "key": "id", "zone": "UTC",
         "events": [{"type": "deal.won", "at": "at", "subject": "id"}]}  # fmt: skip

WAYS = ("400", "401", "403", "404", "409", "422", "429", "500", "html", "json", "cut", "list", "away", "drop")


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with all that it was told, once it has issued so many tokens.

    way: in which to fail; None: each path in another way, and with every answer in the next one.
    """

    way: str | None = None
    tokens: int = 0
    turn: dict[str, int]

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        if "grant_type" in parse_qs(body) and type(self).tokens:
            type(self).tokens -= 1
            issued = {"access_token": f"{PLANTED}-issued-{self.path}", "refresh_token": f"{PLANTED}-rotated"}
            self.send(200, json.dumps({**issued, "expires_in": 1800, "token_type": "bearer"}).encode())
            return
        told = f"{self.path}\n{self.headers}\n{body}"
        for word in str(self.headers.get("Authorization", "")).split():
            told += f" {word} {_decoded(word)}"
        told = f"{told} {unquote_plus(told)}"
        self.fail(self.way or self.next_way(), told)

    def next_way(self) -> str:
        place = self.path.partition("?")[0]
        n = self.turn.setdefault(place, len(self.turn))
        self.turn[place] += 1
        return WAYS[n % len(WAYS)]

    def fail(self, way: str, told: str) -> None:
        if way == "drop":
            self.close_connection = True
            return
        if way == "away":
            self.send(302, b"", Location=f"http://127.0.0.1:9/{urlencode({'told': told})}")
            return
        texts = {"html": f"<html>{told}</html>", "cut": json.dumps({"error": told})[:-5], "list": json.dumps([told])}
        body = texts.get(way, json.dumps({"error": told, told: told, "message": told, "errorCode": told})).encode()
        more = {"Retry-After": "86400"} if way == "429" else {}
        kind = "text/html" if way == "html" else "application/json"
        told = " ".join(told.split()).encode("ascii", "ignore").decode()
        self.send(int(way) if way.isdigit() else 200, body, **{"Content-Type": kind, "X-Told": told, **more})

    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer  # noqa: N815 - as the library names them

    def log_message(self, *args: Any) -> None:
        """Says nothing."""


def _decoded(word: str) -> str:
    try:
        return base64.b64decode(word, validate=True).decode()
    except ValueError:
        return ""


@pytest.fixture(scope="module")
def echo() -> Iterator[tuple[str, type[Echo]]]:
    """The address of a server, and what it does."""
    handler = type("Handler", (Echo,), {"turn": {}})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    server.server_close()


def named(kind: str) -> dict[str, list[str]]:
    """The sources of a kind, one for each way in which it signs in, and the names of their secrets."""
    _, *ways = SOURCES[kind]
    return {f"{kind}-{number}": way.split() for number, way in enumerate(ways, start=1)}


def secret(source: str, name: str) -> str:
    """A recognisable one, with what is written otherwise in addresses and in JSON."""
    return f'{PLANTED}-{source}-{name}+/"=='


def configured(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    for kind in SOURCES:
        for source, names in named(kind).items():
            settings = {"base_url": address, **{name: secret(source, name) for name in names}}
            for key, value in settings.items():
                monkeypatch.setenv(f"SOURCES__TODO__{source}__{key}".upper().replace("-", "_"), value)
    for number, database in enumerate(DATABASES, start=1):
        monkeypatch.setenv(f"SOURCES__TODO__SQL_{number}__CREDENTIALS", database)


def leaked(text: str) -> bool:
    """Whether a secret stands in a text, however it is written."""
    return any(PLANTED.encode() in part for part in opened(text.encode()))


def test_every_kind_of_source_and_each_of_its_secrets_is_tried() -> None:
    assert {*SOURCES, *NO_HTTP, *NO_SECRETS} == {*KINDS}
    for kind in SOURCES:
        tried = {name for names in named(kind).values() for name in names}
        assert {*import_module(f"pipelines.sandbox.{kind}").CREDENTIALS} - PLAIN <= tried


@pytest.mark.parametrize("tokens", [0, 1])
@pytest.mark.parametrize("kind", SOURCES)
def test_no_error_tells_a_secret_however_a_vendor_fails(
    kind: str, tokens: int, echo: tuple[str, type[Echo]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    address, server = echo
    configured(monkeypatch, address)
    monkeypatch.setattr(patience, "MOST_ATTEMPTS", 2)
    clock = SharedClock(tmp_path / "clock.json", started_at())
    of_kind = connector(kind)
    options = of_kind.options.model_validate(SOURCES[kind][0])
    failures = []
    with caplog.at_level(logging.DEBUG):
        for source in [name for name, names in named(kind).items() if not tokens or "client_secret" in names]:
            for way in WAYS:
                for stream in Source(of_kind, Account("todo", source, "Europe/Madrid"), options).streams():
                    server.way, server.tokens = way, tokens
                    with pytest.raises(SourceError) as failure:
                        list(stream.fetch(Read(None, clock.now(), None, clock)))
                    failures.append("".join(traceback.format_exception(failure.value)))
    assert failures or tokens
    assert not [text for text in failures if leaked(text)]
    assert not leaked("".join(capfd.readouterr()) + said(caplog))


def said(caplog: pytest.LogCaptureFixture) -> str:
    """What was logged, without what is told of requests at debug level, which nobody is shown."""
    told = [one for one in caplog.records if not (one.name.startswith("urllib3") and one.levelno == logging.DEBUG)]
    return "\n".join(record.getMessage() + (record.exc_text or "") for record in told)


@pytest.fixture
def home(tmp_path: Path, echo: tuple[str, type[Echo]], monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose only organisation has a source of each kind, and for each way in which it signs in."""
    declared = tmp_path / "kr_definitions" / "todo"
    declared.mkdir(parents=True)
    sources = {name: {"kind": kind, "options": SOURCES[kind][0]} for kind in SOURCES for name in named(kind)}
    for number in range(1, len(DATABASES) + 1):
        sources[f"sql-{number}"] = {"kind": "sql", "options": {"streams": {"deals": TABLE}}}
    content = {
        "id": "todo", "title": {"es": "Todo", "en": "All"}, "zone": "Europe/Madrid", "country": "ES", "currency": "EUR",
        "sources": sources,
    }  # fmt: skip
    (declared / "organisation.yaml").write_text(json.dumps(content), encoding="utf-8")
    objective = {"id": "todo.todo", "title": {"es": "x", "en": "x"}, "owner": "x", "period": {"year": 2026}}
    counted = {
        "id": "todo.todo.todo", "title": {"es": "x", "en": "x"}, "type": "outcome", "level": "team", "owner": "x",
        "measure": {"count": "deal.won"}, "target": {"value": 1}, "why": "x",
    }  # fmt: skip
    text = json.dumps({"objective": objective, "key_results": [counted]})
    (declared / "todo.yaml").write_text(text, encoding="utf-8")
    configured(monkeypatch, echo[0])
    echo[1].way, echo[1].tokens, echo[1].turn = None, 3, {}
    monkeypatch.setenv("HITO_NOW", "2026-11-20T06:00:00+00:00")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("HITO_CLOCK", str(tmp_path / "clock.json"))
    (tmp_path / "tmp").mkdir()
    SharedClock(tmp_path / "clock.json", started_at())
    return Home(tmp_path / "home", tmp_path / "kr_definitions")


def test_no_secret_is_written_by_a_run(
    home: Home, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        outcome = run(home, ["todo"])
    failed = "\n".join(outcome.failed["todo"])
    sources = [
        *(source for kind in SOURCES for source in named(kind)),
        *(f"sql-{n + 1}" for n in range(len(DATABASES))),
    ]
    assert [source for source in sources if f"todo.{source}" not in failed] == []
    assert not leaked(failed)
    assert mentions(tmp_path, [PLANTED]) == {}
    assert not leaked("".join(capfd.readouterr()) + said(caplog))


def test_a_password_for_the_vendors_host_that_lies_about_is_not_sent_and_proxies_are_the_environments(
    echo: tuple[str, type[Echo]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`requests` would send what `.netrc` has for a host instead of the token that was configured."""
    address, server = echo
    server.way, server.tokens = "json", 0
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login somebody password {PLANTED}", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    session = PatientSession("todo.x", SharedClock(tmp_path / "clock.json", started_at()))
    session.headers["Authorization"] = "Bearer of-the-vendor"
    answer = session.get(f"{address}/x")
    assert "Bearer of-the-vendor" in answer.text
    assert not leaked(answer.text)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    used = session.merge_environment_settings("https://vendor.example", {}, None, None, None)
    assert used["proxies"]["https"] == "http://proxy.example:3128"
    assert leaked(requests.get(f"{address}/x", timeout=5).text)  # so it would have been
