"""An agency's home in which the real job runs, and the three vendors that it reads, at hand.

Belongs here: the home's folders and settings, and a run. Does not: what is declared, or what the vendors tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from at_hand import at_hand
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from assets.home import Home
from assets.run import Outcome, run
from pipelines.load import Lake
from pipelines.sandbox import hubspot, stripe, zendesk

AGENCY = "agencia"
KEY = "a key that only this home has"
VENDORS = {"crm": hubspot, "soporte": zendesk, "cobros": stripe}
"""What reads them: the names of the agency's sources."""


@dataclass
class AgencyHome:
    """The home and, outside of it, what is the world's: the clock, and files that sources read."""

    folder: Path
    environment: pytest.MonkeyPatch

    def declare(self, **declarations: str) -> None:
        """Write the declarations, each to the file of its name, and set what a run needs."""
        (self.definitions / AGENCY).mkdir(parents=True)
        self.outside.mkdir(parents=True, exist_ok=True)
        for name, text in declarations.items():
            (self.definitions / AGENCY / f"{name}.yaml").write_text(text, encoding="utf-8")
        self.environment.setenv("HITO_HOME", str(self.root))
        self.environment.setenv("HITO_DEFINITIONS", str(self.definitions))
        self.environment.setenv("HITO_CLOCK", str(self.clock))
        self.configure(pseudonym_key=KEY)
        for source, vendor in VENDORS.items():
            self.configure(source, **vendor.CREDENTIALS)

    def configure(self, source: str | None = None, **settings: str) -> None:
        """Set settings of a source; of the agency, without one."""
        place = [AGENCY, source] if source else [AGENCY]
        for name, value in settings.items():
            self.environment.setenv("__".join(("SOURCES", *place, name)).upper(), value)

    @property
    def outside(self) -> Path:
        return self.folder / "outside"

    @property
    def clock(self) -> Path:
        return self.outside / "clock.json"

    @property
    def definitions(self) -> Path:
        return self.folder / "definitions"

    @property
    def root(self) -> Path:
        return self.folder / "home"

    @property
    def home(self) -> Home:
        return Home(self.root, self.definitions)

    @property
    def lake(self) -> Lake:
        return self.home.lake(AGENCY)

    def ran(self, present: datetime, **vendors: ASGIApp) -> Outcome:
        """The real job at an instant, on the vendors as they are then."""
        self.environment.setenv("HITO_NOW", present.isoformat())
        with at_hand(Starlette(routes=[Mount(f"/{source}", app=app) for source, app in vendors.items()])) as base_url:
            for source in vendors:
                self.configure(source, base_url=f"{base_url}/{source}")
            return run(self.home, [AGENCY])
