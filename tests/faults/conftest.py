"""What the tests of a process share: a fork server for all attacks, and what there is to be read of each vendor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from faults.attack import Arena, Loader, arena, loading
from faults.vendors import Held, faulty, office, read


@pytest.fixture(scope="session")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loader]:
    with loading(tmp_path_factory.mktemp("loader")) as started:
        yield started


@pytest.fixture
def days(tmp_path: Path, loader: Loader) -> Iterator[Arena]:
    """An agency of some weeks, and a lake that nothing has been loaded into."""
    with arena(tmp_path, loader, days=30) as built:
        yield built


@pytest.fixture(scope="session")
def unspoilt(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, Held]]:
    """What there is to be read of a vendor."""

    @cache
    def found(kind: str) -> dict[str, Held]:
        with pytest.MonkeyPatch.context() as patched:
            of = office(tmp_path_factory.mktemp(kind), patched, kind)
            names = [stream.name for stream in of.source.streams()]
            failures, held, _ = read(of, faulty(of, kind), dict.fromkeys(names))
        assert failures == {}
        assert any(held.values())
        return held

    return found
