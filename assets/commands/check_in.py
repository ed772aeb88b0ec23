"""`hito check-in`: what a person says of a key result on a day.

Belongs here: the command's options, reading what they say, and what it answers. Does not: what may be said
(`kr_definitions.check_ins`), how it is kept (`pipelines.check_ins`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from assets.commands.refused import Refused

if TYPE_CHECKING:
    from assets.commands.asked import Asked

_NUMBER = r"[+-]?\d{1,15}(\.\d{1,6})?"

out = Console()


def check_in(
    key_result: Annotated[str, typer.Argument(help="Id of the key result.", show_default=False)],
    confidence: Annotated[
        str | None, typer.Option(help="How sure you are that it will be reached, 0 to 1.", show_default=False)
    ] = None,
    value: Annotated[
        str | None,
        typer.Option(help="The value, where you know better than what is computed (which stays).", show_default=False),
    ] = None,
    note: Annotated[str | None, typer.Option(help="Why, in your words; nobody's name.", show_default=False)] = None,
    on: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="The day that you speak of, as YYYY-MM-DD.",
            show_default="yesterday, or the last day of the period",
        ),
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="Who says so; stored as a code that says nothing of them.", show_default=False)
    ] = None,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Take back the last one by you (on that day).")] = False,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Of the simulated companies.")] = False,
) -> None:
    """Say how a key result stands: it is published with the next run, beside what is computed (docs/check-ins.md)."""
    from assets.commands.asked import asked

    with asked(key_result, sandbox=sandbox) as about:
        day = None if on is None else on.date()
        if not withdraw:
            told = _said(about, key_result, [confidence, value], note, day, by)
        elif (confidence, value, note) != (None, None, None):
            raise Refused(
                "--withdraw takes back what was said and says nothing new: leave out what you say, or withdraw"
            )
        else:
            told = _withdrawn(about, key_result, day, by)
    out.print(told, highlight=False, markup=False, soft_wrap=True)


def _said(
    about: Asked, key_result: str, figures: Sequence[str | None], note: str | None, day: date | None, by: str | None
) -> str:
    from kr_definitions.check_ins import unknown
    from pipelines.check_ins import CheckIn, problem, record_of, source

    definition = next((one for one in about.catalogue.definitions if one.id == key_result), None)
    if definition is None:
        raise Refused(unknown(key_result, {one.id: one for one in about.catalogue.definitions}))
    if definition.period is None:
        raise Refused(f"{key_result}: the event that its period begins with has not happened: nothing can be said yet")
    problems = [
        f"{name} {text!r} is not a number: write it as 12 or 12.5"
        for name, text in zip(("--confidence", "--value"), figures, strict=True)
        if text is not None and not re.fullmatch(_NUMBER, text.strip())
    ]
    if problems:
        raise Refused(*problems)
    sure, value = (None if text is None else Decimal(text.strip()) for text in figures)
    on = day or min(about.yesterday, definition.period.last)
    said = CheckIn(key_result, on, about.who(by), sure, note.strip() or None if note else None, value)
    inbox = about.home.inbox(about.organisation)
    of_inbox = source(about.catalogue, inbox, lambda person: person)
    if (found := problem(of_inbox, record_of(said, about.now), about.now)) is not None:
        raise Refused(f"{found}. Nothing was noted")
    inbox.add(said, about.now)
    told = [
        *([] if sure is None else [f"confidence {sure}"]),
        *([] if value is None else [f"value {value}, beside the computed one"]),
        *([] if said.note is None else [f"“{said.note}”"]),
    ]
    return f"noted for the next run: {key_result} on {on}: {', '.join(told)}"


def _withdrawn(about: Asked, key_result: str, day: date | None, by: str | None) -> str:
    from pipelines.check_ins import latest

    inbox, raw = about.home.inbox(about.organisation), about.home.lake(about.organisation).raw
    key = latest(inbox, raw, key_result, about.who(by), day)
    if key is None:
        of_day, of_person = "" if day is None else f" on {day}", f" by {by}" if by else " without --by"
        raise Refused(
            f"there is no check-in of {key_result}{of_day}{of_person} to take back. "
            "What a file says is taken back in the file"
        )
    inbox.withdraw(key, about.now)
    return f"taken back with the next run: {key_result} on {key.split('/')[1]}"
