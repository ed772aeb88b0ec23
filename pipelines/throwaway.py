"""Throw-away folders: removed when they have been used, and by the next one where a killed process left them.

Belongs here: folders for what a load writes down on its way. Does not: what is in them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

Use = Literal["dlt", "files", "log"]
_USES: tuple[Use, ...] = ("dlt", "files", "log")


@contextmanager
def throwaway_folder(use: Use) -> Iterator[Path]:
    """A folder for the block, removed after it; those that killed processes left are removed before it."""
    remove_left_over(use)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_prefix(use)))
        if (handle := _hold(folder, wait=True)) is not None:
            break
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def remove_left_over(*uses: Use) -> None:
    """Remove the folders that killed processes left; of every use, where none is named."""
    for use in uses or _USES:
        for left_over in Path(tempfile.gettempdir()).glob(f"{_prefix(use)}*"):
            if (handle := _hold(left_over, wait=False)) is not None:
                shutil.rmtree(left_over, ignore_errors=True)
                os.close(handle)


def _prefix(use: Use) -> str:
    return f"hito-{use}-"


def _hold(folder: Path, *, wait: bool) -> int | None:
    """A lock on a folder, which ends with its process; None where somebody has it, or there is no such folder now."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except (FileNotFoundError, PermissionError):
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(folder.stat(), os.fstat(handle)):
            return handle
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(handle)
    return None
