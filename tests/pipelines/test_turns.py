"""What the histories of records are computed from on the way."""

from __future__ import annotations

import polars as pl

from pipelines.turns import once


def test_what_is_computed_on_the_way_lies_in_one_piece() -> None:
    """Of what lay in several, Polars 2.1 has broken off the understanding of ten odd records, and with it the run."""
    pieces = pl.concat([pl.DataFrame({"record_key": [f"record {n}"]}) for n in range(9)], rechunk=False)
    assert pieces.n_chunks() > 1
    assert once(pieces.lazy()).collect().n_chunks() == 1
