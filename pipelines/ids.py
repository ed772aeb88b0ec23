"""Which records are held, by their numbers, small enough to be carried from one reading to the next.

Belongs here: packing a set of numeric ids, and unpacking it. Does not: what they are for (a source's reading).

Ids of one kind lie close together, so what is kept is the lengths of the runs in and between them, squeezed: a
hundred thousand of a million take a hundred kilobytes. Long readings pack them again and again: squeezing harder saves
a tenth, and takes up to ten times as long.
"""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable
from itertools import groupby


def packed(ids: Iterable[int]) -> str:
    """The ids as a text."""
    lengths, last = list[int](), 0
    for _, run in groupby(enumerate(sorted(set(ids))), key=lambda pair: pair[1] - pair[0]):
        held = [id_ for _, id_ in run]
        lengths += [held[0] - last, len(held)]
        last = held[-1] + 1
    return b64encode(zlib.compress(" ".join(map(str, lengths)).encode(), 6)).decode()


def unpacked(text: str) -> set[int]:
    """The ids of a text."""
    lengths = [int(one) for one in zlib.decompress(b64decode(text)).split()]
    found, at = set[int](), 0
    for gap, length in zip(lengths[::2], lengths[1::2], strict=True):
        found.update(range(at + gap, at + gap + length))
        at += gap + length
    return found
