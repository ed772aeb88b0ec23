"""By what else a vendor knows a customer: as it is declared, as records keep it, and as facts state it.

Belongs here: what is the same for every vendor. Does not: which field of a vendor says it (its module), or which
customers are one (`kr_definitions.identities`).

A mail address is turned into a pseudonym as it is fetched, in small letters (`as_known`, for whatever a pseudonym is
made of), so that systems that write it otherwise say the same; of it only the domain is kept in clear. What other
fields hold is kept as it is: name one that holds another system's id, not what the law protects.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import polars as pl
from pydantic import BeforeValidator, Field

from kr_definitions.events import IDENTIFIED
from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines.source import Options, Pseudonym, Record

EMAIL, DOMAIN = "email", "domain"
SHAPE = pl.List(pl.Struct({"by": pl.String(), "identifier": pl.String()}))
"""How records keep it."""

Identifiers = list[dict[str, str]]


_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")


def as_known(identity: str) -> str:
    """An identity as it is the same in every system: a mail address in small letters, without space around it."""
    alone = identity.strip()
    return alone.lower() if _ADDRESS.fullmatch(alone) else identity


class Known(Options):
    """One way in which a vendor knows its customers. by: what events call it; field: what the vendor does."""

    by: str = Field(min_length=1, max_length=100)
    field: str = Field(min_length=1, max_length=100)

    @property
    def is_of_address(self) -> bool:
        """Whether it is made of mail addresses."""
        return self.field in (EMAIL, DOMAIN)


def _read(given: Any) -> Any:
    """`[email, domain, numero, {external_id: numero_de_cliente}]`, or one of these alone."""
    several = given if isinstance(given, list | tuple) else [given]
    return [_one(one) for one in several]


def _one(given: Any) -> Any:
    if isinstance(given, str):
        return {"by": given, "field": given}
    if isinstance(given, dict) and len(given) == 1:
        [(by, field)] = given.items()
        return {"by": by, "field": field}
    return given


IdentifiedBy = Annotated[tuple[Known, ...], BeforeValidator(_read)]


def fields_of(known: Iterable[Known]) -> tuple[str, ...]:
    """The vendor's fields that are named, beside mail addresses."""
    return tuple(dict.fromkeys(one.field for one in known if not one.is_of_address))


def has_addresses(known: Iterable[Known]) -> bool:
    """Whether mail addresses are asked for."""
    return any(one.is_of_address for one in known)


def identifiers(
    known: Iterable[Known],
    pseudonym: Pseudonym,
    addresses: Iterable[Any] = (),
    fields: Mapping[str, Any] | None = None,
    domains: Iterable[Any] = (),
) -> Identifiers:
    """What is kept of a customer's addresses and of the fields that are named: each value once, no address in clear.

    domains: those that the vendor knows beside the addresses'.
    """
    written = [address for one in addresses if (address := _text(one).lower()).count("@") == 1]
    of = {
        EMAIL: [pseudonym(address) for address in written],
        DOMAIN: [*(address.rpartition("@")[2] for address in written), *(_text(one).lower() for one in domains)],
    }
    held = {one.field: [_text((fields or {}).get(one.field))] for one in known if not one.is_of_address}
    found = [(one.by, value) for one in known for value in {**held, **of}[one.field]]
    return [{"by": by, "identifier": value} for by, value in dict.fromkeys(found) if value]


def identified(customers: pl.LazyFrame, kind: str) -> pl.LazyFrame:
    """The facts. customers: `record_key`, `created_at`, `identified` (`SHAPE`); kind: the first word of fact keys."""
    stated = customers.select("record_key", "created_at", known="identified").explode("known").unnest("known")
    return stated.filter(pl.col("identifier").is_not_null()).select(
        "record_key",
        fact_key=pl.format("{}/{}/identified/{}/{}", pl.lit(kind), "record_key", "by", "identifier"),
        event_type=pl.lit(IDENTIFIED),
        subject_id="record_key",
        account_id="record_key",
        occurred_at="created_at",
        identified_by="by",
        identifier="identifier",
    )


CUSTOMER = pl.Struct({"created_at": pl.String(), "identified": SHAPE})
"""What is kept of a customer where that is all that is read of them."""


def customer(key: str, created_at: Any, found: Identifiers) -> Record:
    """One. Without revision: a merge may take an identifier back without a later time."""
    return Record(key, None, {"created_at": created_at, "identified": found})


def customer_facts(records: pl.LazyFrame, place: str) -> pl.LazyFrame:
    """What customers state (`CUSTOMER`). place: where they are shown, up to their id."""
    created = pl.col("created_at").str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
    said = records.with_columns(created_at=created.cast(UTC_MICROSECONDS))
    stated = identified(said, "customer").with_columns(source_url=pl.lit(place) + pl.col("record_key"))
    unborn = said.filter(pl.col("created_at").is_null()).select("record_key", problem=pl.lit("created_at: not a time"))
    return pl.concat([stated, unborn], how="diagonal")


def refuse_unknown(known: Iterable[Known], has: Sequence[str], kind: str) -> None:
    """Raise `ValueError` for what a kind of customer is not known by. has: what it is."""
    if unknown := [one.field for one in known if one.field not in has]:
        raise ValueError(f"identified_by: {unknown[0]} is not known of a {kind}; there is {', '.join(has)}")


def _text(value: Any) -> str:
    return "" if value is None or isinstance(value, dict | list) else str(value).strip()
