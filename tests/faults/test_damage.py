"""Disks that lose what was written, or take no more: loud, with what to do, and good again with the next plain run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from faults.attack import Arena, Loader, Stage, arena

from pipelines import lake
from pipelines.lake import LakeError
from pipelines.load import Lake

TABLES = ["raw/agency/visits", "loads", "events"]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory, loader: Loader) -> Path:
    folder = tmp_path_factory.mktemp("loaded")
    with arena(folder, loader, days=3) as built:
        built.run(24)
        built.run(48)
    return folder / "lake"


@pytest.fixture
def copied(loaded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(loaded, tmp_path / "lake"))


def last_entry(table: Path) -> Path:
    return max((table / "_delta_log").glob("*.json"))


def cut_in_half(entry: Path) -> None:
    os.truncate(entry, entry.stat().st_size // 2)


def cut_between_lines(entry: Path) -> None:
    os.truncate(entry, entry.read_bytes().index(b"\n") + 1)


def emptied(entry: Path) -> None:
    os.truncate(entry, 0)


def overwritten(entry: Path) -> None:
    entry.write_bytes(b"\0" * entry.stat().st_size)


def alone_missing(entry: Path) -> None:
    entry.unlink()


def all_missing(entry: Path) -> None:
    shutil.rmtree(entry.parent)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(
    "damage",
    [cut_in_half, cut_between_lines, emptied, overwritten, alone_missing, all_missing],
    ids=lambda damage: damage.__name__,
)
def test_a_damaged_last_entry_of_a_table_is_loud(copied: Path, name: str, damage: Callable[[Path], None]) -> None:
    table = copied / name
    damage(last_entry(table))
    with pytest.raises(LakeError, match="Restore the folder from a backup") as raised:
        lake.scan(table, {})
    assert str(table) in str(raised.value)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda file: os.truncate(file, 1000), r"has 1,000 bytes, and [\d,]+ had been written"),
        (Path.unlink, "is missing"),
    ],
    ids=["cut", "gone"],
)
def test_a_damaged_file_of_a_table_is_loud(copied: Path, name: str, damage: Callable[[Path], None], told: str) -> None:
    file = max((copied / name).glob("*.parquet"), key=lambda one: one.stat().st_size)
    damage(file)
    with pytest.raises(LakeError, match=f"{file.name} {told}. Restore the folder from a backup") as raised:
        lake.scan(copied / name, {})
    assert str(copied / name) in str(raised.value)


def test_a_run_on_a_damaged_log_fails_and_writes_nothing_to_it(days: Arena) -> None:
    days.run(24)
    log = days.lake.root / "events"
    emptied(last_entry(log))
    before = sorted(log.rglob("*"))
    status, _ = days.loader.end(days.begin(48))
    assert status == 1
    assert "Restore the folder from a backup" in days.loader.told()
    assert sorted(log.rglob("*")) == before


def test_a_commit_that_was_not_noted_counts_and_is_noted_by_the_next(days: Arena) -> None:
    days.run(24)
    for hour in (48, 49, 50):
        days.kill_at(hour, Stage("before", "pathlib:Path.replace", "loads/.newest_version"))
    path = days.lake.root / "loads"
    assert lake.version(path) == 3
    assert (path / ".newest_version").read_text(encoding="ascii").startswith("0 ")
    days.run(51)
    assert [".newest_version"] == [file.name for file in path.glob(".newest_version*")]
    assert (path / ".newest_version").read_text(encoding="ascii").startswith("4 ")


def test_a_disk_that_takes_no_more_is_loud_and_the_next_plain_run_completes(days: Arena) -> None:
    days.run(24)
    failed = []
    for day, largest_file in enumerate((150, 1_000, 4_000, 9_000), start=2):
        status, _ = days.loader.end(days.begin(24 * day, largest_file=largest_file))
        assert status in (0, 1), days.loader.told()
        failed += [largest_file] if status else []
        days.run(24 * day + 2)
    assert len(failed) >= 3, f"only {failed} failed"
    days.assert_whole()


def test_the_tables_of_an_untouched_lake_are_read(copied: Path) -> None:
    assert Lake(copied).log.scan().collect().height
    assert all(lake.version(copied / name) is not None for name in TABLES)
