"""States of a subscription: what is kept of it, as it is, as an event shows it, and as an invoice billed it.

Belongs here: those shapes, which are one. Does not: which states are read (`histories`), what they cost a month
(`monthly`), or what they state (`movements`).

Events show a subscription in the version of the API that was the account's when they happened: with `plan` in place of
`price`, with `discount` in place of `discounts`, with discounts by their ids alone. What an older version has under
another name is read there; of a discount that is named by its id, what the subscription itself tells of it.

Nothing of the customer but their id is kept, and of the metadata only what the options name.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from pipelines.stripe.api import Item
from pipelines.stripe.reading import id_of, is_ahead

TIMES = ("created", "start_date", "ended_at")
_KEPT = ("id", "status", "currency", "livemode", *TIMES, "trial_end", "canceled_at")
_AN_HOUR, _A_DAY = 3600, 86_400


def state(item: Item, now: datetime, labels: Mapping[str, str | None], known: Mapping[str, Item]) -> dict[str, Any]:
    """What is kept of a subscription. known: discounts that are told elsewhere, by their ids."""
    items, metadata = item.get("items") or {}, item.get("metadata") or {}
    rates = item.get("default_tax_rates") or []
    listed = items.get("data") or [item]  # long ago, a subscription was its only item
    return {
        **{name: item.get(name) for name in _KEPT},
        "customer": id_of(item.get("customer")),
        "is_ahead": is_ahead(now, *(item.get(name) for name in TIMES)),
        "is_ending": bool(item.get("cancel_at_period_end") or item.get("cancel_at")),
        "pause": (item.get("pause_collection") or {}).get("behavior"),
        "items": [_item(one, one.get("tax_rates") or rates) for one in listed if one.get("price") or one.get("plan")],
        "has_more_items": items.get("has_more"),
        **_discounted(
            discounts(item, known), item.get("currency"), has_items_own=any(one.get("discounts") for one in listed)
        ),
        **{label: metadata.get(key) if key else None for label, key in labels.items()},
    }


def discounts(item: Item, known: Mapping[str, Item]) -> list[Item]:
    """The discounts of a subscription or an invoice, as much as is told of each."""
    alone = item.get("discount")
    told = {**known, **({alone["id"]: alone} if isinstance(alone, dict) and "id" in alone else {})}
    named = item.get("discounts") or ([alone] if alone else [])
    return [one if isinstance(one, dict) else told.get(one, {}) for one in named]


def known_discounts(item: Item) -> dict[str, Item]:
    """The discounts that a subscription itself tells of, by their ids."""
    return {one["id"]: one for one in discounts(item, {}) if "id" in one}


def before(after: Any, previous: Any) -> Any:
    """What something was before a change: `previous_attributes` has what was otherwise, and only that.

    Of a list, the former entries: what is not said of one is as it is now.
    """
    if isinstance(after, dict) and isinstance(previous, dict):
        return {**after, **{name: before(after.get(name), value) for name, value in previous.items()}}
    if isinstance(previous, list) and isinstance(after, list):
        by_id = {one["id"]: one for one in after if isinstance(one, dict) and "id" in one}
        same = after if len(after) == len(previous) else [None] * len(previous)
        return [
            before(by_id.get(one["id"]) if "id" in one else now, one) if isinstance(one, dict) else one
            for one, now in zip(previous, same, strict=True)
        ]
    return previous


def _discounted(applied: Iterable[Item], currency: Any, *, has_items_own: bool) -> dict[str, Any]:
    """What discounts that last leave of a price: a share of it, less an amount; and whether all are told."""
    left, off, is_told = Decimal(1), 0, not has_items_own
    for discount in applied:
        coupon = _coupon(discount)
        if coupon is None:
            is_told = False
        elif coupon.get("duration") == "once":
            continue
        elif (percent := _decimal(coupon.get("percent_off"))) is not None:
            left *= 1 - percent / 100
        elif isinstance(coupon.get("amount_off"), int) and coupon.get("currency") == currency:
            off += coupon["amount_off"]
        else:
            is_told = False
    return {"percent_left": format(left.normalize(), "f"), "amount_off": off, "is_discount_told": is_told}


def _coupon(discount: Item) -> Item | None:
    coupon = discount.get("coupon") or (discount.get("source") or {}).get("coupon")
    return coupon if isinstance(coupon, dict) else None


def _decimal(number: Any) -> Decimal | None:
    try:
        return None if number is None else Decimal(str(number))
    except InvalidOperation:
        return None


def _item(item: Item, rates: list[Item]) -> dict[str, Any]:
    """What is kept of an item of a subscription; the subscription's tax rates hold for those without their own."""
    price = item.get("price") or _priced(item["plan"])
    recurring = price.get("recurring") or {}
    exact = price.get("unit_amount_decimal")
    return {
        "price": id_of(price),
        "unit_amount": price.get("unit_amount") if exact is None else exact,
        "quantity": item.get("quantity"),
        "interval": recurring.get("interval"),
        "interval_count": recurring.get("interval_count"),
        "price_currency": price.get("currency"),
        "billing_scheme": price.get("billing_scheme"),
        "usage_type": recurring.get("usage_type"),
        "is_packaged": price.get("transform_quantity") is not None,
        "includes_tax": price.get("tax_behavior") == "inclusive" or any(rate.get("inclusive") for rate in rates),
    }


def _priced(plan: Item) -> Item:
    """A plan, as versions of the API before there were prices have it."""
    return {
        "id": plan.get("id"),
        "unit_amount": plan.get("amount"),
        "unit_amount_decimal": plan.get("amount_decimal"),
        "currency": plan.get("currency"),
        "billing_scheme": plan.get("billing_scheme", "per_unit"),
        "recurring": {
            "interval": plan.get("interval"),
            "interval_count": plan.get("interval_count"),
            "usage_type": plan.get("usage_type", "licensed"),
        },
        "transform_quantity": plan.get("transform_usage"),
    }


def billed(invoice: Item, lines: Iterable[Item]) -> dict[str, list[dict[str, Any]]]:
    """What an invoice billed of each subscription: a state from the day on which the period begins, and prorations.

    A period that is billed when it is over is one of use, which is no price. Lines of parts of a period (prorations)
    say when something was changed, and by how much; whole periods what it costs from then on.
    """
    whole: dict[str, list[Item]] = {}
    parts: dict[tuple[str, int], list[Item]] = {}
    for line in lines:
        details = (line.get("parent") or {}).get("subscription_item_details") or {}
        subscription, period = id_of(details.get("subscription")), line.get("period") or {}
        if subscription is None or not all(isinstance(period.get(end), int) for end in ("start", "end")):
            continue
        if details.get("proration"):
            parts.setdefault((subscription, period["start"]), []).append(line)
        elif period["end"] > invoice["created"] + _AN_HOUR:
            whole.setdefault(subscription, []).append(line)
    found: dict[str, list[dict[str, Any]]] = {}
    for (subscription, start), of_it in parts.items():
        items = [_line(line, *_seconds(line)) for line in of_it]
        found.setdefault(subscription, []).append({**_at(invoice, subscription, "prorated", start), "items": items})
    applied = discounts(invoice, {})
    for subscription, of_it in whole.items():
        start = min(line["period"]["start"] for line in of_it)
        own = [_own_discounts(line, applied) for line in of_it]
        off = _discounted(applied, invoice.get("currency"), has_items_own=None in own)
        items = [_line(line, *_interval(line), less=less or 0) for line, less in zip(of_it, own, strict=True)]
        found.setdefault(subscription, []).append(
            {**_at(invoice, subscription, "billed", start), "items": items, **off}
        )
    return found


def has_discounted_lines(invoice: Item) -> bool:
    """Whether lines of an invoice have discounts of their own."""
    return any(line.get("discounts") for line in (invoice.get("lines") or {}).get("data") or [])


def _own_discounts(line: Item, of_invoice: Iterable[Item]) -> int | None:
    """What discounts of a line's own that last take off it, in smallest units; None where that is not told."""
    beside = {one.get("id") for one in of_invoice}
    taken = {id_of(one.get("discount")): one.get("amount") for one in line.get("discount_amounts") or []}
    less = 0
    for discount in line.get("discounts") or []:
        if id_of(discount) in beside:
            continue
        coupon, amount = _coupon(discount) if isinstance(discount, dict) else None, taken.get(id_of(discount))
        if coupon is None or not isinstance(amount, int):
            return None
        less += 0 if coupon.get("duration") == "once" else amount
    return less


def _at(invoice: Item, subscription: str, kind: str, at: int) -> dict[str, Any]:
    return {
        "id": subscription,
        "customer": id_of(invoice.get("customer")),
        "currency": invoice.get("currency"),
        "livemode": invoice.get("livemode"),
        "status": "active",
        "kind": kind,
        "at": at,
        "has_more_items": False,
        **_discounted((), None, has_items_own=False),
    }


def _line(line: Item, interval: str, count: int, less: int = 0) -> dict[str, Any]:
    """What a line bills, as an item of which there is one. less: what its own discounts take off."""
    taxes, amount = line.get("taxes") or [], line.get("amount")
    details = (line.get("pricing") or {}).get("price_details") or {}
    return {
        "price": id_of(details.get("price")),
        "unit_amount": amount - less if isinstance(amount, int) else amount,
        "quantity": 1,
        "interval": interval,
        "interval_count": count,
        "days": round((line["period"]["end"] - line["period"]["start"]) / _A_DAY),
        "price_currency": line.get("currency"),
        "billing_scheme": "per_unit",
        "usage_type": "licensed",
        "is_packaged": False,
        "includes_tax": any(tax.get("tax_behavior") == "inclusive" and tax.get("amount") for tax in taxes),
    }


def _interval(line: Item) -> tuple[str, int]:
    """How long a period is: months, where it ends on the same day of a month (or on its last one), or else days."""
    begins, ends = (datetime.fromtimestamp(line["period"][at], UTC) for at in ("start", "end"))
    months = (ends.year - begins.year) * 12 + ends.month - begins.month
    is_last = any(at.day == calendar.monthrange(at.year, at.month)[1] for at in (begins, ends))
    if months > 0 and (begins.day == ends.day or (is_last and abs(begins.day - ends.day) <= 3)):
        return "month", months
    return "day", max(round((ends - begins) / timedelta(days=1)), 1)


def _seconds(line: Item) -> tuple[str, int]:
    """How long a part of a period is."""
    return "second", max(line["period"]["end"] - line["period"]["start"], 1)
