"""Rules that are said alike of any frame: which columns it has, that it has rows, that a column is set or in range.

Belongs here: how such a rule is put. Does not: of which columns it holds (`of_events`, `of_progress`).
"""

from __future__ import annotations

from typing import Any

from assets.checks.rules import Rule, Severity


def must_have_columns(schema: str) -> Rule:
    """A frame has the columns of a schema, of its types; `frames.columns_of` has put them side by side."""
    return Rule(
        "columns_are_as_declared",
        "ExpectColumnPairValuesToBeEqual",
        {"column_A": "declared", "column_B": "found"},
        f"The columns and their types are those of {schema}.",
        "Nothing else was checked: make the frame with the declared columns",
        shows=("declared", "found"),
        frame="columns",
    )


def must_have_rows(frame: str, name: str, says: str, do: str) -> Rule:
    """A frame has at least one row."""
    return Rule(name, "ExpectTableRowCountToBeBetween", {"min_value": 1}, says, do, frame=frame)


def must_be_set(column: str, do: str) -> Rule:
    """A column is never null."""
    return Rule(f"{column}_is_set", "ExpectColumnValuesToNotBeNull", {"column": column}, f"Every row has {column}.", do)


def must_be_between(column: str, low: Any, high: Any, do: str, severity: Severity = "critical") -> Rule:
    """A column is nowhere below one bound or above another. high: None where there is none."""
    bounds = f"between {low} and {high}" if high is not None else f"{low} or more"
    return Rule(
        f"{column}_is_in_range",
        "ExpectColumnValuesToBeBetween",
        {"column": column, "min_value": low, "max_value": high},
        f"{column} is {bounds}.",
        do,
        shows=(column,),
        severity=severity,
    )


def not_below(high: str, low: str) -> dict[str, Any]:
    """What a rule of two columns is told: wherever both are set, one is not below the other."""
    return {"column_A": high, "column_B": low, "or_equal": True, "ignore_row_if": "either_value_is_missing"}
