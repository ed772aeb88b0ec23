"""Zendesk Support: tickets with their history, and both of its satisfaction surveys.

Belongs here: what an organisation may say of its account, and which streams it gets. Does not: requests (`helpdesk`),
what a ticket's history means (`tickets`), what a survey means (`surveys`), by what else customers are known
(`customers`).

Each stream has one record a ticket, whatever the vendor calls a record. A ticket that is deleted is one line in the
vendor's export, with neither its events nor its ratings; as their record is the ticket, it takes all of them along.
"""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from pipelines.identification import IdentifiedBy, refuse_unknown
from pipelines.source import Account, Options, Stream
from pipelines.zendesk.customers import customers
from pipelines.zendesk.surveys import satisfaction_ratings, survey_responses
from pipelines.zendesk.tickets import tickets

__all__ = ["ZENDESK", "Zendesk", "ZendeskOptions"]

# The vendor's words for the ways in which a ticket came, where ours are others.
CHANNELS = {
    "voice": "phone",
    "mail": "email",
    "web_form": "web",
    "web_service": "api",
    "mobile_sdk": "mobile",
    "native_messaging": "chat",
}


class ZendeskOptions(Options):
    """What `organisation.yaml` says of a Zendesk account.

    subdomain: the account's, as in https://<subdomain>.zendesk.com. account: whose id a ticket's customer is.
    channels: vendor's channel -> ours, beside the usual ones. surveys: which kinds of survey are read; the vendor has
    only one of the two active at a time, and one that the account's plan lacks can be left out. identified_by: by what
    else customers are known: `email` and `domain` of requesters (of organisations: `domain`), `external_id`. sla:
    whether first replies and solutions say if they kept the service level that was promised then.
    """

    subdomain: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    account: Literal["requester", "organization"] = "requester"
    channels: dict[str, str] = Field(default_factory=dict)
    surveys: tuple[Literal["satisfaction_ratings", "survey_responses"], ...] = (
        "satisfaction_ratings",
        "survey_responses",
    )
    identified_by: IdentifiedBy = ()
    sla: bool = False

    @model_validator(mode="after")
    def _customers_have_that(self) -> Self:
        has = ("email", "domain", "external_id") if self.account == "requester" else ("domain", "external_id")
        refuse_unknown(self.identified_by, has, self.account)
        return self


class Zendesk:
    """The connector."""

    kind = "zendesk"
    options = ZendeskOptions

    def streams(self, account: Account, options: Any) -> list[Stream]:
        """Tickets, the kinds of survey that the options name, and customers where they are to be identified."""
        surveys = {"satisfaction_ratings": satisfaction_ratings, "survey_responses": survey_responses}
        known = options.identified_by
        return [
            tickets(
                account,
                options.subdomain,
                options.account,
                {**CHANNELS, **options.channels},
                has_sla=options.sla,
            ),
            *(surveys[kind](account, options.subdomain, options.account) for kind in dict.fromkeys(options.surveys)),
            *([customers(account, options.subdomain, options.account, known)] if known else ()),
        ]


ZENDESK = Zendesk()
