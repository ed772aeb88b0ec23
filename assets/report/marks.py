"""Marks: one for each status with its colour, blocks and bars, and plain ones where a terminal has no others.

Belongs here: characters and colours. Does not: words (`words`), layout (`page`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace

from rich.console import Console
from rich.text import Text

from assets.publication import trend

QUIET = "bright_black"  # what is beside the point
STYLES: Mapping[str, str] = {
    "achieved": "bold green",
    "on_track": "green",
    "at_risk": "yellow",
    "off_track": "red",
    "missed": "bold red",
    "no_data": "magenta",
    "unreliable": "magenta",
    "not_started": QUIET,
    "kpi": "cyan",
}
WORST_FIRST = ("missed", "off_track", "unreliable", "no_data", "at_risk", "not_started", "on_track", "achieved", "kpi")

_LETTERS = {
    "→": "->",
    "–": "-",
    "—": "-",
    "·": "|",
    "≥": ">=",
    "≤": "<=",
    "…": "...",
    "€": "EUR",
    "£": "GBP",
    "ñ": "ni",
}
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]+")


@dataclass(frozen=True)
class Marks:
    """The characters that a console can show."""

    statuses: Mapping[str, str]
    blocks: str
    unknown: str
    full: str
    rest: str
    expected: str
    more: str
    line: str
    encoding: str | None = None  # where it cannot write everything

    def text(self, text: str | None) -> str:
        """Data as it may be shown: on one line, without anything that moves the cursor or turns the text around."""
        return self.plain(_CONTROL.sub(" ", text or "").strip())

    def plain(self, text: str) -> str:
        """Our own text in the characters that the console has."""
        if self.encoding is None:
            return text
        return "".join(_spelled(character, self.encoding) for character in text)

    def bar(self, part: float | None, expected: float | None, width: int, style: str) -> Text:
        """A bar as long as a part of one, with a mark where it was expected to be."""
        if part is None:
            return Text(self.rest * width, style=QUIET)
        full = min(max(round(part * width), 1 if part > 0 else 0), width)
        if part < 1:
            full = min(full, width - 1)
        bar = Text(self.full * full, style=style)
        bar.append(self.rest * (width - full), style=QUIET)
        if expected is None or expected >= 1:
            return bar
        at = min(max(round(expected * width), 0), width - 1)
        return bar[:at] + Text(self.expected, style="bold white") + bar[at + 1 :]


RICH = Marks(
    statuses={
        "achieved": "★", "on_track": "●", "at_risk": "▲", "off_track": "■", "missed": "✗",
        "no_data": "○", "unreliable": "?", "not_started": "◌", "kpi": "◆",
    },
    blocks=trend.BLOCKS,
    unknown=trend.UNKNOWN,
    full="━",
    rest="─",
    expected="┃",
    more="↳",
    line="─",
)  # fmt: skip

PLAIN = Marks(
    statuses={
        "achieved": "*", "on_track": "+", "at_risk": "!", "off_track": "#", "missed": "X",
        "no_data": "o", "unreliable": "?", "not_started": ".", "kpi": "=",
    },
    blocks=trend.ASCII_BLOCKS,
    unknown=trend.ASCII_UNKNOWN,
    full="=",
    rest=".",
    expected="|",
    more="-",
    line="-",
)  # fmt: skip


def marks_for(console: Console) -> Marks:
    """What a console can write: plain characters where its encoding has no blocks."""
    everything = "".join([*RICH.statuses.values(), *_LETTERS, RICH.blocks, "━─┃↳"])
    return RICH if _can_write(everything, console.encoding) else replace(PLAIN, encoding=console.encoding)


def _can_write(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _spelled(character: str, encoding: str) -> str:
    """A character, or the letters that stand for it where it cannot be written."""
    if _can_write(character, encoding):
        return character
    letters = _LETTERS.get(character) or unicodedata.normalize("NFKD", character)
    return letters.encode("ascii", "ignore").decode("ascii")
