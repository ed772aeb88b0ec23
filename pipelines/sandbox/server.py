"""Serving a stand-in over real HTTP, on this machine only, for as long as a block runs."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

STOPPING_SECONDS = 5
"""How long answers under way may take once the block has ended."""
_LOOK_UP = 0.1


class Cut(Exception):
    """Raised by a stand-in that means its answer to end in the middle: nothing that anybody need be told of."""


class SandboxError(Exception):
    """The sandbox cannot do what its user asked for; the message is one line that says why and what to do."""


@dataclass(frozen=True)
class Served:
    """An application that is being served."""

    base_url: str
    thread: threading.Thread

    def wait(self) -> None:
        """Wait until somebody interrupts (Ctrl-C raises `KeyboardInterrupt`); raises if serving ends by itself."""
        while self.thread.is_alive():  # Polars 2 has waits go on after a signal (SA_RESTART): look up once in a while
            self.thread.join(timeout=_LOOK_UP)
        raise SandboxError(f"The server at {self.base_url} stopped by itself: start it again")


@contextmanager
def served(app: ASGIApp, port: int = 0) -> Iterator[Served]:
    """Serve `app` on loopback while the block runs. Port 0 takes a free one."""
    with closing(_listening(port)) as listening:
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=STOPPING_SECONDS
        )
        logging.getLogger("uvicorn.error").addFilter(_is_no_cut)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="sandbox", daemon=True)
        thread.start()
        try:
            while not server.started and thread.is_alive():
                thread.join(timeout=0.005)
            if not server.started:
                raise SandboxError("The server stopped as it started: its log above says why")
            yield Served(f"http://127.0.0.1:{listening.getsockname()[1]}", thread)
        finally:
            server.should_exit = True
            thread.join(timeout=2 * STOPPING_SECONDS)


@contextmanager
def serving(app: ASGIApp, port: int = 0) -> Iterator[str]:
    """Serve `app` on loopback while the block runs; gives its base URL. Port 0 takes a free one."""
    with served(app, port) as serving_now:
        yield serving_now.base_url


def _is_no_cut(told: logging.LogRecord) -> bool:
    return not (told.exc_info and isinstance(told.exc_info[1], Cut))


def _listening(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen(128)
    except (OSError, OverflowError) as failure:
        listening.close()
        why = getattr(failure, "strerror", None) or str(failure)
        raise SandboxError(f"Port {port} cannot be used ({why}): choose another one, or 0 for any free one") from None
    return listening
