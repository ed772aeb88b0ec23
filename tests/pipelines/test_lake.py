"""Tables on any path, however it is spelt."""

from __future__ import annotations

import polars as pl
import pytest

from pipelines import lake

SCHEMA = {"a": pl.Int64(), "b": pl.String(), "c": pl.Date()}


@pytest.mark.parametrize("name", ["plain", "with space", "muñoz", "a#1", "100%", "(1)", "a+b,c'd"])
def test_what_is_written_is_read_again(tmp_path, name):
    path = tmp_path / name / "table"
    lake.append(path, pl.DataFrame({"a": [1]}), "test")
    lake.append(path, pl.DataFrame({"a": [2], "b": ["x"]}), "test")
    assert lake.scan(path, SCHEMA).sort("a").collect().rows() == [(1, None, None), (2, "x", None)]


def test_a_long_text_is_not_in_the_log_that_is_read_whenever_the_table_is_opened(tmp_path):
    lake.append(tmp_path / "table", pl.DataFrame({"b": ["x" * 100_000]}), "test")
    lake.append(tmp_path / "table", pl.DataFrame({"b": ["y" * 100_000]}), "test")
    entries = [entry.stat().st_size for entry in (tmp_path / "table" / "_delta_log").glob("*.json")]
    assert (2, True) == (len(entries), max(entries) < 5_000)
    assert {100_000} == set(lake.scan(tmp_path / "table", SCHEMA).collect()["b"].str.len_bytes())
