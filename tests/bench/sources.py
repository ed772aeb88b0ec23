"""Benchmarks of sources: a first reading and a whole load of so many records, beside what they cannot beat.

`make bench` shows, for each source in `accounts.ACCOUNTS`: records per second, CPU seconds and peak memory of

* *asked*: the same requests, one after the other, each answer parsed (JSON or XML) and let go;
* *read*: the stream's fetch, each record let go;
* *loaded*: fetch, raw zone, understanding and event log.

Each is a process of its own, the vendor's stand-in another one. Read the ratios: the machine's own speed is in all.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    import requests

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent), str(HERE)]

import assets  # noqa: E402, F401 - first: its memory is allocated as the command line has it

# isort: split
from accounts import ACCOUNTS  # noqa: E402 - found by the paths above
from bench import Bench  # noqa: E402 - found by the paths above

RECORDS = 100_000
PASSES = ("asked", "read", "loaded")
_HEADERS = frozenset(
    {
        "accept",
        "authorization",
        "content-type",
        "linkedin-version",
        "stripe-version",
        "token",
        "x-api-token",
        "x-goog-api-key",
    }
)


def serve(bench: Bench, records: int, folder: Path) -> None:
    """Serve the stand-in over a company of so many records until this process is ended."""
    from pipelines.sandbox.server import served
    from pipelines.sandbox.stand_in import SharedClock

    bench.open(folder)
    with served(bench.app(records, SharedClock(folder / "clock.json", bench.now))) as serving:
        (folder / "url.new").write_text(serving.base_url)
        (folder / "url.new").replace(folder / "url")
        serving.wait()


def prepare(bench: Bench, folder: Path) -> None:
    """Where this process finds the account's settings."""
    given = {**bench.open(folder), **bench.settings}
    if bench.app is not None:
        given["base_url"] = (folder / "url").read_text()
    for name, value in given.items():
        os.environ[f"SOURCES__BENCH__{bench.kind}__{name}".upper()] = value


def read(bench: Bench, folder: Path) -> int:
    """Fetch the stream, and note what it asked for."""
    import requests

    from pipelines.sandbox.stand_in import SharedClock
    from pipelines.source import Read

    send = requests.adapters.HTTPAdapter.send
    with (folder / "asked.jsonl").open("w") as asked:

        def noted(self: Any, request: Any, **more: Any) -> Any:
            headers = {name: value for name, value in request.headers.items() if name.lower() in _HEADERS}
            body = request.body.decode() if isinstance(request.body, bytes) else request.body
            asked.write(json.dumps([request.method, request.url, headers, body]) + "\n")
            return send(self, request, **more)

        requests.adapters.HTTPAdapter.send = noted  # type: ignore[method-assign]
        clock = SharedClock(folder / "clock.json", None if bench.app is not None else bench.now)
        pages = bench.stream().fetch(Read(None, bench.now, None, clock))
        return sum(len(page) for page in pages if isinstance(page, list))


def asked(bench: Bench, folder: Path) -> int:
    """Make the same requests and parse their answers: what no reading of them can beat. Of a table, fetch its rows."""
    import requests

    from pipelines.sandbox.stand_in import SharedClock

    if bench.app is None:
        return bench.rows(folder)
    clock, session, answers = SharedClock(folder / "clock.json"), requests.Session(), 0
    with (folder / "asked.jsonl").open() as lines:
        for line in lines:
            method, url, headers, body = json.loads(line)
            answer = session.request(method, url, headers=headers, data=body, timeout=60)
            while answer.status_code == 429:
                clock.sleep(60)
                answer = session.request(method, url, headers=headers, data=body, timeout=60)
            answers += _parsed(answer)
    return answers


def _parsed(answer: requests.Response) -> bool:
    """Whether there is something in an answer."""
    if "xml" in answer.headers.get("content-type", ""):
        return len(ElementTree.fromstring(answer.content)) > 0
    return bool(answer.json())


def loaded(bench: Bench, folder: Path) -> int:
    """Load the stream into a lake of its own, raw zone and event log."""
    from pipelines.load import Lake, Source, bring_up_to_date, fetch
    from pipelines.sandbox.stand_in import SharedClock

    stream = bench.stream()
    source = Source(_Only(bench, stream.name), bench.account, bench.options)
    clock = SharedClock(folder / "clock.json", None if bench.app is not None else bench.now)
    lake = Lake(folder / "lake")
    [load] = fetch(source, lake, clock, bench.now)
    assert load.failure is None, load.failure
    [change] = bring_up_to_date([source], lake, bench.now)
    assert change.events_stated > 0
    assert change.quarantined == 0, change.set_aside
    return load.delivered


class _Only:
    """A connector that has one of its streams alone."""

    def __init__(self, bench: Bench, name: str) -> None:
        self.kind, self.options, self.bench, self.name = bench.kind, type(bench.options), bench, name

    def streams(self, account: Any, options: Any) -> list[Any]:
        return [one for one in self.bench.connector.streams(account, options) if one.name == self.name]


def measure(name: str, what: str, folder: Path) -> dict[str, float]:
    """One pass in this process: records, seconds, and the peak memory of the process before and after."""
    from run import peak_mib

    import pipelines.load  # noqa: F401 - what every pass holds anyway

    bench = ACCOUNTS[name]()
    prepare(bench, folder)
    base, before, wall = peak_mib(), resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    records = {"asked": asked, "read": read, "loaded": loaded}[what](bench, folder)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"records": records, "cpu": cpu, "wall": time.perf_counter() - wall, "mib": peak_mib(), "base": base}


@contextmanager
def serving(name: str, records: int, folder: Path) -> Iterator[None]:
    """The stand-in in a process of its own while the block runs; of a table, the table."""
    if ACCOUNTS[name]().app is None:
        ACCOUNTS[name]().make(records, folder)
        yield
        return
    server = subprocess.Popen([sys.executable, __file__, "--serve", name, str(records), str(folder)])
    try:
        while not (folder / "url").exists():
            if server.poll() is not None:
                raise SystemExit(f"{name}: its stand-in ended before it was served")
            time.sleep(0.2)  # noqa: TID251 - another process is waited for
        yield
    finally:
        server.terminate()
        server.wait()


def in_processes(name: str, records: int) -> dict[str, dict[str, float]]:
    """Each pass in a process that does nothing else; what was asked is noted by the reading before."""
    with tempfile.TemporaryDirectory() as folder, serving(name, records, Path(folder)):
        found = {}
        for what in ("read", "asked", "loaded"):
            command = [sys.executable, __file__, "--one", name, what, folder]
            quiet = {**os.environ, "RUNTIME__LOG_LEVEL": "ERROR"}
            given = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=quiet)
            found[what] = dict(json.loads(given.stdout.splitlines()[-1]))
        return found


def main() -> None:
    """Measure and print: `sources.py [records] [source …]`."""
    given = sys.argv[1:]
    if given[:1] == ["--serve"]:
        serve(ACCOUNTS[given[1]](), int(given[2]), Path(given[3]))
        return
    if given[:1] == ["--one"]:
        print(json.dumps(measure(given[1], given[2], Path(given[3]))))
        return
    records = int(given[0]) if given else RECORDS
    print(f"\nsources: {records:,} records, a first reading; × is against the requests alone")
    print(f"{'':14}{'':8}{'records/s':>10}{'CPU s':>8}{'× CPU':>7}{'MiB':>7}{'grew':>6}{'× MiB':>7}")
    for name in given[1:] or ACCOUNTS:
        found = in_processes(name, records)
        bare, count = found["asked"], found["read"]["records"]
        for what in PASSES:
            one = found[what]
            print(
                f"{name if what == PASSES[0] else '':14}{what:8}{count / one['wall']:10,.0f}{one['cpu']:8.1f}"
                f"{one['cpu'] / bare['cpu']:7.1f}{one['mib']:7.0f}{one['mib'] - one['base']:6.0f}"
                f"{one['mib'] / bare['mib']:7.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
