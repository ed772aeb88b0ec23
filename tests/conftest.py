"""How properties are searched for exceptions: the same examples on every run, many more of them in a soak.

And what makes thousands of tests quick: there are more workers than cores, so Polars needs no second thread in one
(that it changes nothing is what `faults/test_determinism` shows), and what was imported is not looked through for
garbage all the time.
"""

from __future__ import annotations

import os

os.environ.setdefault("POLARS_MAX_THREADS", "1")

import gc
from collections.abc import Iterator

import pytest
from hypothesis import settings

from pipelines import source

settings.register_profile("ci", derandomize=True, deadline=None, database=None)
settings.register_profile("soak", deadline=None, database=None, max_examples=2000)
settings.load_profile("soak" if os.environ.get("HITO_SOAK") else "ci")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[object]:
    """What is imported for all the tests stays: it is no garbage, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True)
def secrets_of_one_test() -> Iterator[None]:
    """What one test signs in with is no secret to the next one, whose errors may say the same word."""
    before = set(source._never_told)
    yield
    if source._never_told != before:
        source._never_told.intersection_update(before)
        source._told.cache_clear()
