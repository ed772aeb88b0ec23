"""A measure that is a Polars function of a file beside the declarations: found, called, and held to what it owes."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from builders import definition, event, figures, log, on, organisation, row, value

from kr_definitions.compute import compute
from kr_definitions.contributions import contributions
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


def raising(events, windows):
    raise RuntimeError("boom\\n  and more")


def leaving(events, windows):
    raise SystemExit("bye")


def lazily_raising(events, windows):
    return windows.with_columns(numerator=pl.col("day"))


def eager(events, windows):
    return windows.collect().with_columns(numerator=pl.lit(2))


def five(events, windows):
    return 5


def nothing(events, windows):
    pass


def infinite(events, windows):
    return windows.with_columns(numerator=pl.lit(1.0), denominator=pl.lit(float("inf")))


def undefined(events, windows):
    return windows.with_columns(numerator=pl.lit(float("nan")))


def textual(events, windows):
    return windows.with_columns(numerator=pl.lit("5"))


def endless(events, windows):
    return windows.with_columns(numerator=pl.lit(1e40))


def of_days_as_text(events, windows):
    return windows.with_columns(pl.col("as_of").cast(pl.String), numerator=pl.lit(1))


def yes(events, windows):
    return windows.with_columns(numerator=pl.lit(True))


def alone(events):
    return events


not_callable = 3
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "calculos.py").write_text(CALCULATIONS, "utf-8")
    (tmp_path / "roto.py").write_text("import does_not_exist", "utf-8")
    (tmp_path / "sale.py").write_text("raise SystemExit(3)", "utf-8")
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
    own = 4  # event_id, event_type, day, customer
    assert shared + own + 5 == value(
        "2026-02-01", [], measure=of("columns"), **told
    )  # rating, score, channel, category, segment
    several = of("columns", ["survey.answered", "ticket.created"])
    # Both carry channel, category and segment.
    assert shared + own + 3 == value("2026-02-01", [], measure=several, **told)
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
        (r"sale.py cannot be loaded \(SystemExit: 3\). Mend it", "sale:good"),
        ("calculos:raising raised RuntimeError: boom and more. Mend it", "raising"),
        ("calculos:leaving raised SystemExit: bye. Mend it", "leaving"),
        ("calculos:lazily_raising raised ColumnNotFoundError: ", "lazily_raising"),
        (r"calculos:alone raised TypeError: alone\(\) takes 1 positional argument but 2 were given. Mend it", "alone"),
        ("calculos:five gives int, which is no frame. Give one row a window", "five"),
        ("calculos:nothing gives NoneType, which is no frame. Give one row a window", "nothing"),
        ("calculos:infinite gives a denominator of inf on 2026-01-01. Give a number, or nothing", "infinite"),
        ("calculos:undefined gives a numerator of nan on 2026-01-01. Give a number, or nothing", "undefined"),
        ("calculos:textual gives a numerator that is String. Give numbers", "textual"),
        ("calculos:endless gives a numerator of more than 32 digits. Give a smaller one", "endless"),
        ("calculos:of_days_as_text gives as_of as String. Give it as it is given: Date", "of_days_as_text"),
    ],
)
def test_a_function_that_does_not_give_what_it_owes_is_told(folder, said, name):
    with pytest.raises(FunctionError, match=said):
        value("2026-02-01", [answered("2026-02-01")], measure=of(name), folder=folder, **KPI)


@pytest.mark.parametrize(("expected", "name"), [(2, "eager"), (1, "yes")])
def test_what_a_function_gives_may_be_collected_or_a_truth(folder, expected, name):
    assert expected == value("2026-02-01", [answered("2026-02-01")], measure=of(name), folder=folder, **KPI)


def test_a_function_that_fails_is_told_with_its_key_result_and_its_place(folder):
    said = r"^test.yaml:1: test.team.kr: calculos:raising raised RuntimeError: boom and more. Mend it$"
    with pytest.raises(FunctionError, match=said):
        value("2026-02-01", [answered("2026-02-01")], measure=of("raising"), folder=folder, **KPI)


def test_a_function_that_fails_takes_out_its_own_key_result_alone(folder):
    failing = definition(id="test.team.fails", measure=of("raising"), folder=folder, **KPI)
    others = [definition(id=f"test.team.{n}", measure=of("eager"), folder=folder, **KPI) for n in ("a", "z")]
    read, failures, kept = log([answered("2026-02-01")]), [], []
    day = date(2026, 2, 1)
    found = compute([failing, *others], organisation(), read, day, failures=failures)
    assert {"test.team.a", "test.team.z"} == set(found.get_column("key_result_id"))
    assert ["test.yaml:1: test.team.fails: calculos:raising raised RuntimeError: boom and more. Mend it"] == [
        str(failure) for failure in failures
    ]
    explained = contributions([failing, *others], organisation(), read, day, failures=kept)
    assert ({"test.team.a", "test.team.z"}, failures) == (set(explained.get_column("key_result_id")), kept)


def test_a_function_that_was_changed_is_the_changed_one_in_the_same_process(folder):
    told = {"measure": of("siete:cuenta"), "folder": folder, **KPI}
    found = []
    for number in (7, 8):
        text = (
            f"import polars as pl\ndef cuenta(events, windows):\n    return windows.with_columns(numerator={number})\n"
        )
        (folder / "siete.py").write_text(text, "utf-8")
        found.append(value("2026-02-01", [answered("2026-02-01")], **told))
    assert [7, 8] == found
    assert not (folder / "__pycache__").exists()


def test_without_a_folder_there_is_no_function():
    with pytest.raises(FunctionError, match=r"there is no calculos.py beside the declarations"):
        value("2026-02-01", [], measure=of("good"), **KPI)
