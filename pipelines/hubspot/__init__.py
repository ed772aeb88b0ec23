"""HubSpot: contacts, deals, calls, meetings and what else is asked for of one account, from its CRM API.

Belongs here: the streams of an account. Does not: what they read (`reading`, `api`), what the options may say
(`options`), what records mean (`contacts`, `companies`, `deals`, `activities`, `others`).

Configuration, below `sources.<organisation>.<source>`: access_token of a private app, or client_id, client_secret and
refresh_token of an OAuth app; base_url and api_version where they differ from HubSpot's. Permissions:
crm.objects.contacts.read and crm.objects.deals.read; where customers are companies crm.objects.companies.read; where
products are those of line items crm.objects.line_items.read; where actors are called by their addresses
crm.objects.owners.read; for mails sales-email-read, for answers to surveys crm.objects.feedback_submissions.read.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import timedelta
from functools import partial

import polars as pl

from kr_definitions.events import IDENTIFIED
from pipelines.hubspot import activities, companies, contacts, deals, others, people
from pipelines.hubspot.access import Access
from pipelines.hubspot.api import Api
from pipelines.hubspot.changes import histories_of, payload_of
from pipelines.hubspot.declared import named_values, require_properties, require_stages
from pipelines.hubspot.options import Calls, HubSpotOptions, Meetings, Other
from pipelines.hubspot.reading import Wanted, read_all
from pipelines.identification import fields_of
from pipelines.source import Account, Covered, Mark, Options, Read, Record, Stream

__all__ = ["HUBSPOT", "HubSpot", "HubSpotOptions"]

OVERLAP = timedelta(hours=1)
"""Search sees a change minutes after it was made."""


class HubSpot:
    """HubSpot as a kind of source."""

    kind: str = "hubspot"
    options: type[Options] = HubSpotOptions

    def streams(self, account: Account, options: HubSpotOptions) -> list[Stream]:
        """The account's streams.

        Deals where a pipeline is declared, calls and meetings unless they are left out, others where they are said.
        """
        found = [_contacts(account, options)]
        if options.companies.identified_by:
            found.append(_companies(account, options))
        if options.sales or options.listings:
            found.append(_deals(account, options))
        if options.calls is not None:
            found.append(_calls(account, options, options.calls))
        if options.meetings is not None:
            found.append(_meetings(account, options, options.meetings))
        for name, kind in others.KINDS.items():
            if (other := getattr(options, name)) is not None:
                found.append(_others(account, options, kind, other))
        return found


HUBSPOT = HubSpot()


def _contacts(account: Account, options: HubSpotOptions) -> Stream:
    require = partial(
        require_properties,
        object_type="contacts",
        names=contacts.named(options),
        values=named_values(
            contacts.attributes(options).values(), {contacts.LIFECYCLE: options.contacts.new_customer_stages}
        ),
    )
    return Stream(
        name="contacts",
        feeds=contacts.feeds(options),
        fetch=partial(_fetch, account, options, contacts.wanted(options), require),
        payload=_payload(contacts.wanted(options)),
        histories=histories_of(contacts.wanted(options).with_history),
        facts=partial(contacts.facts, options=options, zone=account.zone),
        overlap=OVERLAP,
        most_removed=options.most_gone,
        people=people.of_contacts(options),
    )


def _companies(account: Account, options: HubSpotOptions) -> Stream:
    asked = companies.wanted(options)
    names = fields_of(options.companies.identified_by)
    return Stream(
        name="companies",
        feeds=(IDENTIFIED,),
        fetch=partial(
            _fetch, account, options, asked, partial(require_properties, object_type="companies", names=names)
        ),
        payload=_payload(asked),
        facts=partial(companies.facts, options=options, zone=account.zone),
        overlap=OVERLAP,
        most_removed=options.most_gone,
    )


def _deals(account: Account, options: HubSpotOptions) -> Stream:
    def require(api: Api) -> None:
        require_stages(api, options)
        require_properties(api, "deals", deals.declared(options), named_values(deals.said_by(options)))

    return Stream(
        name="deals",
        feeds=deals.feeds(options),
        fetch=partial(_fetch, account, options, deals.wanted(options), require),
        payload=_payload(deals.wanted(options)),
        histories=histories_of(deals.wanted(options).with_history),
        facts=partial(deals.facts, options=options, zone=account.zone),
        overlap=OVERLAP,
        most_removed=options.most_gone,
        people=people.of_what_contacts_have(options),
    )


def _calls(account: Account, options: HubSpotOptions, calls: Calls) -> Stream:
    asked = activities.wanted_calls(calls, options.associated)
    require = partial(
        require_properties,
        object_type="calls",
        names=activities.declared_of_calls(calls),
        values=named_values((calls.category, calls.segment), {activities.OUTCOME: calls.outcomes}),
    )
    return Stream(
        name="calls",
        feeds=activities.call_feeds(),
        fetch=partial(_fetch, account, options, asked, require),
        payload=_payload(asked),
        facts=partial(activities.call_facts, options=options, calls=calls, zone=account.zone),
        overlap=OVERLAP,
        most_removed=options.most_gone,
        people=people.of_what_contacts_have(options),
    )


def _meetings(account: Account, options: HubSpotOptions, meetings: Meetings) -> Stream:
    asked = activities.wanted_meetings(meetings, options.associated)
    require = partial(
        require_properties,
        object_type="meetings",
        names=activities.declared_of_meetings(meetings),
        values=named_values(
            (meetings.market, meetings.segment, meetings.product),
            {activities.MEETING_TYPE: (*meetings.visits, *meetings.categories)},
        ),
    )
    return Stream(
        name="meetings",
        feeds=activities.meeting_feeds(meetings),
        fetch=partial(_fetch, account, options, asked, require),
        payload=_payload(asked),
        facts=partial(activities.meeting_facts, options=options, meetings=meetings, zone=account.zone),
        overlap=OVERLAP,
        most_removed=options.most_gone,
        people=people.of_what_contacts_have(options),
    )


def _others(account: Account, options: HubSpotOptions, kind: others.Kind, other: Other) -> Stream:
    asked = others.wanted(kind, other, options.associated)
    require = partial(require_properties, object_type=kind.object_type, names=others.declared(other))
    return Stream(
        name=kind.object_type,
        feeds=(kind.event,),
        fetch=partial(_fetch, account, options, asked, require),
        payload=_payload(asked),
        facts=partial(others.facts, kind=kind, other=other, options=options, zone=account.zone),
        overlap=OVERLAP,
        most_removed=options.most_gone,
        people=people.of_what_contacts_have(options),
    )


def _fetch(
    account: Account, options: HubSpotOptions, wanted: Wanted, require: Callable[[Api], None], read: Read
) -> Generator[list[Record] | Mark, None, Covered]:
    api = Api(Access(account, read.clock))
    require(api)
    asked = replace(wanted, are_owners_addressed=options.actor == "address")
    return (yield from read_all(api, asked, read, timedelta(days=options.reread_days)))


def _payload(wanted: Wanted) -> pl.Struct:
    is_identified = bool(wanted.identified_by)
    return payload_of(wanted.current, wanted.with_history, wanted.of_lines, is_identified=is_identified)
