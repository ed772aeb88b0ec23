"""`hito diff` for a program: JSON whose keys docs/diff.md explains.

Belongs here: its shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import orjson

from kr_definitions.changes import Changed, Changes

VERSION = 1
"""Of the shape: it goes up where a key is renamed or removed."""


def as_json(found: Sequence[Changes]) -> str:
    """What the declarations of each organisation would do."""
    content = {
        "version": VERSION,
        "moves": any(one.moves for one in found),
        "organisations": [_organisation(one) for one in found],
    }
    return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()


def _organisation(found: Changes) -> dict[str, Any]:
    return {
        "organisation": found.organisation,
        "through": found.through,
        "has_log": found.has_log,
        "moves": found.moves,
        "changed": [_changed(one) for one in found.changed],
        "reworded": [asdict(one) for one in found.reworded],
        "refused": [
            {
                "id": one.definition.id,
                "retired_at": one.retired_at,
                "file": one.definition.file,
                "line": one.definition.line,
            }
            for one in found.refused
        ],
        "objectives": [asdict(one) for one in found.objectives],
    }


def _changed(change: Changed) -> dict[str, Any]:
    effect = change.effect
    return {
        "id": change.id,
        "change": change.what,
        "version": change.version,
        "version_before": change.before,
        "file": change.definition and change.definition.file,
        "line": change.definition and change.definition.line,
        "fields": [asdict(field) for field in change.fields],
        "moves": change.moves,
        "needs_log": change.needs_log,
        "is_against_history": change.is_against_history,
        "same_as": change.same_as,
        "stands": change.stands and asdict(change.stands),
        "restated": effect and asdict(effect.restated),
        "whole": effect and effect.whole and asdict(effect.whole),
        "members": effect and [asdict(one) for one in effect.members],
    }
