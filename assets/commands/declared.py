"""Which declarations a command is about, where it is not the ones that the folder would make one think.

Belongs here: naming the folder. Does not: reading it (`assets.home`).
"""

from __future__ import annotations

import os
from pathlib import Path

from assets.home import Home
from kr_definitions.catalogue import organisations


def other_declarations(home: Home, here: Path) -> str | None:
    """That a folder has declarations of its own which are not the home's, and how to name those; else None.

    Where `HITO_DEFINITIONS` names a folder, it is the one that is meant.
    """
    theirs = here / "kr_definitions"
    if os.environ.get("HITO_DEFINITIONS"):
        return None
    if theirs.resolve() == home.definitions or not organisations(theirs):
        return None
    return f"{theirs} has declarations too, which are not meant: HITO_DEFINITIONS=kr_definitions names them"
