"""Rules: what has to hold, or is worth a second look, although each declaration can be read.

Belongs here: rules, by what they are about; each with an id, a severity and a sentence (`base`). Does not: what a model
knows by itself (`declarations`, `measures`), YAML (`documents`), running the rules (`review`).

To add one: a check in one of these modules, its test, and `python -m kr_definitions.review > docs/review.md`.
"""

from __future__ import annotations

from kr_definitions.rules import filters, functions, guides, links, measured, names, sources, targets, units, windows
from kr_definitions.rules.base import Declarations, Fed, Rule, Rules

RULES: Rules = {
    **names.RULES,
    **filters.RULES,
    **measured.RULES,
    **functions.RULES,
    **sources.RULES,
    **targets.RULES,
    **units.RULES,
    **windows.RULES,
    **links.RULES,
    **guides.RULES,
}
"""Every rule, by its id."""

__all__ = ["RULES", "Declarations", "Fed", "Rule"]
