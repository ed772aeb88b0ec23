"""Whatever fault an answer has, each vendor's streams end right or loud: what is not told to be missing is there.

Each simulated vendor is read with some answers spoilt, and once more without. What a run that told of no failure has
read is what there was; and after the second one the log holds what it holds where no answer was ever spoilt.
"""

from __future__ import annotations

from datetime import date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest

from assets.home import Home, clock, started_at
from assets.run import environment, pseudonym_keys
from kr_definitions.events import COVERED, current
from pipelines.load import bring_up_to_date, fetch
from pipelines.sandbox.faults import FAULTS, Answer, Fault, asked
from pipelines.sandbox.runner import ORGANISATIONS, SandboxError, running

TODAY = date(2025, 1, 20)
PASSING = ("500", "503", "drop", "429", "429-retry-after")
"""Faults of an answer that asking again makes good."""
LASTING = [fault for fault in FAULTS if fault not in PASSING]

VENDORS = {vendor: name for name, one in ORGANISATIONS.items() for vendor in one.vendors}


def read(root: Path, vendor: str, *faults: str) -> tuple[dict[str, str], dict[str, pl.DataFrame]]:
    """Read a vendor once: by stream, why it failed, and what the log holds of it then."""
    name = VENDORS[vendor]
    with running([name], TODAY, root, faults=faults) as sandbox:
        variables = {"HITO_HOME": str(root), **pseudonym_keys([name]), **sandbox.environment()}
        with environment(variables):
            home = Home.from_environment()
            lake = home.lake(name)
            (source,) = [one for one in home.sources(home.catalogue(name)) if one.connector.kind == vendor]
            loads = fetch(source, lake, clock(), started_at())
            bring_up_to_date([source], lake, started_at())
    events = current(lake.log.scan()).filter(pl.col("event_type") != COVERED).drop("recorded_at").sort("event_id")
    held = {load.stream: events.filter(pl.col("stream") == load.stream).collect() for load in loads}
    return {load.stream: str(load.failure) for load in loads if load.covered is None}, held


@cache
def unspoilt(vendor: str) -> dict[str, pl.DataFrame]:
    """What the log holds of a vendor whose answers were never spoilt."""
    with TemporaryDirectory() as folder:
        failures, held = read(Path(folder), vendor)
    assert failures == {}
    assert any(frame.height for frame in held.values())
    return held


@pytest.mark.parametrize("vendor", VENDORS)
def test_what_passes_is_waited_for(tmp_path: Path, vendor: str) -> None:
    failures, held = read(tmp_path, vendor, f"{vendor}:{','.join(PASSING)}")
    assert failures == {}
    assert all(frame.equals(unspoilt(vendor)[stream]) for stream, frame in held.items())


@pytest.mark.parametrize("fault", LASTING)
@pytest.mark.parametrize("vendor", VENDORS)
def test_a_spoilt_reading_ends_right_or_loud(tmp_path: Path, vendor: str, fault: str) -> None:
    right = unspoilt(vendor)
    failures, held = read(tmp_path, vendor, f"{vendor}:{fault}")
    for stream, frame in held.items():
        if stream not in failures:
            assert frame.equals(right[stream]), stream
    failures, held = read(tmp_path, vendor)
    assert failures == {}
    assert all(frame.equals(right[stream]) for stream, frame in held.items())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("zendesk", "write <vendor>:<fault>"),
        ("zendsk:429", "There is no vendor 'zendsk' here"),
        ("zendesk:430", "There is no fault '430': choose from 429, "),
        ("zendesk:429@", "write 429@3 for the third"),
        ("zendesk:429@0", "write 429@3 for the third"),
    ],
)
def test_what_is_not_a_fault_is_told(text: str, told: str) -> None:
    with pytest.raises(SandboxError, match=told):
        asked([text], ["zendesk"])


def test_faults_are_asked_for_by_vendor() -> None:
    assert asked(["zendesk:429, truncate@2", "stripe:500"], ["zendesk", "stripe"]) == {
        "zendesk": (Fault("429"), Fault("truncate", 2)),
        "stripe": (Fault("500"),),
    }


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_changes_an_answer(fault: str) -> None:
    answer, before = (Answer(200, body, {}) for body in (b'{"items": [1, 2], "next": "x"}', b'{"items": [0]}'))
    assert FAULTS[fault](answer, before) != answer
