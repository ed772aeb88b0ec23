"""Key results below each other: on a wide page a row each, on a narrow one two lines each.

Belongs here: the layout of one key result, and the widths that all of them share. Does not: what is said (`lines`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from assets.report.lines import Line
from assets.report.marks import QUIET
from assets.report.sheet import GAP, INDENT, Sheet, grid, marked

_MEASURED = ("value", "target", "moved", "progress", "expected", "windows")
_HEADED = ("moved", "progress", "expected", "windows", "status")
_LEAST = 4  # characters, below which a trend or a bar says nothing


@dataclass(frozen=True)
class Columns:
    """How wide the columns of an organisation's key results are, so that they stand below each other."""

    sheet: Sheet
    trend: int
    value: int
    target: int
    bar: int
    moved: int
    progress: int
    expected: int
    windows: int
    status: int

    @classmethod
    def of(cls, lines: Sequence[Line], sheet: Sheet) -> Columns:
        """What the texts need; on a narrow page the trend and the bar share what is left of a line."""
        needs = {name: max((len(getattr(line, name)) for line in lines), default=0) for name in _MEASURED}
        needs["status"] = max((len(sheet.status(line.status)) for line in lines), default=0)
        if sheet.is_wide:
            headed = {name: max(needs[name], len(sheet.say(f"header_{name}"))) for name in _HEADED}
            return cls(sheet, trend=12, bar=10, **{**needs, **headed})
        unshared = cls(sheet, trend=0, bar=0, **needs)
        judged = max((len(unshared.judged_by(line)) for line in lines), default=0)
        left = sheet.width - INDENT - unshared.figure - needs["moved"] - judged - 4 * GAP
        trend = min(max(left * 3 // 5, min(left, 8)), 30)
        bar = min(left - trend, 24)
        return cls(sheet, trend=trend if trend >= _LEAST else 0, bar=bar if bar >= _LEAST else 0, **needs)

    @property
    def figure(self) -> int:
        """Width of a value and its target."""
        return self.value + 3 + self.target

    def header(self) -> RenderableType:
        """The names of a wide page's columns."""
        names = ("title", "trend", "value", "", "moved", "progress", "expected", "windows", "status")
        return self._row([self.sheet.quiet(f"header_{name}") if name else Text() for name in names])

    def key_result(self, line: Line) -> Iterator[RenderableType]:
        """One key result, and what else there is to know of it."""
        yield from [self._row(self._cells(line))] if self.sheet.is_wide else self._two_lines(line)
        for note in line.notes:
            yield Padding(marked(self.sheet.marks.more, line.style, Text(note, style=line.style)), (0, 0, 0, INDENT))

    def judged_by(self, line: Line) -> str:
        """Progress beside what was expected, in few words."""
        told = line.progress.rjust(self.progress)
        if not line.expected:
            return told
        expected = self.sheet.say("expected_short", expected=line.expected.rjust(self.expected))
        return self.sheet.marks.plain(f"{told} · {expected}")

    def _two_lines(self, line: Line) -> Iterator[RenderableType]:
        first = grid(self.sheet.width)
        first.add_column(ratio=1)
        first.add_column(justify="right", no_wrap=True)
        first.add_column(no_wrap=True, width=self.status)
        first.add_row(self._title(line), Text(line.windows, style=QUIET), self._status(line))
        yield first
        second = grid()
        drawn = [(self.trend, self._trend(line)), (self.figure, self._figure(line)), (self.bar, self._bar(line))]
        shown = [(width, text) for width, text in drawn if width]
        for width, _ in shown:
            second.add_column(width=width, no_wrap=True)
        second.add_column(width=self.moved, justify="right", no_wrap=True)
        second.add_column(no_wrap=True)
        second.add_row(*(text for _, text in shown), Text(line.moved), Text(self.judged_by(line)))
        yield Padding(second, (0, 0, 0, INDENT))

    def _row(self, cells: Sequence[RenderableType]) -> Table:
        row = grid(self.sheet.width)
        row.add_column(ratio=1)
        for width in (self.trend, self.figure, self.bar):
            row.add_column(width=width, no_wrap=True)
        for width in (self.moved, self.progress, self.expected):
            row.add_column(width=width, justify="right", no_wrap=True)
        for width in (self.windows, self.status):
            row.add_column(width=width, no_wrap=True)
        row.add_row(*cells)
        return row

    def _cells(self, line: Line) -> list[RenderableType]:
        return [
            self._title(line),
            self._trend(line),
            self._figure(line),
            self._bar(line),
            Text(line.moved),
            Text(line.progress),
            Text(line.expected, style=QUIET),
            Text(line.windows, style=QUIET),
            self._status(line),
        ]

    def _title(self, line: Line) -> RenderableType:
        return marked(self.sheet.marks.statuses[line.status], line.style, line.title)

    def _status(self, line: Line) -> Text:
        return Text(self.sheet.status(line.status), style=line.style)

    def _trend(self, line: Line) -> Text:
        """The history, its last character in the colour of the status."""
        drawn = line.sparkline(self.trend, self.sheet.marks) if self.trend else ""
        return Text.assemble((drawn[:-1], QUIET), (drawn[-1:], line.style))

    def _figure(self, line: Line) -> Text:
        """The value and its target, so that the strokes between them stand below each other."""
        target = f" / {line.target.ljust(self.target)}" if line.target else ""
        return Text.assemble((line.value.rjust(self.value), "bold"), target)

    def _bar(self, line: Line) -> Text:
        if line.status == "kpi":
            return Text()  # it has nothing to be near to
        return self.sheet.marks.bar(line.bar, line.bar_expected, self.bar, line.style)
