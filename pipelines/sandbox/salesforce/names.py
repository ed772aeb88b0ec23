"""What an org calls things: its ids, its fields, and the words of its statuses, results and categories.

Belongs here: names. Does not: records (`records`), or how their pasts are written down (`histories`).

A stage, status or type is called as the company's own words are, and so are properties: `tipo_de_negocio` is
`Tipo_de_negocio__c`.
"""

from __future__ import annotations

import hashlib
import re

STATUSES = {
    "lead": "Nuevo",
    "marketingqualifiedlead": "Trabajado",
    "salesqualifiedlead": "Calificado",
    "opportunity": "Convertido",
    "customer": "Cliente",
}
CONVERTED = ("opportunity", "customer")
DISPOSITIONS = {"connected": "Contestada", "no_answer": "No contesta", "busy": "Ocupado"}
RESULTS = {"completed": "Realizada", "no_show": "Ausente", "canceled": "Cancelada"}
CASE_STATUSES = {"new": "Nuevo", "open": "Abierto", "pending": "Pendiente", "solved": "Resuelto", "closed": "Cerrado"}
ORIGINS = {"email": "Email", "web": "Web", "phone": "Phone"}
CATEGORIES = {"ganado": "Closed", "won": "Closed", "perdido": "Omitted", "lost": "Omitted"}
VISIT, MEETING = "Visita", "Reunión"
TYPE, CLOSE_DATE, CURRENCY, PRODUCT = "hs_activity_type", "closedate", "deal_currency_code", "producto"
NUMBER, LIFECYCLE = "Numero_de_cliente__c", "Ciclo_de_vida__c"
NOBODY = "0050000000000000"

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def id_of(prefix: str, number: int) -> str:
    """An id of Salesforce's: what kind of record it is, its number, and letters that tell capitals apart."""
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _LETTERS[digit] + digits
    short = prefix + digits.rjust(12, "0")
    parts = (short[start : start + 5] for start in (0, 5, 10))
    return short + "".join(_CHECKS[sum(1 << n for n, one in enumerate(part) if one.isupper())] for part in parts)


def user_id(agent: str) -> str:
    """The id of the user who is that agent."""
    return id_of("005", int(hashlib.sha256(agent.encode()).hexdigest()[:10], 16))


def field_name(name: str) -> str:
    """A property as a field of the org's own."""
    return f"{name.capitalize()}__c"


def record_type(pipeline: str) -> str:
    """A pipeline as a record type."""
    return re.sub(r"\W+", "_", pipeline).capitalize()
