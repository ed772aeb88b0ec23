"""Faults on demand: answers of a stand-in that are spoilt on their way out, as vendors' answers now and then are.

Belongs here: which faults there are, how they are asked for, and spoiling. Does not: what a stand-in answers otherwise,
its own limits and refusals (`sandbox/<vendor>`).

    zendesk:429,truncate          every fourth answer of Zendesk's stand-ins is one of these, in turn
    zendesk:html-error@3          the third answer, and no other one

Answers are counted from the start of the sandbox, one after the other, those that are refused too. A fault whose turn
has come and that would leave an answer as it is (an empty page, where no list has a second one) waits for the next one
that it changes; how many each has changed is told.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kr_definitions.vocabulary import nearest
from pipelines.sandbox.server import Cut, SandboxError

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
"""Makes another answer of one and of the one before it that said that there is more, and led to it."""


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
    """Without its longest list; of what is a list itself, an object without any."""

    def without(content: dict[str, Any]) -> dict[str, Any]:
        lists = {name: len(value) for name, value in content.items() if isinstance(value, list)}
        gone = max(lists, key=lambda name: lists[name], default=None)
        return {name: value for name, value in content.items() if name != gone}

    return _changed(answer, without, instead=b"{}")


def _emptied(answer: Answer, _before: Answer | None) -> Answer:
    """A page before the last one with its lists empty: that there is more it says still."""
    if not _says_more(answer):
        return answer
    return _changed(answer, lambda content: {k: [] if isinstance(v, list) else v for k, v in content.items()})


_FOLLOWING = ("next", "nextPageToken", "nextRecordsUrl", "next_cursor", "next_page", "next_token")
"""What vendors call what leads to the next page; it is null, or not there, on the last one."""

_SAYS_MORE = {
    "done": False, "end_of_stream": False, "has_more": True, "isLast": False, "isLastPage": False,
    "more_items_in_collection": True,
}  # fmt: skip
"""What vendors call what says outright whether there is more, and what it then says; it goes before the others."""

_FULL = {"leads": 10}
"""Of what nothing says whether there is more: how many a page has that another one may follow (Inmovilla's)."""

_COUNTED = (("startAt", "maxResults", "total"), ("start", "count", "total"))


def _says_more(answer: Answer) -> bool:
    links = next((value for name, value in answer.headers.items() if name.lower() == "link"), "")
    if 'rel="next"' in links:
        return True
    try:
        content = json.loads(answer.body)
    except ValueError:
        return False
    parts = list(_objects(content))
    outright = [part[name] is says for part in parts for name, says in _SAYS_MORE.items() if name in part]
    if outright:
        return any(outright)
    return any(any(says(part) for says in (_is_followed, _is_counted, _is_linked, _is_full)) for part in parts)


def _leads_to(answer: Answer) -> str | None:
    """The path of the page after one, where that has a path of its own (Salesforce's); elsewhere it is the same."""
    try:
        content = json.loads(answer.body)
    except ValueError:
        return None
    return content.get("nextRecordsUrl") if isinstance(content, dict) else None


def _objects(found: Any) -> Iterator[dict[str, Any]]:
    """An object and those in it; not those in its lists, which are records."""
    if isinstance(found, dict):
        yield found
        for one in found.values():
            yield from _objects(one)


def _is_followed(part: Mapping[str, Any]) -> bool:
    return any(map(part.get, _FOLLOWING))


def _is_full(part: Mapping[str, Any]) -> bool:
    return any(isinstance(part.get(name), list) and len(part[name]) == size for name, size in _FULL.items())


def _is_linked(part: Mapping[str, Any]) -> bool:
    """Whether a page has a list of links of which one leads to the next page (LinkedIn's)."""
    links = part.get("links")
    return isinstance(links, list) and any(isinstance(one, dict) and one.get("rel") == "next" for one in links)


def _is_counted(part: Mapping[str, Any]) -> bool:
    """Whether a page says by numbers that it is not the last one."""
    for names in _COUNTED:
        start, size, total = (part.get(name) for name in names)
        if isinstance(start, int) and isinstance(size, int) and isinstance(total, int):
            return start + size < total
    left = part.get("total_items")
    return isinstance(left, int) and left > len(part.get("items") or ())


def _changed(answer: Answer, change: Callable[[dict[str, Any]], dict[str, Any]], instead: bytes = b"[]") -> Answer:
    """An answer with its object changed; instead: of one that is a list."""
    try:
        content = json.loads(answer.body)
    except ValueError:
        return answer
    if isinstance(content, dict):
        changed = change(content)
        return answer if changed == content else Answer(answer.status, json.dumps(changed).encode(), answer.headers)
    return Answer(answer.status, instead, answer.headers) if content else answer


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
        if not colon:
            raise SandboxError(f"'{text}' names no fault: write <vendor>:<fault>, such as {sorted(vendors)[0]}:429")
        if vendor not in vendors:
            likely = nearest(vendor, sorted(vendors)) or sorted(vendors)
            raise SandboxError(f"There is no vendor '{vendor}' here: choose {' or '.join(likely)}")
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
    """A stand-in whose answers are spoilt as was asked for. changed: how many answers each fault has changed."""

    app: ASGIApp
    faults: Sequence[Fault]
    changed: dict[str, int] = field(init=False)
    _count: int = 0
    _turn: int = 0
    _waiting: list[str] = field(default_factory=list)
    _before: dict[str, Answer] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self.changed = dict.fromkeys((fault.name for fault in self.faults), 0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = await _answer_of(self.app, scope, receive)
        place = Request(scope).url.path
        with self._lock:
            spoilt = self._spoilt(answer, next((a for end, a in self._before.items() if place.endswith(end)), None))
            if answer.status == 200 and _says_more(answer):
                self._before[_leads_to(answer) or place] = answer
        await _sent(spoilt, scope, receive, send)

    def _spoilt(self, answer: Answer, before: Answer | None) -> Answer:
        """The answer as the first fault makes it whose turn it is and that changes it."""
        for name in self._due():
            spoilt = FAULTS[name](answer, before)
            if spoilt != answer:
                self.changed[name] += 1
                if name in self._waiting:
                    self._waiting.remove(name)
                return spoilt
        return answer

    def _due(self) -> list[str]:
        self._count += 1
        now = [fault.name for fault in self.faults if fault.at == self._count]
        in_turn = [fault.name for fault in self.faults if fault.at is None]
        if in_turn and self._count % EVERY == 0:
            name = in_turn[self._turn % len(in_turn)]
            self._turn += 1
            self._waiting += [name] if name not in self._waiting else []
        return [*now, *self._waiting]


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
    await send({"type": "http.response.body", "body": answer.body[: len(answer.body) // 2], "more_body": True})
    raise Cut
