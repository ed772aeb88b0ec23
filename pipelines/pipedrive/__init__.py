"""Pipedrive: persons, deals and activities of one company, from its API.

Belongs here: the streams of an account. Does not: what they read (`reading`, `api`), what the options may say
(`options`), what records mean (`persons`, `deals`, `activities`).

Configuration, below `sources.<organisation>.<source>`: api_token of a user who sees everything, or client_id,
client_secret and refresh_token of an OAuth app; tokens_a_run, how many of the company's daily tokens one run may spend;
base_url, api_version and history_version where they differ from Pipedrive's. Scopes of an app: deals:read,
contacts:read, activities:read, recents:read.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import timedelta
from functools import partial

from pipelines.naming import require_known
from pipelines.pipedrive import activities, deals, people, persons
from pipelines.pipedrive.access import Access, Purse
from pipelines.pipedrive.api import Api
from pipelines.pipedrive.declared import require_fields, require_stages, require_types
from pipelines.pipedrive.options import PipedriveOptions
from pipelines.pipedrive.reading import Wanted, read_all
from pipelines.pipedrive.stored import NAMES, group, seen_of
from pipelines.source import Account, Covered, Mark, Options, Read, Record, Stream

__all__ = ["PIPEDRIVE", "Pipedrive", "PipedriveOptions"]

OVERLAP = timedelta(hours=1)


class Pipedrive:
    """Pipedrive as a kind of source."""

    kind: str = "pipedrive"
    options: type[Options] = PipedriveOptions

    def streams(self, account: Account, options: PipedriveOptions) -> list[Stream]:
        """The account's streams, which spend from one purse; deals where a pipeline is declared."""
        purse = Purse()
        found = [_persons(account, options, purse)]
        if options.sales or options.listings:
            found.append(_deals(account, options, purse))
        if options.calls or options.meetings:
            found.append(_activities(account, options, purse))
        return found


PIPEDRIVE = Pipedrive()


def _persons(account: Account, options: PipedriveOptions, purse: Purse) -> Stream:
    def wanted(api: Api) -> Wanted:
        fields = require_fields(api, "personFields", persons.named(options), persons.said_by(options))
        if lifecycle := options.persons.lifecycle:
            called = [lifecycle.values.get(label, label) for label in fields[lifecycle.field].labels.values()]
            stages = options.persons.new_customer_stages
            require_known(api.source, "no option of the lifecycle is called", stages, called or stages)
        return persons.wanted(options, fields)

    payload = persons.payload(options)
    return Stream(
        name="persons",
        feeds=persons.feeds(options),
        fetch=partial(_fetch, account, options, purse, wanted),
        payload=payload,
        facts=partial(persons.facts, options=options),
        overlap=OVERLAP,
        most_removed=options.most_removed,
        group=group,
        named_by=NAMES,
        seen=seen_of(payload),
        people=people.of_persons(options),
    )


def _deals(account: Account, options: PipedriveOptions, purse: Purse) -> Stream:
    def wanted(api: Api) -> Wanted:
        pipeline, stage = require_stages(api, options)
        fields = require_fields(api, "dealFields", deals.declared(options), deals.said_by(options))
        return deals.wanted(options, fields, pipeline, stage)

    payload = deals.payload(options)
    return Stream(
        name="deals",
        feeds=deals.feeds(options),
        fetch=partial(_fetch, account, options, purse, wanted),
        payload=payload,
        facts=partial(deals.facts, options=options, zone=account.zone),
        overlap=OVERLAP,
        most_removed=options.most_removed,
        group=group,
        named_by=NAMES,
        seen=seen_of(payload),
        people=people.of_what_persons_have(options),
    )


def _activities(account: Account, options: PipedriveOptions, purse: Purse) -> Stream:
    def wanted(api: Api) -> Wanted:
        return activities.wanted(require_types(api, options))

    return Stream(
        name="activities",
        feeds=activities.feeds(options),
        fetch=partial(_fetch, account, options, purse, wanted),
        payload=activities.payload(),
        facts=partial(activities.facts, options=options, zone=account.zone),
        overlap=OVERLAP,
        most_removed=options.most_removed,
        named_by=NAMES,
        people=people.of_what_persons_have(options),
    )


def _fetch(
    account: Account, options: PipedriveOptions, purse: Purse, wanted: Callable[[Api], Wanted], read: Read
) -> Generator[list[Record] | Mark, None, Covered]:
    api = Api(Access(account, options.domain, read.clock, purse))
    return (yield from read_all(api, wanted(api), read, timedelta(days=options.reread_days)))
