"""A stand-in at hand: answers the requests of this process without a server, a socket or a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from threading import Lock
from typing import Any
from unittest.mock import patch
from urllib.parse import unquote, urlsplit

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from starlette.types import ASGIApp, Message

URL = "http://127.0.0.1:1"


@contextmanager
def at_hand(application: ASGIApp) -> Iterator[str]:
    """`requests` is answered by the application while the block runs; gives its URL."""
    loop, turn, elsewhere = asyncio.new_event_loop(), Lock(), HTTPAdapter.send

    def send(self: HTTPAdapter, request: PreparedRequest, **given: Any) -> Response:
        if not str(request.url).startswith(f"{URL}/"):
            return elsewhere(self, request, **given)
        with turn:
            return loop.run_until_complete(_answer(application, request))

    try:
        with patch.object(HTTPAdapter, "send", send):
            yield URL
    finally:
        loop.close()


async def _answer(application: ASGIApp, request: PreparedRequest) -> Response:
    parts, given = urlsplit(str(request.url)), request.body or b""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": parts.scheme,
        "path": unquote(parts.path),
        "raw_path": parts.path.encode(),
        "root_path": "",
        "query_string": parts.query.encode(),
        "headers": [(name.lower().encode(), str(value).encode()) for name, value in request.headers.items()],
        "client": ("127.0.0.1", 2),
        "server": ("127.0.0.1", 1),
    }
    told: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": given.encode() if isinstance(given, str) else given}

    async def tell(message: Message) -> None:
        told.append(message)

    await application(scope, receive, tell)
    answer = Response()
    answer.status_code, answer.url, answer.request = told[0]["status"], str(request.url), request
    answer.headers.update({name.decode(): value.decode() for name, value in told[0].get("headers", ())})
    content = b"".join(message.get("body", b"") for message in told[1:])
    answer._content, answer.raw, answer.encoding = content, BytesIO(content), "utf-8"
    return answer
