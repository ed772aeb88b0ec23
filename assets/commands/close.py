"""`hito close`: seal the scores of a period that is over.

Belongs here: the command's options and what it answers. Does not: what may be sealed (`kr_definitions.seals`), the
steps (`assets.closing`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from assets.commands.refused import Refused

if TYPE_CHECKING:
    from assets.commands.asked import Asked

out = Console()
err = Console(stderr=True)


def close(
    name: Annotated[
        str, typer.Argument(metavar="KEY_RESULT|OBJECTIVE", help="Id of what is closed.", show_default=False)
    ],
    by: Annotated[
        str | None,
        typer.Option(help="Who closes it: a declared owner, or a person (stored as a code).", show_default=False),
    ] = None,
    note: Annotated[str | None, typer.Option(help="Why, in your words; nobody's name.", show_default=False)] = None,
    as_unknown: Annotated[bool, typer.Option("--as-unknown", help="Also where the score is not known.")] = False,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Of the simulated companies.")] = False,
) -> None:
    """Seal the score of a period that is over; an objective with all of its key results (docs/check-ins.md).

    A seal stays: what becomes known later is shown beside it.
    """
    from assets.closing import NotClosed
    from assets.closing import close as seal
    from assets.commands.asked import asked
    from assets.run import only_run
    from kr_definitions.seals import Act, sealed_already
    from pipelines.addresses import holds_a_mail_address
    from pipelines.lake import Overtaken
    from pipelines.plausibility import holds_a_telephone_number

    if note and holds_a_mail_address(note):
        raise Refused("the note holds a mail address, which is never stored: leave it out")
    if note and holds_a_telephone_number(note):
        raise Refused("the note holds a telephone number, which is never stored: leave it out")
    with asked(name, sandbox=sandbox) as about, only_run(about.home):
        act = Act(about.now, _signed(about, by), note.strip() or None if note else None)
        try:
            closed = seal(about.home, about.catalogue, name, act, as_unknown=as_unknown)
        except (NotClosed, Overtaken) as why:
            raise Refused(*str(why).splitlines()) from None
    for row in closed.seals.iter_rows(named=True):
        out.print(_told(row), highlight=False, markup=False, soft_wrap=True)
        if row["is_provisional"]:
            told = f"{_name(row)}: facts of the period may still arrive; what they change will stand beside the seal"
            err.print(told, style="yellow", highlight=False, markup=False, soft_wrap=True)
    if closed.seals.height:
        out.print("The next run publishes it.", highlight=False)
    for row in closed.kept.iter_rows(named=True):
        err.print(
            f"kept: {sealed_already(_name(row), row)}", style="dim", highlight=False, markup=False, soft_wrap=True
        )


def _signed(about: Asked, by: str | None) -> str | None:
    """Who closes: an owner as they are declared; anybody else as they are stored everywhere."""
    catalogue = about.catalogue
    owners = {one.owner for one in catalogue.objectives} | {one.key_result.owner for one in catalogue.definitions}
    return by.strip() if by and by.strip() in owners else about.who(by)


def _name(row: dict[str, Any]) -> str:
    return str(row["key_result_id"] or row["objective_id"])


def _told(row: dict[str, Any]) -> str:
    score = "unknown" if row["score"] is None else f"{row['score']:.2f}"
    status = "" if row["status"] is None else f" ({row['status'].replace('_', ' ')})"
    value, target = ("" if row[name] is None else f", {name} {row[name]:g}" for name in ("value", "target"))
    return f"sealed: {_name(row)}, {row['period_start']} to {row['period_end']}: score {score}{status}{value}{target}"
