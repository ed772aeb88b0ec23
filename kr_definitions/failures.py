"""Definitions that cannot be computed: each is told by itself, so that the others are computed all the same.

Belongs here: which ones, and why. Does not: holding back what could be computed (`assets.checks`).
"""

from __future__ import annotations

from dataclasses import dataclass

from kr_definitions.catalogue import Definition
from kr_definitions.measures.function import FunctionError


@dataclass(frozen=True)
class Failure:
    """A definition whose function fails, and how."""

    definition: Definition
    reason: str

    def __str__(self) -> str:
        """Where it is declared, what failed and what to do, in one line."""
        return f"{self.definition.file}:{self.definition.line}: {self.definition.id}: {self.reason}"


Failures = list[Failure]
"""What a computation adds those to that it left out."""


def keep(definition: Definition, error: FunctionError, failures: Failures | None) -> None:
    """Add a failure; raise it, with its place, where nobody asks for them."""
    failure = Failure(definition, str(error))
    if failures is None:
        raise FunctionError(str(failure)) from error
    failures.append(failure)
