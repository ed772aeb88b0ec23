"""One run, from the command line: the sandbox if asked for, then each organisation's daily job, in this process.

Belongs here: starting what a run needs and ending it. Does not: what the job does (`orchestration`), how it is told
(`report`).
"""

from __future__ import annotations

import logging
import os
import shutil
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from filelock import FileLock, Timeout

from assets.clock import today as today_in
from assets.home import PROJECT, Home, last_whole_day, started_at

if TYPE_CHECKING:
    from dagster import DagsterInstance


class RunRefused(Exception):
    """A run cannot begin: says why and what to do."""


@dataclass
class Outcome:
    """What a run came to. failed: organisation -> what failed, one line each.

    set_aside: the records that it set aside anew, one line each; standing_aside: how many are, since whichever run, one
    line a stream. undeclared: organisations that have a history here and no declarations any more.
    """

    run_ids: dict[str, str] = field(default_factory=dict)
    failed: dict[str, list[str]] = field(default_factory=dict)
    set_aside: list[str] = field(default_factory=list)
    standing_aside: list[str] = field(default_factory=list)
    undeclared: list[str] = field(default_factory=list)
    waited_seconds: float = 0.0


@contextmanager
def only_run(home: Home) -> Iterator[None]:
    """Hold the home's lock: of two runs at once, the second is refused instead of getting in the way."""
    if odd := sorted(set("[]") & set(str(home.root))):
        raise RunRefused(
            f"{home.root} has {' and '.join(odd)} in it, where no table can be kept. Choose another HITO_HOME"
        )
    home.root.mkdir(parents=True, exist_ok=True)
    lock = FileLock(home.root / "run.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunRefused(f"another run is at work in {home.root}. Wait for it to end, then run again") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def environment(changes: dict[str, str]) -> Iterator[None]:
    """Environment variables for the block, put back afterwards."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def sandbox(organisations: Sequence[str], day: date | None, seed: int) -> Iterator[tuple[Home, str]]:
    """A sandbox served for the block, and the home of its runs; everything is connected by the environment alone.

    day: the day on which the run pretends to be made; without it `sandbox_day`. Gives the home and the base URL.
    """
    from pipelines.sandbox.runner import running

    root = Path(os.environ.get("HITO_HOME") or PROJECT / ".hito" / "sandbox").resolve()
    day = day or sandbox_day(organisations, started_at(), root)
    with ExitStack() as stack:
        served = stack.enter_context(running(organisations, day, root, seed=seed))
        connected = {"HITO_HOME": str(root), **pseudonym_keys(organisations), **served.environment()}
        stack.enter_context(environment(connected))
        yield Home.from_environment(), served.base_url


def simulated(declared: Sequence[str]) -> list[str]:
    """Those of the declared organisations that the sandbox simulates. Raises `RunRefused` where it is none."""
    from pipelines.sandbox.runner import ORGANISATIONS

    if found := [name for name in declared if name in ORGANISATIONS]:
        return found
    raise RunRefused(
        f"none of {', '.join(declared)} is simulated: run without --sandbox, or declare {' or '.join(ORGANISATIONS)}"
    )


def sandbox_day(organisations: Sequence[str], now: datetime, root: Path) -> date:
    """The day that a sandbox in a folder is at: the real one, or a later one that its companies have seen already.

    Around midnight one organisation's day may have ended while another's has not: the companies of a folder share one.
    """
    from pipelines.sandbox.runner import day_of

    return max(real_day(organisations, now), day_of(root) or date.min)


def real_day(organisations: Sequence[str], now: datetime) -> date:
    """The day that has begun in the zones of all these organisations."""
    from pipelines.sandbox.runner import zones

    return min(today_in(zone, now) for zone in zones(organisations) or {"UTC"})


def pseudonym_keys(organisations: Sequence[str]) -> dict[str, str]:
    """The key that simulated people are hashed with: the same on every machine."""
    return {f"SOURCES__{name.replace('-', '_').upper()}__PSEUDONYM_KEY": "sandbox" for name in organisations}


def run(home: Home, organisations: Sequence[str]) -> Outcome:
    """Run the daily job of each organisation, for the last whole day in its zone.

    Raises `RunRefused` when another run is at work, `DeclarationErrors` for wrong declarations. A source or a check
    that fails is in the outcome. An erasure that was cut off is completed before.
    """
    from assets.commands.erase import complete

    outcome = Outcome(undeclared=sorted({*home.remembered()} - {*home.organisations()}))
    with only_run(home):
        for organisation in organisations:
            complete(home, organisation, started_at())
        instance = _instance(home)
        from assets.orchestration import definitions, job_name

        everything = definitions(home, organisations)
        for organisation in organisations:
            zone = home.catalogue(organisation).organisation.zone
            result = everything.resolve_job_def(job_name(organisation)).execute_in_process(
                instance=instance,
                partition_key=last_whole_day(zone, started_at()).isoformat(),
                raise_on_error=False,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            )
            outcome.run_ids[organisation] = result.run_id
            failures = [_why(event) for event in result.all_events if event.is_step_failure]
            failures += _unread(home, organisation, result.run_id)
            failures += _held_back(home, organisation, result.run_id)
            outcome.set_aside += _set_aside(home, organisation, result.run_id)
            outcome.standing_aside += _standing_aside(home, organisation)
            if failures:
                outcome.failed[organisation] = failures
        instance.dispose()
    return outcome


def _unread(home: Home, organisation: str, run_id: str) -> list[str]:
    """What a run could not read, one line a failure: a vendor that fails stops nobody else."""
    loads = home.lake(organisation).loads().filter(pl.col("failure").is_not_null(), pl.col("run_id") == run_id)
    return loads.select("failure").unique(maintain_order=True).collect().get_column("failure").to_list()


def _held_back(home: Home, organisation: str, run_id: str) -> list[str]:
    """The key results whose new figures failed a critical check in a run, with what was found, one line a check."""
    from assets.steps import findings

    is_of_run = (pl.col("run_id") == run_id) & (pl.col("severity") == "critical")
    rows = findings(home, organisation).filter(is_of_run, pl.col("key_results") != "")
    told = pl.format("held back: {}: {}: {} Found: {}. {}.", "key_results", "check", "says", "found", "do")
    return rows.select(told).collect().to_series().to_list()


def _set_aside(home: Home, organisation: str, run_id: str, most: int = 10) -> list[str]:
    """The records that a run set aside, as lines: the first ones, and how many more there are."""
    from pipelines.rows.records import spoken

    rows = home.lake(organisation).quarantine().filter(pl.col("run_id") == run_id)
    key = spoken(pl.col("record_key"))
    told = rows.select(pl.format("{}.{} {}: {}", "source", "stream", key, "problem")).collect().to_series()
    more = [f"and {len(told) - most} more (the lake's quarantine table has them all)"] if len(told) > most else []
    return [*told.head(most).to_list(), *more]


def _standing_aside(home: Home, organisation: str) -> list[str]:
    """What does not count of an organisation's sources, since whichever run: one line a stream."""
    from assets import set_aside

    standing = set_aside.standing(home, home.catalogue(organisation))
    return [f"{organisation}: {one.counted}" for one in set_aside.by_stream(standing)]


def _why(event: Any) -> str:
    data, step = event.event_specific_data, event.step_key
    if data.user_failure_data:
        return f"{step}: {data.user_failure_data.description}"
    # Not a user's doing: its kind and its message here, its trace in Dagster's records (hito dev).
    cause = data.error.cause or data.error
    said = cause.message.strip().splitlines()
    return f"{step}: {said[0] if said else cause.cls_name}"


def _instance(home: Home) -> DagsterInstance:
    """Dagster's records of this home, with the settings that come with the project."""
    prepared(home)
    from dagster import DagsterInstance

    return DagsterInstance.from_config(str(home.dagster))


def prepared(home: Home) -> None:
    """Make Dagster's folder with the settings that come with the project."""
    quiet()
    home.dagster.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(__file__).with_name("dagster.yaml"), home.dagster / "dagster.yaml")


def quiet() -> None:
    """Let libraries speak only of what is wrong: the terminal is the report's."""
    os.environ.setdefault("RUNTIME__LOG_LEVEL", "ERROR")
    os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    warnings.filterwarnings("ignore", module=r"dagster|dlt|great_expectations")
    logging.getLogger("dagster").setLevel(logging.ERROR)
