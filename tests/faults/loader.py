"""The process under attack: everything imported once, then one fork for each load, so that a kill costs no start-up.

Belongs here: what runs inside that process, and how it dies at a named stage. Does not: judging what was left behind
(`attack`). Speaks JSON, a line a message, on stdin and stdout:

    {"run": job, "arguments": {…}, "stage": {…} or null, "largest_file": bytes or null}   → {"pid": …}
    {"stopped": pid}                                                                   → {"status": null or …}
    {"ended": pid, "kill_after": seconds}                                              → {"status": …, "seconds": …}

A stage is `before` or `after` a call, named `module:attribute`: the nth one that has a text in its arguments. There the
process sends itself a signal that it cannot catch, so nothing of Python or Rust can clean up.
"""

from __future__ import annotations

import os

os.environ.update(
    OPENBLAS_NUM_THREADS="1", RUNTIME__DLTHUB_TELEMETRY="false", RUNTIME__LOG_LEVEL="ERROR", POLARS_MAX_THREADS="2"
)

import gc
import importlib
import json
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any

import dlt
import dlt.common.libs.deltalake
import dlt.destinations.impl.filesystem.filesystem
import dlt.load.load
import polars as pl
import pyarrow.dataset  # noqa: F401 - imported by every load; once here is enough
import requests
import shop
from faults.agency import Agency, facts_in, hour_of, pages_source, source

from kr_definitions.events import COVERED, current
from pipelines import erasure, load
from pipelines.raw_zone import RawZone


@dataclass(frozen=True)
class _StillClock:
    """A clock on which nobody has to wait, and which two loads cannot contend for."""

    instant: datetime

    def now(self) -> datetime:
        return self.instant

    def sleep(self, seconds: float) -> None:
        """Nothing here asks anybody to slow down."""


class _OtherName(load.Lake):
    """A lake that another pipeline loads into."""

    @property
    def raw(self) -> RawZone:
        return RawZone(self.root / "raw", pipeline_suffix="_other")


def load_agency(lake: str, base_url: str, started_at: str, other_name: bool = False) -> None:
    """One plain run of ours."""
    instant = datetime.fromisoformat(started_at)
    of_org = (_OtherName if other_name else load.Lake)(Path(lake))
    loads = load.fetch(source(base_url), of_org, _StillClock(instant), instant)
    load.bring_up_to_date([source(base_url)], of_org, instant)
    for failed in (stream for stream in loads if stream.failure):
        raise failed.failure


def load_plainly(lake: str, base_url: str, started_at: str) -> None:
    """One plain run of the pipeline that everybody writes: append, a cursor, a working folder that stays."""

    @dlt.resource(name="visits", write_disposition="append", table_format="delta", primary_key=("id", "updated_at"))
    def visits(changed: Any = dlt.sources.incremental("updated_at")) -> Any:  # noqa: B008 - dlt's way
        start: int | None = 0
        since = {"overlap": 0, **({"updated_since": changed.last_value} if changed.last_value else {})}
        while start is not None:
            page = requests.get(f"{base_url}/visits", params={**since, "start": start}, timeout=10).json()
            yield page["items"]
            start = page["next"]

    pipeline = dlt.pipeline(
        "plain",
        pipelines_dir=f"{lake}/working",
        destination=dlt.destinations.filesystem(bucket_url=f"{lake}/raw"),
        dataset_name="agency",
    )
    pipeline.run(visits())


def watch(lake: str, days: int, seed: int, until: str, told: str) -> None:
    """Read the log again and again until a file appears, compare each reading with the truth, and tell.

    In every state of the log that can be seen, what it states is what was true at the hour up to which it says that
    the vendor has been read: facts and the reading that brought them are one commit, and no day is seen in part.
    """
    agency = Agency(days, seed)
    reads, wrong = 0, []
    while not Path(until).exists():
        time.sleep(0.5)  # noqa: TID251 - somebody else's process, in real time
        events = current(load.Lake(Path(lake)).log.scan()).collect()
        covered_to = events.filter(pl.col("event_type") == COVERED).get_column("covered_to").max()
        if covered_to is not None:
            reads += 1
            hour = hour_of(covered_to)
            wrong += [f"hour {hour}"] if facts_in(events) != agency.facts(hour) else []
    Path(told).write_text(json.dumps({"reads": reads, "wrong": wrong}), encoding="utf-8")


def load_pages(lake: str, loads: list[dict[str, Any]]) -> None:
    """Loads of the given pages, one after another: {"at", "pages": [[{"key", "revision", "price"}]]}."""
    of_org = load.Lake(Path(lake))
    for delivered in loads:
        instant = datetime.fromisoformat(delivered["at"])
        told = pages_source(delivered["pages"])
        load.fetch(told, of_org, _StillClock(instant), instant)
        load.bring_up_to_date([told], of_org, instant)


def load_shop(lake: str, hour: int, has: dict[str, Any]) -> None:
    """A load of a shop that has these customers and orders."""
    for loaded in shop.load_shop(Path(lake), shop.Shop(**has), hour):
        assert loaded.failure is None


def erase_from_shop(lake: str, hour: int, person: str) -> None:
    """The erasure of a customer of the shop, as `hito erase` does it."""
    of_org, sources = load.Lake(Path(lake)), [shop.source(shop.Shop())]
    erasure.resume(of_org, sources, shop.at(hour))
    erasure.erase(of_org, sources, erasure.find(of_org, sources, person), shop.at(hour))
    erasure.published(of_org)


JOBS: dict[str, Callable[..., None]] = {
    "ours": load_agency,
    "plain": load_plainly,
    "pages": load_pages,
    "watch": watch,
    "shop": load_shop,
    "erase": erase_from_shop,
}


def signal_at(when: str, where: str, nth: int, argument: str, sends: int) -> None:
    """Have this process signal itself before or after the nth call of something."""
    module, _, path = where.partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module)
    for part in owners:
        owner = getattr(owner, part)
    original = getattr(owner, name)
    calls = 0

    @wraps(original)
    def fatal(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        is_meant = not argument or argument in f"{args} {kwargs}"
        calls += is_meant
        is_here = is_meant and calls == nth
        if is_here and when == "before":
            os.kill(os.getpid(), sends)
        result = original(*args, **kwargs)
        if is_here and when == "after":
            os.kill(os.getpid(), sends)
        return result

    setattr(owner, name, fatal)


def _poll_often() -> None:
    """Look often: dlt looks once a second whether a job has ended; hundreds of loads would mostly wait for that."""
    original = dlt.load.load.Load.__init__

    @wraps(original)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self._run_loop_sleep_duration = 0.01

    dlt.load.load.Load.__init__ = init


def _load(request: dict[str, Any]) -> int:
    _, unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        if request["stage"]:
            signal_at(**request["stage"])
        if request["largest_file"]:
            resource.setrlimit(resource.RLIMIT_FSIZE, (request["largest_file"], unlimited))
        JOBS[request["run"]](**request["arguments"])
    except BaseException:  # noqa: BLE001 - Polars panics are not Exceptions; whatever it is, it is told
        resource.setrlimit(resource.RLIMIT_FSIZE, (unlimited, unlimited))
        traceback.print_exc()
        return 1
    return 0


def _run(request: dict[str, Any]) -> dict[str, Any]:
    pid = os.fork()
    if pid:
        return {"pid": pid}
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        code = _load(request)
        sys.stderr.flush()
    finally:
        os._exit(code)


def _stopped(pid: int) -> dict[str, Any]:
    _, status = os.waitpid(pid, os.WUNTRACED)
    return {"status": None if os.WIFSTOPPED(status) else os.waitstatus_to_exitcode(status)}


def _ended(pid: int, kill_after: float) -> dict[str, Any]:
    started = time.monotonic()
    handle = os.pidfd_open(pid)
    ended, _, _ = select.select([handle], [], [], kill_after)
    if not ended:
        os.kill(pid, signal.SIGKILL)
    os.close(handle)
    _, status = os.waitpid(pid, 0)
    return {"status": os.waitstatus_to_exitcode(status), "seconds": time.monotonic() - started}


def main() -> None:
    _poll_often()
    gc.collect()
    gc.freeze()  # what is the same in every fork stays shared
    for line in sys.stdin:
        request = json.loads(line)
        if "run" in request:
            answer = _run(request)
        elif "stopped" in request:
            answer = _stopped(request["stopped"])
        else:
            answer = _ended(request["ended"], request["kill_after"])
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
