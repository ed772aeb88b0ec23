"""One account that a benchmark reads: its connector, its stream, and the stand-in that it is served by.

Does not belong here: any account (`accounts`, `published`, `tables`), or measuring them (`sources`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from shop import code
from starlette.types import ASGIApp

from pipelines.sandbox.stand_in import SharedClock
from pipelines.source import Account, Connector, Options, Stream


def _nothing(folder: Path) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True)
class Bench:
    """One account as it is read.

    app: the stand-in over so many records, or None where rows of a table are read: then `make` makes it and `rows`
    fetches the rows and nothing else. open: settings that depend on the folder. settings: the account's others.
    """

    connector: Connector
    options: Options
    of: str
    now: datetime
    settings: Mapping[str, str] = field(default_factory=dict)
    app: Callable[[int, SharedClock], ASGIApp] | None = None
    make: Callable[[int, Path], None] = lambda records, folder: None
    rows: Callable[[Path], int] = lambda folder: 0
    open: Callable[[Path], Mapping[str, str]] = _nothing

    @property
    def kind(self) -> str:
        return self.connector.kind

    @property
    def account(self) -> Account:
        return Account("bench", self.kind, "Europe/Madrid", code)

    def stream(self) -> Stream:
        """The stream that is read."""
        return next(one for one in self.connector.streams(self.account, self.options) if one.name == self.of)
