"""`hito diff` for a pull request: a table, and the details of each key result below it.

Belongs here: Markdown as GitHub renders it. Does not: words (`diff_words`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from assets.commands import diff_words as words
from kr_definitions.changes import Changed, Changes

_LABEL, _LONGEST_LINE = 15, 60
_MOST = 60_000
"""Characters: a comment on GitHub holds 65,536."""


def markdown(found: Sequence[Changes]) -> str:
    """What the declarations of each organisation would do, as one document."""
    lines: list[str] = []
    for one in found:
        lines += _page(one)
    said = "\n".join(lines)
    room = _MOST - len(said)
    for one in found:
        for change in one.changed:
            details = "\n".join(_details(change))
            if len(details) > room:
                return f"{said}\n\nThis is as much as a comment holds; `hito diff` in a terminal tells the rest.\n"
            said, room = f"{said}\n{details}", room - len(details) - 1
    return f"{said.rstrip()}\n"


def _page(found: Changes) -> Iterator[str]:
    yield f"### {_text(words.heading(found))}"
    yield ""
    yield f"{words.verdict(found)} {words.basis(found)}"
    yield ""
    for one in found.refused:
        yield f"- **refused:** {_code(words.refused(one))}"
    for field in words.shared_fields(found):
        yield f"- {_code(field)}"
    for objective in found.objectives:
        yield f"- objective {_code(words.objective(objective))}"
    if found.reworded:
        yield f"- reworded, and no figure moves by it: {', '.join(_code(one.id) for one in found.reworded)}"
    yield ""
    if found.changed:
        yield "| key result | | version | restated | largest move | status today |"
        yield "|---|---|---|---|---|---|"
        for change in found.changed:
            yield "| " + " | ".join(_in_cell(cell) for cell in _row(change)) + " |"
        yield ""


def _row(change: Changed) -> list[str]:
    whole = change.effect.whole if change.effect else None
    if change.effect is None:
        figures = ["takes the log", "takes the log", words.status(change.stands.status if change.stands else None)]
    elif change.what in ("measure", "target"):
        figures = [
            words.restated(change.effect),
            words.largest(whole) if whole else "",
            words.today(whole) if whole else "",
        ]
    else:
        side = None if whole is None else whole.after or whole.before
        figures = ["", "", words.status(side.status) if side else ""]
    return [_code(change.id), words.what(change), words.version(change), *(_text(figure) for figure in figures)]


def _details(change: Changed) -> Iterator[str]:
    """What a reader unfolds."""
    yield f"<details><summary><code>{change.id}</code> {_text(words.title(change))}</summary>"
    yield ""
    for field in words.fields(change):
        yield f"- {_code(field)}"
    for fact in words.facts(change):
        yield f"- {_text(fact.about)}: {_text(fact.says)}"
    if lines := words.plots(change, _LONGEST_LINE):
        yield ""
        yield "```text"
        yield from (f"{name.ljust(_LABEL)} {line}" for name, line in lines)
        yield "```"
    yield ""
    yield "</details>"


def _code(text: str) -> str:
    """A text as it is, whatever is in it."""
    longest = max((len(found) for found in re.findall("`+", text)), default=0)
    fence, gap = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{gap}{text}{gap}{fence}"


def _text(text: str) -> str:
    """A text that begins no markup and calls nobody."""
    escaped = re.sub(r"[\\`*_{}\[\]<>#|~&]", lambda found: f"&#{ord(found[0])};", text)
    return escaped.replace("@", "@\u200b")


def _in_cell(cell: str) -> str:
    return cell.replace("|", "\\|")
