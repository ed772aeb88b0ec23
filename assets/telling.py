"""Telling a person how a run goes: progress bars where somebody watches, nothing where nobody does.

Belongs here: the channel from the steps of a run to the terminal. Does not: the report (`report`), logging.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class Listener(Protocol):
    """Who is told. step: a piece of work with a name; records: how many more of something it has done."""

    def advance(self, step: str, records: int = 1, total: int | None = None) -> None:
        """So many more records, or steps, of `step`; `total` where it is known."""
        ...

    def done(self, step: str) -> None:
        """`step` is over."""
        ...


class Nobody:
    """Listens to nothing."""

    def advance(self, step: str, records: int = 1, total: int | None = None) -> None:
        """Say nothing."""

    def done(self, step: str) -> None:
        """Say nothing."""


# The last one is told. Of the whole process: Dagster's steps have threads and contexts of their own.
_listening: list[Listener] = [Nobody()]


def listener() -> Listener:
    """Who listens to the present run."""
    return _listening[-1]


class Bars:
    """One bar a step: a count that grows, and a bar where the total is known."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def advance(self, step: str, records: int = 1, total: int | None = None) -> None:
        """Move the step's bar."""
        if step not in self._tasks:
            self._tasks[step] = self._progress.add_task(step, total=total)
        self._progress.update(self._tasks[step], advance=records)
        if total is not None:
            self._progress.update(self._tasks[step], total=total)

    def done(self, step: str) -> None:
        """Fill the step's bar."""
        if step in self._tasks:
            task = self._progress.tasks[self._progress.task_ids.index(self._tasks[step])]
            self._progress.update(self._tasks[step], total=task.completed)


@contextmanager
def apart(console: Console) -> Iterator[Console]:
    """The console by a way of its own: Dagster keeps what its steps write to the terminal for its log."""
    try:
        descriptor = os.dup(console.file.fileno())
    except OSError:  # it has none: it is no terminal or file
        yield console
        return
    with os.fdopen(descriptor, "w", encoding="utf-8") as terminal:
        yield Console(file=terminal, width=console.width)


@contextmanager
def bars(console: Console) -> Iterator[None]:
    """Show progress bars on a console while the block runs; nothing where it is not a terminal."""
    if not console.is_terminal:
        yield
        return
    columns = (
        SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), BarColumn(bar_width=24),
        MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    with (
        apart(console) as own,
        Progress(*columns, console=own, transient=True, redirect_stdout=False, redirect_stderr=False) as progress,
    ):
        _listening.append(Bars(progress))
        try:
            yield
        finally:
            _listening.pop()
