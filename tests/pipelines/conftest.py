"""A PostgreSQL server for the tests that read databases, and a database of it for each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import postgres
import pytest
from warehouse import PREFIX

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    with postgres.server() as running:
        yield running


@dataclass(frozen=True)
class Database:
    """A database of the server."""

    server: postgres.Server
    name: str

    def run(self, *statements: str) -> None:
        self.server.run(*statements, database=self.name)


@pytest.fixture
def database(postgres_server: postgres.Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A new database, to which the source `office.crm` is connected."""
    name = f"warehouse_{next(_NUMBERS)}"
    postgres_server.run(f"CREATE DATABASE {name}")
    for part, value in postgres_server.parts(name).items():
        monkeypatch.setenv(f"{PREFIX}__{part.upper()}", str(value))
    yield Database(postgres_server, name)
    postgres_server.run(f"DROP DATABASE {name} WITH (FORCE)")
