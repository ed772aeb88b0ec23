"""Who is who: one customer known to several systems counts once, by links that are events.

Belongs here: which links follow from what systems state and an organisation declares, and whose each event of a log is
then. Does not: when links are stated or withdrawn (`pipelines.identity`), what a vendor knows.

An account is called `<system>/<id>`: two systems may use the same id for two customers. A source whose customers are
called as another system calls them (`customers: hubspot`) shares that system's names. Systems state by what else they
know a customer (`account.identified`: a mail address as a pseudonym, a mail domain, another system's id). Two accounts
of which they state the same are linked, if the organisation declares that this makes them one. A link holds for the
whole past of both, as they were one customer all along; what was known of it when, the log says as of anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from kr_definitions.events import CUSTOMER, LINKED
from kr_definitions.organisation import Identity

MAIL_DOMAINS = frozenset(
    {
        *("aol.com", "fastmail.com", "gmail.com", "gmx.com", "gmx.de", "gmx.es", "googlemail.com", "hotmail.com"),
        *("hotmail.es", "hotmail.fr", "icloud.com", "live.com", "mac.com", "mail.com", "mail.ru", "me.com", "msn.com"),
        *("orange.fr", "outlook.com", "outlook.es", "proton.me", "protonmail.com", "qq.com", "t-online.de"),
        *("telefonica.net", "terra.es", "wanadoo.es", "wanadoo.fr", "web.de", "yahoo.com", "yahoo.es", "yahoo.fr"),
        *("yandex.ru", "zoho.com"),
    }
)
"""Domains that anybody can have an address at: they make nobody one."""
_DOMAIN = "domain"


@dataclass(frozen=True, slots=True)
class Link:
    """Two accounts that are one customer. by: what makes them one; since: when both were known (None: by hand)."""

    one: str
    other: str
    by: str
    since: datetime | None = None


@dataclass
class _Customers:
    """Accounts that are one, as far as they have been joined."""

    never: Mapping[str, frozenset[str]]
    _of: dict[str, str] = field(default_factory=dict)
    _members: dict[str, set[str]] = field(default_factory=dict)

    def of(self, account: str) -> str:
        """The account by which its customer is called here."""
        return self._of.get(account, account)

    def join(self, one: str, other: str) -> bool:
        """Whether they were two until now and are one from now on."""
        here, there = self.of(one), self.of(other)
        if here == there:
            return False
        ours, theirs = self._members.pop(here, {here}), self._members.pop(there, {there})
        if any(self.never.get(account, frozenset()) & theirs for account in ours):
            self._members.update({here: ours, there: theirs})
            return False
        self._members[here] = ours | theirs
        self._of.update(dict.fromkeys(theirs, here))
        return True


def links(identified: pl.LazyFrame, identity: Identity, systems: Mapping[str, str]) -> Iterator[Link]:
    """The links that hold. identified: `account.identified` events that hold. systems: source -> whose names it uses.

    Each joins two customers that no earlier one has joined: those that were said by hand, then rule by rule, of each
    shared value its first account and every later one.
    """
    never: dict[str, frozenset[str]] = {}
    for one, other in identity.never:
        never[one], never[other] = never.get(one, frozenset()) | {other}, never.get(other, frozenset()) | {one}
    customers = _Customers(never)
    for one, other in identity.same:
        if customers.join(one, other):
            yield Link(one, other, "hand")
    for by in identity.by:
        ignored = {value.casefold() for value in identity.ignore} | (MAIL_DOMAINS if by == _DOMAIN else frozenset())
        shared = (
            identified.filter(pl.col("identified_by") == by, pl.col("account_id").is_not_null())
            .select(
                "occurred_at",
                account=named_account(systems),
                identifier=pl.col("identifier").str.strip_chars().str.to_lowercase(),
            )
            .filter(pl.col("identifier") != "", ~pl.col("identifier").is_in(sorted(ignored)))
            .group_by("identifier", "account")
            .agg(pl.col("occurred_at").min())
            .sort("identifier", "occurred_at", "account")
            .filter(pl.len().over("identifier") > 1)
            .collect()
        )
        for (_,), of_value in shared.group_by("identifier", maintain_order=True):
            first, *others = of_value.select("account", "occurred_at").iter_rows()
            for account, at in others:
                if customers.join(first[0], account):
                    yield Link(first[0], account, by, max(at, first[1]))


def named_account(systems: Mapping[str, str]) -> pl.Expr:
    """`<system>/<id>` of each event's account; null where it has none."""
    return pl.format("{}/{}", pl.col("source").replace(dict(systems)), "account_id")


def with_customers(events: pl.LazyFrame, systems: Mapping[str, str]) -> pl.LazyFrame:
    """Events with the `customer` that their account is: the same for accounts that are linked. Without the links."""
    customers = _Customers({})
    pairs = events.filter(pl.col("event_type") == LINKED).select("subject_id", "same_as").collect()
    for one, other in pairs.sort("subject_id", "same_as").iter_rows():
        customers.join(one, other)
    accounts = sorted({account for pair in pairs.iter_rows() for account in pair})
    named = named_account(systems)
    customer = named.replace(accounts, [customers.of(account) for account in accounts]) if accounts else named
    return events.filter(pl.col("event_type") != LINKED).with_columns(customer.alias(CUSTOMER))
