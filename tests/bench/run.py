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
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from kr_definitions.catalogue import Definition

THROUGH = date(2026, 11, 20)
FOUNDED = datetime(2024, 11, 1, tzinfo=UTC)
REPEATS = 3


def write_log(path: Path, organisation: str, rows: int) -> None:
    """A log of many events of the types that an organisation's key results read, and their coverage."""
    from kr_definitions.catalogue import load
    from kr_definitions.events import empty_log, facts_frame
    from kr_definitions.vocabulary import vocabulary
    from pipelines.event_log import readings, statements

    catalogue, draw = load(organisation), random.Random(1)
    types = sorted({name for definition in catalogue.definitions for name in definition.types})
    seconds = int((datetime(2026, 11, 21, tzinfo=UTC) - FOUNDED).total_seconds())
    keys = pl.Series([str(n) for n in range(rows)])
    facts = pl.DataFrame(
        {
            "record_key": keys,
            "fact_key": keys,
            "subject_id": [str(draw.randrange(rows // 4)) for _ in range(rows)],
            "event_type": draw.choices(types, k=rows),
            "account_id": [str(draw.randrange(rows // 20)) for _ in range(rows)],
            "actor": [str(draw.randrange(40)) for _ in range(rows)],
            "occurred_at": [FOUNDED + timedelta(seconds=draw.randrange(seconds)) for _ in range(rows)],
            **{name: draw.choices(texts, k=rows) for name, texts in _texts(catalogue.definitions).items()},
        }
    ).with_columns(
        pl.lit(120).cast(pl.Decimal(38, 6)).alias("amount"),
        pl.lit(100).cast(pl.Decimal(38, 6)).alias("quantity"),
        pl.lit(catalogue.organisation.currency).alias("currency"),
        pl.col("occurred_at").dt.date().dt.month_start().dt.offset_by("1mo").alias("forecast_month"),
        *(pl.lit(1).cast(pl.Decimal(38, 6)).alias(name) for name in ("score", "attended_share")),
    )
    known = vocabulary().attributes
    facts = facts.select(name for name in facts.columns if name not in ("score", "attended_share") or name in known)
    at = datetime(2026, 11, 21, 6, tzinfo=UTC)
    stated = statements(empty_log(), facts_frame(facts.lazy()), facts.lazy(), "bench", "all", at)
    loads = pl.DataFrame(
        {"covered_from": [None], "covered_to": [at], "read_at": [at]},
        schema=dict.fromkeys(("covered_from", "covered_to", "read_at"), pl.Datetime("us", "UTC")),
    )
    pl.concat([stated, readings(loads, tuple(types), "bench", "all", "1", at)]).write_parquet(path)


def _texts(definitions: Sequence[Definition]) -> dict[str, list[str]]:
    """By attribute, the texts that filters ask for and dimensions name, with as many others."""
    from kr_definitions.conditions import asked
    from kr_definitions.measures.selection import columns_of
    from kr_definitions.vocabulary import vocabulary

    attributes = vocabulary().attributes
    found: dict[str, set[str]] = {name: set(one.values) for name, one in attributes.items() if one.values}
    for definition in definitions:
        for _, measure in definition.key_result.measures():
            for _, text, types in measure.filters():
                for column, literal in asked(text, columns_of(types)):
                    found.setdefault(column, set()).add(literal)
        each = definition.key_result.each
        if each is not None:
            found.setdefault(each.dimension, set()).update(each.members or ("norte", "sur", "este"))
    return {
        name: [*sorted(texts), *([] if attributes[name].values else ["other"])]
        for name, texts in found.items()
        if name in attributes
    }


def all_at_once(path: Path, organisation: str) -> int:
    """Every key result from one plan, as a run does it."""
    from kr_definitions.catalogue import load
    from kr_definitions.compute import compute

    catalogue = load(organisation)
    return compute(catalogue.definitions, catalogue.organisation, pl.scan_parquet(path), THROUGH).height


def one_by_one(path: Path, organisation: str) -> int:
    """The same key results, each with a scan of its own."""
    from kr_definitions.catalogue import load
    from kr_definitions.compute import compute

    catalogue = load(organisation)
    log = pl.scan_parquet(path)
    return sum(compute([one], catalogue.organisation, log, THROUGH).height for one in catalogue.definitions)


def explained(path: Path, organisation: str) -> int:
    """The events behind every figure of every key result."""
    from kr_definitions.catalogue import load
    from kr_definitions.contributions import contributions

    catalogue = load(organisation)
    return contributions(catalogue.definitions, catalogue.organisation, pl.scan_parquet(path), THROUGH).height


def decode_only(path: Path, organisation: str) -> int:
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


CANDIDATES: dict[str, Callable[[Path, str], int]] = {
    "all key results, one plan": all_at_once,
    "each key result, own scan": one_by_one,
    "events behind every figure": explained,
    "only decoding the columns": decode_only,
}


def measure(name: str, path: Path, organisation: str) -> dict[str, float]:
    """One candidate in this process: CPU and wall seconds, and the peak memory of the process."""
    CANDIDATES[name](path, organisation)  # once for imports and caches
    before, wall = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    CANDIDATES[name](path, organisation)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"cpu": cpu, "wall": time.perf_counter() - wall, "mib": peak_mib()}


def peak_mib() -> float:
    """The most memory that this process ever held (Linux); `ru_maxrss` would count the parent's too."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def in_a_process(name: str, path: Path, organisation: str) -> dict[str, float]:
    """`measure`, in a process that does nothing else."""
    command = [sys.executable, __file__, "--one", name, str(path), organisation]
    found = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ)
    return dict(json.loads(found.stdout))


def main() -> None:
    """Measure and print."""
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]), sys.argv[4])))
        return
    from kr_definitions.catalogue import load, organisations

    sizes = [int(size) for size in sys.argv[1:]] or [100_000, 1_000_000]
    for rows in sizes:
        for organisation in organisations():
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "log.parquet"
                write_log(path, organisation, rows)
                runs = [{name: in_a_process(name, path, organisation) for name in CANDIDATES} for _ in range(REPEATS)]
            best = {name: min((run[name] for run in runs), key=lambda found: found["cpu"]) for name in CANDIDATES}
            base = best["all key results, one plan"]["cpu"]
            count = len(load(organisation).definitions)
            print(
                f"\n{organisation}: {rows:,} events, {count} key results, every day until {THROUGH}; best of {REPEATS}"
            )
            print(f"{'':28}{'CPU s':>8}{'wall s':>8}{'MiB':>8}{'× one plan':>12}")
            for name, found in best.items():
                ratio = found["cpu"] / base
                print(f"{name:28}{found['cpu']:8.2f}{found['wall']:8.2f}{found['mib']:8.0f}{ratio:12.2f}")


if __name__ == "__main__":
    main()
