"""What a command that names a key result or an objective is about: its home, its organisation, the present.

Belongs here: finding these, and refusing what cannot be found. Does not: any one command.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from assets.commands.refused import Refused
from assets.home import PROJECT, Home, last_whole_day, started_at
from assets.publishing import with_periods
from assets.run import environment, pseudonym_keys
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
def asked(name: str, *, sandbox: bool) -> Iterator[Asked]:
    """What a command about an id is about, its periods looked up. sandbox: of the simulated companies.

    Raises `Refused` where the id begins with no organisation, `DeclarationErrors` for wrong declarations.
    """
    organisation = name.partition(".")[0]
    root = {"HITO_HOME": os.environ.get("HITO_HOME") or str(PROJECT / ".hito" / "sandbox")}
    with environment({**root, **pseudonym_keys([organisation])} if sandbox else {}):
        home = Home.from_environment()
        declared = home.organisations()
        if organisation not in declared:
            likely = nearest(organisation, declared)
            do = f"Did you mean {' or '.join(likely)}?" if likely else f"There are {', '.join(declared)}"
            raise Refused(f"'{name}' begins with no organisation that is declared. {do}")
        now = (_of_sandbox(home.root, organisation) if sandbox else None) or started_at()
        yield Asked(home, with_periods(home, home.catalogue(organisation)), now)


def _of_sandbox(root: Path, organisation: str) -> datetime | None:
    from pipelines.sandbox.runner import last_present  # noqa: PLC0415 - of a sandbox alone

    return last_present(root, organisation)
