"""A check as data: what must hold, the expectation that tests it, and what to do when it does not.

Belongs here: the shape of rules and suites. Does not: the rules (`suites`), or running them (`expectations`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["critical", "warning"]
Condition = tuple[str, Literal["==", "!=", "in", "not in", "is null", "is not null"], Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """One check.

    expectation, arguments: an expectation of Great Expectations and what it is told. frame: which of the audit's frames
    it looks at. where: only rows for which all of these hold. says: what must hold, as a sentence. do: what to do when
    it does not. shows: columns whose values a finding may repeat (never one that could hold personal data).
    severity: what fails a `critical` rule is not published; what fails a `warning` is, with a remark.
    """

    name: str
    expectation: str
    arguments: Mapping[str, Any]
    says: str
    do: str
    where: tuple[Condition, ...] = ()
    shows: tuple[str, ...] = ()
    severity: Severity = "critical"
    frame: str = "rows"

    @property
    def is_row_by_row(self) -> bool:
        """Whether the rule says the same of a row whatever the others are, so that a long frame may be cut."""
        return self.expectation not in _OF_THE_WHOLE


@dataclass(frozen=True, slots=True)
class Suite:
    """Rules that are checked together. keys: the columns that name a row of each frame in a finding."""

    name: str
    rules: tuple[Rule, ...]
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


_OF_THE_WHOLE = frozenset(
    {
        "ExpectTableRowCountToBeBetween",
        "ExpectTableRowCountToEqual",
        "ExpectColumnValuesToBeUnique",
        "ExpectCompoundColumnsToBeUnique",
    }
)
