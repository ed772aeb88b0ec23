"""A stand-in for Typeform's API: the company's form for whoever has bought, with the vendor's paths, limits and errors.

Belongs here: requests, answers and what is in them. Does not: what they mean (`pipelines.typeform`).

Like the vendor: responses go by the second of their submission (opened ones by that of their opening), both ends of a
span included; `total_items` counts what a request left on later pages too; without a type only completed ones come; an
opened form has no time of submission (but the year 1); what was deleted is nowhere; `after` and `before` go by the
order of processing, and not beside an order. Texts, addresses and browsers are in the records.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import ceil
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pipelines.sandbox.company import Opinion
from pipelines.sandbox.stand_in import Desk, Limit

CREDENTIALS: dict[str, str] = {"access_token": "tfp_sandbox_3f2a9c71"}

FORM = "u6nXL7kd"
REQUESTS_A_SECOND = 2
NEVER = "0001-01-01T00:00:00Z"
_PARAMETERS = frozenset(
    {"page_size", "since", "until", "after", "before", "response_type", "completed", "sort", "fields"}
)

Json = dict[str, Any]


def app(desk: Desk, requests_a_second: int = REQUESTS_A_SECOND) -> Starlette:
    """The stand-in."""
    return _Typeform(desk, Limit(requests_a_second, 1)).starlette()


@dataclass(frozen=True, slots=True)
class _Response:
    """What requests ask of a response, beside what it is of; the rest is made for those that are shown."""

    opinion: Opinion
    token: str
    response_type: str
    landed_at: str
    submitted_at: str


@dataclass
class _Typeform:
    desk: Desk
    limit: Limit
    opened: list[_Response] = field(init=False)

    def __post_init__(self) -> None:
        present = self.desk.present
        self.opened = [
            _response(one, one.opened_at, present)
            for one in self.desk.company.opinions
            if one.opened_at is not None
            and one.opened_at <= present
            and not (one.deleted_at is not None and one.deleted_at <= present)
        ]

    def starlette(self) -> Starlette:
        handlers: dict[str, Callable[[Request], Response]] = {
            "/forms/{form}": self.form,
            "/forms/{form}/responses": self.responses,
        }
        return Starlette(routes=[Route(path, self._guarded(handler)) for path, handler in handlers.items()])

    def _guarded(self, handler: Callable[[Request], Response]) -> Callable[[Request], Response]:
        def answer(request: Request) -> Response:
            if request.headers.get("authorization") != f"Bearer {CREDENTIALS['access_token']}":
                said = "Authentication credentials not found on the Request Headers"
                return JSONResponse({"code": "AUTHENTICATION_FAILED", "description": said}, 401)
            if self.limit.wait_seconds(self.desk.clock.now()) is not None:
                return JSONResponse({"code": "RATE_LIMIT_EXCEEDED", "description": "Too many requests"}, 429)
            if request.path_params["form"] != FORM:
                said = f"form with uid {request.path_params['form']} was not found"
                return JSONResponse({"code": "FORM_NOT_FOUND", "description": said}, 404)
            try:
                return handler(request)
            except _Refusal as refusal:
                return JSONResponse({"code": "VALIDATION_ERROR", "description": str(refusal)}, 400)

        return answer

    def form(self, request: Request) -> Response:
        return JSONResponse(
            {
                "id": FORM,
                "type": "quiz",
                "title": "¿Qué tal la compra?",
                "workspace": {"href": "https://api.typeform.com/workspaces/mUKvCd"},
                "settings": {"is_public": True},
                "hidden": ["cliente", "envio", "enviada"],
                "fields": [
                    {"id": "F1", "ref": "saludo", "type": "statement", "title": "Hola, Marta"},
                    {
                        "id": "F2",
                        "ref": "preguntas",
                        "type": "group",
                        "title": "Preguntas",
                        "properties": {"fields": [_question("F3", "recomienda", "nps"), _choices("F4", "agrado")]},
                    },
                    {"id": "F5", "ref": "comentario", "type": "long_text", "title": "Cuéntanos"},
                    {"id": "F6", "ref": "correo", "type": "email", "title": "Tu correo"},
                ],
            }
        )

    def responses(self, request: Request) -> Response:
        query = request.query_params
        if unknown := [name for name in query if name not in _PARAMETERS]:
            raise _Refusal(f"unknown parameter {unknown[0]}")
        if "sort" in query and ("after" in query or "before" in query):
            raise _Refusal("sort can not be used with after or before")
        size = int(query.get("page_size", 25))
        if not 1 <= size <= 1000:
            raise _Refusal("page_size must be between 1 and 1000")
        types = query.get("response_type", "completed").split(",")
        by_time = "submitted_at" if "completed" in types else "landed_at"
        since, until = (_second(query[name]) if name in query else None for name in ("since", "until"))
        found = [
            one
            for one in self.opened
            if one.response_type in types and _is_asked_for(getattr(one, by_time), since, until)
        ]
        by, _, way = query.get("sort", f"{by_time},desc").partition(",")
        found.sort(key=lambda one: (getattr(one, by), one.token), reverse=way == "desc")
        found = _walked(found, query.get("after"), query.get("before"))
        page = [_shown(one) for one in found[:size]]
        return JSONResponse({"total_items": len(found), "page_count": ceil(len(found) / size), "items": page})


def _response(opinion: Opinion, opened_at: datetime, present: datetime) -> _Response:
    answered_at = opinion.answered_at
    if answered_at is not None and answered_at > present:
        answered_at = None
    return _Response(
        opinion,
        hashlib.sha256(f"typeform {opinion.id}".encode()).hexdigest()[:32],
        "started" if answered_at is None else "completed",
        _text(opened_at),
        NEVER if answered_at is None else _text(answered_at),
    )


def _shown(one: _Response) -> Json:
    opinion = one.opinion
    said = {
        "hidden": {
            "cliente": str(opinion.contact_id),
            "envio": str(opinion.id),
            "enviada": opinion.asked_at.isoformat(),
        },
        "calculated": {"score": 0},
        "answers": _answers(opinion),
        "thankyou_screen_ref": "gracias",
    }
    return {
        "landing_id": one.token,
        "token": one.token,
        "response_id": one.token,
        "response_type": one.response_type,
        "landed_at": one.landed_at,
        "submitted_at": one.submitted_at,
        "metadata": {
            "user_agent": "Mozilla/5.0 (Marta's iPhone)",
            "platform": "mobile",
            "referer": "https://agencia.typeform.com/to/u6nXL7kd",
            "network_id": "83.45.12.7",
            "browser": "default",
        },
        **(said if one.response_type == "completed" else {}),
    }


class _Refusal(Exception):
    """A request that the vendor refuses."""


def _is_asked_for(at: str, since: str | None, until: str | None) -> bool:
    return (since is None or since <= at) and (until is None or at <= until)


def _walked(found: list[_Response], after: str | None, before: str | None) -> list[_Response]:
    """What stands after or before a response in the order of processing; all, where that response is not there."""
    token = after or before
    if token is None:
        return found
    order = sorted(found, key=lambda one: (one.submitted_at, one.token))
    places = [place for place, one in enumerate(order) if one.token == token]
    if not places:
        return found
    return order[places[0] + 1 :] if after else order[: places[0]][::-1]


def _answers(opinion: Opinion) -> list[Json]:
    label = "Mucho" if opinion.score >= 9 else "Poco" if opinion.score <= 6 else "Normal"
    return [
        {"field": {"id": "F3", "ref": "recomienda", "type": "nps"}, "type": "number", "number": opinion.score},
        {
            "field": {"id": "F4", "ref": "agrado", "type": "multiple_choice"},
            "type": "choice",
            "choice": {"id": "c1", "ref": "c1", "label": label},
        },
        {
            "field": {"id": "F5", "ref": "comentario", "type": "long_text"},
            "type": "text",
            "text": "Soy Marta Ruiz, 600 123 456, y me gustó mucho",
        },
        {"field": {"id": "F6", "ref": "correo", "type": "email"}, "type": "email", "email": "marta@correo.example"},
    ]


def _question(id_: str, ref: str, type_: str) -> Json:
    return {"id": id_, "ref": ref, "type": type_, "title": "¿Nos recomendarías?", "properties": {"steps": 11}}


def _choices(id_: str, ref: str) -> Json:
    choices = [{"id": f"c{n}", "ref": f"c{n}", "label": label} for n, label in enumerate(("Mucho", "Normal", "Poco"))]
    return {"id": id_, "ref": ref, "type": "multiple_choice", "title": "¿Te gustó?", "properties": {"choices": choices}}


def _second(text: str) -> str:
    try:
        at = datetime.fromtimestamp(int(text), UTC) if text.isdigit() else datetime.fromisoformat(text)
    except ValueError:
        raise _Refusal(f"{text} is not a date") from None
    return _text(at if at.tzinfo else at.replace(tzinfo=UTC))


def _text(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
