"""A measure that is a Polars function of a file beside the declarations: found, called, and held to what it owes."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from builders import event, figures, on, row, value

from kr_definitions.measures.function import FunctionError

KPI = {"type": "kpi"}
COLUMNS = ("value", "numerator", "denominator", "events")

CALCULATIONS = """
import polars as pl


def longest_run(events, windows):
    days = events.select("day").unique().sort("day").with_columns(
        run=(pl.col("day").diff().dt.total_days().fill_null(1) != 1).cum_sum()
    )
    held = windows.join_where(days, pl.col("day") >= pl.col("window_start"), pl.col("day") <= pl.col("as_of"))
    runs = held.group_by("as_of", "window_start", "run").agg(pl.len().alias("numerator"))
    return runs.group_by("as_of", "window_start").agg(pl.col("numerator").max())


def good(events, windows):
    held = windows.join_where(events, pl.col("day") >= pl.col("window_start"), pl.col("day") <= pl.col("as_of"))
    is_good = pl.col("rating") == "good"
    return held.group_by("as_of", "window_start").agg(is_good.sum().alias("numerator"), pl.len().alias("denominator"))


def third(events, windows):
    return windows.with_columns(numerator=pl.lit(1) / 3)


def columns(events, windows):
    names = ",".join(sorted(events.collect_schema().names()))
    return windows.with_columns(numerator=pl.lit(len(names.split(","))))


def nameless(events, windows):
    return windows


def doubled(events, windows):
    return pl.concat([windows, windows]).with_columns(numerator=pl.lit(1))


not_callable = 3
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "calculos.py").write_text(CALCULATIONS, "utf-8")
    (tmp_path / "roto.py").write_text("import does_not_exist", "utf-8")
    return tmp_path


def of(name: str, types: Any = "survey.answered", **more: Any) -> dict[str, Any]:
    return {"function": name if ":" in name else f"calculos:{name}", "of": types, **more}


def answered(day: str, rating: str | None = "good", subject: str = "1") -> dict[str, Any]:
    return event("survey.answered", day, subject, rating=rating)


def test_a_function_gives_the_value_of_each_window(folder):
    events = [answered(day) for day in ("2026-02-01", "2026-02-02", "2026-02-04", "2026-02-28", "2026-03-01")]
    told = {"measure": of("longest_run"), "folder": folder}
    by_day = figures(events, "2026-03-01", every="month", target={"value": 2}, **told)
    assert [(1, 1), (2, 2), (2, 2), (2, 4), (1, 1)] == [
        (on(by_day, day), on(by_day, day, "events"))
        for day in ("2026-02-01", "2026-02-02", "2026-02-03", "2026-02-28", "2026-03-01")
    ]
    assert 3 == value("2026-02-03", [*events, answered("2026-02-03")], **told, **KPI)


def test_a_function_with_a_denominator_gives_a_ratio_that_keeps_both(folder):
    events = [answered("2026-02-01"), answered("2026-02-01", "bad", "2")]
    told = {"measure": of("good", value="share"), "folder": folder, **KPI}
    assert (0.5, 1, 2, 2) == row("2026-02-01", events, *COLUMNS, **told)


def test_a_window_of_which_a_function_says_nothing_has_no_value(folder):
    told = {"measure": of("good"), "folder": folder, **KPI}
    assert (None, None, None, 0) == row("2026-02-01", [], *COLUMNS, **told)
    assert value("2026-02-01", [], covered=None, **told) is None


def test_what_a_function_gives_is_kept_to_a_millionth_so_that_it_is_the_same_everywhere(folder):
    told = {"measure": of("third"), "folder": folder, **KPI}
    assert (Decimal("0.333333"), 0.333333) == row("2026-02-01", [], "numerator", "value", **told)


def test_a_function_sees_only_its_types_and_what_they_carry(folder):
    told = {"folder": folder, **KPI}
    shared = 8  # source, subject, account, actor, instant, amount, currency, quantity
    own = 3  # event_id, event_type, day
    assert shared + own + 4 == value(
        "2026-02-01", [], measure=of("columns"), **told
    )  # rating, score, channel, category
    several = of("columns", ["survey.answered", "ticket.created"])
    assert shared + own + 2 == value("2026-02-01", [], measure=several, **told)  # both carry channel and category
    both = [answered("2026-02-01"), event("ticket.created", "2026-02-01")]
    assert 1 == value("2026-02-01", both, "events", measure=of("longest_run"), **told)


def test_a_member_of_a_dimension_is_given_its_own_events_alone(folder):
    events = [
        event("survey.answered", "2026-02-01", n, channel=c) for n, c in [("1", "web"), ("2", "web"), ("3", "phone")]
    ]
    told = {"measure": of("good"), "folder": folder, "each": {"dimension": "channel", "members": ["web", "phone"]}}
    found = figures(events, "2026-02-01", target={"at_least": 1}, **told)
    counted = found.filter(found.get_column("as_of").cast(str) == "2026-02-01").select("member", "denominator").rows()
    assert [(None, 2), ("phone", 1), ("web", 2)] == counted


def test_what_a_function_looks_back_on_must_have_been_read_from_the_beginning(folder):
    told = {"measure": of("longest_run"), "folder": folder, **KPI}
    assert value("2026-02-01", [answered("2026-02-01")], since="2025-01-01", **told) is None


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("there is no nada.py beside the declarations. Put the function there", "nada:good"),
        ("calculos.py has no function 'bad'. Name one that it has", "bad"),
        ("calculos.py has no function 'not_callable'. Name one that it has", "not_callable"),
        (r"roto.py cannot be loaded \(ModuleNotFoundError: No module named 'does_not_exist'\). Mend it", "roto:good"),
        ("calculos:nameless gives no numerator. Give one row a window, with them", "nameless"),
        ("calculos:doubled gives several rows of one window. Give one row a window", "doubled"),
    ],
)
def test_a_function_that_does_not_give_what_it_owes_is_told(folder, said, name):
    with pytest.raises(FunctionError, match=said):
        value("2026-02-01", [answered("2026-02-01")], measure=of(name), folder=folder, **KPI)


def test_without_a_folder_there_is_no_function():
    with pytest.raises(FunctionError, match=r"there is no calculos.py beside the declarations"):
        value("2026-02-01", [], measure=of("good"), **KPI)
