"""Rules about functions: that those which a measure names are there, as far as can be told without running them.

Belongs here: Python files beside the declarations, as text. Does not: what a function gives (`measures.function`).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from kr_definitions.documents import Problem
from kr_definitions.measures import Function
from kr_definitions.rules.base import Declarations, Rules, advice, into
from kr_definitions.vocabulary import nearest

RULES: Rules = {}
_rule = into(RULES)

_ARGUMENTS = 2
"""The events and the windows."""


@_rule("function.found", "error", "A function is in the Python file that it is named by, and takes events and windows.")
def _found(declarations: Declarations) -> Iterator[Problem]:
    for stated in declarations.measures:
        if isinstance(stated.content, Function):
            file, _, name = stated.content.function.partition(":")
            wrong = _wrong(declarations, file, name)
            if wrong is not None:
                yield stated.problem(("function",), *wrong)


def _wrong(declarations: Declarations, file: str, name: str) -> tuple[str, str] | None:
    """What is wrong with a reference, and what to do."""
    if file not in declarations.functions:
        do = advice(nearest(file, declarations.functions), "Put the function there")
        return f"no {file}.py beside the declarations", do
    try:
        tree = ast.parse(declarations.functions[file])
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        return f"{file}.py{line} is no Python: {getattr(error, 'msg', error)}", "Mend it"
    defined = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    if name in defined:
        called = [one for one in (name, f"{name}_events") if one in defined]  # the other one names what it counted
        takes = [(f"{file}:{one} takes {taken}") for one in called if (taken := _taken(defined[one].args))]
        return (takes[0], "Let it take events and windows, two frames") if takes else None
    if name in _bound(tree):  # assigned or imported: what it is shows when it is called
        return None
    do = advice(nearest(name, defined), "Write it there, or name one that there is")
    return f"{file}.py has no function '{name}'", do


def _taken(arguments: ast.arguments) -> str | None:
    """What a function takes, where it cannot be called with events and windows."""
    by_place = len(arguments.posonlyargs) + len(arguments.args)
    owed = by_place - len(arguments.defaults)
    named = [one.arg for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if not default]
    if owed > _ARGUMENTS or (by_place < _ARGUMENTS and arguments.vararg is None):
        return f"{by_place} argument{'' if by_place == 1 else 's'}"
    return f"{named[0]} by name alone" if named else None


def _bound(tree: ast.Module) -> set[str]:
    """Every name that a module may come to have, other than by a `def` that is always reached."""
    names: set[str] = set()
    pending: list[ast.AST] = list(tree.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names |= set() if isinstance(node, ast.AsyncFunctionDef) else {node.name}
            continue  # what it binds is its own
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        if isinstance(node, ast.alias):
            names.add(node.asname or node.name)
        pending += ast.iter_child_nodes(node)
    return names
