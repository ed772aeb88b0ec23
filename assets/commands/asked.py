"""What a command that writes is about: its home, its organisation, the present.

Belongs here: finding these, and refusing what cannot be found. Does not: any one command.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from assets.commands.refused import Refused
from assets.home import PROJECT, Home, last_whole_day, started_at
from assets.run import environment, pseudonym_keys
from assets.steps import with_periods
from kr_definitions.catalogue import Catalogue
from kr_definitions.vocabulary import nearest


@dataclass(frozen=True)
class Asked:
    """What a command is about. now: the present of the home; in a sandbox, the morning that it was last shown at."""

    home: Home
    catalogue: Catalogue
    now: datetime

    @property
    def organisation(self) -> str:
        return self.catalogue.organisation.id

    @property
    def yesterday(self) -> date:
        """The last day that figures can be of."""
        return last_whole_day(self.catalogue.organisation.zone, self.now)

    def who(self, by: str | None) -> str | None:
        """A person as they are stored: a keyed hash."""
        return self.home.pseudonym(self.organisation)(by.strip()) if by and by.strip() else None


@contextmanager
def present(organisations: Sequence[str], *, sandbox: bool) -> Iterator[tuple[Home, datetime]]:
    """The home, and its present for these organisations (none: for all of them). sandbox: of the simulated companies.

    In a folder where simulated companies live the present is the morning that they were last shown at, also for
    whoever does not ask for the sandbox: what is recorded there under another clock lies in the companies' future.
    """
    root = Path(os.environ.get("HITO_HOME") or str(PROJECT / ".hito" / ("sandbox" if sandbox else "live")))
    is_connected = not sandbox and bool(os.environ.get("HITO_NOW"))  # as `hito sandbox` says: it knows best
    shown_at = None if is_connected else _shown_at(root.resolve(), organisations)
    keys = pseudonym_keys(organisations) if sandbox or shown_at is not None else {}
    with environment({"HITO_HOME": str(root), **keys} if sandbox else keys):
        yield Home.from_environment(), shown_at or started_at()


@contextmanager
def asked(name: str, *, sandbox: bool) -> Iterator[Asked]:
    """What a command about an id is about, its periods looked up. sandbox: of the simulated companies.

    Raises `Refused` where the id begins with no organisation, `DeclarationErrors` for wrong declarations.
    """
    organisation = name.partition(".")[0]
    with present([organisation], sandbox=sandbox) as (home, now):
        declared = home.organisations()
        if organisation not in declared:
            likely = nearest(organisation, declared)
            do = f"Did you mean {' or '.join(likely)}?" if likely else f"There are {', '.join(declared)}"
            raise Refused(f"'{name}' begins with no organisation that is declared. {do}")
        yield Asked(home, with_periods(home, home.catalogue(organisation)), now)


def _shown_at(root: Path, organisations: Sequence[str]) -> datetime | None:
    if not (root / "sandbox.json").exists():  # the runner takes long to import
        return None
    from pipelines.sandbox.runner import ORGANISATIONS, last_present

    return max(filter(None, (last_present(root, one) for one in organisations or ORGANISATIONS)), default=None)
