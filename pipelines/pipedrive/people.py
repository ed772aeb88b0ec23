"""Where Pipedrive's records name people: persons, and the users who own records.

Belongs here: the fields that hold their ids. Does not: what becomes of them (`pipelines.people`).

A person who was merged into another one is only deleted: nothing says that both are the same.
"""

from __future__ import annotations

from pipelines.people import EACH, Identity, People, Place
from pipelines.pipedrive.options import PipedriveOptions
from pipelines.pipedrive.reading import OWNER
from pipelines.pipedrive.stored import record_of

PERSON, USER = "person", "user"


def _of_field(kind: str, name: str) -> tuple[Place, ...]:
    """A field, now and in its history."""
    history = (Place(kind, ("history", name, EACH, "old")), Place(kind, ("history", name, EACH, "new")))
    return Place(kind, ("values", name)), *history


def of_persons(options: PipedriveOptions) -> People:
    """Where persons name people."""
    referrer = options.persons.referrer
    return People(
        in_key=_of_key,
        beside=(*_of_field(USER, OWNER), *(_of_field(PERSON, referrer) if referrer else ())),
        account=_account(options),
        actor=USER,
    )


def _of_key(key: str) -> tuple[Identity, ...]:
    person = record_of(key)
    return () if person is None else ((PERSON, person),)


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
