"""A mail address is stored nowhere: not in the raw zone, in a key, in a mark, nor in an error."""

from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from bytes_of import mentions
from warehouse import PREFIX, File, Warehouse

from pipelines.addresses import ADDRESS, HIDDEN, hidden, holds_a_mail_address, without_addresses
from pipelines.sandbox.stand_in import SharedClock
from pipelines.source import Covered, Mark, Read, Record, SourceError

AT = datetime(2026, 3, 9, tzinfo=UTC)
WHO = "marta@correo.example"


@pytest.mark.parametrize(
    ("text", "without"),
    [
        (WHO, HIDDEN),
        ("to Marta.Ruiz+x@Correo.example, and b@x.es;c@y.co.uk!", f"to {HIDDEN}, and {HIDDEN};{HIDDEN}!"),
        ("<marta@correo.example>", f"<{HIDDEN}>"),
        ("mailto:marta@correo.example?subject=x", f"mailto:{HIDDEN}?subject=x"),
        ("https://x.es/?email=marta%40correo.example&n=1", f"https://x.es/?email={HIDDEN}&n=1"),
        ("ñandú@correo.example", HIDDEN),
    ],
)
def test_an_address_is_taken_out_wherever_it_stands(text: str, without: str) -> None:
    assert hidden(text) == without
    assert holds_a_mail_address(text)
    assert pl.Series([text]).str.contains(ADDRESS).all()
    assert not holds_a_mail_address(without)


@pytest.mark.parametrize(
    "text",
    [
        "@agencia", "https://www.tiktok.com/@agencia/video/7.html", "https://mastodon.example/@ana@social.example/1",
        "10 @ 2.50", "3 pisos @ 120.000 EUR", "a@b", "100%",
    ],
)  # fmt: skip
def test_what_is_no_address_is_left_as_it_is(text: str) -> None:
    assert hidden(text) == text
    assert not pl.Series([text]).str.contains(ADDRESS).any()


def test_what_a_source_gives_holds_none_and_all_else_passes() -> None:
    deleted = Record("2", AT, {}, is_deleted=True)

    def fetch(read: Read) -> Generator[list[Record] | Mark, None, Covered]:
        yield [Record("1", AT, {"name": f"Call {WHO}", WHO: [{"n": 1, "who": WHO}, None], "n": 2.5}), deleted]
        yield Mark("here")
        return Covered(None, AT, "cursor")

    given = without_addresses(fetch)(Read(None, AT, None, None))  # type: ignore[arg-type]
    payload = {"name": f"Call {HIDDEN}", HIDDEN: [{"n": 1, "who": HIDDEN}, None], "n": 2.5}
    assert next(given) == [Record("1", AT, payload), deleted]
    assert next(given) == Mark("here")
    with pytest.raises(StopIteration) as end:
        next(given)
    assert end.value.value == Covered(None, AT, "cursor")


def test_an_error_tells_none() -> None:
    assert WHO not in str(SourceError("office.crm", f"the user {WHO} may not", "Ask"))


DEALS: dict[str, Any] = {
    "table": "deal", "delivery": "changes", "key": "customer", "zone": "UTC", "cursor": "closed_at",
    "events": [{"type": "deal.won", "at": "closed_at", "subject": "customer", "attributes": {"category": "said"}}],
}  # fmt: skip


@pytest.fixture
def deals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    monkeypatch.setenv(PREFIX, f"sqlite:///{tmp_path / 'crm.db'}")
    found = Warehouse(tmp_path, File(tmp_path / "crm.db"), {"deals": DEALS})
    found.run("CREATE TABLE deal (customer TEXT, said TEXT, closed_at DATETIME)")
    return found


def sold(customer: str, said: str = "") -> str:
    return f"INSERT INTO deal VALUES ('{customer}', '{said}', '2026-03-01 09:00:00')"


def test_a_table_that_turns_out_to_hold_addresses_leaves_none_in_the_lake(deals: Warehouse, tmp_path: Path) -> None:
    deals.run(sold(WHO), sold("7", f"written to {WHO}"), sold("8"))
    deals.load()
    assert deals.events("subject_id") == [("8",), ("p-20-m",)]
    assert deals.problems() == ["deal.won: a text holds a mail address, which is never stored"]
    assert mentions(tmp_path / "lake", [WHO, WHO.replace("@", "%40")]) == {}


def test_a_key_that_is_an_address_is_in_no_mark_and_no_key_where_a_subject_counts_once(deals: Warehouse) -> None:
    deals.run(sold(WHO, "A"), sold("7", "x@y.es"))
    marks = deals.read()[1]
    assert marks
    assert "@" not in repr(marks)
    rule = {"type": "deal.won", "at": "closed_at", "subject": "said", "once": True}
    deals.declared = {"deals": {**DEALS, "events": [rule]}}
    keys = {record.key for record in deals.read()[0]}
    assert keys == {"A@p-20-m", "p-6-x@7"}


def test_a_reading_that_is_given_up_lets_go_of_what_it_reads(tmp_path: Path) -> None:
    ended: list[bool] = []

    def fetch(read: Read) -> Generator[list[Record], None, Covered]:
        try:
            yield []
            return Covered(None, AT)
        finally:
            ended.append(True)

    given = without_addresses(fetch)(Read(None, AT, None, SharedClock(tmp_path / "clock", AT)))
    next(given)
    given.close()
    assert ended == [True]
