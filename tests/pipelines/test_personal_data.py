"""What each stream keeps of people: a line for every stream of every kind of source, and nothing that is not in it.

A stream without a line fails, and so does a field that is called like something personal. What a line says is what an
erasure goes by (`pipelines.people`); that nothing else is stored than what is read here, `tests/faults/test_dial.py`
sees of what the stand-ins serve.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
import pytest
from hubspot_agency import OPTIONS as HUBSPOT
from pipedrive_office import OPTIONS as PIPEDRIVE
from salesforce_org import OPTIONS as SALESFORCE

from pipelines.connectors import KINDS, connector
from pipelines.people import Place
from pipelines.source import Account, Options, Stream


@dataclass(frozen=True)
class Keeps:
    """Where the ids of people stand in a stream's records; as paths, those of one kind of place with blanks between.

    being: who the record is (`key`: its key says it). about: whose it is. beside: whom it only mentions. other: fields
    that are called like something personal and are not.
    """

    being: str = ""
    about: str = ""
    beside: str = ""
    other: str = ""


NOBODY = Keeps()
_OWNED = "properties.hubspot_owner_id history.hubspot_owner_id.*.value"
_OF_CONTACTS = Keeps(about="contacts.*", beside=_OWNED)
_CHANGED = "fields.OwnerId history.*.old history.*.new"
_OF_PERSON = Keeps(about="customer", beside=_CHANGED)
_OWNER = "values.owner_id history.owner_id.*.old history.owner_id.*.new"

_OF_META = {  # a post's address is where it stands
    **dict.fromkeys(
        ("followers", "followers_gained", "followers_lost", "views_counted", "post_reactions", "post_views"), NOBODY
    ),
    "posts": Keeps(other="address"),
}

RULES: Mapping[str, Mapping[str, Keeps]] = {
    "hubspot": {
        "contacts": Keeps(
            being="key mergedInto properties.hs_merged_object_ids",
            beside=f"{_OWNED} properties.cliente_que_recomienda history.cliente_que_recomienda.*.value",
        ),
        "deals": _OF_CONTACTS, "calls": _OF_CONTACTS, "meetings": _OF_CONTACTS,
    },
    "salesforce": {
        "leads": Keeps(being="key ids.*", beside=_CHANGED), "contacts": Keeps(being="key ids.*", beside=_CHANGED),
        "opportunities": _OF_PERSON, "calls": _OF_PERSON, "meetings": _OF_PERSON, "cases": _OF_PERSON,
    },
    "pipedrive": {  # the names are those of stages and options
        "persons": Keeps(being="key", beside=_OWNER, other="names.*.name"),
        "deals": Keeps(about="person_id", beside=_OWNER, other="names.*.name"),
        "activities": Keeps(about="person_id", beside=_OWNER, other="names.*.name"),
    },
    "zendesk": {
        "tickets": Keeps(about="requester_id", beside="steps.*.by"),
        "satisfaction_ratings": Keeps(about="requester_id"),
        "survey_responses": Keeps(about="responder_id"),
        "customers": Keeps(being="key"),
    },
    "freshdesk": {
        "tickets": Keeps(about="requester_id", beside="replied_by"),
        "satisfaction_ratings": Keeps(about="user_id"),
        "customers": Keeps(being="key"),
    },
    "jira": {
        "tickets": Keeps(about="reporter", beside="steps.*.by replied_by", other="statuses.*.name"),
        "satisfaction": Keeps(about="reporter"),
    },
    "inmovilla": {"leads": Keeps(about="customer"), "listings": Keeps(beside="agent"), "publications": NOBODY},
    "youtube": dict.fromkeys(
        ("channel_statistics", "daily_views", "subscribers", "subscribers_gained", "subscribers_lost", "videos"), NOBODY
    ),
    "linkedin": dict.fromkeys(("followers", "followers_gained", "followers_lost", "posts", "views"), NOBODY),
    "x": dict.fromkeys(("followers", "posts"), NOBODY),
    "facebook": _OF_META,
    "instagram": _OF_META,
    "ecb": {"reference_rates": NOBODY},
    "stripe": {
        "invoices": Keeps(about="customer"), "charges": Keeps(about="customer"),
        "subscriptions": Keeps(about="customer"), "customers": Keeps(being="key"),
        "credit_notes": Keeps(about="customer"), "refunds": Keeps(about="customer"),
        "disputes": Keeps(about="customer"),
    },
    "holded": {
        "invoices": Keeps(about="contact_id"), "credit_notes": Keeps(about="contact_id"), "purchases": NOBODY,
    },
    "typeform": {"responses_compra": Keeps(about="customer"), "started_compra": NOBODY},
    "wordpress": {"articles": NOBODY},
    "google_sheets": {"visits": Keeps(being="", about="row.customer", beside="row.agent")},
    "files": {"visits": Keeps(being="", about="row.customer", beside="row.agent")},
    "sql": {"visits": Keeps(being="", about="row.customer", beside="row.agent")},
}  # fmt: skip

VISITS: dict[str, Any] = {
    "key": "id",
    "events": [{"type": "visit.held", "at": "at", "subject": "id", "account": "customer", "actor": "agent"}],
}
OPTIONS: Mapping[str, Any] = {
    "hubspot": HUBSPOT,
    "salesforce": SALESFORCE,
    "pipedrive": PIPEDRIVE,
    "zendesk": {"subdomain": "x", "identified_by": ["email"], "sla": True},
    "freshdesk": {"subdomain": "x", "sla": True, "identified_by": ["email"]},
    "jira": {"site": "x", "projects": ["SUP"], "solved": ["Resolved"], "customer": "customfield_10050", "sla": "x"},
    "inmovilla": {"portals": True},
    "youtube": {"channel": "UC" + "x" * 22, "analytics": True},
    "linkedin": {"organization": "1"},
    "x": {"user": "1"},
    "facebook": {"page": "1"},
    "instagram": {"user": "1"},
    "ecb": {"currencies": ["USD"]},
    "stripe": {"identified_by": ["email"]},
    "holded": {"purchases": {}},
    "typeform": {
        "forms": {
            "compra": {"id": "u6nX", "rating": {"field": "x", "bad_to": 6}, "customer": "cliente", "started": True}
        }
    },
    "wordpress": {"site": "https://x.example"},
    "google_sheets": {"spreadsheet": "1" * 44, "streams": {"visits": {**VISITS, "sheet": "x"}}},
    "files": {"streams": {"visits": {**VISITS, "path": "x.csv", "format": "csv", "delivery": "snapshot"}}},
    "sql": {"streams": {"visits": {**VISITS, "table": "x", "delivery": "snapshot"}}},
}
"""With which a kind has all of its streams."""

PERSONAL = re.compile(
    r"(?i)e?mails?|(tele)?phones?|mobile|tel|(first|last|full|display|user|contact)?_?names?|address(es)?|street|zip"
    r"|birth\w*|age|gender|ip|body|subject|description|comments?|message|text|content|notes?"
)


def streams(kind: str) -> dict[str, Stream]:
    of_kind, given = connector(kind), OPTIONS[kind]
    options = given if isinstance(given, Options) else of_kind.options.model_validate(given)
    return {stream.name: stream for stream in of_kind.streams(Account("office", kind, "Europe/Madrid"), options)}


def leaves(dtype: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of a payload."""
    if isinstance(dtype, pl.Struct):
        for part in dtype.fields:
            yield from leaves(part.dtype, (*before, part.name))
    elif isinstance(dtype, pl.List):
        yield from leaves(dtype.inner, (*before, "*"))
    else:
        yield before


def told(places: Iterable[Place]) -> set[str]:
    return {".".join(place.path) for place in places}


def test_every_kind_of_source_has_its_rules() -> None:
    assert {*RULES} == {*OPTIONS} == {*KINDS}


@pytest.mark.parametrize("kind", RULES)
def test_each_stream_keeps_of_people_what_its_rule_says(kind: str) -> None:
    found = {}
    for name, stream in streams(kind).items():
        people = stream.people
        key = {"key"} if [*people.in_key("7")] else set()
        found[name] = (key | told(people.own), told(people.whose), told(people.beside))
    assert found == {
        name: ({*rule.being.split()}, {*rule.about.split()}, {*rule.beside.split()})
        for name, rule in RULES[kind].items()
    }


@pytest.mark.parametrize("kind", RULES)
def test_no_stream_keeps_what_is_called_like_something_personal(kind: str) -> None:
    for name, stream in streams(kind).items():
        personal = {".".join(path) for path in leaves(stream.payload) if PERSONAL.fullmatch(path[-1])}
        assert personal == {*RULES[kind][name].other.split()}, name


def test_an_actor_or_account_is_of_a_kind_that_records_name() -> None:
    """What an erasure takes out of events, it has to find in records."""
    for kind in RULES:
        for name, stream in streams(kind).items():
            people = stream.people
            places = {place.kind for place in (*people.own, *people.whose, *people.beside)}
            named = places | {of for of, _ in people.in_key("7")}
            assert {people.account, people.actor} - {None} <= named or not named, (kind, name)
