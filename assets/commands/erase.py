"""`hito erase`: show what there is of a person, ask, and erase it; and complete what was begun and cut off.

Belongs here: the command, and the order of lake, publication and Dagster's records. Does not: what is a person's and
how it goes (`pipelines.erasure`).

Nothing of the person is said but what the operator typed: neither ids of records nor what is in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from assets.commands.refused import Refused

if TYPE_CHECKING:
    from assets.home import Home
    from kr_definitions.catalogue import Catalogue
    from pipelines.erasure import Found

out = Console(highlight=False, markup=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)

_RUN_ID = "erasure"
_ELSEWHERE = "Name the folder that holds what is read (HITO_HOME), or --sandbox for the simulated companies"


def erase(
    organisation: Annotated[str, typer.Option("--organisation", "-o", help="Whose data it is.")],
    person: Annotated[str, typer.Option(help="The id that they have in a source, as it gives it.")],
    source: Annotated[str | None, typer.Option(help="Only in this one.", show_default="all")] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option("--as", help="What the id is of, where a source has several; again for more.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Without asking.")] = False,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Of the simulated companies.")] = False,
) -> None:
    """Erase a person: what there is of them, in every file, for good (docs/erasure.md)."""
    from assets.commands.asked import present
    from assets.run import quiet

    quiet()
    if not person.strip():
        raise Refused("--person is empty: give the id that they have in a source, as it gives it")
    with present([organisation], sandbox=sandbox) as (home, at):
        _erase(home, at, organisation, Asked(person, source, kinds or ()), is_sure=yes)
    out.print("Erased. The next run restates the figures that this had a part in.")


@dataclass(frozen=True)
class Asked:
    """Who is to go: the id that they have, in which source (None: in all), and what it may be the id of."""

    person: str
    source: str | None
    kinds: Sequence[str]


def _erase(home: Home, at: datetime, organisation: str, asked: Asked, *, is_sure: bool) -> None:
    from assets.run import only_run
    from pipelines import erasure

    sources = home.sources(home.catalogue(organisation))
    names = [one.name for one in sources]
    if asked.source is not None and asked.source not in names:
        err.print(f"{organisation} has no source {asked.source}: choose from {', '.join(names)}", style="red")
        raise typer.Exit(2)
    lake = home.lake(organisation)
    if not erasure.is_read(lake):
        raise Refused(f"nothing was ever read of {organisation} in {home.root}. Nothing was written. {_ELSEWHERE}")
    if erasure.is_under_way(lake):
        with only_run(home):
            complete(home, organisation, at)
        err.print("An erasure that had been cut off is complete.")
    known = erasure.kinds_of(lake, sources, asked.source)
    if unknown := sorted(set(asked.kinds) - set(known)):
        err.print(f"Nobody has an id as {', '.join(unknown)} here: choose from {', '.join(known)}", style="red")
        raise typer.Exit(2)
    found = erasure.find(lake, sources, asked.person, asked.source, asked.kinds)
    _refuse_nobody(found, [asked.source] if asked.source else names)
    _refuse_several(found, asked.kinds)
    _tell(organisation, found)
    if not is_sure:
        typer.confirm("It goes for good, and is not read again. Erase it?", abort=True, err=True)
    with only_run(home):
        # Once more: a run may have read more of them since.
        found = erasure.find(lake, sources, asked.person, asked.source, asked.kinds)
        _forget_runs(home, found)
        erasure.erase(lake, sources, found, at)
        complete(home, organisation, at)


def complete(home: Home, organisation: str, at: datetime) -> None:
    """Complete an erasure that was begun, up to what is published; nothing to do where none was.

    For whoever holds the home (`only_run`). What had been published goes where it cannot be published anew.
    """
    from pipelines import erasure

    lake = home.lake(organisation)
    if not erasure.is_under_way(lake):
        return
    catalogue = home.catalogue(organisation)
    erasure.resume(lake, home.sources(catalogue), at)
    _forget_check_ins(home, catalogue)
    _publish_anew(home, catalogue, at)
    erasure.published(lake)


def _forget_check_ins(home: Home, catalogue: Catalogue) -> None:
    """Drop those that no run has taken yet."""
    from pipelines.check_ins import NAME

    source = next(one for one in home.sources(catalogue) if one.name == NAME)
    [stream] = source.streams()
    suppressed = home.lake(catalogue.organisation.id).suppressed().of(source.name, source.account.pseudonym)
    home.inbox(catalogue.organisation.id).keep(
        lambda record: suppressed.applied(stream.name, stream.people, record) is not None
    )


def _forget_runs(home: Home, found: Found) -> None:
    from assets.dagster_records import RecordsInUse, forget
    from assets.run import RunRefused

    try:
        runs = forget(home.dagster, found.traces)
    except RecordsInUse as failure:
        raise RunRefused(str(failure)) from None
    if runs:
        out.print(f"Dagster's records of {_counted(runs, 'run')} told of them, and are removed.")


def _publish_anew(home: Home, catalogue: Catalogue, at: datetime) -> None:
    from assets.publishing import publish_all

    if not home.published.exists():
        return
    is_anew = False
    try:
        publish_all(home, [catalogue], at, _RUN_ID)
        is_anew = True
    finally:
        if not is_anew:
            home.published.unlink(missing_ok=True)
            err.print(f"{home.published} was removed: it could not be made anew. hito run publishes again", style="red")


def _refuse_nobody(found: Found, names: Sequence[str]) -> None:
    if not found.streams:
        err.print(f"Nobody is known by this id in {', '.join(names)}. Nothing was written.", style="red")
        raise typer.Exit(1)


def _refuse_several(found: Found, kinds: Sequence[str]) -> None:
    """One id may be several people's: a contact's and a seller's. Which of them is meant has to be said."""
    for source, several in found.kinds.items():
        if len(several) > 1 and not kinds:
            say = " or ".join(f"--as {kind}" for kind in several)
            err.print(f"In {source} this is the id of {_listed(several)}: say which is meant, {say}.", style="red")
            raise typer.Exit(1)


def _tell(organisation: str, found: Found) -> None:
    """What would go, by stream."""
    out.print(f"{organisation} has of this person:")
    width = max(len(f"{one.source}.{one.stream}") for one in found.streams)
    for one in found.streams:
        told = [f"{_counted(len(one.records), 'record')}, {_counted(one.events, 'event')}"] if one.records else []
        told += [f"{_counted(one.mentions, 'record')} of others that name them"] if one.mentions else []
        out.print(f"  {f'{one.source}.{one.stream}':<{width}}  {'; '.join(told)}")
    if any(one.mentions for one in found.streams):
        out.print("Records of others stay, and lose the name alone.")


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _listed(kinds: Sequence[str]) -> str:
    return " and of ".join(f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}" for kind in kinds)
