"""No secret is ever written: not to the lake, to Dagster's records, to a log, nor to what a person sees.

A job with a source of every kind is run against a server that tells each caller its own headers, query and body, in
every way in which a vendor may fail; the credentials are recognisable, and everything that was written is searched.
"""

from __future__ import annotations

import base64
import http.server
import json
import logging
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus, urlencode

import pytest
from bytes_of import mentions

from assets.home import Home
from assets.run import run
from pipelines.connectors import KINDS
from pipelines.settings import PLAIN

OPTIONS: dict[str, dict[str, Any]] = {
    "hubspot": {"portal_id": "1", "calls": {}},
    "salesforce": {
        "app_url": "https://x.lightning.force.com",
        "currency": "EUR",
        "sales": [{"won": ["won"], "lost": ["lost"]}],
    },
    "pipedrive": {"domain": "x"},
    "zendesk": {"subdomain": "x"},
    "freshdesk": {"subdomain": "x"},
    "jira": {"site": "x", "projects": ["SUP"]},
    "youtube": {"channel": "UC" + "x" * 22},
    "stripe": {},
}
"""Of each kind that speaks HTTP."""
NO_HTTP = {"files", "sql"}
PLANTED = "pl4nted"
WAYS = ("400", "401", "403", "404", "409", "422", "429", "500", "html", "json", "cut", "list", "away", "drop")


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with all that it was told; each path in another way, and with every answer in the next one."""

    turn: dict[str, int]
    start: int

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        told = f"{self.path}\n{self.headers}\n{self.rfile.read(length).decode()}"
        for word in str(self.headers.get("Authorization", "")).split():
            told += _decoded(word)
        told = unquote_plus(told)
        place = self.path.partition("?")[0]
        n = self.turn.setdefault(place, self.start + len(self.turn))
        self.turn[place] += 1
        way = WAYS[n % len(WAYS)]
        if way == "drop":
            self.close_connection = True
            return
        if way == "away":
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.1:9/{urlencode({'told': told})}")
            self.end_headers()
            return
        texts = {"html": f"<html>{told}</html>", "cut": json.dumps({"error": told})[:-5], "list": json.dumps([told])}
        body = texts.get(way, json.dumps({"error": told, told: told, "message": told})).encode()
        self.send_response(int(way) if way.isdigit() else 200)
        self.send_header("Content-Type", "text/html" if way == "html" else "application/json")
        self.send_header("X-Told", told.replace("\n", " ").replace("\r", ""))
        self.send_header("Content-Length", str(len(body)))
        if way == "429":
            self.send_header("Retry-After", "86400")
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


@pytest.fixture(params=range(0, len(WAYS), 3))
def echo(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a server, which begins with another way each time."""
    handler = type("Handler", (Echo,), {"turn": {}, "start": request.param})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def secrets(kind: str) -> dict[str, str]:
    """Recognisable credentials for a kind of source, by their names; what is no secret is left as it is."""
    keys = {*import_module(f"pipelines.sandbox.{kind}").CREDENTIALS} - PLAIN
    return {key: f"{PLANTED}-{kind}-{key}" for key in sorted(keys)}


@pytest.fixture
def home(tmp_path: Path, echo: str, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home whose only organisation has a source of each kind that speaks HTTP."""
    declared = tmp_path / "kr_definitions" / "todo"
    declared.mkdir(parents=True)
    content = {
        "id": "todo", "title": {"es": "Todo", "en": "All"}, "zone": "Europe/Madrid", "country": "ES", "currency": "EUR",
        "sources": {kind: {"kind": kind, "options": options} for kind, options in OPTIONS.items()},
    }  # fmt: skip
    (declared / "organisation.yaml").write_text(json.dumps(content), encoding="utf-8")
    objective = {"id": "todo.todo", "title": {"es": "x", "en": "x"}, "owner": "x", "period": {"year": 2026}}
    counted = {
        "id": "todo.todo.todo", "title": {"es": "x", "en": "x"}, "type": "outcome", "level": "team", "owner": "x",
        "measure": {"count": "deal.won"}, "target": {"value": 1}, "why": "x",
    }  # fmt: skip
    text = json.dumps({"objective": objective, "key_results": [counted]})
    (declared / "todo.yaml").write_text(text, encoding="utf-8")
    for kind in OPTIONS:
        for key, value in {"base_url": echo, **secrets(kind)}.items():
            monkeypatch.setenv(f"SOURCES__TODO__{kind}__{key}".upper(), value)
    monkeypatch.setenv("HITO_NOW", "2026-11-20T06:00:00+00:00")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("HITO_CLOCK", str(tmp_path / "clock.json"))
    (tmp_path / "tmp").mkdir()
    from assets.home import started_at  # noqa: PLC0415
    from pipelines.sandbox.stand_in import SharedClock  # noqa: PLC0415

    SharedClock(tmp_path / "clock.json", started_at())
    return Home(tmp_path / "home", tmp_path / "kr_definitions")


def test_every_kind_of_source_is_tried() -> None:
    assert {*OPTIONS, *NO_HTTP} == {*KINDS}


def test_no_secret_is_written_however_a_vendor_fails(
    home: Home, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        outcome = run(home, ["todo"])
    out, err = capfd.readouterr()
    failed = "\n".join(outcome.failed["todo"])
    assert all(f"todo.{kind}" in failed for kind in OPTIONS), failed
    needles = [value for kind in OPTIONS for value in secrets(kind).values()]
    needles += [base64.b64encode(f"{one}:X".encode()).decode().rstrip("=") for one in needles]
    assert PLANTED not in failed
    assert mentions(tmp_path, [PLANTED]) == {}
    said = "\n".join([out, err, failed, *(record.getMessage() for record in caplog.records if not _is_wire(record))])
    assert not [needle for needle in [PLANTED, *needles] if needle in said]


def _is_wire(record: logging.LogRecord) -> bool:
    """Whether a line tells of requests at debug level, which nobody is shown."""
    return record.name.startswith("urllib3") and record.levelno == logging.DEBUG
