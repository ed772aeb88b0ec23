"""`hito diff` on the command line: its options and exit codes.

Belongs here: nothing more. Does not: what is compared (`comparing`), how it is told (`diff_told` and the modules of
its formats), which are imported when asked for.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

err = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)

MOVES = 3
"""The exit code, where it is asked for, that says that figures would move; 2 is a wrong command line."""


class Format(StrEnum):
    """For whom the answer is written: a person, a pull request, or a program."""

    text = "text"
    markdown = "markdown"
    json = "json"


def diff(
    organisation: Annotated[
        list[str] | None,
        typer.Option("--organisation", "-o", help="Only this one; again for more.", show_default=False),
    ] = None,
    format: Annotated[Format, typer.Option(help="For a person, a pull request, or a program.")] = Format.text,  # noqa: A002 - the option's name
    published: Annotated[
        Path | None,
        typer.Option(help="Compare with this published file alone, without the log.", show_default="the home's tables"),
    ] = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help=f"End with {MOVES} where figures would move.")] = False,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Of the simulated companies.")] = False,
) -> None:
    """Say what the declarations would do to the figures that are deployed; nothing is written (docs/diff.md)."""
    out = Console(markup=False, highlight=False)  # made now: it keeps the width that it first sees
    from assets.commands import diff_data, diff_markdown, diff_told
    from assets.commands.comparing import compared, remarks
    from assets.home import PROJECT, Home, started_at

    if sandbox and not os.environ.get("HITO_HOME"):
        os.environ["HITO_HOME"] = str(PROJECT / ".hito" / "sandbox")
    home = Home.from_environment()
    found = compared(home, organisation, published, started_at())
    err.print(f"declared in {home.definitions}", style="dim")
    for remark in remarks(home, organisation, published, found):
        err.print(remark, style="yellow")
    if format is Format.text:
        diff_told.tell(out, found)
    elif format is Format.markdown:
        print(diff_markdown.markdown(found), end="")  # noqa: T201 - a document, not a message
    else:
        print(diff_data.as_json(found))  # noqa: T201 - a document, not a message
    if any(one.refused for one in found):
        raise typer.Exit(1)
    if exit_code and any(one.moves for one in found):
        raise typer.Exit(MOVES)
