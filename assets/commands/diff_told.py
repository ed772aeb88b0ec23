"""`hito diff` on a terminal.

Belongs here: layout. Does not: words (`diff_words`).
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from assets.commands import diff_words as words
from assets.report.marks import QUIET, Marks, marks_for
from kr_definitions.changes import Changed, Changes

_INDENT, _LABEL = 2, 14
_NARROWEST, _WIDEST, _LONGEST_LINE = 40, 120, 60
_SIGNS = {"measure": ("~", "yellow"), "target": ("~", "yellow"), "added": ("+", "green"), "reinstated": ("+", "green")}
_GONE = ("-", "red")


def tell(console: Console, found: Sequence[Changes]) -> None:
    """Print what the declarations of each organisation would do."""
    marks = marks_for(console)
    width = max(_NARROWEST, min(console.width, _WIDEST))
    for number, one in enumerate(found):
        if number:
            console.print()
        for line in _page(one, marks, width):
            console.print(line, soft_wrap=True)


def _page(found: Changes, marks: Marks, width: int) -> Iterator[Text]:
    yield from _wrapped(words.heading(found), marks, width, style="bold")
    yield from _wrapped(words.basis(found), marks, width, style=QUIET)
    for refused in found.refused:
        yield from _wrapped(f"! {words.refused(refused)}", marks, width, style="red", indent=2)
    for field in words.shared_fields(found):
        yield from _wrapped(field, marks, width, style="bold")
    for change in found.changed:
        yield Text()
        yield from _change(change, marks, width)
    if found.objectives:
        yield Text()
        yield Text("objectives", style="bold")
        for objective in found.objectives:
            yield from _wrapped(words.objective(objective), marks, width - _INDENT, before=" " * _INDENT)
    if found.reworded:
        yield Text()
        told = ", ".join(one.id for one in found.reworded)
        yield from _wrapped(f"reworded, and no figure moves by it: {told}", marks, width)
    yield Text()
    yield Text(words.verdict(found), style="bold")


def _change(change: Changed, marks: Marks, width: int) -> Iterator[Text]:
    sign, style = _SIGNS.get(change.what, _GONE)
    head = f"{sign} {change.id}  {words.version(change)}  {words.what(change)}"
    yield from _wrapped(head, marks, width, style=f"bold {style}", indent=2)
    inner = width - _INDENT
    if said := words.title(change):
        yield from _wrapped(said, marks, inner, style=QUIET, before=" " * _INDENT)
    for field in words.fields(change):
        yield from _wrapped(field, marks, inner, before=" " * _INDENT, indent=2)
    for fact in words.facts(change):
        yield from _labelled(fact.about, fact.says, marks, width)
    yield from _plots(change, marks, width)


def _plots(change: Changed, marks: Marks, width: int) -> Iterator[Text]:
    longest = min(_LONGEST_LINE, width - _INDENT - _LABEL - 3)
    for name, line in words.plots(change, longest, marks.blocks, marks.unknown):
        yield Text(" " * _INDENT + name.ljust(_LABEL + 2), style=QUIET) + Text(line)


def _labelled(label: str, text: str, marks: Marks, width: int) -> Iterator[Text]:
    """A label and what is said of it; a label that is too long has a line of its own."""
    room = width - _INDENT - _LABEL - 2
    lines = textwrap.wrap(marks.plain(text), room) or [""]
    name = marks.plain(label)
    if len(name) > _LABEL:
        yield Text(" " * _INDENT + name, style=QUIET)
        name = ""
    for number, line in enumerate(lines):
        yield Text(" " * _INDENT + (name if number == 0 else "").ljust(_LABEL + 2), style=QUIET) + Text(line)


def _wrapped(text: str, marks: Marks, width: int, style: str = "", indent: int = 0, before: str = "") -> Iterator[Text]:
    """A text over as many lines as it takes. indent: of all lines but the first."""
    for line in textwrap.wrap(marks.plain(text), width, subsequent_indent=" " * indent, break_on_hyphens=False):
        yield Text(before + line, style=style)
