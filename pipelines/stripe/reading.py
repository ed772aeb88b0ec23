"""What of Stripe is read when: the events of what changed, or the lists of everything.

Belongs here: from the API to records. Does not: requests (`api`), or what a record means (`facts`).

An event says that an object changed, and shows it in the API version in which the event was made, which may be years
old. So only the object's id is taken from it, and the object is asked for as it is now, in the version of ours.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines.source import Account, Covered, Read, Record, SourceConfigError
from pipelines.stripe.api import Api, Json

EVENTS_KEPT = timedelta(days=30)
MARGIN = timedelta(days=1)
"""Events are not relied on to their last hour."""

_OBJECTS_A_PAGE = 100
_INVOICE_FIELDS = ("currency", "customer", "status", "total", "total_excluding_tax")
_CHARGE_FIELDS = ("amount", "amount_captured", "captured", "created", "currency", "customer", "status")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reading:
    """How one kind of object is read. events: the types that say that one has changed."""

    account: Account
    path: str
    events: tuple[str, ...]
    livemode: bool
    relist_days: int
    metadata: tuple[str, ...] = ()

    @classmethod
    def of_invoices(cls, account: Account, livemode: bool, relist_days: int, metadata: tuple[str, ...]) -> Reading:  # noqa: FBT001  declared so by the organisation
        """Invoices: drafts are nobody's invoices yet."""
        changes = ("finalized", "paid", "voided", "marked_uncollectible", "updated", "deleted")
        return cls(
            account, "/v1/invoices", tuple(f"invoice.{change}" for change in changes), livemode, relist_days, metadata
        )

    @classmethod
    def of_charges(cls, account: Account, livemode: bool, relist_days: int) -> Reading:  # noqa: FBT001  declared so by the organisation
        """Charges: attempts to take money, of which some succeed, at once or days later."""
        changes = ("succeeded", "captured", "updated")
        return cls(account, "/v1/charges", tuple(f"charge.{change}" for change in changes), livemode, relist_days)

    def fetch(self, read: Read) -> Generator[list[Record], None, Covered]:
        """The objects that changed since the last reading, or all of them. cursor: when all were listed last."""
        api = Api(self.account, read.clock)
        if (why := self._why_lists(read)) is not None:
            log.info("%s: %s is listed from its beginning: %s", api.source, self.path, why)
            for page in api.listed(self.path):
                yield [self._record(api, found) for found in page if found.get("status") != "draft"]
            return Covered(None, read.until, read.until.isoformat())
        assert read.since is not None
        changed = self._changed(api, read.since)
        for start in range(0, len(changed), _OBJECTS_A_PAGE):
            yield list(self._as_they_are(api, changed[start : start + _OBJECTS_A_PAGE]))
        return Covered(None, read.until, read.cursor)

    def _why_lists(self, read: Read) -> str | None:
        """Why the events are not enough, None where they are."""
        if read.since is None or read.cursor is None:
            return "nothing has been read yet"
        if read.until - read.since > EVENTS_KEPT - MARGIN:
            return f"events are kept for {EVENTS_KEPT.days} days, and the last reading was on {read.since:%Y-%m-%d}"
        if read.until - datetime.fromisoformat(read.cursor) >= timedelta(days=self.relist_days):
            return f"the last time was {self.relist_days} days ago"
        return None

    def _changed(self, api: Api, since: datetime) -> list[str]:
        """The ids of objects that changed from an instant on (its whole second included), each once."""
        params = {"types[]": list(self.events), "created[gte]": int(since.timestamp())}
        found = [event["data"]["object"] for page in api.listed("/v1/events", params) for event in page]
        return list(dict.fromkeys(str(one["id"]) for one in reversed(found)))

    def _as_they_are(self, api: Api, ids: list[str]) -> Iterator[Record]:
        for one in ids:
            found = api.one(f"{self.path}/{one}")
            if found is None:
                yield Record(one, None, {}, is_deleted=True)
            elif found.get("status") != "draft":
                yield self._record(api, found)

    def _record(self, api: Api, found: Json) -> Record:
        """Of an object, what is needed and says nothing of a person."""
        if found.get("livemode") is not self.livemode:
            kind = "live" if found.get("livemode") else "test"
            raise SourceConfigError(
                api.source,
                f"{api.settings.name('api_key')} opens the account's {kind} data",
                f"Use the other key, or declare livemode: {str(not self.livemode).lower()} in organisation.yaml",
            )
        payload = _of_charge(found) if found["object"] == "charge" else _of_invoice(found, self.metadata)
        return Record(str(found["id"]), None, payload)


def _of_invoice(found: Json, metadata: tuple[str, ...]) -> Mapping[str, Any]:
    moments = found.get("status_transitions") or {}
    taxes = found.get("total_taxes") or found.get("total_tax_amounts") or []
    return {
        **{name: _id_of(found.get(name)) for name in _INVOICE_FIELDS},
        **{name: moments.get(name) for name in ("finalized_at", "paid_at", "voided_at")},
        "taxes": [tax.get("amount") for tax in taxes],
        "metadata": {key: (found.get("metadata") or {}).get(key) for key in metadata},
    }


def _of_charge(found: Json) -> Mapping[str, Any]:
    method = (found.get("payment_method_details") or {}).get("type")
    return {**{name: _id_of(found.get(name)) for name in _CHARGE_FIELDS}, "method": method}


def _id_of(value: Any) -> Any:
    """A reference as an id, also where the account's settings expand it to the whole object."""
    return value.get("id") if isinstance(value, dict) else value


def listed_at(cursor: str) -> datetime:
    """When everything was listed last, by a reading's cursor."""
    return datetime.fromisoformat(cursor).astimezone(UTC)
