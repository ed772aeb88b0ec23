"""`hito template`: a sheet to fill in, the declaration that reads it, and whether a filled-in one can be read.

Belongs here: the command's options and what it answers. Does not: the templates, or looking at a file
(`pipelines.templates`).
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from assets.commands.refused import Refused

out = Console()
err = Console(stderr=True)


class TemplateLanguage(StrEnum):
    """The languages that templates are in."""

    es = "es"
    en = "en"


class Kept(StrEnum):
    """Where a sheet is kept."""

    files = "files"
    google_sheets = "google_sheets"


def template(
    name: Annotated[str | None, typer.Argument(help="Which one; without it, which ones there are.")] = None,
    folder: Annotated[Path, typer.Option(help="Where to write it.")] = Path(),
    language: Annotated[TemplateLanguage, typer.Option(help="Of its columns, and of what is told.")] = (
        TemplateLanguage.es
    ),
    kind: Annotated[Kept, typer.Option(help="Which source is to read it.")] = Kept.files,
    check: Annotated[Path | None, typer.Option(help="Tell what is wrong with this filled-in one.")] = None,
) -> None:
    """Write a sheet to fill in, with an example, and print the declaration that reads it.

    Paste that under `sources` of an organisation.yaml. With --check, a filled-in CSV is looked at: everything that
    could not be read is told by row and column, and the exit code is 1.
    """
    from pipelines.templates import NoTemplate, declaration, form, written
    from pipelines.templates.forms import FORMS

    if name is None:
        if check is not None:
            says = f"name the template that {check} was filled in from: {', '.join(FORMS)}"
            raise typer.BadParameter(says, param_hint="NAME")
        for one in FORMS.values():
            _say(f"{one.name:16} {one.says[language.value]}")
        return
    try:
        chosen = form(name)
    except NoTemplate as none:
        raise Refused(str(none)) from None
    if check is not None:
        _check(check, name, language)
        return
    path = folder / f"{chosen.name}.csv"
    if path.exists():
        raise Refused(f"{path} is there already: choose another --folder, or move it away")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(written(chosen, language.value))
    err.print(f"{path} is written. Under sources of organisation.yaml:", highlight=False, markup=False, soft_wrap=True)
    _say(declaration(chosen, language.value, kind.value).rstrip("\n"))


def _check(path: Path, name: str, language: TemplateLanguage) -> None:
    from assets.home import started_at
    from pipelines.templates import form
    from pipelines.templates.checking import check
    from pipelines.templates.words import TOLD

    told = TOLD[language.value]
    if not path.is_file():
        raise Refused(told.no_file.format(path=path))
    checked = check(path, form(name), language.value, started_at().date())
    if found := checked.findings:
        raise Refused(*map(str, found), told.problems.format(found=len(found)) if found[1:] else told.problem)
    _say(f"{path.name}: {checked.summary(language.value)}")


def _say(text: str) -> None:
    out.print(text, highlight=False, markup=False, soft_wrap=True)
