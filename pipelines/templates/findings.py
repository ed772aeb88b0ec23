"""What was found in a filled-in template, as a line that whoever filled it in can act on.

Belongs here: the shape of a finding. Does not: what is wrong (`whole`, `checking`), or the sentences (`words`).
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.templates.forms import Language
from pipelines.templates.words import TOLD

LONGEST_SHOWN = 40
"""Characters of what stands in a cell."""


@dataclass(frozen=True, order=True)
class Finding:
    """Something wrong: where, what stands there, and what to do."""

    file: str
    row: int
    column: str
    found: str
    do: str
    language: Language

    def __str__(self) -> str:
        """One line."""
        place = f" {TOLD[self.language].row} {self.row}" if self.row else ""
        column = f", {self.column}" if self.column else ""
        return f"{self.file}{place}{column}: {self.found}. {self.do}"
