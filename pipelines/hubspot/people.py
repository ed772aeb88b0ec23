"""Where HubSpot's records name people: contacts, and the users who own records.

Belongs here: the fields that hold their ids. Does not: what becomes of them (`pipelines.people`).

A contact that was merged into another one is the same person under two ids. What has no other contact than one is that
contact's; the user who owns it is only mentioned, and so is the customer who recommended a contact.
"""

from __future__ import annotations

from dataclasses import replace

from pipelines.hubspot.options import HubSpotOptions
from pipelines.hubspot.reading import MERGED, MERGED_INTO
from pipelines.people import EACH, People, Place

CONTACT, OWNER = "contact", "owner"

_OWNER = "hubspot_owner_id"


def _of_property(kind: str, name: str) -> tuple[Place, Place]:
    """A property, now and in its history."""
    return Place(kind, ("properties", name)), Place(kind, ("history", name, EACH, "value"))


def of_contacts(options: HubSpotOptions) -> People:
    """Where contacts name people."""
    referrer = options.contacts.referrer
    return People(
        in_key=lambda key: ((CONTACT, key),),
        own=(Place(CONTACT, (MERGED_INTO,)), Place(CONTACT, ("properties", MERGED), separator=";")),
        are_people=True,
        beside=(*_of_property(OWNER, _OWNER), *(_of_property(CONTACT, referrer) if referrer else ())),
        account=_account(options),
        actor=OWNER,
    )


OF_WHAT_CONTACTS_HAVE = People(
    whose=(Place(CONTACT, ("contacts", EACH)),),
    beside=_of_property(OWNER, _OWNER),
    account=CONTACT,
    actor=OWNER,
)
"""Where deals, calls, meetings and the like name people, where customers are contacts."""


def of_what_contacts_have(options: HubSpotOptions) -> People:
    """Where they name people in an account."""
    return replace(OF_WHAT_CONTACTS_HAVE, account=_account(options))


def _account(options: HubSpotOptions) -> str | None:
    """Companies are no people."""
    return CONTACT if options.account == "contact" else None
