"""The sandbox as a whole: simulated organisations, each with its vendors' stand-ins and its sheets, at one present.

Belongs here: which organisations there are, what is served where, and the environment that connects the sources to it.
Does not: what a vendor answers (`sandbox/<vendor>`), what an organisation does (`sandbox.company`), the command line.

For tests and the demo: `with running(["inmobiliaria"], today, home) as sandbox: …`; for a server in the foreground, the
same block with `sandbox.wait()` in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from filelock import FileLock, Timeout
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from pipelines.sandbox.business import business, inbound, revops, ventas_b2b, ventas_marketing
from pipelines.sandbox.company import Company, estate_agency
from pipelines.sandbox.faults import Fault, Faulty, asked
from pipelines.sandbox.server import SandboxError, Served, served
from pipelines.sandbox.sheets import SHEETS, write_sheets
from pipelines.sandbox.stand_in import Desk, SharedClock

__all__ = ["ORGANISATIONS", "Sandbox", "SandboxError", "day_of", "running", "zones"]

MORNING = time(6)
OLDEST = timedelta(days=10 * 365)
"""A company older than that would take too long to tell."""


@dataclass(frozen=True)
class Organisation:
    """A simulated organisation: how its company is told, and which vendors it uses."""

    tell: Callable[[int, date, date, str], Company]
    founded: date
    zone: str
    vendors: tuple[str, ...]


_FOUNDED = date(2024, 11, 1)
ORGANISATIONS: Mapping[str, Organisation] = {
    "inmobiliaria": Organisation(
        estate_agency,
        _FOUNDED,
        "Europe/Madrid",
        (
            "hubspot",
            "zendesk",
            "typeform",
            "facebook",
            "instagram",
            "youtube",
            "linkedin",
            "x",
            "wordpress",
            "stripe",
            "google_sheets",
        ),
    ),
    "revops": Organisation(
        business(revops.PLAN), _FOUNDED, "Europe/Madrid", ("pipedrive", "zendesk", "typeform", "stripe", "holded")
    ),
    "ventas-b2b": Organisation(
        business(ventas_b2b.PLAN), _FOUNDED, "America/Bogota", ("salesforce", "zendesk", "stripe")
    ),
    "ventas-marketing": Organisation(
        business(ventas_marketing.PLAN), _FOUNDED, "Europe/Madrid", ("hubspot", "zendesk", "typeform", "stripe", "ecb")
    ),
    "inbound": Organisation(business(inbound.PLAN), _FOUNDED, "America/Bogota", ("hubspot",)),
}
"""By the id that an organisation is declared under."""


def zones(organisations: Iterable[str]) -> set[str]:
    """The zones of those of the organisations that are simulated."""
    return {ORGANISATIONS[name].zone for name in organisations if name in ORGANISATIONS}


@dataclass(frozen=True)
class Sandbox:
    """A sandbox that is being served.

    present: the instant that its data is at. spoilt: the stand-ins whose answers are, by `<organisation>/<vendor>`.
    """

    home: Path
    served: Served
    clock: SharedClock
    companies: Mapping[str, Company]
    present: datetime
    spoilt: Mapping[str, Faulty]

    @property
    def base_url(self) -> str:
        """Where its status is; organisations and vendors are below it."""
        return self.served.base_url

    def url(self, organisation: str, vendor: str) -> str:
        """The base URL of one vendor's stand-in."""
        return f"{self.base_url}/{organisation}/{vendor}"

    def environment(self) -> dict[str, str]:
        """What connects a run to the sandbox, as variables: addresses, credentials, folders, the clock, the present."""
        variables = {"HITO_CLOCK": str(self.clock.path), "HITO_NOW": self.present.isoformat()}
        for name in self.companies:
            for vendor in ORGANISATIONS[name].vendors:
                settings = {"base_url": self.url(name, vendor), **_stand_in(vendor).CREDENTIALS}
                variables |= {_variable(name, vendor, key): value for key, value in settings.items()}
            for sheet in SHEETS[name]:
                variables[_variable(name, sheet, "folder")] = str(_sheets_folder(self.home, name))
        return variables

    def changed(self) -> list[str]:
        """How many answers each fault has changed, and which ones there was none for: a line for each vendor."""
        return [f"{place}: {', '.join(map(_counted, one.changed.items()))}" for place, one in self.spoilt.items()]

    def wait(self) -> None:
        """Serve until somebody interrupts (`KeyboardInterrupt`)."""
        self.served.wait()


@contextmanager
def running(
    organisations: Sequence[str],
    today: date,
    home: Path,
    seed: int = 1,
    port: int = 0,
    *,
    at: time = MORNING,
    faults: Sequence[str] = (),
) -> Iterator[Sandbox]:
    """Serve the organisations as they are on the morning of `today`, while the block runs.

    home: the sandbox's folder; the same one with a later day is the same companies, grown older. port: 0 takes a free
    one. at: the local time at which the vendors' data stops, once it is so late everywhere: a run reads all of them at
    one instant. faults: answers that are to be spoilt (`sandbox.faults`). Raises `SandboxError`.
    """
    chosen = _chosen(organisations, today)
    spoilt = asked(faults, sorted({vendor for one in chosen.values() for vendor in one.vendors}))
    home = _made(home).resolve()
    with _alone_in(home):
        _refuse_another_past(home, seed, today)
        present = _present(chosen.values(), today, at)
        companies = {name: one.tell(seed, one.founded, today, one.zone) for name, one in chosen.items()}
        clock = _wound(home / "clock.json", present)
        for name, company in companies.items():
            write_sheets(company, SHEETS[name], present, _sheets_folder(home, name))
        desks = {name: Desk(companies[name], present, clock) for name in chosen}
        house = _House(desks, clock, spoilt)
        with served(house.app(), port) as serving_now:
            _remember(home, seed, today)
            yield Sandbox(home, serving_now, clock, companies, present, house.spoilt)


@dataclass(frozen=True)
class _House:
    """Everything under one address."""

    desks: Mapping[str, Desk]
    clock: SharedClock
    faults: Mapping[str, Sequence[Fault]]
    spoilt: dict[str, Faulty] = field(default_factory=dict)

    def app(self) -> Starlette:
        """The status page, and each stand-in at `/<organisation>/<vendor>`."""
        mounts = [
            Mount(f"/{name}/{vendor}", app=self._served(name, vendor, desk))
            for name, desk in self.desks.items()
            for vendor in ORGANISATIONS[name].vendors
        ]
        return Starlette(routes=[Route("/", self.status), *mounts])

    def _served(self, name: str, vendor: str, desk: Desk) -> ASGIApp:
        stand_in: ASGIApp = _stand_in(vendor).app(desk)
        if vendor not in self.faults:
            return stand_in
        self.spoilt[f"{name}/{vendor}"] = Faulty(stand_in, self.faults[vendor])
        return self.spoilt[f"{name}/{vendor}"]

    def status(self, request: Request) -> JSONResponse:
        """What is here, at which present, and how long clients waited for limits."""
        here = str(request.base_url).rstrip("/")
        return JSONResponse(
            {
                "organisations": {name: _described(here, name, desk) for name, desk in self.desks.items()},
                "clock": self.clock.now().isoformat(),
                "waited_seconds": self.clock.waited_seconds(),
                "spoilt": {place: one.changed for place, one in self.spoilt.items()},
            }
        )


def _counted(told: tuple[str, int]) -> str:
    fault, answers = told
    return f"{fault} {answers}" if answers else f"{fault} none (no answer was asked for that it changes)"


def _described(here: str, name: str, desk: Desk) -> dict[str, Any]:
    return {
        "present": desk.present.isoformat(),
        "zone": desk.company.zone,
        "founded": desk.company.founded.isoformat(),
        "seed": desk.company.seed,
        "vendors": {vendor: f"{here}/{name}/{vendor}" for vendor in ORGANISATIONS[name].vendors},
        "sheets": list(SHEETS[name]),
    }


def _present(organisations: Iterable[Organisation], today: date, at: time) -> datetime:
    return max(datetime.combine(today, at, ZoneInfo(one.zone)).astimezone(UTC) for one in organisations)


def _stand_in(vendor: str) -> Any:
    """A vendor's stand-in, imported when it is needed: `app(desk)` and `CREDENTIALS`."""
    return import_module(f"pipelines.sandbox.{vendor}")


def _variable(organisation: str, source: str, key: str) -> str:
    return "__".join(("SOURCES", organisation, source, key)).replace("-", "_").upper()


def _sheets_folder(home: Path, organisation: str) -> Path:
    return home / "sheets" / organisation


def last_present(home: Path, organisation: str) -> datetime | None:
    """The morning that an organisation was last shown at in a folder; None where it never was."""
    today = day_of(home)
    if organisation not in ORGANISATIONS or today is None:
        return None
    return _present([ORGANISATIONS[organisation]], today, MORNING)


def _chosen(organisations: Sequence[str], today: date) -> dict[str, Organisation]:
    unknown = [name for name in organisations if name not in ORGANISATIONS]
    if unknown or not organisations:
        found = f"There is no simulated organisation {', '.join(unknown)}" if unknown else "No organisation was named"
        raise SandboxError(f"{found}: choose from {', '.join(ORGANISATIONS)}")
    chosen = {name: ORGANISATIONS[name] for name in organisations}
    for name, one in chosen.items():
        first, last = one.founded + timedelta(days=1), one.founded + OLDEST
        if not first <= today <= last:
            raise SandboxError(
                f"{name} can be shown from {first} to {last}, and {today} is not in that: choose a day in it"
            )
    return chosen


def _made(home: Path) -> Path:
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as failure:
        raise SandboxError(f"The folder {home} cannot be made ({failure.strerror}): choose another one") from None
    return home


@contextmanager
def _alone_in(home: Path) -> Iterator[None]:
    """One sandbox at a time in a folder: two would move each other's clock and sheets."""
    lock = FileLock(home / "sandbox.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise SandboxError(f"A sandbox is already running in {home}: stop it, or choose another folder") from None
    try:
        yield
    finally:
        lock.release()


def day_of(home: Path) -> date | None:
    """The day that the companies of a folder are at; None where none live there. Raises `SandboxError`."""
    noted = _noted(home)
    return None if noted is None else noted[1]


def _noted(home: Path) -> tuple[int, date] | None:
    """The seed of the companies that live in a folder, and the day that they are at."""
    noted = home / "sandbox.json"
    if not noted.exists():
        return None
    try:
        content = orjson.loads(noted.read_bytes())
        return int(content["seed"]), date.fromisoformat(content["today"])
    except (ValueError, TypeError, KeyError):
        raise SandboxError(
            f"{noted} does not say any more whose companies are in its folder, and at which day: "
            f"choose another folder (HITO_HOME), or remove {home} to begin it anew"
        ) from None


def _refuse_another_past(home: Path, seed: int, today: date) -> None:
    """The companies that live in a folder stay who they are, and grow no younger."""
    if (noted := _noted(home)) is None:
        return
    was_seed, was_at = noted
    if was_seed != seed:
        raise SandboxError(f"{home} holds the companies of seed {was_seed}, not {seed}: choose another folder")
    if today < was_at:
        raise SandboxError(
            f"{home} has been at {was_at} already, and its companies grow no younger: "
            f"choose a folder for the days before it (HITO_HOME=.hito/then), or {was_at} here"
        )


def _remember(home: Path, seed: int, today: date) -> None:
    aside = home / "sandbox.json.new"
    aside.write_bytes(orjson.dumps({"seed": seed, "today": today.isoformat()}))
    aside.replace(home / "sandbox.json")


def _wound(path: Path, present: datetime) -> SharedClock:
    """The folder's clock, at the present, or later where it has already run on: it never goes back."""
    start = max(present, SharedClock(path).now()) if path.exists() else present
    return SharedClock(path, start)
