"""Salesforce: leads, contacts, opportunities, calls, meetings and cases of one org, from its REST API.

Belongs here: the streams of an org. Does not: what they read (`reading`, `api`), what the options may say (`options`),
what records mean (`leads`, `deals`, `activities`, `cases`).

Configuration, below `sources.<organisation>.<source>`: base_url (My Domain), client_id and client_secret of a connected
app, and a refresh_token, where the app does not sign in by itself; api_version where it is another than the tested one.
Permissions of the user: "API Enabled", "View Setup and Configuration" (which fields are tracked), and to view all
records and fields of the objects that are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial

import polars as pl

from pipelines.people import People
from pipelines.salesforce import activities, cases, deals, leads
from pipelines.salesforce.access import Access
from pipelines.salesforce.api import Api, Row
from pipelines.salesforce.changes import histories_of, payload_of
from pipelines.salesforce.customers import OF_PEOPLE, OF_WHAT_PEOPLE_HAVE
from pipelines.salesforce.declared import (
    has_field,
    require,
    require_record_types,
    require_stages,
    require_tracked,
    values_of,
)
from pipelines.salesforce.options import Said, SalesforceOptions, fields_of
from pipelines.salesforce.reading import CURRENCY, OWNER, Fetched, Wanted, read_all
from pipelines.source import Account, Options, Read, Stream

__all__ = ["SALESFORCE", "Salesforce", "SalesforceOptions"]

OVERLAP = timedelta(hours=1)
"""What is saved in a long transaction has the time of its beginning, and is seen when it ends."""


class Salesforce:
    """Salesforce as a kind of source."""

    kind: str = "salesforce"
    options: type[Options] = SalesforceOptions

    def streams(self, account: Account, options: SalesforceOptions) -> list[Stream]:
        """The org's streams: those that the options declare, calls and meetings unless they are left out."""
        org = _Org(account, options)
        return [
            stream
            for stream in (
                *(org.leads(), org.contacts(), org.deals()),
                *(org.calls(), org.tasks(), org.meetings(), org.cases()),
            )
            if stream is not None
        ]


SALESFORCE = Salesforce()


class _Org:
    """One org of an organisation, and its streams."""

    def __init__(self, account: Account, options: SalesforceOptions) -> None:
        self.account, self.options = account, options

    def leads(self) -> Stream | None:
        """Leads, where they are declared."""
        if (says := self.options.leads) is None:
            return None
        asked = leads.wanted_leads(self.options, says)
        named = leads.named(says)
        values = {leads.STATUS: list(says.lifecycle), **_values(leads.attributes(says).values())}
        facts = partial(leads.lead_facts, options=self.options, leads=says)
        return self._stream("leads", leads.feeds(says), asked, facts, named, values, people=OF_PEOPLE)

    def contacts(self) -> Stream | None:
        """Contacts, where they are declared."""
        if (says := self.options.contacts) is None:
            return None
        asked = leads.wanted_contacts(self.options, says)
        named = leads.named(says)
        facts = partial(leads.contact_facts, options=self.options, contacts=says)
        values = _values((says.lifecycle, *leads.attributes(says).values()))
        return self._stream("contacts", leads.feeds(says), asked, facts, named, values, people=OF_PEOPLE)

    def deals(self) -> Stream | None:
        """Opportunities, where sales are declared."""
        if not self.options.sales:
            return None
        asked, ends = deals.wanted(self.options), [name for one in self.options.sales for name in (*one.won, *one.lost)]
        facts = partial(deals.facts, options=self.options, zone=self.account.zone)
        named = deals.declared(self.options)
        stages = [name for one in self.options.sales for name in one.stages]
        forecast = [name for one in self.options.sales for name in one.forecast]
        values = {deals.STAGE: [*ends, *stages], deals.CATEGORY: forecast, **_values(deals.said(self.options))}
        return self._stream("opportunities", deals.feeds(self.options), asked, facts, named, values)

    def calls(self) -> Stream | None:
        """Tasks that are calls."""
        if (says := self.options.calls) is None:
            return None
        facts = partial(activities.call_facts, options=self.options, calls=says, zone=self.account.zone)
        asked, named = activities.wanted_calls(self.options, says), fields_of(says.at, says.category, says.segment)
        values = _values((says.category, says.segment), Type=says.types, CallDisposition=says.outcomes)
        return self._stream("calls", activities.call_feeds(), asked, facts, named, values)

    def tasks(self) -> Stream | None:
        """Other tasks, where they are declared."""
        if (says := self.options.tasks) is None:
            return None
        facts = partial(activities.task_facts, options=self.options, tasks=says)
        asked, named = activities.wanted_tasks(self.options, says), fields_of(says.category, says.segment)
        values = _values((says.category, says.segment))
        return self._stream("tasks", activities.task_feeds(), asked, facts, named, values)

    def meetings(self) -> Stream | None:
        """Events that are meetings."""
        if (says := self.options.meetings) is None:
            return None
        facts = partial(activities.meeting_facts, options=self.options, meetings=says, zone=self.account.zone)
        asked = activities.wanted_meetings(self.options, says)
        named = fields_of(says.outcome, says.market, says.segment, says.product)
        values = _values(
            (says.market, says.segment, says.product), Type=(*says.types, *says.visits, *says.categories)
        ) | ({says.outcome: list(says.held)} if says.outcome else {})
        return self._stream("meetings", activities.meeting_feeds(says), asked, facts, named, values)

    def cases(self) -> Stream | None:
        """Cases, where they are declared."""
        if (says := self.options.cases) is None:
            return None
        facts = partial(cases.facts, options=self.options, cases=says)
        named = fields_of(says.first_replied, says.category, says.segment)
        own = {"Origin": says.channels} if "channels" in says.model_fields_set else {}  # others may lack one of ours
        values = _values(
            (says.category, says.segment), Status=(*says.solved, *says.closed), Priority=says.priorities, **own
        )
        return self._stream("cases", cases.feeds(says), cases.wanted(self.options, says), facts, named, values)

    def _stream(
        self,
        name: str,
        feeds: tuple[str, ...],
        asked: Wanted,
        facts: Callable[[pl.LazyFrame], pl.LazyFrame],
        named: tuple[str, ...],
        values: Values,
        people: People = OF_WHAT_PEOPLE_HAVE,
    ) -> Stream:
        return Stream(
            name=name,
            feeds=feeds,
            fetch=partial(self._fetch, asked, named, values),
            payload=payload_of(asked, *((CURRENCY,) if asked.has_stages else ())),
            facts=facts,
            overlap=OVERLAP,
            most_removed=self.options.most_gone,
            histories=histories_of(asked, self.options.history_kept_for),
            people=people,
        )

    def _fetch(self, asked: Wanted, named: tuple[str, ...], values: Values, read: Read) -> Fetched:
        api = Api(Access(self.account, read.clock, self.options.quota_share))
        described = api.described(asked.sobject)
        require(api, asked.sobject, described, named, values)
        if asked.sobject == "Contact":
            require_stages(api, self.options.new_customer_stages, self._stages_meant(described))
        if asked.has_stages:
            require_record_types(api, described, (one.record_type for one in self.options.sales if one.record_type))
            if has_field(described, CURRENCY):
                is_told = has_field(api.described("OpportunityHistory"), CURRENCY)
                asked = replace(asked, fields=(*asked.fields, CURRENCY), has_currencies=is_told)
        tracked = ("OwnerId" if name == OWNER else name for name in asked.tracked)
        require_tracked(api, asked.sobject, tracked, self.options.untracked)
        return (yield from read_all(api, asked, read, timedelta(days=self.options.reread_days)))

    def _stages_meant(self, contact: Row) -> list[str]:
        """The stages of a life that statuses of leads and values of a contact's field mean; any, where it has none."""
        assert self.options.contacts is not None
        lifecycle = self.options.contacts.lifecycle
        allowed = values_of(contact, lifecycle.field) or self.options.new_customer_stages
        of_leads = self.options.leads.lifecycle.values() if self.options.leads else ()
        return [*of_leads, *(lifecycle.values.get(value, value) for value in allowed)]


Values = Mapping[str, list[str]]
"""Field -> the values that the options name of it."""


def _values(said: Iterable[Said | None], **named: Iterable[str]) -> dict[str, list[str]]:
    """The values that the options name, by field: those of attributes that they call otherwise, and others."""
    found = {field: list(values) for field, values in named.items()}
    for one in said:
        if one is not None:
            found[one.field] = [*found.get(one.field, ()), *one.values]
    return found
