"""The page: organisations, objectives, key results, what moved, what the load brought, what failed.

Belongs here: the order of the parts, headings, printing. Does not: the parts themselves (`columns`, `sections`), what
is said of a key result (`lines`), words, figures, marks; computing anything.

Everything is text in reading order: piped into a file it is as clear as on a screen, and no meaning hangs on colour
alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import polars as pl
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.segment import Segment, Segments
from rich.text import Text

from assets.publication.tables import as_written
from assets.report import numbers, sections
from assets.report.columns import Columns
from assets.report.lines import Line, line_of
from assets.report.marks import QUIET, STYLES, WORST_FIRST, marks_for
from assets.report.sheet import INDENT, Row, Sheet, Tables, packed
from assets.report.words import LANGUAGES

_NARROWEST, _WIDEST = 40, 160


def render(console: Console, tables: Tables, language: str = "es", organisations: Sequence[str] | None = None) -> None:
    """Print the report of published tables. organisations: only these ids; every one without it.

    Raises `KeyError` for a language other than es or en.
    """
    words, marks = LANGUAGES[language], marks_for(console)
    known = tables["organisations"].to_dicts()
    shown = [row for row in known if organisations is None or row["organisation"] in organisations]
    if not shown:
        console.print(Text(marks.plain(words.say("nothing"))))
    width = max(_NARROWEST, min(console.width, _WIDEST))
    for number, row in enumerate(shown):
        if number:
            console.print()
        sheet = Sheet(words, marks, width, _of_organisation(tables, row["organisation"]), row)
        for part in _page(sheet):
            _print(console, part, width)


def _of_organisation(tables: Tables, organisation: str) -> dict[str, pl.DataFrame]:
    return {
        name: as_written(rows.filter(pl.col("organisation") == organisation))
        if "organisation" in rows.columns
        else rows
        for name, rows in tables.items()
    }


def _print(console: Console, part: RenderableType, width: int) -> None:
    """Print without the blanks that a table fills its cells with: a line ends where its text does."""
    for line in console.render_lines(part, console.options.update(width=width, highlight=False), pad=False):
        segments = list(line)
        while segments and not segments[-1].text.rstrip():
            segments.pop()
        if segments:
            last = segments.pop()
            segments.append(Segment(last.text.rstrip(), last.style))
        console.print(Segments([*segments, Segment.line()]), end="", crop=False)


def _page(sheet: Sheet) -> Iterator[RenderableType]:
    """Everything on an organisation's page, from top to bottom."""
    rows = sheet.tables["current_progress"].to_dicts()
    lines = _lines(sheet, rows)
    columns = Columns.of(list(lines.values()), sheet)
    yield from _heading(sheet, list(lines.values()))
    if sheet.is_wide and lines:
        yield Text()
        yield columns.header()
    for objective, members in _by_objective(sheet, rows):
        yield Text()
        yield from _objective(sheet, objective, members[0])
        for member in members:
            yield from columns.key_result(lines[member["key_result_id"]])
    if rows:
        yield from _section(sheet, "moved", sections.movements(sheet, rows), sheet.quiet("nothing_moved"))
    yield from _section(sheet, "loads", sections.loads(sheet), sheet.quiet("nothing_loaded"))
    yield from _section(sheet, "checks", sections.findings(sheet), sections.nothing_found(sheet))


def _lines(sheet: Sheet, rows: Sequence[Row]) -> dict[str, Line]:
    daily = sheet.tables["progress_daily"]
    days = {str(name): group for (name,), group in daily.group_by(["key_result_id"], maintain_order=True)}
    return {row["key_result_id"]: line_of(row, days.get(row["key_result_id"], daily.clear()), sheet) for row in rows}


# --- headings ---------------------------------------------------------------------------------------------------------


def _heading(sheet: Sheet, lines: Sequence[Line]) -> Iterator[RenderableType]:
    newest = sheet.organisation["newest_day"]
    until = sheet.say("data_until", day=sheet.words.full_day(newest)) if newest else sheet.say("no_days")
    yield _at_both_ends(Text(sheet.title(sheet.organisation), style="bold"), Text(until, style=QUIET), sheet.width)
    yield Text(sheet.marks.line * sheet.width, style=QUIET)
    if lines:
        yield _counted(sheet, lines)


def _at_both_ends(left: Text, right: Text, width: int) -> RenderableType:
    """Two texts on a line, one at each end; one below the other where they do not fit."""
    between = width - left.cell_len - right.cell_len
    return Group(left, right) if between < 2 else Text(" " * between).join([left, right])


def _counted(sheet: Sheet, lines: Sequence[Line]) -> Text:
    """How many key results there are of each status, the best first."""
    counts = [(status, sum(line.status == status for line in lines)) for status in reversed(WORST_FIRST)]
    told = [
        Text(f"{sheet.marks.statuses[status]} {sheet.marks.plain(sheet.words.counted(status, count))}", STYLES[status])
        for status, count in counts
        if count
    ]
    return packed(told, 3, sheet.width)


def _by_objective(sheet: Sheet, rows: Sequence[Row]) -> list[tuple[Row, list[Row]]]:
    """Objectives with their key results; those first that support no other."""
    latest = {row["objective_id"]: row for row in sheet.tables["objectives"].filter("is_latest").to_dicts()}
    members: dict[str, list[Row]] = {}
    for row in rows:
        members.setdefault(row["objective_id"], []).append(row)
    found = [(latest.get(name, {}), of_objective) for name, of_objective in members.items()]
    return sorted(found, key=lambda pair: pair[0].get("supports") is not None)


def _objective(sheet: Sheet, objective: Row, member: Row) -> Iterator[RenderableType]:
    """Title, status, progress and period; only the title where nothing has been rolled up yet."""
    title = member[f"objective_title_{sheet.words.code}"] or member["objective_id"]
    yield Text(sheet.marks.text(title), style="bold")
    status = objective.get("status")
    if status is None:
        return
    parts = [(f"{sheet.marks.statuses[status]} {sheet.status(status)}", STYLES[status])]
    if objective["progress"] is not None:
        progress, expected = (numbers.percent(objective[name], sheet.words) for name in ("progress", "expected"))
        parts.append((sheet.say("progress", progress=progress, expected=expected), ""))
    start, end = objective["period_start"], objective["period_end"]
    if (score := _sealed_score(sheet, objective)) is not None:
        parts.append((sheet.say("sealed", score=numbers.figure(score, None, sheet.words)), ""))
    parts.append((sheet.marks.plain(f"{sheet.words.day(start)} – {sheet.words.day(end)} {end.year}"), QUIET))
    if objective["in_force"] < objective["key_results"]:
        counted = {name: objective[name] for name in ("in_force", "key_results")}
        parts.append((sheet.say("in_force", **counted), QUIET))
    yield packed([Text(text, style=style) for text, style in parts], 2, sheet.width)


def _sealed_score(sheet: Sheet, objective: Row) -> float | None:
    """The score that the objective's period was closed with, where it was."""
    is_own = pl.col("key_result_id").is_null() & (pl.col("objective_id") == objective["objective_id"])
    of_period = (pl.col("period_start") == objective["period_start"]) & (
        pl.col("period_end") == objective["period_end"]
    )
    scores = sheet.tables["seals"].filter(is_own & of_period).get_column("sealed_score").to_list()
    return scores[0] if scores else None


def _section(sheet: Sheet, name: str, parts: Iterable[RenderableType], otherwise: Text) -> Iterator[RenderableType]:
    """A heading and what stands below it, or that there is nothing to say."""
    yield Text()
    yield Text(sheet.say(name), style="bold")
    yield from (Padding(part, (0, 0, 0, INDENT)) for part in list(parts) or [otherwise])
