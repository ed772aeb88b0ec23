"""Where Pipedrive's records name people: persons, and the users who own records.

Belongs here: the fields that hold their ids. Does not: what becomes of them (`pipelines.people`).

A person who was merged into another one is only deleted: nothing says that both are the same.
"""

from __future__ import annotations

from pipelines.people import EACH, People, Place
from pipelines.pipedrive.options import PipedriveOptions
from pipelines.pipedrive.reading import OWNER

PERSON, USER = "person", "user"


def _of_field(kind: str, name: str) -> tuple[Place, ...]:
    """A field, now and in its history."""
    history = (Place(kind, ("history", name, EACH, "old")), Place(kind, ("history", name, EACH, "new")))
    return Place(kind, ("values", name)), *history


def of_persons(options: PipedriveOptions) -> People:
    """Where persons name people."""
    referrer = options.persons.referrer
    return People(
        in_key=lambda key: ((PERSON, key),),
        beside=(*_of_field(USER, OWNER), *(_of_field(PERSON, referrer) if referrer else ())),
        account=_account(options),
        actor=USER,
    )


def of_what_persons_have(options: PipedriveOptions) -> People:
    """Where deals and activities name people."""
    return People(
        whose=(Place(PERSON, ("person_id",)),),
        beside=_of_field(USER, OWNER),
        account=_account(options),
        actor=USER,
    )


def _account(options: PipedriveOptions) -> str | None:
    """Organisations are no people."""
    return PERSON if options.account == "person" else None
