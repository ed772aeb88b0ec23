"""Publication: the tables that BI tools and the report read, in one DuckDB file that is always whole."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from assets.publication.file import PublicationError, read, write
from assets.publication.results import Publication, Results
from assets.publication.tables import TablesError, documentation, frames

__all__ = ["Publication", "PublicationError", "Results", "TablesError", "documentation", "frames", "publish", "read"]


def publish(target: Path, publication: Publication, kept: Collection[str] = ()) -> dict[str, int]:
    """Make every table and put the file in its place; returns how many rows each table has.

    kept: ids of other organisations, whose rows stay as the file before has them.
    Raises `TablesError` or `PublicationError`; then the file that was there is untouched.
    """
    return write(target, frames(publication), kept)
