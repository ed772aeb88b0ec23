"""Declarations as text: strict YAML whose every value knows its line, and problems that say where they are.

Belongs here: reading YAML without its surprises, and what a problem is. Does not: what a declaration means
(`declarations`, `organisation`), or how a model's complaints are told (`complaints`).

Refused, because each has cost somebody a quarter: duplicate keys (YAML: the last one wins in silence), anchors and
aliases, tags, files over 256 KiB, and implicit types other than null, true/false, and decimal numbers
(`NO` is text here, `12:30` is text, `010` is refused).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import yaml

MOST_BYTES = 256 * 1024
MOST_NESTING = 32

Path = tuple[str | int, ...]

Severity = Literal["error", "warning", "remark"]
"""An error is refused; a warning is most likely a mistake; a remark is worth a second look."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Something wrong in a declaration: where, what was found, what to do. rule: the rule that found it, if one did."""

    file: str
    line: int
    where: str  # id of the key result, objective or organisation, as far as it is known
    found: str
    do: str
    severity: Severity = "error"
    rule: str = field(default="", compare=False)

    def __str__(self) -> str:
        """One line; of what an organisation may switch off, with the name to do so by."""
        name = f" [{self.rule}]" if self.rule and self.severity != "error" else ""
        owner = f"{short(self.where)}: " if self.where else ""
        return f"{self.file}:{self.line}: {self.severity}: {owner}{self.found}. {self.do}{name}"


class DeclarationErrors(Exception):
    """One or more problems in declarations, all of them, in the order of files and lines."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class Document:
    """The content of a YAML file as plain values, and the line of each. refused: places of values that are not."""

    file: str
    content: Any
    lines: dict[Path, int] = field(repr=False)
    refused: frozenset[Path] = frozenset()

    def is_refused(self, path: Path) -> bool:
        """Whether what stands at a path was refused as it was read, so that there is nothing more to say of it."""
        return any(path[:depth] in self.refused for depth in range(len(path) + 1))

    def line(self, path: Path) -> int:
        """Line of a value (1-based); of the nearest one around it where the path leads nowhere."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def value(self, path: Path) -> Any:
        """The value at a path, or None."""
        content = self.content
        for step in path:
            try:
                content = content[step]
            except (KeyError, IndexError, TypeError):
                return None
        return content

    def problem(self, path: Path, where: str, found: str, do: str) -> Problem:
        """A problem at a path of this document."""
        return Problem(self.file, self.line(path), where, found, do)


_MOST_SHOWN = 60


def short(text: str) -> str:
    """A text as problems show it: cut where it is long."""
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 3]}…"


def read(text: str, file: str) -> Document:
    """The document in `text`; raises `DeclarationErrors` where it is not strict YAML."""
    document, problems = looked_through(text, file)
    if problems:
        raise DeclarationErrors(problems)
    return document


def looked_through(text: str, file: str) -> tuple[Document, list[Problem]]:
    """The document in `text`, as far as it is strict YAML, and what in it is not.

    Raises `DeclarationErrors` where it is no YAML at all, so that nothing more can be said.
    """
    _refuse_whole(text, file)
    reading = _Reading(file)
    try:
        events = _events(text, file)
        node = _Composer(events).get_single_node()
        reading.find_tricks(events)
        content = None if node is None else reading.plain(node, ())
    except yaml.MarkedYAMLError as error:
        # Of what is unfinished, or of a bracket, it is where it began that is of use.
        is_unfinished = isinstance(error, yaml.scanner.ScannerError) or "flow" in (error.context or "")
        mark = (error.context_mark if is_unfinished else None) or error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise DeclarationErrors(
            [Problem(file, line, "", f"not YAML: {error.problem or error.context}", _mended(error))]
        ) from None
    except yaml.YAMLError as error:
        raise DeclarationErrors([Problem(file, 1, "", f"not YAML: {error}", "Save the file as UTF-8 text")]) from None
    document = Document(file, content, reading.lines, frozenset(reading.refused))
    return document, list(dict.fromkeys(reading.problems))


def _mended(error: yaml.MarkedYAMLError) -> str:
    if "flow" in (error.context or ""):
        return (
            f"Close the {'[' if 'sequence' in str(error.context) else '{'} that is opened here, and part what it holds"
        )
    return "Check the indentation and quotes"


def _refuse_whole(text: str, file: str) -> None:
    """Sizes and characters that are refused before anything is read."""
    if len(text.encode()) > MOST_BYTES:
        raise DeclarationErrors(
            [Problem(file, 1, "", f"the file has more than {MOST_BYTES // 1024} KiB", "Split it: one objective a file")]
        )
    if refused := re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", text):
        line = text.count("\n", 0, refused.start()) + 1
        raise DeclarationErrors([Problem(file, line, "", "a control character", "Remove it")])


class _Composer(yaml.composer.Composer, yaml.resolver.Resolver):
    """The tree of nodes that the events of a text make."""

    def __init__(self, events: Iterable[yaml.Event]) -> None:
        yaml.composer.Composer.__init__(self)
        yaml.resolver.Resolver.__init__(self)
        self._left = deque(events)

    def check_event(self, *choices: type[yaml.Event]) -> bool:
        return bool(self._left) and isinstance(self._left[0], choices)

    def peek_event(self) -> yaml.Event:
        return self._left[0]

    def get_event(self) -> yaml.Event:
        return self._left.popleft()


def _events(text: str, file: str) -> list[yaml.Event]:
    """What a text is made of, in order; refused are endless nesting and further documents."""
    depth, found = 0, []
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        found.append(event)
        mark = event.start_mark
        line = mark.line + 1 if mark else 1
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_NESTING:
            raise DeclarationErrors([Problem(file, line, "", "values nested too deeply", "Flatten them")])
        if isinstance(event, yaml.DocumentStartEvent) and event.explicit:
            before = text[: mark.index if mark else 0]
            if any(row.strip() and not row.lstrip().startswith("#") for row in before.splitlines()):
                raise DeclarationErrors([Problem(file, line, "", "a second document", "One document a file")])
    return found


@dataclass
class _Reading:
    """What was found in a tree of nodes: the line of each value, and what is refused."""

    file: str
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    refused: set[Path] = field(default_factory=set)
    _seen: set[int] = field(default_factory=set)

    def find_tricks(self, events: Iterable[yaml.Event]) -> None:
        """Anchors, aliases and tags."""
        for event in events:
            line = event.start_mark.line + 1 if event.start_mark else 1
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                self._refuse(line, "an anchor or alias", "Write the value out")
            elif tag := getattr(event, "tag", None):
                self._refuse(line, f"the tag {tag}", "Remove it: plain values only")

    def plain(self, node: yaml.Node, path: Path) -> Any:
        """A node as plain values; null where it was refused."""
        self.lines.setdefault(path, node.start_mark.line + 1)
        if id(node) in self._seen:  # an alias of what has been read: never expanded
            self.refused.add(path)
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item, (*path, i)) for i, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._refuse(line, "a key that is not text", "Use a plain word as the key")
                continue
            key = str(key_node.value)
            if key in content:
                first = self.lines[(*path, key)]
                self._refuse(line, f"'{short(key)}' twice (first in line {first})", "Keep one of them")
                continue
            self.lines[(*path, key)] = line
            content[key] = self.plain(value_node, (*path, key))
        return content

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        text = str(node.value)
        if getattr(node, "style", None) in ("'", '"', "|", ">"):
            return text
        if text in ("", "~", "null"):
            return None
        if text in ("true", "false"):
            return text == "true"
        if _DECIMAL.fullmatch(text) and _has_room(number := Decimal(text)):
            return int(number) if number == number.to_integral_value() else number
        wrong = _odd(text)
        if wrong is not None:
            self.refused.add(path)
            self._refuse(node.start_mark.line + 1, *wrong)
            return None
        return date.fromisoformat(text) if _DAY.fullmatch(text) else text

    def _refuse(self, line: int, found: str, do: str) -> None:
        self.problems.append(Problem(self.file, line, "", found, do))


def _odd(text: str) -> tuple[str, str] | None:
    """What is wrong with a number or a day as it is written, and what to do; None for any other text."""
    if _DECIMAL.fullmatch(text) or (_ODD_NUMBER.fullmatch(text) and len(text) > _MOST_DIGITS):
        found = f"the number {short(text)}, which has more than {_MOST_DIGITS} digits"
        return found, "Write a smaller or a rounder one, or quote it if it is a text"
    if _ODD_NUMBER.fullmatch(text):
        return f"the number {text}", f"Write it in plain decimals, at most {_MOST_DIGITS}, or quote it"
    if _DAY.fullmatch(text):
        try:
            date.fromisoformat(text)
        except ValueError as error:
            return f"the day {text}: {error}", "Write an existing day as YYYY-MM-DD"
    return None


_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]{1,2})?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ODD_NUMBER = re.compile(
    r"[-+]?(0[0-9_]+|0x[0-9a-fA-F]+|0o[0-7]+|[0-9][0-9_]*_[0-9_]*|\.[0-9]+|[0-9]+\.|[0-9.]+[eE][-+]?[0-9]+)"
)
_MOST_DIGITS = 28


def _has_room(number: Decimal) -> bool:
    return len(number.as_tuple().digits) <= _MOST_DIGITS and abs(number.adjusted()) < _MOST_DIGITS
