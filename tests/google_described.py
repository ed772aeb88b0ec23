"""Google's own descriptions of its APIs, for tests that hold requests and answers against them.

Belongs here: what a description says, read alike for every API. Does not: the descriptions (`contract/`), what a test
asks of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema


def every_method(resources: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every method of resources, and of those below them."""
    for resource in resources.values():
        yield from resource.get("methods", {}).values()
        yield from every_method(resource.get("resources", {}))


def path_of(method: dict[str, Any]) -> str:
    """Where a method is, with the names of its parameters in braces."""
    return f"/{method.get('flatPath', method['path'])}"


def schema_of(description: dict[str, Any], name: str) -> jsonschema.Draft202012Validator:
    """The description of a resource as a JSON schema that refuses what Google does not have."""
    schemas = {key: _converted(one) for key, one in description["schemas"].items()}
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": schemas})


def _converted(node: Any) -> Any:
    if isinstance(node, list):
        return [_converted(child) for child in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str):
        return {"$ref": f"#/$defs/{node['$ref']}"}
    kept = {key: _converted(node[key]) for key in ("type", "items", "enum") if key in node}
    if isinstance(node.get("properties"), dict):
        kept["properties"] = {key: _converted(child) for key, child in node["properties"].items()}
        kept["additionalProperties"] = False
    if node.get("type") == "any":
        kept.pop("type")
    return kept
