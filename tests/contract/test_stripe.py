"""Whether the source and its stand-in speak Stripe as Stripe describes it, in the version of the API that is asked for.

The description is in Stripe's own library, which is made from it: of each object its fields and their types, of each
list its parameters, and what events there are. What an event shows is in the version of its time, and not judged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import NoneType
from typing import Any, ForwardRef, Literal, Union, get_args, get_origin
from urllib.parse import parse_qsl

import orjson
import pytest
import requests
import stripe
from faults.vendors import NOW, company
from helpdesk_office import Exchange, Office
from stripe import params

from pipelines.sandbox import stripe as stand_in
from pipelines.stripe import STRIPE, StripeOptions, given_back, histories
from pipelines.stripe.api import API_VERSION
from pipelines.stripe.charges import CHANGES as OF_CHARGES
from pipelines.stripe.credit_notes import CHANGES as OF_CREDIT_NOTES
from pipelines.stripe.customers import CHANGES as OF_CUSTOMERS
from pipelines.stripe.invoices import CHANGES as OF_INVOICES

OBJECTS: Mapping[str, tuple[type[Any], Any, Any]] = {
    "/v1/invoices": (stripe.Invoice, params.InvoiceListParams, params.InvoiceRetrieveParams),
    "/v1/charges": (stripe.Charge, params.ChargeListParams, params.ChargeRetrieveParams),
    "/v1/credit_notes": (stripe.CreditNote, params.CreditNoteListParams, params.CreditNoteRetrieveParams),
    "/v1/refunds": (stripe.Refund, params.RefundListParams, params.RefundRetrieveParams),
    "/v1/disputes": (stripe.Dispute, params.DisputeListParams, params.DisputeRetrieveParams),
    "/v1/customers": (stripe.Customer, params.CustomerListParams, params.CustomerRetrieveParams),
    "/v1/subscriptions": (stripe.Subscription, params.SubscriptionListParams, params.SubscriptionRetrieveParams),
    "/v1/events": (stripe.Event, params.EventListParams, params.EventRetrieveParams),
    "/lines": (stripe.InvoiceLineItem, params.InvoiceListLinesParams, None),
}
"""By path: what it has, and with which parameters it is listed and one of it is asked for."""
PLAIN: Mapping[Any, tuple[type, ...]] = {str: (str,), int: (int,), float: (int, float), bool: (bool,), Decimal: (str,)}


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    options = StripeOptions(category="category", product="product", identified_by=({"by": "email"},))
    return Office(tmp_path, monkeypatch, STRIPE, options, stand_in)


def misfits(value: Any, kind: Any, place: str) -> Iterator[str]:
    """What is not as described. What is not there is passed over: a stand-in shows what is read, and some more."""
    kind, of = _resolved(kind), get_origin(_resolved(kind))
    if of is Union:
        kinds = [_resolved(one) for one in get_args(kind)]
        if any(not [*misfits(value, one, place)] for one in kinds):
            return
        shown = [one for one in kinds if _is_object(one)] if isinstance(value, dict) else []
        yield from misfits(value, shown[0], place) if shown else [f"{place}: {value!r} is none of {kinds}"]
    elif of is Literal:
        yield from () if value in get_args(kind) else [f"{place}: {value!r} is none of {get_args(kind)}"]
    elif of is list:
        yield from _of_list(value, get_args(kind)[0], place)
    elif of is stripe.ListObject:
        yield from () if value.keys() == {"object", "url", "has_more", "data"} else [f"{place}: {[*value]} is no list"]
        yield from _of_list(value["data"], get_args(kind)[0], place)
    elif kind in PLAIN:
        fits = isinstance(value, PLAIN[kind]) and (kind is bool or not isinstance(value, bool))
        yield from () if fits else [f"{place}: {value!r} is no {kind.__name__}"]
    elif kind is NoneType:
        yield from () if value is None else [f"{place}: {value!r} is not null"]
    elif _is_object(kind):
        yield from _of_object(value, kind, place)
    elif of is not None and not isinstance(value, dict):
        yield f"{place}: {value!r} is no object"


def _resolved(kind: Any) -> Any:
    return getattr(stripe, kind.__forward_arg__) if isinstance(kind, ForwardRef) else kind


def _is_object(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, stripe.StripeObject) and "UntypedStripeObject" not in str(kind)


def _of_list(value: Any, kind: Any, place: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{place}: {value!r} is no list"
        return
    for one in value:
        yield from misfits(one, kind, f"{place}[]")


def _of_object(value: Any, kind: Any, place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place}: {value!r} is no {kind.__name__}"
        return
    for name, one in value.items():
        if name in kind.__annotations__:
            yield from misfits(one, kind.__annotations__[name], f"{place}.{name}")
        else:
            yield f"{place}.{name}: no field of {kind.__name__}"


def of_request(exchange: Exchange, asked: Any, kind: Any) -> Iterator[str]:
    """Parameters that are not described, and what is asked to be shown that cannot be."""
    known = asked.__annotations__
    for name, text in parse_qsl(exchange.query):
        plain, _, part = name.removesuffix("[]").removesuffix("]").partition("[")
        if plain not in known or (part and part not in ("gt", "gte", "lt", "lte")):
            yield f"{exchange.path}?{name}: no parameter"
        if plain == "expand":
            yield from _of_expansion(text.removeprefix("data.").split("."), kind)
        if plain == "types" and text not in get_args(stripe.Event.__annotations__["type"]):
            yield f"{exchange.path}: no event is called {text}"


def _of_expansion(names: list[str], kind: Any) -> Iterator[str]:
    """Whether each name is a field of what stands before it, and the last one can be an id or an object."""
    inner: list[Any] = [kind]
    for name in names:
        fields = [one.__annotations__[name] for one in inner if name in getattr(one, "__annotations__", {})]
        inner = [_resolved(one) for found in fields for one in _parts(found)]
    if str not in inner or not any(_is_object(one) for one in inner):
        yield f"{'.'.join(names)}: nothing of {kind.__name__} that could be shown"


def _parts(kind: Any) -> Iterator[Any]:
    inner = get_args(kind) if get_origin(kind) in (Union, list) else ()
    for one in inner:
        yield from _parts(one)
    if not inner:
        yield kind


def judged(exchange: Exchange) -> list[str]:
    """What of a request or its answer is not as described."""
    is_lines = exchange.path.endswith("/lines")
    path = "/lines" if is_lines else "/".join(exchange.path.split("/")[:3])
    kind, listed, one = OBJECTS[path]
    is_list = is_lines or exchange.path == path
    found = [*of_request(exchange, listed if is_list else one, kind)]
    if exchange.status != 200:
        return [*found, *misfits(exchange.content["error"], stripe.ErrorObject, "error")]
    if exchange.content.get("deleted"):
        return found
    found += misfits(exchange.content, stripe.ListObject[kind] if is_list else kind, kind.__name__)
    return found


def test_every_request_and_answer_of_a_load_is_as_described(office: Office) -> None:
    exchanges: list[Exchange] = []
    for days in (1, 10, 0):
        loads = office.load(company("revops", 60), NOW - timedelta(days=days))
        assert {load.failure for load in loads.values()} == {None}
        exchanges += office.exchanges
    assert not {text for one in exchanges for text in judged(one)}
    lists = {one.path for one in exchanges if one.path in OBJECTS}
    ones = Counter(one.path.rpartition("/")[0] for one in exchanges if one.path not in OBJECTS)
    assert lists == OBJECTS.keys() - {"/lines"}
    assert {"/v1/invoices", "/v1/charges", "/v1/refunds"} <= ones.keys()
    assert {one.headers["stripe-version"] for one in exchanges} == {API_VERSION} == {stripe.api_version}


def test_every_change_that_is_asked_for_is_an_event_of_stripes() -> None:
    events = {*get_args(stripe.Event.__annotations__["type"])}
    asked = (OF_INVOICES, OF_CHARGES, OF_CUSTOMERS, histories.CHANGES)
    given = (given_back.REFUND_CHANGES, given_back.DISPUTE_CHANGES, OF_CREDIT_NOTES)
    assert {name for names in (*asked, *given) for name in names} <= events


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/invoices?limit=101", 400),
        ("/v1/invoices?starting_after=in_none", 400),
        ("/v1/invoices/in_none", 404),
        ("/v1/subscriptions?status=unknown", 400),
    ],
)
def test_the_stand_in_refuses_as_described(office: Office, path: str, status: int) -> None:
    served = office.served(company("revops", 60), NOW)
    with office.serving(served) as url:
        headers = {"Authorization": f"Bearer {stand_in.CREDENTIALS['api_key']}", "Stripe-Version": API_VERSION}
        requests.get(url + path, headers=headers, timeout=10)
    [exchange] = served.exchanges
    assert exchange.status == status
    assert not judged(exchange)


def test_the_judge_sees_what_is_not_as_described(office: Office) -> None:
    office.load(company("revops", 60), NOW)
    [listed, *_] = [one for one in office.exchanges if one.path == "/v1/invoices"]
    listed.query += "&expand[]=data.number&order=asc"
    content = listed.content
    content["data"][0] |= {"amount_due": "100", "status": "settled", "vat": 21}
    listed.answer = orjson.dumps(content)
    found = " ".join(judged(listed))
    for told in ("number: nothing", "?order: no", "'100' is no int", "'settled' is none", "vat: no field"):
        assert told in found
