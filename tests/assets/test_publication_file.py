"""The published file is whole whenever anybody looks: while it is replaced, after a kill, on a full disk."""

from __future__ import annotations

import inspect
import os
import random
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from agency_results import publication

from assets.publication import Publication, PublicationError, Results, frames, publish, read
from assets.publication.tables import tables
from kr_definitions.history import HISTORY_SCHEMA, KEY_RESULTS_SCHEMA
from kr_definitions.organisation import Organisation, Title

ORGANISATION = Organisation(
    id="org", title=Title(es="Org", en="Org"), zone="Europe/Madrid", country="ES", currency="EUR"
)
RAN = datetime(2026, 5, 15, 4, tzinfo=UTC)


def numbered(number: int) -> Publication:
    """A publication of which every row says which one it is of."""
    rows = [
        {
            "key_result_id": "org.calls",
            "as_of": date(2026, 1, 1) + timedelta(days=day),
            "value": float(number),
            "recorded_at": RAN,
            "run_id": f"run-{number}",
            "edition": 1,
            "is_withdrawn": False,
            "definition_version": "1.0",
            "is_restatement": False,
        }
        for day in range(200)
    ]
    declared = {"key_result_id": "org.calls", "objective_id": "org.sales", "title_en": f"run-{number}"}
    period = {"period_start": date(2026, 1, 1), "period_end": date(2026, 12, 31), "type": "activity"}
    results = Results(
        ORGANISATION,
        pl.DataFrame([declared | period], schema=dict(KEY_RESULTS_SCHEMA)),
        pl.DataFrame(rows, schema=dict(HISTORY_SCHEMA)),
    )
    return Publication(f"run-{number}", RAN, [results])


def look(path: str) -> str:
    """The run that a reader sees; fails where a table is missing, or the tables are not all of one publication."""
    connection = duckdb.connect(path, read_only=True)

    def one(query: str, *arguments: object) -> Any:
        return connection.execute(query, arguments).fetchall()[0][0]

    try:
        run = one("SELECT run_id FROM meta")
        found = {
            "tables": one("SELECT count(*) FROM duckdb_tables()"),
            "rows": one("SELECT count(*) FROM progress_history WHERE run_id = ?", run),
            "days": one("SELECT count(*) FROM progress_daily WHERE value = ?", float(run[4:])),
            "title": one("SELECT title_en FROM current_progress"),
        }
    finally:
        connection.close()
    assert found == {"tables": len(tables()), "rows": 200, "days": 200, "title": run}, (run, found)
    return str(run)


def child(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A process of its own that can publish and look; it says `begun` when it comes to the code."""
    beginning = f"""
import os, signal, sys
from pathlib import Path
from typing import Any
import duckdb
from assets.publication.file import PublicationError, read, write
from assets.publication.tables import tables
{inspect.getsource(look)}
print("begun", flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", beginning + code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n", process.communicate()[1]
    return process


# Publish what another file holds.
PUBLISH = "write(Path(sys.argv[1]), read(Path(sys.argv[2])))"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files of the publications run-0, run-1 and run-2, to be published elsewhere."""
    folder = tmp_path_factory.mktemp("prepared")
    for number in range(3):
        publish(folder / f"{number}.duckdb", numbered(number))
    return [folder / f"{number}.duckdb" for number in range(3)]


# --- one organisation at a time ---------------------------------------------------------------------------------------


def of(organisation: str, number: int) -> Publication:
    """A numbered publication of another organisation."""
    results = numbered(number).results[0]
    named = results.organisation.model_copy(update={"id": organisation})
    return Publication(f"run-{number}", RAN, [replace(results, organisation=named)])


def runs_of(target: Path) -> dict[str, set[str]]:
    rows = read(target)["progress_history"]
    return {name: set(group["run_id"]) for (name,), group in rows.group_by(["organisation"], maintain_order=True)}


def test_what_one_organisation_publishes_leaves_the_others_as_they_were(tmp_path: Path) -> None:
    target = tmp_path / "hito.duckdb"
    publish(target, of("uno", 1))
    publish(target, of("dos", 2), kept={"uno"})
    before = {name: rows.filter(organisation="uno") for name, rows in read(target).items() if name != "meta"}
    counted = publish(target, of("dos", 3), kept={"uno"})
    assert runs_of(target) == {"dos": {"run-3"}, "uno": {"run-1"}}
    assert counted["progress_history"] == 400
    after = read(target)
    for name, rows in before.items():
        assert after[name].filter(organisation="uno").equals(rows), name
    assert after["meta"]["run_id"].to_list() == ["run-3"]


def test_an_organisation_that_is_not_declared_any_more_leaves_the_file(tmp_path: Path) -> None:
    target = tmp_path / "hito.duckdb"
    publish(target, of("gone", 1))
    publish(target, of("uno", 2), kept={"dos"})
    assert runs_of(target) == {"uno": {"run-2"}}


def test_rows_of_an_earlier_shape_are_kept_with_what_they_have(tmp_path: Path) -> None:
    target = tmp_path / "hito.duckdb"
    publish(target, of("uno", 1))
    with duckdb.connect(str(target)) as connection:
        connection.execute("ALTER TABLE progress_history DROP COLUMN breached")
        connection.execute("DROP TABLE restatements")
    publish(target, of("dos", 2), kept={"uno"})
    assert runs_of(target) == {"dos": {"run-2"}, "uno": {"run-1"}}


def test_a_damaged_file_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "hito.duckdb"
    target.write_bytes(b"no database")
    publish(target, of("dos", 2), kept={"uno"})
    assert runs_of(target) == {"dos": {"run-2"}}


# --- what is in it ----------------------------------------------------------------------------------------------------


def test_what_is_published_is_what_a_reader_gets(tmp_path: Path) -> None:
    target = tmp_path / "hito.duckdb"
    made = frames(publication())
    rows = publish(target, publication())
    assert rows == {name: frame.height for name, frame in made.items()}
    found = read(target)
    for name, frame in made.items():
        assert found[name].equals(frame), name


def test_types_and_meanings_are_in_the_file_itself(tmp_path: Path) -> None:
    target = tmp_path / "hito.duckdb"
    publish(target, publication())
    with duckdb.connect(str(target), read_only=True) as connection:
        columns = connection.execute(
            "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() WHERE NOT internal"
        ).fetchall()
        described = dict(connection.execute("SELECT table_name, comment FROM duckdb_tables()").fetchall())
    found = {(table, column): (dtype, says) for table, column, dtype, says in columns}
    timed = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}
    assert found == {
        (table.name, column.name): (timed.get(column.type, column.type), column.says)
        for table in tables().values()
        for column in table.columns
    }
    assert described == {table.name: table.says for table in tables().values()}


def test_the_storage_is_that_of_duckdb_1_0(tmp_path: Path) -> None:
    target = tmp_path / "hito.duckdb"
    publish(target, numbered(1))
    head = target.read_bytes()[:20]
    assert (head[8:12], int.from_bytes(head[12:20], "little")) == (b"DUCK", 64)


def test_money_keeps_every_digit(tmp_path: Path) -> None:
    target = tmp_path / "hito.duckdb"
    publish(target, publication())
    with duckdb.connect(str(target), read_only=True) as connection:
        query = "SELECT numerator::VARCHAR FROM current_progress WHERE unit = 'EUR'"
        assert connection.execute(query).fetchall() == [("444327.770000",)]


def test_instants_are_read_in_utc_whatever_the_machines_zone(tmp_path: Path) -> None:
    target = tmp_path / "hito.duckdb"
    publish(target, numbered(1))
    code = """
import sys; from pathlib import Path; from assets.publication import read
print(read(Path(sys.argv[1]))["meta"]["published_at"].item())
"""
    environment = {**os.environ, "TZ": "America/Bogota"}
    told = subprocess.run(
        [sys.executable, "-c", code, target], check=True, capture_output=True, text=True, env=environment
    )
    assert told.stdout.strip() == "2026-05-15 04:00:00+00:00"


# --- whole at every moment --------------------------------------------------------------------------------------------


def test_a_reader_sees_one_whole_publication_while_others_are_made(tmp_path: Path) -> None:
    target = tmp_path / "hito.duckdb"
    publish(target, numbered(0))
    reader = child("while True: print(look(sys.argv[1]), flush=True)", target)
    for number in range(1, 16):
        publish(target, numbered(number))
    assert reader.poll() is None, reader.communicate()[1]
    reader.kill()
    seen = [int(line[4:]) for line in reader.communicate(timeout=60)[0].split()]
    assert seen == sorted(seen)
    assert len(set(seen)) > 2
    assert look(str(target)) == "run-15"


def test_who_has_the_old_file_open_goes_on_reading_it_whole(tmp_path: Path) -> None:
    target = tmp_path / "hito.duckdb"
    publish(target, numbered(1))
    reads_late = """
connection = duckdb.connect(sys.argv[1], read_only=True)
print("open", flush=True)
sys.stdin.readline()
print(connection.execute("SELECT run_id, count(*) FROM progress_history GROUP BY ALL").fetchall())
"""
    reader = child(reads_late, target)
    assert reader.stdout is not None
    assert reader.stdout.readline() == "open\n"
    publish(target, numbered(2))
    assert reader.communicate("go on\n")[0].strip() == "[('run-1', 200)]"
    assert look(str(target)) == "run-2"


@pytest.mark.soak
def test_a_kill_at_any_moment_leaves_the_last_good_file(tmp_path: Path, prepared: list[Path]) -> None:
    target = tmp_path / "hito.duckdb"
    publish(target, numbered(0))
    chance = random.Random(11)
    last, killed = 0, 0
    for number in range(1, 501 if os.environ.get("HITO_SOAK") else 9):
        process = child(PUBLISH, target, prepared[number % 3])
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=chance.uniform(0.0, 0.5))
        process.kill()
        process.communicate()
        killed += process.returncode == -signal.SIGKILL
        seen = int(look(str(target))[4:])
        assert seen in (last, number % 3)
        last = seen
    assert killed > 0
    publish(target, numbered(7))
    assert look(str(target)) == "run-7"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hito.duckdb.lock", "hito.duckdb"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_kill_just_before_the_file_is_put_in_its_place_leaves_the_last_good_one(
    tmp_path: Path, prepared: list[Path], step: str
) -> None:
    target = tmp_path / "hito.duckdb"
    publish(target, numbered(1))
    process = child(f"os.{step} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n{PUBLISH}", target, prepared[2])
    assert (process.wait(), process.communicate()[1]) == (-signal.SIGKILL, "")
    assert (tmp_path / ".hito.duckdb.new").exists()
    assert look(str(target)) == "run-1"
    publish(target, numbered(3))
    assert look(str(target)) == "run-3"
    assert not (tmp_path / ".hito.duckdb.new").exists()


def test_a_full_disk_is_told_and_leaves_the_last_good_file(tmp_path: Path, prepared: list[Path]) -> None:
    target = tmp_path / "hito.duckdb"
    publish(target, numbered(1))
    without_room = f"""
import resource
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    {PUBLISH}
except PublicationError as error:
    print(error)
"""
    told = child(without_room, target, prepared[2]).communicate()[0]
    assert told.startswith(f"{target}: could not be written (")
    assert "The file before stays as it was. Make room" in told
    assert look(str(target)) == "run-1"
    assert not (tmp_path / ".hito.duckdb.new").exists()


def test_rows_that_are_refused_leave_the_last_good_file(tmp_path: Path) -> None:
    target = tmp_path / "hito.duckdb"
    publish(target, numbered(1))
    twice = numbered(2)
    doubled = Publication("run-2", RAN, [*twice.results, *twice.results])
    with pytest.raises(Exception, match="share their key"):
        publish(target, doubled)
    assert look(str(target)) == "run-1"


def test_those_that_publish_at_once_take_turns(tmp_path: Path, prepared: list[Path]) -> None:
    target = tmp_path / "hito.duckdb"
    children = [child(PUBLISH, target, file) for file in prepared]
    assert [(process.wait(), process.communicate()[1]) for process in children] == [(0, "")] * 3
    assert look(str(target)) in ("run-0", "run-1", "run-2")


def test_changes_that_somebody_wrote_into_the_old_file_do_not_reach_the_new_one(tmp_path: Path) -> None:
    target = tmp_path / "hito.duckdb"
    publish(target, numbered(1))
    writes_and_dies = """
connection = duckdb.connect(sys.argv[1])
connection.execute("SET checkpoint_threshold = '1GB'; UPDATE meta SET run_id = 'mine'")
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert child(writes_and_dies, target).wait() == -signal.SIGKILL
    assert (tmp_path / "hito.duckdb.wal").exists()
    publish(target, numbered(2))
    assert look(str(target)) == "run-2"


# --- reading ----------------------------------------------------------------------------------------------------------


def test_reading_before_anything_was_published_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(PublicationError, match=r"hito.duckdb: nothing has been published yet. Run hito run first"):
        read(tmp_path / "hito.duckdb")


def test_reading_a_file_that_is_not_ours_says_so(tmp_path: Path) -> None:
    (tmp_path / "hito.duckdb").write_text("not a database, and long enough to be looked at" * 300, encoding="utf-8")
    with pytest.raises(PublicationError, match=r"hito.duckdb: could not be read .* Publish it anew"):
        read(tmp_path / "hito.duckdb")


# --- asked of the file ------------------------------------------------------------------------------------------------


def test_the_file_says_what_was_known_and_what_was_reported(tmp_path: Path) -> None:
    day, first, second = date(2026, 3, 1), datetime(2026, 3, 2, 4, tzinfo=UTC), datetime(2026, 3, 3, 4, tzinfo=UTC)
    row = {
        "key_result_id": "org.calls",
        "as_of": day,
        "definition_version": "1.0",
        "edition": 1,
        "is_restatement": False,
    }
    row |= {"is_withdrawn": False, "run_id": "run"}
    rows = [
        {**row, "value": 7.0, "recorded_at": first},
        {**row, "value": 9.0, "recorded_at": second},
        {**row, "value": 3.0, "recorded_at": second + timedelta(hours=1), "edition": 2, "definition_version": "2.0"},
        {**row, "value": None, "recorded_at": second + timedelta(days=1), "edition": 2, "is_withdrawn": True},
    ]
    base = numbered(1).results[0]
    results = Results(base.organisation, base.key_results, pl.DataFrame(rows, schema=dict(HISTORY_SCHEMA)))
    publish(target := tmp_path / "hito.duckdb", Publication("run", RAN, [results]))

    def asked(question: str) -> list[float]:
        with duckdb.connect(str(target), read_only=True) as connection:
            return [value for (value,) in connection.execute(f"SELECT value FROM {question}").fetchall()]

    def known(at: datetime) -> list[float]:
        return asked(f"as_known_at(TIMESTAMPTZ '{at.isoformat()}')")

    assert [known(first - timedelta(seconds=1)), known(first), known(second)] == [[], [7.0], [9.0]]
    assert [known(second + timedelta(hours=1)), known(second + timedelta(days=2))] == [[3.0], []]
    # In Madrid the run of the 2nd was at five in the morning of that day.
    assert [asked(f"as_reported(DATE '2026-03-0{n}')") for n in (1, 2, 3, 4)] == [[], [7.0], [3.0], []]
