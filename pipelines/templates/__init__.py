"""Templates of the sheets that people fill in: what stands in them, and the declaration that reads them.

Belongs here: a template's CSV and its declaration, in each language. Does not: which templates there are (`forms`),
whether a filled-in one can be read (`checking`).

A template's first row names the columns; each of those below it explains one, with an example. They begin with `#` and
have nothing in their other cells, and so are notes, which no reading counts: they may stay.
"""

from __future__ import annotations

import csv
import io
from typing import Any, Literal

import yaml

from kr_definitions.vocabulary import nearest
from pipelines.files.declaration import FilesOptions
from pipelines.templates.forms import FORMS, Form, Language

Kind = Literal["files", "google_sheets"]

NOTES = "#"
SPREADSHEET = "PASTE-ITS-ID"

_DAYS = {"es": "%d/%m/%Y", "en": "%Y-%m-%d"}
_CELLS = {"es": {"decimal": ","}, "en": {"decimal": "."}}
_SEPARATORS = {"es": ";", "en": ","}


class NoTemplate(Exception):
    """There is no template of that name."""


def form(name: str) -> Form:
    """A template by its name. Raises `NoTemplate` with the nearest."""
    if name not in FORMS:
        raise NoTemplate(f"there is no template '{name}': choose {' or '.join(nearest(name, FORMS) or FORMS)}")
    return FORMS[name]


def written(form: Form, language: Language) -> bytes:
    """The CSV to fill in, as a spreadsheet opens it: with a mark of its encoding."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=_SEPARATORS[language], lineterminator="\r\n")
    writer.writerow([column.name[language] for column in form.columns])
    for column in form.columns:
        note = f"{NOTES} {column.name[language]}: {column.says[language]} ({column.example[language]})"
        writer.writerow([note, *[""] * (len(form.columns) - 1)])
    return b"\xef\xbb\xbf" + text.getvalue().encode()


def header(form: Form, language: Language) -> str:
    """Its first line."""
    return _SEPARATORS[language].join(column.name[language] for column in form.columns)


def declared(form: Form, language: Language, kind: Kind = "files") -> dict[str, Any]:
    """The source that reads it, as `organisation.yaml` declares one."""
    stream: dict[str, Any] = {}
    cells = {**_CELLS[language], "notes": NOTES}
    if kind == "files":
        stream["path"] = f"{form.name}.csv"
        stream["format"] = {"type": "csv", "separator": _SEPARATORS[language], **cells}
        stream |= {"delivery": "snapshot", "covers": {"through": "reading"}}
    else:
        stream |= {"sheet": form.name, "format": cells}
    names = {column.key: column.name[language] for column in form.columns}
    types = {column.key: column.type for column in form.columns if column.type in ("number", "date")}
    days = {"type": "date", "format": _DAYS[language]}
    stream["key"] = names["id"]
    stream["columns"] = {names[key]: dict(days) if of_type == "date" else of_type for key, of_type in types.items()}
    if form.expect:
        stream["expect"] = [
            {"that": that.format_map(names), "says": says[language].format_map(names)} for that, says in form.expect
        ]
    stream["events"] = [_named(event, names) for event in form.events]
    streams = {"streams": {form.stream: stream}}
    return {"kind": kind, "options": streams if kind == "files" else {"spreadsheet": SPREADSHEET, **streams}}


def declaration(form: Form, language: Language, kind: Kind = "files") -> str:
    """The same as text, to be pasted under `sources`."""
    text = yaml.safe_dump(
        {form.name: declared(form, language, kind)}, sort_keys=False, allow_unicode=True, default_flow_style=None,
        width=110,
    )  # fmt: skip
    return "".join(f"  {line}\n" for line in text.splitlines())


def options(form: Form, language: Language) -> FilesOptions:
    """What is declared of a file, understood."""
    return FilesOptions.model_validate(declared(form, language)["options"])


def _named(value: Any, names: dict[str, str]) -> Any:
    """Part of a declaration, with the columns as the language calls them."""
    if isinstance(value, dict):
        return {key: _named(one, names) for key, one in value.items()}
    return value.format_map(names) if isinstance(value, str) else value
