"""A run ends at once when it is asked to: in the middle of a request, with the code that a shell expects."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from assets.home import Home
from assets.interruption import beside
from assets.run import only_run

HITO = Path(sys.executable).with_name("hito")
ENOUGH_SECONDS = 20  # for a busy machine; a vendor that never answers is waited for much longer


@pytest.fixture
def silent_vendor():
    """A vendor that takes a request and never answers: its listening socket."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        listening.settimeout(180)
        yield listening


def begun(home: Path, vendor: socket.socket) -> tuple[subprocess.Popen[str], socket.socket]:
    """A run of two organisations that waits for the vendor of the first."""
    host, port = vendor.getsockname()
    clean = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    connected = {
        "SOURCES__INBOUND__HUBSPOT__BASE_URL": f"http://{host}:{port}",
        "SOURCES__INBOUND__HUBSPOT__ACCESS_TOKEN": "secret",
    }
    run = subprocess.Popen(
        [HITO, "run", "-o", "inbound", "-o", "revops"],
        env={**clean, **connected, "HITO_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    asked, _ = vendor.accept()
    return run, asked


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_at_once_and_no_other_organisation_is_begun(tmp_path, silent_vendor, number, code):
    run, asked = begun(tmp_path, silent_vendor)
    with closing(asked):
        sent = time.monotonic()
        run.send_signal(number)
        out, err = run.communicate(timeout=180)
    assert (run.returncode, out, err) == (code, "", "interrupted: the next run goes on from here\n")
    assert time.monotonic() - sent < ENOUGH_SECONDS
    assert not (tmp_path / "lake" / "revops").exists()
    with only_run(Home(tmp_path)):
        pass  # nobody holds its lock any more


def test_what_is_done_beside_is_given_back_or_raised():
    assert beside(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        beside(lambda: 1 / 0)
