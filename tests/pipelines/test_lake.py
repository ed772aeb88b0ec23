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
