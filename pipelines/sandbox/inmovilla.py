"""A stand-in for Inmovilla's REST API v1: the agency's leads and properties, with its token, pages, limits and errors.

Belongs here: requests, answers and what is in them. Does not: what they mean (`pipelines.inmovilla`).

Like the vendor: leads have no id and come ten a page, the newest first, with all that people wrote; times are those of
a clock in Madrid and say no zone; the list of properties says of each only its code, its flags and when it was changed
last; requests that come too fast are answered with HTTP 408. What a form sends twice is there twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from pipelines.sandbox.agency.office import MARKETS
from pipelines.sandbox.company import Change, Changes, Contact, Listing, mail_address, value_at
from pipelines.sandbox.stand_in import Desk, Limit

CREDENTIALS: dict[str, str] = {"token": "SANDBOX0INMOVILLA0TOKEN"}

PAGE_SIZE = 10
CATEGORIES = {"flat": 2799, "house": 399, "premises": 1199}
TOWNS = {market: 28_001 + number for number, market in enumerate(MARKETS)}
_SENT_TWICE = 29
"""One form in so many is sent twice."""

Json = dict[str, Any]


def app(desk: Desk, *, first_page: int = 1, is_end_included: bool = True, newest_first: bool = True) -> Starlette:
    """The stand-in. first_page: what its pages count from. is_end_included: whether `dateEnd` is a day that counts."""
    return _Inmovilla(desk, first_page, is_end_included, newest_first).starlette()


@dataclass(frozen=True)
class _Refusal(Exception):
    status: int
    code: int
    says: str


@dataclass
class _Inmovilla:
    desk: Desk
    first_page: int
    is_end_included: bool
    newest_first: bool

    def __post_init__(self) -> None:
        self.limits = (Limit(10, 60), Limit(50, 600))
        self.zone = ZoneInfo("Europe/Madrid")
        present = self.desk.present
        people = (one for one in self.desk.company.contacts if one.channel in ("portal", "web"))
        came = [one for one in people if one.lifecycle[0].value == "lead" and one.lifecycle[0].at <= present]
        came = [one for one in came if one.archived_at is None or one.archived_at > present]
        told = [lead for one in came for lead in [self._lead(one)] * (2 if one.id % _SENT_TWICE == 0 else 1)]
        self.leads = defaultdict[str, list[Json]](list)
        for lead in sorted(told, key=lambda lead: str(lead["date"]), reverse=self.newest_first):
            self.leads[lead["date"][:10]].append(lead)
        listed = (one for one in self.desk.company.listings if one.entered_at <= present)
        self.listings = {
            one.id: one for one in listed if one.archived_at is None or one.archived_at > self.desk.present
        }

    def starlette(self) -> Starlette:
        return Starlette(routes=[Route("/propiedades/", self.answer)])

    def answer(self, request: Request) -> JSONResponse:
        try:
            return JSONResponse(self._asked(request))
        except _Refusal as refusal:
            return JSONResponse({"codigo": refusal.code, "mensaje": refusal.says}, refusal.status)

    def _asked(self, request: Request) -> Any:
        if request.headers.get("token") != CREDENTIALS["token"]:
            raise _Refusal(401, 401, "Token no válido")
        now = self.desk.clock.now()
        if any(limit.wait_seconds(now) is not None for limit in self.limits):
            raise _Refusal(408, 408, "Demasiadas peticiones: límite de 10 peticiones de propiedades cada minuto")
        asked = request.query_params
        if "leads" in asked:
            return {"leads": self._page(asked)}
        if "listado" in asked:
            return [self._listed(one) for one in sorted(self.listings.values(), key=self._changed, reverse=True)]
        if "cod_ofer" not in asked:
            raise _Refusal(400, 400002, "No se han enviado parámetros")
        listing = self.listings.get(int(asked["cod_ofer"]))
        if listing is None:
            raise _Refusal(404, 404001, "No existe ninguna propiedad con el identificador solicitado")
        return self._extra(listing) if "extrainfo" in asked else self._property(listing)

    # Leads

    def _page(self, asked: Any) -> list[Json]:
        try:
            start, end = date.fromisoformat(asked["dateStart"]), date.fromisoformat(asked["dateEnd"])
            number = int(asked.get("page", self.first_page)) - self.first_page
        except (KeyError, ValueError):
            raise _Refusal(406, 406002, "Campo dateStart no válido") from None
        span = (end - start).days + self.is_end_included
        days = sorted((str(start + timedelta(days=n)) for n in range(span)), reverse=self.newest_first)
        found = [lead for day in days for lead in self.leads.get(day, ())]
        return found[max(number, 0) * PAGE_SIZE :][:PAGE_SIZE]

    def _lead(self, contact: Contact) -> Json:
        portal = ("idealista.com", "fotocasa.com", "pisos.com")[contact.id % 3]
        phone = f"+34 6{contact.id % 10**8:08d}"
        return {
            "date": self._text(contact.lifecycle[0].at),
            "language": "es_ES" if contact.id % 5 else "en_GB",
            "source": portal if contact.channel == "portal" else "web",
            "contact_firstname": f"Nombre{contact.id}",
            "contact_lastname": f"Apellido{contact.id}",
            "contact_phone": phone if contact.id % 4 else "",
            "contact_mobile": "",
            "contact_email": mail_address(contact.id, contact.says) if contact.id % 7 else "",
            "message": f"Hola, soy Nombre{contact.id}. Me interesa el piso, llámame al {phone}. \n Gracias",
        }

    # Properties

    def _listed(self, listing: Listing) -> Json:
        return {
            "cod_ofer": listing.id,
            "ref": f"R{listing.id % 100_000}",
            "nodisponible": self._is_gone(listing),
            "prospecto": False,
            "fechaact": self._text(self._changed(listing)),
        }

    def _property(self, listing: Listing) -> Json:
        mandate = value_at(listing.mandate, self.desk.present)
        since = next((change.at for change in listing.mandate if change.value == "exclusive"), None)
        if listing.mandate[0].value == "exclusive":
            since = listing.captured_at
        is_exclusive = mandate == "exclusive"
        return {
            "cod_ofer": listing.id,
            "ref": f"R{listing.id % 100_000}",
            "keyacci": 1,
            "key_tipo": CATEGORIES[listing.category],
            "key_loca": TOWNS[listing.market],
            "key_zona": 0,
            "nodisponible": int(self._is_gone(listing)),
            "fecha": self._text(listing.captured_at),
            "exclu": int(is_exclusive),
            "alta_exclusiva": self._text(since) if is_exclusive and since is not None else "0000-00-00 00:00:00",
            "baja_exclusiva": "0000-00-00 00:00:00",
            "precio": 0,
            "precioinmo": int(value_at(listing.price, self.desk.present) or 0),
            "precioalq": 0,
            "captadopor": _number(listing.agent),
            "keyagente": _number(listing.agent),
            "keycli": listing.owner_id,
            "calle": "Calle Mayor",
            "numero": str(listing.id % 90),
            "latitud": "40.4168",
            "descripciones": f"Piso de Nombre{listing.owner_id}, llaves en portería, 600 123 456",
        }

    def _extra(self, listing: Listing) -> Json:
        now = value_at(listing.portals, self.desk.present) or ()
        ever = {portal for change in self._until_now(listing.portals) for portal in change.value}
        sent = {"message": "Sent successfully.", "publication_url": f"https://portal.example/{listing.id}"}
        told = {
            portal: {"state": "11" if portal == "idealista" else "10", **sent}
            if portal in now
            else {"state": "12", "message": "Successfully deactivated."}
            for portal in sorted(ever)
        }
        return {"publishinfo": told or [], "leads": []}

    def _changed(self, listing: Listing) -> datetime:
        told: Changes[Any] = (*listing.mandate, *listing.price, *listing.portals)
        return max([listing.entered_at, *(change.at for change in self._until_now(told))])

    def _is_gone(self, listing: Listing) -> bool:
        changes = list(self._until_now(listing.portals))
        return len(changes) > 1 and changes[-1].value == ()

    def _until_now(self, changes: Changes[Any]) -> Iterator[Change[Any]]:
        return (change for change in changes if change.at <= self.desk.present)

    def _text(self, at: datetime) -> str:
        return at.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S")


def _number(agent: str) -> int:
    """The code of somebody who works there."""
    return 55_000 + sum(map(ord, agent))
