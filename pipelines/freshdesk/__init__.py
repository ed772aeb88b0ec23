"""Freshdesk: tickets as they are seen at each reading, and the answers to its satisfaction surveys.

Belongs here: what an organisation may say of its account, and which streams it gets. Does not: requests (`helpdesk`),
what tickets mean (`tickets`), what answers mean (`surveys`).

Configuration, below `sources.<organisation>.<source>`: `api_key`, of an agent who may see every ticket; `base_url`
where it differs from the account's.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from pipelines.freshdesk.surveys import satisfaction_ratings
from pipelines.freshdesk.tickets import tickets
from pipelines.source import Account, Options, Stream

__all__ = ["FRESHDESK", "Freshdesk", "FreshdeskOptions"]

STATUSES = {2: "open", 3: "pending", 4: "solved", 5: "closed"}
CHANNELS = {1: "email", 2: "web", 3: "phone", 7: "chat", 9: "web", 10: "email"}
"""The vendor's numbers, in our words."""


class FreshdeskOptions(Options):
    """What `organisation.yaml` says of a Freshdesk account.

    subdomain: the account's, as in https://<subdomain>.freshdesk.com. account: whose id a ticket's customer is.
    statuses, channels: the vendor's number (of a status, of a ticket's source) -> our word, beside the usual ones; one
    that has none keeps its number. sla: whether it is said of the first reply and of each solving if they came by the
    time that the service level set. surveys: whether answers to satisfaction surveys are read; a plan may lack them.
    survey_sent: when the account asks its customers ("Send satisfaction survey" in its settings): once a ticket is
    solved, or closed. Freshdesk keeps no record of having asked, so without it nothing says that a survey was sent.

    A whole one::

        subdomain: acme
        account: requester
        statuses: {6: waiting_on_customer, 7: waiting_on_third_party}
        channels: {100: portal}
        sla: true
        surveys: true
        survey_sent: solved
    """

    subdomain: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    account: Literal["requester", "company"] = "requester"
    statuses: dict[int, str] = Field(default_factory=dict)
    channels: dict[int, str] = Field(default_factory=dict)
    sla: bool = False
    surveys: bool = True
    survey_sent: Literal["solved", "closed"] | None = None


class Freshdesk:
    """The connector."""

    kind = "freshdesk"
    options = FreshdeskOptions

    def streams(self, account: Account, options: Any) -> list[Stream]:
        """Tickets, and the answers to surveys unless they are left out."""
        words = {**STATUSES, **options.statuses}, {**CHANNELS, **options.channels}
        found = [tickets(account, options.subdomain, options.account, *words, options.survey_sent, has_sla=options.sla)]
        if options.surveys:
            found.append(satisfaction_ratings(account, options.subdomain, options.account))
        return found


FRESHDESK = Freshdesk()
