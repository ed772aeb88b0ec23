"""Faults on demand: answers of a stand-in that are spoilt on their way out, as vendors' answers now and then are.

Belongs here: which faults there are, how they are asked for, and spoiling. Does not: what a stand-in answers otherwise,
its own limits and refusals (`sandbox/<vendor>`).

    zendesk:429,truncate          every fourth answer of Zendesk's stand-ins is one of these, in turn
    zendesk:html-error@3          the third answer, and no other one

Answers are counted from the start of the sandbox, one after the other, those that are refused too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.sandbox.server import SandboxError

EVERY = 4
"""One answer in so many is spoilt."""

_PAGE = b"<!DOCTYPE html><html><head><title>Service unavailable</title></head><body>Back in a minute.</body></html>"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, whole. is_cut: the connection ends in the middle of it."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    is_cut: bool = False


Spoil = Callable[[Answer, Answer | None], Answer]
"""Makes another answer of one and of the last one that had the same path and said that there is more."""


def _plain(status: int, body: bytes, kind: str = "application/json", **headers: str) -> Spoil:
    named = {"content-type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return lambda _answer, _before: Answer(status, body, named)


def _truncated(answer: Answer, _before: Answer | None) -> Answer:
    return Answer(answer.status, answer.body[: max(len(answer.body) * 2 // 3, 1)], answer.headers)


def _dropped(answer: Answer, _before: Answer | None) -> Answer:
    return Answer(answer.status, answer.body, answer.headers, is_cut=True)


def _repeated(answer: Answer, before: Answer | None) -> Answer:
    return before or answer


def _without_data(answer: Answer, _before: Answer | None) -> Answer:
    """Without its longest list."""

    def without(content: dict[str, Any]) -> dict[str, Any]:
        lists = {name: len(value) for name, value in content.items() if isinstance(value, list)}
        gone = max(lists, key=lambda name: lists[name], default=None)
        return {name: value for name, value in content.items() if name != gone}

    return _changed(answer, without)


def _emptied(answer: Answer, _before: Answer | None) -> Answer:
    """A page before the last one with its lists empty: that there is more it says still."""
    if not _says_more(answer):
        return answer
    return _changed(answer, lambda content: {k: [] if isinstance(v, list) else v for k, v in content.items()})


_MORE = ("after", "after_cursor", "next", "nextPageToken", "nextRecordsUrl", "next_cursor", "next_page")
"""What vendors call what leads to the next page; it is null, or not there, on the last one."""


def _says_more(answer: Answer) -> bool:
    def says(found: Any) -> bool:
        if not isinstance(found, dict):
            return False
        return (
            any(found.get(name) for name in _MORE)
            or found.get("has_more") is True
            or found.get("isLast") is False
            or any(says(one) for one in found.values())
        )

    try:
        content = json.loads(answer.body)
    except ValueError:
        return False
    return says(content) and content.get("end_of_stream") is not True


def _changed(answer: Answer, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Answer:
    try:
        content = json.loads(answer.body)
    except ValueError:
        return answer
    if not isinstance(content, dict):
        return Answer(answer.status, b"[]" if content else answer.body, answer.headers)
    return Answer(answer.status, json.dumps(change(content)).encode(), answer.headers)


FAULTS: Mapping[str, Spoil] = {
    "429": _plain(429, b'{"error": "Too many requests"}'),
    "429-retry-after": _plain(429, b'{"error": "Too many requests"}', retry_after="7"),
    "429-tomorrow": _plain(429, b'{"error": "Daily quota exceeded"}', retry_after="50400"),
    "500": _plain(500, b'{"error": "Internal error"}'),
    "503": _plain(503, _PAGE, "text/html"),
    "drop": _dropped,
    "empty-page": _emptied,
    "error-body": _plain(200, b'{"error": {"code": 1, "message": "An unknown error occurred"}}'),
    "html-error": _plain(200, _PAGE, "text/html"),
    "missing-data": _without_data,
    "repeat-page": _repeated,
    "truncate": _truncated,
}
"""By the name that they are asked for."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that is asked for. at: of which answer; None: of one in `EVERY`, in turn with the others."""

    name: str
    at: int | None = None


def asked(texts: Sequence[str], vendors: Sequence[str]) -> dict[str, tuple[Fault, ...]]:
    """What is asked for, by vendor. texts: `<vendor>:<fault>[@<answer>][,…]`. Raises `SandboxError`."""
    found: dict[str, tuple[Fault, ...]] = {}
    for text in texts:
        vendor, colon, names = text.partition(":")
        if vendor not in vendors or not colon:
            known = ", ".join(sorted(vendors))
            raise SandboxError(f"There is no vendor '{vendor}' here: write <vendor>:<fault>, the vendor one of {known}")
        found[vendor] = (*found.get(vendor, ()), *(_fault(name.strip()) for name in names.split(",")))
    return found


def _fault(text: str) -> Fault:
    name, at_sign, number = text.partition("@")
    if name not in FAULTS:
        raise SandboxError(f"There is no fault '{name}': choose from {', '.join(FAULTS)}")
    if at_sign and (not number.isdigit() or int(number) == 0):
        raise SandboxError(f"'{text}' does not say which answer: write {name}@3 for the third")
    return Fault(name, int(number) if at_sign else None)


@dataclass
class Faulty:
    """A stand-in whose answers are spoilt as was asked for."""

    app: ASGIApp
    faults: Sequence[Fault]
    _count: int = 0
    _turn: int = 0
    _before: dict[str, Answer] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = await _answer_of(self.app, scope, receive)
        place = f"{scope['method']} {Request(scope).url.path}"
        with self._lock:
            spoil = self._next()
            before = self._before.get(place)
            if answer.status == 200 and _says_more(answer):
                self._before[place] = answer
        await _sent(answer if spoil is None else spoil(answer, before), scope, receive, send)

    def _next(self) -> Spoil | None:
        self._count += 1
        for fault in self.faults:
            if fault.at == self._count:
                return FAULTS[fault.name]
        in_turn = [fault for fault in self.faults if fault.at is None]
        if not in_turn or self._count % EVERY:
            return None
        self._turn += 1
        return FAULTS[in_turn[(self._turn - 1) % len(in_turn)].name]


async def _answer_of(app: ASGIApp, scope: Scope, receive: Receive) -> Answer:
    status, headers, body = 500, dict[str, str](), b""

    async def keep(message: Message) -> None:
        nonlocal status, headers, body
        if message["type"] == "http.response.start":
            status = message["status"]
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
        elif message["type"] == "http.response.body":
            body += message.get("body", b"")

    await app(scope, receive, keep)
    return Answer(status, body, headers)


async def _sent(answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
    headers = {name: value for name, value in answer.headers.items() if name != "content-length"}
    if not answer.is_cut:
        await Response(answer.body, answer.status, headers)(scope, receive, send)
        return
    named = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    length = (b"content-length", str(len(answer.body) + 1).encode())
    await send({"type": "http.response.start", "status": answer.status, "headers": [*named, length]})
    await send({"type": "http.response.body", "body": answer.body[: len(answer.body) // 2]})
    raise ConnectionAbortedError("the connection ends here, as was asked for")
