"""Files as rows of text: formats, encodings, and what is said of a file that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.files.declaration import FilesOptions, FileStream
from pipelines.files.reading import Folder
from pipelines.rows.records import PROBLEM
from pipelines.rows.written import FILE, ROW, ROWS_A_FRAME
from pipelines.source import SourceError


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def read(folder: Path, file_format: Any = "csv", *columns: str, **declared: Any) -> pl.DataFrame:
    """The rows of the files `x*`, in the columns a and b if no others are named."""
    stream = declared_stream(file_format, *(columns or ("a", "b")), **declared)
    source = Folder("office.sheet", folder)
    return pl.concat(frame for path in source.files(stream) for frame in source.rows(path, stream))


def declared_stream(file_format: Any, *named: str, **declared: Any) -> FileStream:
    """A stream that uses these columns."""
    return FilesOptions.model_validate(
        {
            "streams": {
                "rows": {
                    "path": "x*", "format": file_format, "delivery": "append", "key": list(named),
                    "events": [{"type": "lead.created", "at": named[0], "subject": f'"{named[0]}"'}], **declared,
                }
            }
        }
    ).streams["rows"]  # fmt: skip


def cells(frame: pl.DataFrame) -> list[tuple[Any, ...]]:
    return frame.drop(FILE, ROW, PROBLEM).rows()


def refused(folder: Path, file_format: Any = "csv", *columns: str) -> str:
    with pytest.raises(SourceError) as caught:
        read(folder, file_format, *columns)
    assert str(caught.value).startswith("office.sheet: ")
    return str(caught.value)


# CSV


@pytest.mark.parametrize(
    ("content", "form", "rows"),
    [
        (b"a,b\n1,2\n", {}, [("1", "2")]),
        (b"a,b\r\n1,2\r\n3,4", {}, [("1", "2"), ("3", "4")]),
        (b"\xef\xbb\xbfa,b\n1,2\n", {}, [("1", "2")]),
        (b'a,b\n"1,5","say ""x""\nand y"\n', {}, [("1,5", 'say "x"\nand y')]),
        (b'a;b\n5" tv;x\n', {"separator": ";"}, [('5" tv', "x")]),
        (b"a\tb\n1\t2\n", {"separator": "\t"}, [("1", "2")]),
        (b"a|b\n'x|y'|2\n", {"separator": "|", "quote": "'"}, [("x|y", "2")]),
        (b'a,b\n"x,2\n', {"quote": ""}, [('"x', "2")]),
        (b"a,b\n,  \n?,n/a\n ? ,x\n", {"nulls": ["?", "n/a"]}, [(None, None), (None, "x")]),
        (b"a,b\n1,2\n\n , \n3,4\n,\n", {}, [("1", "2"), ("3", "4")]),
        (b"a,b\n#1,2\n# 3, \n#\n #4,,\n#5,6,7\n", {"notes": "#"}, [("#1", "2"), ("#5", "6")]),
        (b"a,b,z\n#1,,x\n", {"notes": "#"}, [("#1", None)]),
        (b"z,b,a,y\n1,2,3,4\n", {}, [("3", "2")]),
        (b"a,z,b,z\n1,2,3,4\n", {}, [("1", "3")]),
        ("a,b\nMálaga,日本\n".encode(), {}, [("Málaga", "日本")]),
        ("a,b\nMálaga,€\n".encode("cp1252"), {"encoding": "windows-1252"}, [("Málaga", "€")]),
        ("a,b\nMálaga,x\n".encode("utf-16"), {"encoding": "utf-16"}, [("Málaga", "x")]),
        (b"a,b\n0012,1e3\nTRUE,NaN\n", {}, [("0012", "1e3"), ("TRUE", "NaN")]),
    ],
)
def test_csv_is_read_as_it_was_written_every_cell_as_text(
    folder: Path, content: bytes, form: dict[str, Any], rows: list[tuple[str, ...]]
) -> None:
    (folder / "x.csv").write_bytes(content)
    assert cells(read(folder, {"type": "csv", **form})) == rows


def test_every_row_knows_its_file_and_its_number_as_a_spreadsheet_counts_them(folder: Path) -> None:
    (folder / "x1.csv").write_text('a,b\n1,"two\nlines"\n\n3,4\n')
    (folder / "x2.csv").write_text("a,b\n5,6\n")
    assert read(folder).select(FILE, ROW).rows() == [("x1.csv", 2), ("x1.csv", 4), ("x2.csv", 2)]


def test_rows_with_too_few_or_too_many_fields_are_told_and_the_others_read(folder: Path) -> None:
    (folder / "x.csv").write_text("a,b,c\n1,2,3\n4,5\n6,7,8,9\n10,11,12\n")
    problems = read(folder).select(ROW, PROBLEM).rows()
    assert problems == [
        (2, None),
        (3, "the row has 2 fields where the header has 3"),
        (4, "the row has 4 fields where the header has 3"),
        (5, None),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_a_file_that_was_cut_off_in_the_middle_of_a_row_is_refused(folder: Path, encoding: str) -> None:
    form = {"type": "csv", "encoding": encoding}
    for whole in ("a,b,c\n1,2,3\n4,5\n", "a,b,c\n1,2,3\n4,5,6", "a,b,c\n1,2,3\n,"):
        (folder / "x.csv").write_text(whole, encoding=encoding)
        read(folder, form)
    (folder / "x.csv").write_text("a,b,c\n1,2,3\n4,5", encoding=encoding)
    assert "x.csv breaks off in row 3, after 2 of its 3 fields" in refused(folder, form)


def test_many_rows_come_in_frames_of_their_own_and_keep_their_order(folder: Path) -> None:
    count = 2 * ROWS_A_FRAME + 1
    (folder / "x.csv").write_text("a,b\n" + "".join(f"{row},{row}\n" for row in range(count)))
    assert read(folder).get_column(ROW).to_list() == list(range(2, count + 2))


@pytest.mark.parametrize(
    ("content", "form", "told"),
    [
        (b"", {}, "x.csv is empty"),
        (b"a,c\n1,2\n", {}, "x.csv has no column b"),
        (b"A,b\n1,2\n", {}, "x.csv has no column a. Did you mean 'A' for a?"),
        (b"aa,b\n1,2\n", {}, "Did you mean 'aa' for a?"),
        (b" A,b \n1,2\n", {}, "x.csv has no column a, b. Did you mean ' A' for a, 'b ' for b?"),
        (b"a,zzz\n1,2\n", {}, "x.csv has no column b. It has a, zzz"),
        (b"a,a\n1,2\n", {}, "x.csv has 2 columns called a"),
        (b"\n,\na,b\n1,2\n", {}, "x.csv begins with blank rows: the first that says anything is row 3"),
        (b",\n\n", {}, "x.csv is empty: it has not even a header"),
        (b"a;b\n1;2\n", {}, "x.csv has one column, 'a;b'. Declare its separator, ';'"),
        (b"a,b,a\n1,2,3\n", {}, "x.csv has 2 columns called a"),
        (b'a,b\n1,2\n"3,4\n5,6\n', {}, "x.csv row 3: unexpected end of data"),
        (b'a,b\n1,2\n"3"x,4\n', {}, "x.csv row 3: "),
        (b"a,b\n1,2\n3,M\xe1laga\n", {}, "x.csv line 3: what stands there is not utf-8"),
        (b"a,b\n1,\x00\n", {}, "x.csv holds NUL characters"),
        ("a,b\n1,2\n".encode("utf-16-le"), {}, "NUL"),
        ("a,b\n1,Málaga\n".encode(), {"encoding": "windows-1252"}, "x.csv is UTF-8 and declared as cp1252"),
        (b"a,b\n1,\x81\n", {"encoding": "windows-1252"}, "x.csv line 2: what stands there is not cp1252"),
        (b'a,b\n"' + b"x" * 200_000 + b'",2\n', {}, "field larger than field limit"),
    ],
)
def test_a_csv_file_that_cannot_be_read_is_refused_by_name_and_row(
    folder: Path, content: bytes, form: dict[str, Any], told: str
) -> None:
    (folder / "x.csv").write_bytes(content)
    assert told in refused(folder, {"type": "csv", **form})


# JSON Lines


def test_json_lines_are_read_exactly_whatever_their_numbers(folder: Path) -> None:
    lines = [
        '{"a": 0.10, "b": 123456789012345678901234567890.25, "c": {"d": true, "e": [1, "x"]}}',
        "",
        '{"b": null, "a": "ñ", "c": {}}',
        '{"a": -1E+2, "z": 1}',
    ]
    (folder / "x.jsonl").write_text("\n".join(lines), encoding="utf-8")
    rows = read(folder, "jsonl", "a", "b", "c.d", "c.e")
    assert cells(rows) == [
        ("0.10", "123456789012345678901234567890.25", "true", '["1", "x"]'),
        ("ñ", None, None, None),
        ("-1E+2", None, None, None),
    ]
    assert rows.get_column(ROW).to_list() == [1, 3, 4]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"a": 1, "b": 2', "x.jsonl line 2: "),
        ("[1, 2]", "x.jsonl line 2: it is no JSON object"),
        ('{"a": NaN, "b": 2}', "NaN is no number"),
        ('{"a": 1, "a": 2, "b": 3}', "the key a twice"),
    ],
)
def test_a_line_that_is_no_whole_object_is_refused(folder: Path, line: str, told: str) -> None:
    (folder / "x.jsonl").write_text('{"a": 1, "b": 2}\n' + line)
    assert told in refused(folder, "jsonl")


def test_a_key_that_no_line_has_is_a_missing_column(folder: Path) -> None:
    (folder / "x.jsonl").write_text('{"a": 1, "bb": 2}\n')
    assert "x.jsonl has no column b. Did you mean 'bb' for b?" in refused(folder, "jsonl")


# Parquet


def test_parquet_is_read_as_text_that_says_the_same(folder: Path) -> None:
    pl.DataFrame(
        {
            "text": ["x", None],
            "whole": [2**60, 1],
            "exact": pl.Series([Decimal("0.10"), None], dtype=pl.Decimal(38, 6)),
            "day": [date(2026, 3, 1), None],
            "instant": pl.Series([datetime(2026, 3, 1, 9, 30)], dtype=pl.Datetime("us"))  # noqa: DTZ001 - without a zone
            .dt.replace_time_zone("Europe/Madrid")
            .extend_constant(None, 1),
            "local": pl.Series([datetime(2026, 3, 1, 9, 30), None], dtype=pl.Datetime("ns")),  # noqa: DTZ001 - without a zone
            "flag": [True, None],
            "label": pl.Series(["a", "b"], dtype=pl.Categorical),
        }
    ).write_parquet(folder / "x.parquet")
    names = ("text", "whole", "exact", "day", "instant", "local", "flag", "label")
    rows = read(folder, "parquet", *names)
    assert rows.select(names).rows()[0] == (
        "x", "1152921504606846976", "0.100000", "2026-03-01",
        "2026-03-01T08:30:00.000000Z", "2026-03-01T09:30:00.000000", "true", "a",
    )  # fmt: skip
    assert rows.get_column(ROW).to_list() == [1, 2]


def test_parquet_without_rows_is_no_rows(folder: Path) -> None:
    pl.DataFrame(schema={"a": pl.String, "b": pl.Int64}).write_parquet(folder / "x.parquet")
    assert cells(read(folder, "parquet")) == []


def test_a_parquet_file_that_is_cut_off_or_no_parquet_is_refused(folder: Path) -> None:
    pl.DataFrame({"a": ["x"] * 5000, "b": list(range(5000))}).write_parquet(folder / "whole")
    whole = (folder / "whole").read_bytes()
    for content in (whole[: len(whole) // 2], whole[:-1], b"a,b\n1,2\n", b"", whole[:100] + b"\0" * 400 + whole[500:]):
        (folder / "x.parquet").write_bytes(content)
        assert "x.parquet is no whole Parquet file" in refused(folder, "parquet")


def test_parquet_columns_that_are_missing_or_no_plain_values_are_refused(folder: Path) -> None:
    pl.DataFrame({"a": ["x"], "list": [[1]]}).write_parquet(folder / "x.parquet")
    assert "x.parquet has no column b" in refused(folder, "parquet")
    assert "column list is List" in refused(folder, "parquet", "a", "list")


# Which files


def test_all_files_are_read_in_the_order_of_their_names_or_the_last_alone(folder: Path) -> None:
    for name in ("x-2026-02.csv", "x-2026-01.csv", "x-2026-10.csv"):
        (folder / name).write_text(f"a,b\n{name},1\n")
    assert read(folder).get_column("a").to_list() == ["x-2026-01.csv", "x-2026-02.csv", "x-2026-10.csv"]
    assert read(folder, take="last").get_column("a").to_list() == ["x-2026-10.csv"]


def test_files_in_folders_below_are_found_and_named_with_them(folder: Path) -> None:
    (folder / "2026" / "x").mkdir(parents=True)
    (folder / "2026" / "x" / "y.csv").write_text("a,b\n1,2\n")
    assert read(folder, path="**/*.csv").get_column(FILE).to_list() == ["2026/x/y.csv"]


def test_files_that_are_being_written_are_left_alone(folder: Path) -> None:
    (folder / "x.csv").write_text("a,b\n1,2\n")
    for name in (".x.csv.new", "~$x.csv"):
        (folder / name).write_text("half of a fi")
    assert cells(read(folder, path="*")) == [("1", "2")]


def test_no_file_at_all_is_told_with_the_place(folder: Path) -> None:
    assert f"no file matches x* in {folder}" in refused(folder)


def test_a_link_out_of_the_folder_is_refused(folder: Path) -> None:
    outside = folder.parent / "secret.csv"
    outside.write_text("a,b\n1,2\n")
    (folder / "x.csv").symlink_to(outside)
    assert "leads out of" in refused(folder)


def test_a_folder_that_is_called_like_a_file_is_none(folder: Path) -> None:
    (folder / "x.csv").mkdir()
    assert "no file matches" in refused(folder)


def test_a_file_that_goes_away_while_it_is_read_is_told(folder: Path) -> None:
    (folder / "x.csv").write_text("a,b\n1,2\n")
    stream = declared_stream("csv", "a", "b")
    source = Folder("office.sheet", folder)
    (path,) = source.files(stream)
    path.unlink()
    with pytest.raises(SourceError, match=r"x\.csv cannot be read \(No such file"):
        list(source.rows(path, stream))
