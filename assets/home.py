"""Where things are on this machine: the lake of each organisation, Dagster's records, the published file.

Belongs here: paths and the settings that a run starts from. Does not: what is in any of them.

`HITO_HOME` says where (by default `.hito/live` below the project; a sandbox has `.hito/sandbox`, so that what is made
up and what is real never share a table). `DLT_PROJECT_DIR` says below which folder dlt finds `.dlt/secrets.toml` (by
default the project). `HITO_CLOCK` names a shared clock's file, where waits are counted instead of
slept; without it time is real.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from assets.clock import SystemClock, today
from kr_definitions.catalogue import FOLDER, Catalogue, load, organisations
from pipelines import check_ins
from pipelines.connectors import sources
from pipelines.identification import as_known
from pipelines.load import Lake, Source
from pipelines.sandbox.stand_in import SharedClock
from pipelines.source import Clock, Pseudonym, SourceConfigError

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Home:
    """A folder that holds everything that is kept between runs. definitions: where organisations are declared."""

    root: Path
    definitions: Path = FOLDER

    @classmethod
    def from_environment(cls) -> Home:
        """The home that the environment names, or the default one; its secrets are the project's."""
        # dlt looks for .dlt/secrets.toml where the process was started, which may be anywhere.
        os.environ.setdefault("DLT_PROJECT_DIR", str(PROJECT))
        return cls(
            Path(os.environ.get("HITO_HOME") or PROJECT / ".hito" / "live").resolve(),
            Path(os.environ.get("HITO_DEFINITIONS") or FOLDER).resolve(),
        )

    @property
    def published(self) -> Path:
        """The DuckDB file that BI tools open."""
        return self.root / "hito.duckdb"

    @property
    def dagster(self) -> Path:
        """Dagster's own records (DAGSTER_HOME)."""
        return self.root / "dagster"

    def lake(self, organisation: str) -> Lake:
        """The tables of an organisation."""
        return Lake(self.root / "lake" / organisation)

    def history(self, organisation: str) -> Path:
        """The progress history of an organisation."""
        return self.root / "lake" / organisation / "progress_history"

    def editions(self, organisation: str) -> Path:
        """What its key results have meant, one meaning after the other."""
        return self.root / "lake" / organisation / "editions"

    def movers(self, organisation: str) -> Path:
        """The events that moved figures which had been reported."""
        return self.root / "lake" / organisation / "movers"

    def computations(self, organisation: str) -> Path:
        """What its runs computed, and what they knew."""
        return self.root / "lake" / organisation / "computations"

    def objectives(self, organisation: str) -> Path:
        """What was told of its objectives."""
        return self.root / "lake" / organisation / "objective_history"

    def findings(self, organisation: str) -> Path:
        """What the checks of its runs found."""
        return self.root / "lake" / organisation / "findings"

    def catalogue(self, organisation: str) -> Catalogue:
        """What an organisation declares. Raises `DeclarationErrors`."""
        return load(organisation, self.definitions)

    def organisations(self) -> list[str]:
        """Ids of the declared organisations."""
        return organisations(self.definitions)

    def remembered(self) -> list[str]:
        """Ids of the organisations that have a history here, declared or not."""
        return sorted(path.name for path in (self.root / "lake").glob("*") if (path / "progress_history").is_dir())

    def sources(self, catalogue: Catalogue) -> list[Source]:
        """The sources that an organisation uses, and the one of the check-ins that are made by command.

        Opens nothing and reads no secret until one is fetched.
        """
        organisation, pseudonym = catalogue.organisation.id, self.pseudonym(catalogue.organisation.id)
        return [
            *sources(catalogue, pseudonym),
            check_ins.source(catalogue, self.inbox(organisation), pseudonym),
        ]

    def inbox(self, organisation: str) -> check_ins.Inbox:
        """Check-ins of an organisation that wait for the next run."""
        return check_ins.Inbox(self.root / "check_ins" / f"{organisation}.jsonl")

    def seals(self, organisation: str) -> Path:
        """The sealed scores of an organisation."""
        return self.root / "lake" / organisation / "seals"

    def pseudonym(self, organisation: str) -> Pseudonym:
        """Keyed hash of an identity: the same person has the same code everywhere in one organisation's lake.

        However their mail address is written: in capitals in a sheet, in small letters in the CRM.
        """

        def code(identity: str) -> str:
            known = as_known(identity).encode()
            return hmac.new(self._pseudonym_key(organisation), known, hashlib.sha256).hexdigest()[:24]

        return code

    def _pseudonym_key(self, organisation: str) -> bytes:
        """From the environment (`SOURCES__<ORGANISATION>__PSEUDONYM_KEY`), or made once and kept, for our eyes only."""
        given = os.environ.get(f"SOURCES__{organisation.replace('-', '_').upper()}__PSEUDONYM_KEY")
        if given:
            return given.encode()
        path = self.root / "lake" / organisation / "pseudonym.key"
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return path.read_bytes()
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_hex(32).encode())
        return path.read_bytes()


def clock() -> Clock:
    """The clock that waits are taken on."""
    shared = os.environ.get("HITO_CLOCK")
    return SharedClock(Path(shared)) if shared else SystemClock()


def started_at() -> datetime:
    """The instant that a run begins: `HITO_NOW` (an aware ISO instant) where given, else the present."""
    given = os.environ.get("HITO_NOW")
    if not given:
        return SystemClock().now()
    try:
        instant = datetime.fromisoformat(given)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise SourceConfigError("HITO_NOW", f"{given!r} is no instant", "Write it as 2026-11-21T06:00:00+01:00")
    return instant.astimezone(UTC)


def last_whole_day(zone: str, now: datetime) -> date:
    """Yesterday, in a zone: the last day that can be computed."""
    return today(zone, now) - timedelta(days=1)
