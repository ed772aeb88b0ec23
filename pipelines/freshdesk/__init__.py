"""Freshdesk: tickets as they are seen at each reading, and the answers to its satisfaction surveys.

Belongs here: what an organisation may say of its account, and which streams it gets. Does not: requests (`helpdesk`),
what tickets mean (`tickets`), what answers mean (`surveys`), by what else customers are known (`customers`).

Configuration, below `sources.<organisation>.<source>`: `api_key`, of an agent who may see every ticket; `base_url`
where it differs from the account's.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from pipelines.freshdesk.customers import HAS, customers
from pipelines.freshdesk.reading import Archive
from pipelines.freshdesk.surveys import satisfaction_ratings
from pipelines.freshdesk.tickets import tickets
from pipelines.identification import IdentifiedBy, refuse_unknown
from pipelines.source import Account, Options, Stream
from pipelines.ticketing import SurveySent

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
    identified_by: by what else customers are known: `email`, `domain` and `unique_external_id` of requesters, `domain`
    of companies. archived_after_days: how long after its last change the account archives a closed ticket; null
    where it has archived none yet. first_ticket: the number of the account's first ticket: down to it, the first
    reading asks the archive for each ticket that is in no list; null where it is not to, so that nothing is known of
    the days before the tickets that are listed.

    A whole one::

        subdomain: acme
        account: requester
        statuses: {6: waiting_on_customer, 7: waiting_on_third_party}
        channels: {100: portal}
        sla: true
        surveys: true
        survey_sent: solved
        identified_by: [email, {external_id: unique_external_id}]
        archived_after_days: 120
        first_ticket: 1
    """

    subdomain: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    account: Literal["requester", "company"] = "requester"
    statuses: dict[int, str] = Field(default_factory=dict)
    channels: dict[int, str] = Field(default_factory=dict)
    sla: bool = False
    surveys: bool = True
    survey_sent: SurveySent | None = None
    identified_by: IdentifiedBy = ()
    archived_after_days: int | None = Field(default=120, ge=1)
    first_ticket: int | None = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _customers_have_that(self) -> Self:
        refuse_unknown(self.identified_by, HAS[self.account], self.account)
        return self


class Freshdesk:
    """The connector."""

    kind = "freshdesk"
    options = FreshdeskOptions

    def streams(self, account: Account, options: Any) -> list[Stream]:
        """Tickets, the answers to surveys unless they are left out, and customers where they are to be identified."""
        of, kind, known = options.subdomain, options.account, options.identified_by
        archived_after = None if options.archived_after_days is None else timedelta(days=options.archived_after_days)
        found = [
            tickets(
                account,
                of,
                kind,
                {**STATUSES, **options.statuses},
                {**CHANNELS, **options.channels},
                options.survey_sent,
                has_sla=options.sla,
                archive=Archive(archived_after, options.first_ticket, "first_ticket" in options.model_fields_set),
            )
        ]
        if options.surveys:
            found.append(satisfaction_ratings(account, of, kind))
        if known:
            found.append(customers(account, of, kind, known))
        return found


FRESHDESK = Freshdesk()
