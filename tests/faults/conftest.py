"""One fork server for all attacks of a test process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.attack import Arena, Loader, arena, loading


@pytest.fixture(scope="session")
def loader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loader]:
    with loading(tmp_path_factory.mktemp("loader")) as started:
        yield started


@pytest.fixture
def days(tmp_path: Path, loader: Loader) -> Iterator[Arena]:
    """An agency of some weeks, and a lake that nothing has been loaded into."""
    with arena(tmp_path, loader, days=30) as built:
        yield built
