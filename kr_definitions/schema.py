"""JSON Schemas of the declaration files, generated from the models, for completion and checking in an editor.

Belongs here: the generation. Does not: validation itself (pydantic and `catalogue`).
"""

from __future__ import annotations

import json

from pydantic import BaseModel

from kr_definitions.declarations import ObjectiveFile
from kr_definitions.organisation import Organisation

SCHEMAS: dict[str, type[BaseModel]] = {"objective": ObjectiveFile, "organisation": Organisation}


def text(kind: str) -> str:
    """The schema of `objective` or `organisation` files as JSON text, stable from run to run."""
    schema = SCHEMAS[kind].model_json_schema(by_alias=True)
    described = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Hito: {kind} file",
        **{key: value for key, value in schema.items() if key != "title"},
    }
    return json.dumps(described, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
