"""What a command says when it cannot do what it was asked."""

from __future__ import annotations


class Refused(Exception):
    """What was asked for cannot be done: says why, and what to do, a line each."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
