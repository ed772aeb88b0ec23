"""Many records are understood in parts, and what they say waits in pieces: nobody can tell by what is stated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from pipelines import lake, mapped, pieces
from pipelines.aside import SET_ASIDE_SCHEMA
from pipelines.mapped import to_map
from pipelines.novelty import Novelty
from pipelines.pieces import Pieces, in_order, together
from pipelines.raw_zone import RAW_SCHEMA, RawZone
from pipelines.source import Covered, Read, Record, Stream

AT = datetime(2026, 3, 1, tzinfo=UTC)
NOTHING = pl.LazyFrame(schema=SET_ASIDE_SCHEMA)
KEYS = ["a/1", "b/1", "names", "a/2", "c/1", "b/1", "a/1"]


def no_fetch(read: Read):  # nothing is fetched here
    yield []
    return Covered(None, read.until)


def stream(named_by: str | None = None, seen: pl.Struct | None = None) -> Stream:
    shape = pl.Struct({"n": pl.String})
    return Stream(
        "deals", ("deal.won",), no_fetch, shape, lambda records: records, named_by=named_by, seen=seen,
        group=lambda key: key.str.split("/").list.first(),
    )  # fmt: skip


@pytest.fixture
def raw(tmp_path: Path) -> RawZone:
    """Versions of records, in the order of `KEYS`, each a minute after the one before."""
    zone = RawZone(tmp_path / "raw")
    novelty = Novelty("crm", "deals", AT, zone.scan("crm", "deals"))
    for n, key in enumerate(KEYS):
        novelty.recorded_at += 60_000_000
        row = novelty.row(Record(key, AT + timedelta(minutes=n), {"n": str(n)}))
        lake.append(zone.path("crm", "deals"), pl.DataFrame([row], schema=RAW_SCHEMA), writer="test")
    return zone


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts and pieces of so few rows that few rows are many."""
    monkeypatch.setattr(mapped, "_ROWS_AT_ONCE", 2)
    monkeypatch.setattr(mapped, "_A_PART", {"rows": 2, "bytes": 1_000})
    monkeypatch.setattr(pieces, "ROWS_A_PIECE", 2)


def parts(raw: RawZone, of: Stream, folder: Path, until: datetime | None = None) -> list[list[tuple[str, int]]]:
    """Key and number of the records of each part."""
    found = to_map(raw, "crm", of, until, NOTHING, folder)
    number = pl.col("payload").str.extract(r"(\d+)").cast(pl.Int64)
    return [sorted(part.records.select("record_key", number).rows()) for part in found]


@pytest.mark.usefixtures("small")
def test_the_newest_row_of_each_record_is_in_one_part_with_all_of_its_group(raw: RawZone, tmp_path: Path) -> None:
    found = parts(raw, stream(), tmp_path / "aside")
    assert len(found) > 1
    assert [("a/1", 6), ("a/2", 3), ("b/1", 5), ("c/1", 4), ("names", 2)] == sorted(
        row for part in found for row in part
    )
    assert 1 == sum(any(key.startswith("a/") for key, _ in part) for part in found)


@pytest.mark.usefixtures("small")
def test_what_all_are_understood_with_is_in_every_part(raw: RawZone, tmp_path: Path) -> None:
    found = parts(raw, stream(named_by="names"), tmp_path / "aside")
    assert len(found) > 1
    assert all(("names", 2) in part for part in found)


@pytest.mark.usefixtures("small")
def test_every_version_is_there_where_those_are_understood(raw: RawZone, tmp_path: Path) -> None:
    found = parts(raw, stream(seen=pl.Struct({"n": pl.String})), tmp_path / "aside")
    assert sorted(enumerate(KEYS)) == sorted((n, key) for part in found for key, n in part)


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (7, [("names", 2)]),
        (6, [("a/1", 6), ("a/2", 3), ("names", 2)]),
        (2, [("a/1", 6), ("a/2", 3), ("b/1", 5), ("c/1", 4), ("names", 2)]),
    ],
)
def test_what_arrived_comes_with_its_group_and_all_of_it_with_new_names(
    raw: RawZone, tmp_path: Path, minutes: int, expected: list[tuple[str, int]]
) -> None:
    until = AT + timedelta(minutes=minutes)
    assert [expected] == parts(raw, stream(named_by="names"), tmp_path / "aside", until)


@pytest.mark.usefixtures("small")
def test_rows_of_pieces_are_told_in_one_order(tmp_path: Path) -> None:
    aside = Pieces(tmp_path / "aside", ["n"])
    for some in ([5, 1], [4], [], [2, 0], [3]):
        aside.add(pl.DataFrame({"n": some}, schema={"n": pl.Int64}))
    found = aside.frames()
    places = pl.concat(
        [one.with_row_index("row").with_columns(piece=pl.lit(n)).collect() for n, one in enumerate(found)]
    )
    wanted = places.filter(pl.col("n") != 4).sort("n").select("piece", "row")
    assert (6, [0, 1, 2, 3, 5]) == (aside.height, pl.concat(list(in_order(found, wanted))).get_column("n").to_list())
    assert (3, 2) == (len(found), len(list((tmp_path / "aside").iterdir())))


def test_rows_of_pieces_are_put_together_with_what_only_some_of_them_say() -> None:
    at = pl.Datetime("us", "UTC")
    shape = {"n": pl.Int64, "said": pl.String, "never": pl.String, "at": at, "nor": pl.String}
    nothing = dict.fromkeys(("never", "at", "nor"))
    told = [[{"n": 2, "said": None, **nothing}, {"n": 0, "said": None, **nothing}], [{"n": 1, "said": "a", **nothing}]]
    places = pl.DataFrame({"piece": [0, 1, 0], "row": [1, 0, 0]})
    whole = together([pl.LazyFrame(rows, schema=shape) for rows in told], places)
    assert (pl.Schema(shape), [1] * len(shape)) == (whole.schema, whole.n_chunks("all"))
    assert [(0, None), (1, "a"), (2, None)] == whole.select("n", "said").rows()
    assert {(None, None, None)} == set(whole.select("never", "at", "nor").rows())


def test_few_rows_touch_no_disk(tmp_path: Path) -> None:
    aside = Pieces(tmp_path / "aside")
    aside.add(pl.DataFrame({"n": [1]}))
    assert [1] == pl.concat(aside.frames()).collect().get_column("n").to_list()
    assert not (tmp_path / "aside").exists()
