"""The company's subscriptions as Stripe's objects: as they are at an instant, and as events show them.

Belongs here: what a subscription looks like, and the events of its life. Does not: invoices (`records`), paths, lists.

A change is one event, which shows the subscription after it and, of what was otherwise, what it was before. Versions of
the API differ in how they show a discount: events, in that of the account, show the one that there can be; clients that
ask for a newer one get ids, unless they ask for more.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from pipelines.sandbox.company import Subscription, Terms
from pipelines.sandbox.stripe.records import Json, customer_of, event_of, seconds

_EXPANDED = "discounts.source.coupon"


def subscription(one: Subscription, now: datetime) -> Json:
    """A subscription as it is at an instant, in the version of the API that clients ask for."""
    started, terms = seconds(one.started_at), one.at(now)
    ended = seconds(one.ended_at) if one.ended_at is not None and one.ended_at <= now else None
    asked_at = next((held.at for held in one.terms if held.value.is_ending), None)
    asked = seconds(asked_at) if terms.is_ending and asked_at is not None else None
    trials = [held.at for held in one.terms if not held.value.is_trial] if one.at(one.started_at).is_trial else []
    return {
        "id": f"sub_{one.id}",
        "object": "subscription",
        "livemode": True,
        "created": started,
        "status": "canceled" if ended else "trialing" if terms.is_trial else "active",
        "customer": customer_of(one),
        "currency": one.currency.lower(),
        "description": "Servicio de Marta Ruiz",
        "start_date": started,
        "billing_cycle_anchor": started,
        "billing_mode": {"type": "classic"},
        "collection_method": "charge_automatically",
        "trial_start": started if trials else None,
        "trial_end": seconds(trials[0]) if trials else None,
        "cancel_at": None,
        "cancel_at_period_end": terms.is_ending and not ended,
        "canceled_at": asked or ended,
        "cancellation_details": {"comment": ended and "Marta Ruiz se muda", "feedback": None, "reason": None},
        "ended_at": ended,
        "automatic_tax": {"enabled": False, "liability": None, "disabled_reason": None},
        "default_tax_rates": [],
        "discounts": [_discount(one, terms)] if terms.percent_off else [],
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "metadata": {"product": one.product},
        "pause_collection": {"behavior": terms.pause, "resumes_at": None} if terms.pause else None,
        "items": {
            "object": "list",
            "url": f"/v1/subscription_items?subscription=sub_{one.id}",
            "has_more": False,
            "data": [_item(one, terms)],
        },
    }


def _discount(one: Subscription, terms: Terms) -> Json:
    coupon = {
        "id": f"off{terms.percent_off}",
        "object": "coupon",
        "livemode": True,
        "amount_off": None,
        "currency": None,
        "duration": "forever",
        "percent_off": terms.percent_off,
    }
    return {
        "id": f"di_{one.id}_{terms.percent_off}",
        "object": "discount",
        "customer": customer_of(one),
        "subscription": f"sub_{one.id}",
        "source": {"type": "coupon", "coupon": coupon},
        "start": seconds(one.started_at),
        "end": None,
    }


def _item(one: Subscription, terms: Terms) -> Json:
    started = seconds(one.started_at)
    return {
        "id": f"si_{one.id}",
        "object": "subscription_item",
        "created": started,
        "subscription": f"sub_{one.id}",
        "quantity": terms.quantity,
        "discounts": [],
        "tax_rates": [],
        "metadata": {},
        "price": {
            "id": f"price_{one.product}_{terms.interval}_{terms.amount_cents}",
            "object": "price",
            "active": True,
            "billing_scheme": "per_unit",
            "created": started,
            "currency": one.currency.lower(),
            "custom_unit_amount": None,
            "livemode": True,
            "lookup_key": None,
            "metadata": {},
            "nickname": None,
            "product": f"prod_{one.product}",
            "recurring": {
                "interval": terms.interval,
                "interval_count": 1,
                "meter": None,
                "trial_period_days": None,
                "usage_type": "licensed",
            },
            "tax_behavior": "exclusive",
            "tiers_mode": None,
            "transform_quantity": None,
            "type": "recurring",
            "unit_amount": terms.amount_cents,
            "unit_amount_decimal": str(terms.amount_cents),
        },
    }


def subscribed(one: Subscription) -> list[Json]:
    """Every event that a subscription ever had, or will have."""
    found = [event_of("customer.subscription.created", one.started_at, _as_was(one, one.started_at))]
    was = _as_was(one, one.started_at)
    for number, since in enumerate(held.at for held in one.terms):
        if since <= one.started_at or (one.ended_at is not None and since >= one.ended_at):
            continue
        is_now = _as_was(one, since)
        changed = event_of("customer.subscription.updated", since, is_now)
        previous = {name: value for name, value in was.items() if value != is_now[name]}
        found.append(
            {
                **changed,
                "id": f"{changed['id']}_{number}",
                "data": {"object": is_now, "previous_attributes": previous},
            }
        )
        was = is_now
    if one.ended_at is not None:
        found.append(event_of("customer.subscription.deleted", one.ended_at, _as_was(one, one.ended_at)))
    return found


def _as_was(one: Subscription, at: datetime) -> Json:
    """A subscription as an event shows it."""
    now = subscription(one, at)
    older = {name: value for name, value in now.items() if name not in ("billing_mode", "discounts")}
    applied = [{**each, "coupon": each["source"]["coupon"]} for each in now["discounts"]]
    quantity = now["items"]["data"][0]["quantity"]
    return {**older, "discount": applied[0] if applied else None, "quantity": quantity}


def unexpanded(item: Json, expanded: Collection[str]) -> Json:
    """A subscription, a line of an invoice, or a list of either, with its discounts by their ids, unless asked for."""
    if "data" in item and item["object"] == "list":
        inner = {name.removeprefix("data.") for name in expanded}
        return {**item, "data": [unexpanded(one, inner) for one in item["data"]]}
    if _EXPANDED in expanded:
        return item
    return {**item, "discounts": [one["id"] for one in item["discounts"]]}
