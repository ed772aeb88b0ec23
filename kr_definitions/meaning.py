"""What a definition means, as data: told apart by hashes, and kept as text from which it can be computed again.

Belongs here: what of a declaration moves a figure, and what gives the value of that. Does not: which meaning was in
force when (`editions`), or how a declaration is read (`catalogue`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from kr_definitions.declarations import KeyResult, Objective
from kr_definitions.expressions import predicate
from kr_definitions.measures import Function
from kr_definitions.measures.selection import columns_of
from kr_definitions.organisation import Organisation
from kr_definitions.periods import Span

_MEASURED = {"measure", "all_of", "each", "every", "trailing", "cumulative", "windows"}
_JUDGED = {"target", "all_of", "guardrails"}
_OF_PARTS = {"target", "weight"}
_ORGANISATION = {"id", "title", "zone", "country", "currency", "fiscal_year_starts", "thresholds", "working_hours"}


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a definition means. Wording, owners and titles are no part of it.

    content_hash: of everything that moves a figure. measured_hash: of what gives the value, without what judges it
    (targets, guardrails, thresholds). functions_hash: of the files of the functions that it names; None without any.
    declared: the key result, its objective, period and organisation as YAML.
    """

    content_hash: str
    measured_hash: str
    functions_hash: str | None
    declared: str


def meaning(
    kr: KeyResult, objective: Objective, period: Span | None, organisation: Organisation, folder: Path | None
) -> Meaning:
    """What a key result means in an organisation. period: None where an event names it."""
    content = kr.model_dump(mode="python", by_alias=True, exclude_none=True, include=_MEASURED | _JUDGED)
    for place, measure in kr.measures():
        for path, text, types in measure.filters():
            inner: Any = content
            for step in (*place, *path[:-1]):
                inner = inner[step]
            inner[path[-1]] = predicate(text, columns_of(types)).normal_form
    parts = content.get("all_of", ())
    needs_calendar = "working" in str([kr.every, kr.windows, *(getattr(m, "unit", "") for _, m in kr.measures())])
    functions = [_source(measure, folder) for _, measure in kr.measures() if isinstance(measure, Function)]
    measured = {
        **{name: value for name, value in content.items() if name in _MEASURED},
        "all_of": [{name: value for name, value in part.items() if name not in _OF_PARTS} for part in parts],
        "period": (kr.period and kr.period.model_dump(by_alias=True))
        if period is None
        else [period.first, period.last],
        "fiscal_year_starts": organisation.fiscal_year_starts,
        "zone": organisation.zone,
        "country": organisation.country if needs_calendar else None,
        "working_hours": str(organisation.working_hours) if needs_calendar else None,
        "currency": organisation.currency,
        "functions": functions,
        **({"customers": customers} if (customers := organisation.identity.customers) else {}),
        **(
            {"rates": rates}
            if (rates := _rates(organisation)) and any(m.reads_amounts for _, m in kr.measures())
            else {}
        ),
    }
    judged = {
        **{name: value for name, value in content.items() if name in _JUDGED},
        "all_of": [{name: value for name, value in part.items() if name in _OF_PARTS} for part in parts],
        "thresholds": organisation.thresholds,
    }
    return Meaning(
        content_hash=_hash({"measured": measured, "judged": judged}),
        measured_hash=_hash(measured),
        functions_hash=_hash(functions) if functions else None,
        declared=_declared(kr, objective, period, organisation),
    )


def _rates(organisation: Organisation) -> Mapping[str, Any]:
    """What is particular to the organisation in how its amounts are converted."""
    return organisation.rates.model_dump(mode="python", exclude_defaults=True)


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=_plain).encode()).hexdigest()[:12]


def _plain(value: object) -> str:
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)  # 0.90 is 0.9


def _source(measure: Function, folder: Path | None) -> str:
    """The text of the file that a function is in: what it computes is part of what the definition means."""
    path = Path() if folder is None else folder / f"{measure.function.partition(':')[0]}.py"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


# --- as text ----------------------------------------------------------------------------------------------------------


class _Writer(yaml.SafeDumper):
    """YAML as `documents` reads it."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - an alias is refused
        return True


def _number(writer: yaml.SafeDumper, number: Decimal) -> yaml.Node:
    text = f"{number:f}"
    return writer.represent_scalar(f"tag:yaml.org,2002:{'float' if '.' in text else 'int'}", text)


_Writer.add_representer(Decimal, _number)
_Writer.add_representer(tuple, _Writer.represent_list)


def _declared(kr: KeyResult, objective: Objective, period: Span | None, organisation: Organisation) -> str:
    days: dict[str, date] | None = None if period is None else {"from": period.first, "until": period.last}
    content = {
        "key_result": kr.model_dump(mode="python", by_alias=True, exclude_none=True),
        "objective": objective.model_dump(mode="python", by_alias=True, exclude_none=True),
        "period": days,
        "organisation": {
            **organisation.model_dump(mode="python", by_alias=True, include=_ORGANISATION),
            **({"identity": {"customers": customers}} if (customers := organisation.identity.customers) else {}),
            **({"rates": rates} if (rates := _rates(organisation)) else {}),
        },
    }
    return yaml.dump(content, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=10_000)
