"""Builders for tests of Holded: invoices and purchases written out by hand, and the company whose they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from pipelines.sandbox.company import Change, Company, Invoice, SheetRow, TakenBack


def at(day: int, hour: int = 9, month: int = 3, year: int = 2026) -> datetime:
    """An hour of a day, of March if no other month is named."""
    return datetime(year, month, day, hour, tzinfo=UTC)


def invoice(number: int = 1, *back: TakenBack, **different: Any) -> Invoice:
    """An invoice of 100 EUR and 21 EUR tax, drawn up and issued on the first and paid on the second of March."""
    said = Invoice(number, 70 + number, None, "fee", at(1, 8), at(1), 100_00, 21_00, at(2), None, product="rental")
    return replace(said, taken_back=back, **different)


def purchase(number: int = 1, date: str = "3/3/2026", **different: str) -> SheetRow:
    """A purchase of 200 EUR for the cloud, typed in on the fourth of March."""
    cells = {"fecha": date, "concepto": "nube", "importe": "200,00", **different}
    return SheetRow("gastos", f"G{number}", (Change(at(4), cells),), None)


def company(*invoices: Invoice, zone: str = "Europe/Madrid", purchases: tuple[SheetRow, ...] = ()) -> Company:
    none: tuple[Any, ...] = ()
    return Company(
        seed=0, zone=zone, founded=date(2025, 1, 1), last_day=date(2026, 12, 31), contacts=none, listings=none,
        sales=none, activities=none, tickets=none, invoices=invoices, videos=none, sheet_rows=purchases, subscribers={},
        views={},
    )  # fmt: skip
