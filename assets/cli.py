"""The command line: `hito run`, `validate`, `report`, `sandbox`, `schema`, `dev`, `check-in`, `close`, `erase`, ….

Belongs here: commands, their options, exit codes, and turning what went wrong into lines a person can act on. Does not:
what a command does. Heavy libraries are imported by the command that needs them: `hito --help` answers at once.

Exit codes: 0 all is well; 1 something failed and the terminal says what; 2 the command line itself is wrong;
130 and 143 it was interrupted, by Ctrl-C or SIGTERM; 141 nobody reads on (`| head`).
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from enum import StrEnum
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ParamSpec, TypeVar

import typer
from rich.console import Console

from assets.commands.check_in import check_in
from assets.commands.close import close
from assets.commands.diff import diff
from assets.commands.erase import erase
from assets.commands.look import explain, replay
from assets.commands.refused import Refused
from assets.commands.template import template

if TYPE_CHECKING:
    from assets.home import Home
    from assets.run import Outcome

P = ParamSpec("P")
R = TypeVar("R")

_SIGPIPE = 141

app = typer.Typer(
    name="hito",
    help="Key results computed from what a company does.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    suggest_commands=False,  # click does already
)

out = Console()
err = Console(stderr=True)

Organisations = Annotated[
    list[str] | None, typer.Option("--organisation", "-o", help="Only this one; again for more.", show_default=False)
]
Today = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="The day on which to be, as YYYY-MM-DD.", show_default="today"),
]
Seed = Annotated[int, typer.Option(help="Which simulated companies.", min=0)]


class Tongue(StrEnum):
    """The languages that titles have."""

    es = "es"
    en = "en"


Language = Annotated[Tongue, typer.Option(help="Language of the report.")]


def told(command: Callable[P, R]) -> Callable[P, R]:
    """Say a user's mistake or an operator's problem in lines, and exit with 1: never a traceback for it."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        from assets.commands.deployed import NotToBeHad
        from assets.interruption import SAID, Interrupted
        from assets.publication import PublicationError
        from assets.run import RunRefused
        from kr_definitions.documents import DeclarationErrors
        from kr_definitions.measures.function import FunctionError
        from pipelines.lake import LakeError
        from pipelines.sandbox.server import SandboxError
        from pipelines.source import SourceError

        try:
            try:
                return command(*args, **kwargs)
            finally:
                sys.stdout.flush()
        except DeclarationErrors as errors:
            for problem in errors.problems:
                err.print(str(problem), style="red", highlight=False, markup=False, soft_wrap=True)
            count = len(errors.problems)
            err.print(f"{count} problem{'s' if count != 1 else ''}", highlight=False)
        except (
            FunctionError, LakeError, NotToBeHad, PublicationError, Refused, RunRefused, SandboxError, SourceError
        ) as error:  # fmt: skip
            err.print(str(error), style="red", highlight=False, markup=False, soft_wrap=True)
        except BrokenPipeError:  # whoever read this has seen enough: `| head`
            _silence()
            raise typer.Exit(_SIGPIPE) from None
        except SystemExit as end:  # as rich takes the same
            if isinstance(end.__context__, BrokenPipeError):
                raise typer.Exit(_SIGPIPE) from None
            raise
        except OSError as error:
            err.print(_unwritten(error), style="red", highlight=False, markup=False, soft_wrap=True)
        except KeyboardInterrupt as interrupted:
            err.print(SAID)
            raise typer.Exit(interrupted.code if isinstance(interrupted, Interrupted) else 130) from None
        raise typer.Exit(1)

    return wrapped


def _silence() -> None:
    """Let go of what is still to be said."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _unwritten(error: OSError) -> str:
    """What could not be written, and what to do; what is still to be said on a full disk is let go."""
    try:
        sys.stdout.flush()
    except OSError:
        _silence()
    found = error.strerror or error
    if error.filename:
        return f"{error.filename}: {found}. Choose a folder that can be written to (HITO_HOME)"
    return f"{found}. Make room where this output goes and where the home is (HITO_HOME), or choose other places"


@app.command()
@told
def run(
    organisation: Organisations = None,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Against simulated companies, served here.")] = False,
    today: Today = None,
    seed: Seed = 1,
    language: Language = Tongue.en,
) -> None:
    """Fetch, compute, check and publish; then report.

    Without --sandbox the sources are the accounts that the configuration connects (README.md: "Connect a real
    account").
    """
    from contextlib import ExitStack

    from assets import run as running
    from assets.home import Home
    from assets.interruption import at_once, beside, heeded
    from assets.reporting import report as report_on
    from assets.telling import bars

    running.quiet()
    with ExitStack() as stack:
        stack.enter_context(heeded())
        home = Home.from_environment()
        chosen = _chosen(home, organisation, sandbox=sandbox)
        if sandbox:
            _refuse_the_future(today, chosen)
            home, base_url = stack.enter_context(running.sandbox(chosen, _day(today), seed))
            err.print(f"sandbox at {base_url}", style="dim", highlight=False, soft_wrap=True)
        elif today is not None:
            err.print("--today moves a sandbox; real accounts are always read today", style="red")
            raise typer.Exit(2)
        with at_once(err), bars(err):
            outcome = beside(partial(running.run, home, chosen))
        _tell(outcome)
        if outcome.failed:
            out.print("This run failed in part (see the errors); what follows is what is published now.\n", style="red")
        if home.published.exists() or not outcome.failed:
            report_on(out, home, chosen, language)
        if outcome.failed:
            raise typer.Exit(1)


def _tell(outcome: Outcome) -> None:
    """What a run came to, beside its report: the last lines say what of the sources does not count."""

    def say(line: str, style: str) -> None:
        err.print(line, style=style, highlight=False, markup=False, soft_wrap=True)

    for name in outcome.undeclared:
        say(f"{name} is declared no more: nothing of it is computed, and what was reported of it stays", "yellow")
    for line in outcome.set_aside:
        say(f"set aside: {line}", "yellow")
    for name, failures in outcome.failed.items():
        for failure in failures:
            say(failure if failure.startswith(f"{name}.") else f"{name}: {failure}", "red")
    for line in outcome.standing_aside:
        say(
            f"set aside in all: {line}; what they said before counts on; the report's checks say what is wrong",
            "yellow",
        )


@app.command()
@told
def validate(
    organisation: Organisations = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Also the rules that are switched off.")] = False,
) -> None:
    """Review the declarations: every error, warning and remark, with its file and line (docs/review.md)."""
    from assets.commands.declared import other_declarations
    from assets.home import Home
    from assets.validating import tell, validated

    home = Home.from_environment()
    if (other := other_declarations(home, Path.cwd())) is not None:
        err.print(f"validated is {home.definitions}. {other}", style="yellow", highlight=False, soft_wrap=True)
    found = [validated(home, name) for name in _chosen(home, organisation, with_strays=True)]
    for one in found:
        tell(out, one, verbose=verbose)
    if any(one.review.errors for one in found):
        raise typer.Exit(1)


@app.command()
@told
def report(
    organisation: Organisations = None,
    language: Language = Tongue.en,
    sandbox: Annotated[bool, typer.Option("--sandbox", help="Of the simulated companies.")] = False,
) -> None:
    """Show the progress that was last published."""
    from assets.home import PROJECT, Home
    from assets.reporting import report as report_on

    if sandbox and not os.environ.get("HITO_HOME"):
        os.environ["HITO_HOME"] = str(PROJECT / ".hito" / "sandbox")
    home = Home.from_environment()
    report_on(out, home, _chosen(home, organisation, sandbox=sandbox), language)


@app.command()
@told
def sandbox(
    organisation: Organisations = None,
    today: Today = None,
    seed: Seed = 1,
    port: Annotated[int, typer.Option(help="Port on this machine; 0 takes a free one.", min=0, max=65535)] = 8700,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="Spoil answers: zendesk:429,truncate for one in four; zendesk:html-error@3 for the third."),
    ] = None,
) -> None:
    """Serve simulated companies' vendors on this machine until interrupted."""
    from assets.home import PROJECT, Home, started_at
    from assets.run import pseudonym_keys, sandbox_day
    from pipelines.sandbox.runner import running

    chosen = _chosen(Home.from_environment(), organisation, sandbox=True)
    _refuse_the_future(today, chosen)
    root = Path(os.environ.get("HITO_HOME") or PROJECT / ".hito" / "sandbox")
    day = _day(today) or sandbox_day(chosen, started_at(), root)
    with running(chosen, day, root, seed=seed, port=port, faults=fault or ()) as served:
        err.print(f"# {', '.join(chosen)} on {day} at {served.base_url}; Ctrl-C ends it", highlight=False)
        err.print("# to run against it from another terminal:", highlight=False)
        for name, value in {"HITO_HOME": str(root), **pseudonym_keys(chosen), **served.environment()}.items():
            print(f"export {name}={shlex.quote(value)}")  # noqa: T201 - to be evaluated by a shell
        sys.stdout.flush()
        try:
            served.wait()
        except KeyboardInterrupt:
            for line in served.changed():
                err.print(f"# answers spoilt of {line}", highlight=False, markup=False, soft_wrap=True)
            err.print("ended")


@app.command()
def schema(
    kind: Annotated[str, typer.Argument(help="objective or organisation")] = "objective",
) -> None:
    """Print the JSON Schema of a declaration file, for completion in an editor."""
    from kr_definitions.schema import SCHEMAS, text

    if kind not in SCHEMAS:
        err.print(f"there is no schema of '{kind}': choose from {', '.join(SCHEMAS)}", style="red", highlight=False)
        raise typer.Exit(2)
    print(text(kind), end="")  # noqa: T201 - a document, not a message


@app.command()
@told
def dev(
    port: Annotated[int, typer.Option(help="Port of the web interface.", min=1, max=65535)] = 3000,
    sandbox: Annotated[bool, typer.Option("--sandbox/--live", help="Whose records to show.")] = True,
) -> None:
    """Open Dagster's web interface on the project, on this machine only."""
    from assets.home import PROJECT, Home
    from assets.run import prepared

    if sandbox:
        os.environ.setdefault("HITO_HOME", str(PROJECT / ".hito" / "sandbox"))
    home = Home.from_environment()
    prepared(home)
    os.environ["DAGSTER_HOME"] = str(home.dagster)
    os.chdir(PROJECT)
    arguments = ["-w", "workspace.yaml", "--host", "127.0.0.1", "--port", str(port)]
    os.execv(Path(sys.executable).with_name("dagster"), ["dagster", "dev", *arguments])  # noqa: S606 - no shell


app.command("check-in")(told(check_in))
app.command()(told(close))
app.command()(told(diff))
app.command()(told(erase))
app.command()(told(explain))
app.command()(told(replay))
app.command()(told(template))


def _refuse_the_future(today: datetime | None, organisations: list[str]) -> None:
    from assets.clock import SystemClock
    from assets.run import real_day

    real = real_day(organisations, SystemClock().now())
    if today is not None and today.date() > real:
        told = (
            f"--today {today.date()} has not come yet: choose {real}, or an earlier day in a folder that has seen none"
        )
        err.print(f"{told} later than that (HITO_HOME=.hito/then)", style="red", highlight=False, soft_wrap=True)
        raise typer.Exit(2)


def _day(given: datetime | None) -> date | None:
    return None if given is None else given.date()


def _chosen(
    home: Home, organisations: list[str] | None, *, sandbox: bool = False, with_strays: bool = False
) -> list[str]:
    """The organisations that were named, or all of them (in the sandbox, all that it simulates).

    with_strays: also folders with declarations that lack their organisation.yaml, which else are refused. Raises
    `DeclarationErrors` for a named one that is not declared; what else is declared does not matter to it.
    """
    from assets.run import RunRefused, simulated
    from kr_definitions.catalogue import strays

    declared, without = home.organisations(), strays(home.definitions)
    if organisations:
        for unknown in set(organisations) - set(declared):
            home.catalogue(unknown)
        return list(dict.fromkeys(organisations))
    if with_strays and without:
        return sorted([*declared, *without])
    if not declared:
        raise RunRefused(f"{home.definitions} declares no organisation: it has no folder with an organisation.yaml")
    if without:
        where = f"{home.definitions.name}/{without[0]}"
        raise RunRefused(f"{where} has declarations but no organisation.yaml: add or remove it")
    return simulated(declared) if sandbox else declared


def main() -> None:
    """Entry point of `hito`."""
    app()


if __name__ == "__main__":
    main()
