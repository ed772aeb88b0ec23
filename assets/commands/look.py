"""`hito explain` and `hito replay` on the command line.

Belongs here: their options. Does not: finding the answers (`explain`, `replay`), which are imported when asked for.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

out = Console(markup=False)


class Format(StrEnum):
    """For whom an answer is written."""

    text = "text"
    json = "json"


Sandbox = Annotated[bool, typer.Option("--sandbox", help="Of the simulated companies.")]


def explain(
    key_result: Annotated[str, typer.Argument(help="Its id, such as inmobiliaria.ventas.exclusivas.")],
    on: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Of which day.", show_default="the newest")
    ] = None,
    member: Annotated[
        str | None, typer.Option(help="Of which member, part or guardrail.", show_default="the whole")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="What changed since this day.", show_default=False)
    ] = None,
    known_at: Annotated[
        str | None,
        typer.Option(
            help="With what was known at an instant; without a zone, the organisation's.", show_default="the last run"
        ),
    ] = None,
    most: Annotated[int, typer.Option(help="How many events to show.", min=1)] = 20,
    format: Annotated[Format, typer.Option(help="For a person, or for a program.")] = Format.text,  # noqa: A002 - the option's name
    sandbox: Sandbox = False,
) -> None:
    """Show the events behind a figure, and what changed between two days (docs/history.md)."""
    from assets.commands.asked import present
    from assets.commands.explain import Question, answered, as_json, tell
    from assets.commands.known import instant_of

    organisation = key_result.partition(".")[0]
    with present([organisation], sandbox=sandbox) as (home, now):
        is_ours = organisation in home.organisations()
        known = instant_of(home, organisation, known_at, now) if known_at is not None and is_ours else None
        answer = answered(home, Question(key_result, _day(on), member, _day(since), known))
    if format is Format.json:
        print(as_json(answer))  # noqa: T201 - a document, not a message
    else:
        tell(out, answer, most)


def replay(
    known_at: Annotated[
        str, typer.Option(help="The instant, as 2026-11-21T06:00:00+01:00; without a zone, the organisation's.")
    ],
    organisation: Annotated[
        list[str] | None,
        typer.Option("--organisation", "-o", help="Only this one; again for more.", show_default=False),
    ] = None,
    key_result: Annotated[
        list[str] | None, typer.Option("--key-result", "-k", help="Only this one; again for more.", show_default=False)
    ] = None,
    format: Annotated[Format, typer.Option(help="For a person, or for a program.")] = Format.text,  # noqa: A002 - the option's name
    sandbox: Sandbox = False,
) -> None:
    """Compute the history with what was known at an instant, and compare it with what was reported then.

    Ends with 1 where figures differ and nothing that is known of explains it.
    """
    from assets.commands.asked import present
    from assets.commands.known import instant_of, organisations_with_log, refuse_unknown, typed_instant
    from assets.commands.replay import as_json, replayed, tell

    typed_instant(known_at)
    names = list(key_result or ())
    is_unexplained = False
    with present(organisation or [], sandbox=sandbox) as (home, now):
        refuse_unknown(home, names, organisation or home.organisations())
        of_key_results = sorted({name.partition(".")[0] for name in names})
        for name in organisation or of_key_results or organisations_with_log(home):
            instant = instant_of(home, name, known_at, now)
            of = replayed(home, name, instant, [one for one in names if one.startswith(f"{name}.")])
            is_unexplained |= any("unexplained" in reasons for reasons in of.found.reasons.values())
            if format is Format.json:
                print(as_json(name, of).decode())  # noqa: T201 - a document, not a message
            else:
                tell(out, name, of)
    if is_unexplained:
        raise typer.Exit(1)


def _day(given: datetime | None) -> date | None:
    return None if given is None else given.date()
