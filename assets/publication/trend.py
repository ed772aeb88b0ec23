"""A series of figures as one line of blocks.

Belongs here: drawing numbers as text. Does not: which figures are drawn, or colour.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII_BLOCKS = "_.-:=+*#"
UNKNOWN = "·"
ASCII_UNKNOWN = "?"


def sparkline(
    values: Sequence[float | None],
    width: int,
    floor: float | None = None,
    blocks: str = BLOCKS,
    unknown: str = UNKNOWN,
    ceiling: float | None = None,
) -> str:
    """The values from left to right, low to high, in at most `width` characters.

    More values than characters share them evenly: a character shows the last known value of its share, and is a gap
    where most of its share is not known. A series that never moves is drawn low when it is zero, else in the middle.
    floor: what the lowest block stands for, unless a value is lower; without it, the lowest value. ceiling: the same of
    the highest one.
    """
    shown = [_last_known(share) for share in _shares(list(values), width)]
    known = [value for value in shown if value is not None]
    if not known:
        return unknown * len(shown)
    low = min(known if floor is None else [*known, floor])
    high = max(known if ceiling is None else [*known, ceiling])
    return "".join(unknown if value is None else blocks[_level(value, low, high, len(blocks))] for value in shown)


def _shares(values: list[float | None], width: int) -> list[list[float | None]]:
    if len(values) <= width:
        return [[value] for value in values]
    edges = [round(n * len(values) / width) for n in range(width + 1)]
    return [values[first:last] for first, last in pairwise(edges)]


def _last_known(share: list[float | None]) -> float | None:
    known = [value for value in share if value is not None and math.isfinite(value)]
    return known[-1] if known and 2 * len(known) >= len(share) else None


def _level(value: float, low: float, high: float, levels: int) -> int:
    if high == low:
        return 0 if value == 0 else levels // 2 - 1
    return round((value - low) / (high - low) * (levels - 1))
