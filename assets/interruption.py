"""Ending at once when somebody asks for it: Ctrl-C, or a scheduler's SIGTERM.

Belongs here: signals, and leaving. Does not: what is interrupted; that a step may be killed at any moment and repeated
is the step's own affair.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

from rich.console import Console

from assets.telling import apart

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SAID = "interrupted: the next run goes on from here"


class Interrupted(KeyboardInterrupt):
    """Somebody asked the process to end. code: what its shell is told, 128 and the number of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.code = 128 + number


@contextmanager
def heeded() -> Iterator[None]:
    """Let the first signal raise `Interrupted` in the main thread while the block runs, and further ones do nothing."""
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - as Python calls it
        for one in SIGNALS:
            signal.signal(one, signal.SIG_IGN)
        raise Interrupted(number)

    for number in SIGNALS:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def beside(work: Callable[[], T]) -> T:
    """What `work` returns or raises, done in a thread of its own while the main thread listens for signals.

    Dagster and dlt take over the main thread's signals while they work, and hold them back; in another thread they
    leave them alone. A thread cannot be stopped, so who interrupts this one has to end the process (`at_once`).
    """
    ended: Future[T] = Future()

    def do() -> None:
        try:
            ended.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits for it
            ended.set_exception(error)

    threading.Thread(target=do, name="work", daemon=True).start()
    return ended.result()


@contextmanager
def at_once(console: Console) -> Iterator[None]:
    """Where the block is interrupted: say so and end the process, without putting anything in order.

    What a thread was doing is killed with it, as by a power cut; locks end with the process.
    """
    with apart(console) as terminal:
        try:
            yield
        except Interrupted as interrupted:
            terminal.print(SAID)
            os._exit(interrupted.code)
