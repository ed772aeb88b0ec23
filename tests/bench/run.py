"""Benchmarks: each candidate in a process of its own, beside the thing that it is compared with. `make bench`.

Figures are CPU seconds and peak memory without imports; read the ratios, the machine's own speed is in all of them.
Candidates are interleaved and the best of three is shown, so that a noisy neighbour spoils less.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

THROUGH = date(2026, 11, 20)
FOUNDED = datetime(2024, 11, 1, tzinfo=UTC)
REPEATS = 3


def write_log(path: Path, rows: int) -> None:
    """A log of many events of the types that the estate agency's key results read, and their coverage."""
    from kr_definitions.catalogue import load  # noqa: PLC0415
    from kr_definitions.events import empty_log, facts_frame  # noqa: PLC0415
    from pipelines.event_log import readings, statements  # noqa: PLC0415

    types = sorted({name for definition in load("inmobiliaria").definitions for name in definition.types})
    draw = random.Random(1)
    seconds = int((datetime(2026, 11, 21, tzinfo=UTC) - FOUNDED).total_seconds())
    keys = pl.Series([str(n) for n in range(rows)])
    facts = pl.DataFrame(
        {
            "record_key": keys,
            "fact_key": keys,
            "subject_id": keys,
            "event_type": draw.choices(types, k=rows),
            "account_id": [str(draw.randrange(rows // 20)) for _ in range(rows)],
            "occurred_at": [FOUNDED + timedelta(seconds=draw.randrange(seconds)) for _ in range(rows)],
            "mandate": draw.choices(["exclusive", "open"], k=rows),
            "portal": draw.choices(["idealista", "fotocasa", "habitaclia", "pisos"], k=rows),
            "rating": draw.choices(["good", "good", "good", "bad"], k=rows),
            "network": ["youtube"] * rows,
        }
    ).with_columns(
        pl.lit(120).cast(pl.Decimal(38, 6)).alias("amount"), pl.lit(100).cast(pl.Decimal(38, 6)).alias("quantity")
    )
    at = datetime(2026, 11, 21, 6, tzinfo=UTC)
    stated = statements(empty_log(), facts_frame(facts.lazy()), facts.lazy(), "bench", "all", at)
    loads = pl.DataFrame(
        {"covered_from": [None], "covered_to": [at], "read_at": [at]},
        schema=dict.fromkeys(("covered_from", "covered_to", "read_at"), pl.Datetime("us", "UTC")),
    )
    pl.concat([stated, readings(loads, tuple(types), "bench", "all", "1", at)]).write_parquet(path)


def all_at_once(path: Path) -> int:
    """Every key result from one plan, as a run does it."""
    from kr_definitions.catalogue import load  # noqa: PLC0415
    from kr_definitions.compute import compute  # noqa: PLC0415

    catalogue = load("inmobiliaria")
    return compute(catalogue.definitions, catalogue.organisation, pl.scan_parquet(path), THROUGH).height


def one_by_one(path: Path) -> int:
    """The same key results, each with a scan of its own."""
    from kr_definitions.catalogue import load  # noqa: PLC0415
    from kr_definitions.compute import compute  # noqa: PLC0415

    catalogue = load("inmobiliaria")
    log = pl.scan_parquet(path)
    return sum(compute([one], catalogue.organisation, log, THROUGH).height for one in catalogue.definitions)


def decode_only(path: Path) -> int:
    """Nothing but reading the columns that the key results need: what no query over the log can beat."""
    columns = [
        "event_id",
        "retracts",
        "event_type",
        "occurred_at",
        "account_id",
        "mandate",
        "portal",
        "rating",
        "amount",
    ]
    return pl.scan_parquet(path).select(columns).collect().height


CANDIDATES: dict[str, Callable[[Path], int]] = {
    "all key results, one plan": all_at_once,
    "each key result, own scan": one_by_one,
    "only decoding the columns": decode_only,
}


def measure(name: str, path: Path) -> dict[str, float]:
    """One candidate in this process: CPU and wall seconds, and the peak memory of the process."""
    CANDIDATES[name](path)  # once for imports and caches
    before, wall = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    CANDIDATES[name](path)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu": cpu, "wall": time.perf_counter() - wall, "mib": peak_mib()}


def peak_mib() -> float:
    """The most memory that this process ever held (Linux); `ru_maxrss` would count the parent's too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def in_a_process(name: str, path: Path) -> dict[str, float]:
    """`measure`, in a process that does nothing else."""
    command = [sys.executable, __file__, "--one", name, str(path)]
    found = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
    return dict(json.loads(found.stdout))


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]))))
        return
    sizes = [int(size) for size in sys.argv[1:]] or [100_000, 1_000_000]
    for rows in sizes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "log.parquet"
            write_log(path, rows)
            runs = [{name: in_a_process(name, path) for name in CANDIDATES} for _ in range(REPEATS)]
        best = {name: min((run[name] for run in runs), key=lambda found: found["cpu"]) for name in CANDIDATES}
        base = best["all key results, one plan"]["cpu"]
        print(f"\n{rows:,} events, 14 key results, every day of 2026 until {THROUGH}; best of {REPEATS}")
        print(f"{'':28}{'CPU s':>8}{'wall s':>8}{'MiB':>8}{'× one plan':>12}")
        for name, found in best.items():
            ratio = found["cpu"] / base
            print(f"{name:28}{found['cpu']:8.2f}{found['wall']:8.2f}{found['mib']:8.0f}{ratio:12.2f}")


if __name__ == "__main__":
    main()
