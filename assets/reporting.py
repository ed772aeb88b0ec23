"""The report of what is published: read the file, render it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from assets.home import Home
from assets.publication import read
from assets.report import render


def report(console: Console, home: Home, organisations: Sequence[str], language: str) -> None:
    """Show how the key results of organisations stand, as last published. Raises `PublicationError` without a file."""
    render(console, read(home.published), language, organisations)
