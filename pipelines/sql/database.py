"""The database of an account: its credentials, a connection that only reads, and what it answers, without secrets.

Belongs here: everything about the database as a whole. Does not: one table (`tables`), or its rows (`reading`).

The credentials are dlt's `ConnectionStringCredentials`, under the account's full name alone (see `settings`): a
connection string in `sources.<organisation>.<source>.credentials`, or its parts below that name (`drivername`, `host`,
`port`, `database`, `username`, `password`, `query`).

What a database says of a failure may quote a row, so only what it says of names, rights and connections is passed on.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import dlt
import sqlalchemy as sa
from dlt.common.configuration.specs import ConnectionStringCredentials
from dlt.extract.exceptions import PipeException
from sqlalchemy.pool import NullPool

from pipelines.settings import Settings
from pipelines.source import Account, SourceConfigError, VendorError, never_tell, without_secrets

PARTS = ("drivername", "host", "port", "database", "username", "password", "query")

_AT_CONNECTION: Mapping[str, tuple[str, ...]] = {
    "postgresql": ("SET TIME ZONE 'UTC'", "SET DateStyle = 'ISO, YMD'"),
    "mysql": ("SET time_zone = '+00:00'", "SET SESSION TRANSACTION READ ONLY"),
    "mariadb": ("SET time_zone = '+00:00'", "SET SESSION TRANSACTION READ ONLY"),
    "sqlite": ("PRAGMA query_only = ON",),
}
"""So that times are told in UTC, and nothing is written, where a database can be told so."""

_FILES = ("sqlite", "duckdb")
"""Databases that are a file."""

_TOLD_TO_SQLITE = "sqlite:///file:/an/absolute/path.db?mode=ro&uri=true"

_READING: Mapping[str, Mapping[str, Any]] = {
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
}

_OPERATORS = ("28", "3D", "3F", "42", "0A")
"""SQLSTATE classes of what the operator mends: credentials, names of databases, schemas, tables and columns, rights."""

_IMPERSONAL = (*_OPERATORS, "08", "25", "40", "53", "54", "55", "57", "58")
"""Those whose messages quote no row: also connections, transactions, resources, interventions."""

_UNNUMBERED = ("OperationalError", "ProgrammingError", "TimeoutError")
"""Of databases without SQLSTATE: failures whose messages quote no row."""

_MOST_QUOTED = 200
_SECRET = re.compile(r"(?i)pass|pwd|secret|token|key|cred")
_ODBC_SECRET = re.compile(r"(?i)\b(?:pwd|password|\w*token|\w*key)\s*=\s*(\{[^}]*\}|[^;]*)")
_HOST = re.compile(r"[\w.:%/-]*")


@dataclass(frozen=True)
class Database:
    """A database that can be read. source: what errors call it."""

    source: str
    engine: sa.Engine

    @property
    def dialect(self) -> str:
        """The kind of database, in SQLAlchemy's words."""
        return self.engine.dialect.name

    def refuse(self, failure: BaseException, what: str) -> NoReturn:
        """Raise what a failed query comes to. what: whatever was being read."""
        code, said = self._told(failure)
        found = f"{what}: the database answered {said}"
        if code[:2] in _OPERATORS:
            do = "Correct the declaration, the credentials or the rights"
            raise SourceConfigError(self.source, found, do) from None
        raise VendorError(self.source, found, "Try again later, or look at the database") from None

    @contextmanager
    def answering(self, what: str) -> Iterator[None]:
        """Turn failures of the database in the block into errors that name what was being read."""
        try:
            yield
        except sa.exc.SQLAlchemyError as failure:
            self.refuse(failure, what)
        except PipeException as failure:  # dlt's, around one of those
            if _answer(failure) is None:
                raise
            self.refuse(failure, what)

    def _told(self, failure: BaseException) -> tuple[str, str]:
        """The SQLSTATE of a failure, and what may be said of it."""
        answer = _answer(failure)
        original = getattr(answer, "orig", None) or answer
        code = str(getattr(original, "sqlstate", None) or getattr(original, "pgcode", None) or "")
        name = type(original).__name__
        if not (code[:2] in _IMPERSONAL if code else name in _UNNUMBERED):
            return code, f"{name} {code}".strip()
        words = without_secrets(" ".join(str(original).split()))
        return code, f"{name} {code} ({words[:_MOST_QUOTED]})".replace("  ", " ")


@contextmanager
def database(account: Account) -> Iterator[Database]:
    """The account's database for the block. Raises `SourceConfigError` where it cannot be known which that is."""
    settings = Settings(account)
    credentials = _credentials(settings)
    if not _HOST.fullmatch(credentials.host or ""):  # a part of a password, where its signs were not written as codes
        raise _malformed(settings)
    for secret in _secrets(credentials):
        never_tell(secret)
    _require_file(settings, credentials)
    _refuse_repeated(settings, credentials)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", sa.exc.SAWarning)
            made = sa.create_engine(credentials.to_url(), poolclass=NullPool, hide_parameters=True)
    except sa.exc.SAWarning as ignored:
        raise _ignored(settings, credentials, str(ignored)) from None
    except sa.exc.NoSuchModuleError:
        found = f"no dialect is installed for {credentials.drivername}"
        do = "Install the one that it names, or correct drivername"
        raise SourceConfigError(settings.source, found, do) from None
    except ImportError as failure:
        found = f"the driver of {credentials.drivername} is not installed ({failure.name})"
        raise SourceConfigError(settings.source, found, "Install it beside hito: pip install …") from None
    except (sa.exc.ArgumentError, ValueError, TypeError):
        raise _malformed(settings) from None
    engine = made.execution_options(**_READING.get(made.dialect.name, {}))
    sa.event.listen(made, "connect", _prepared(made.dialect.name))
    try:
        with _released(engine):
            yield Database(settings.source, engine)
    finally:
        made.dispose()


@contextmanager
def _released(engine: sa.Engine) -> Iterator[None]:
    """Let go of what the block asked for, even of a table that was not read to its end.

    dlt's iterator over one holds its connection for as long as nobody collects it as garbage.
    """
    connections: list[sa.Connection] = []
    cursors: list[Any] = []
    sa.event.listen(engine, "engine_connect", connections.append)
    sa.event.listen(engine, "after_cursor_execute", lambda connection, cursor, *_: cursors.append(cursor))
    try:
        yield
    finally:
        for opened in (*cursors, *connections):
            with suppress(sa.exc.SQLAlchemyError, engine.dialect.loaded_dbapi.Error):
                opened.close()


def _require_file(settings: Settings, credentials: ConnectionStringCredentials) -> None:
    """A database that is a file is there already: to open one that is not would make it, empty."""
    path = credentials.database or ""
    is_file = (credentials.drivername or "").partition("+")[0] in _FILES and not path.startswith((":", "file:", "md:"))
    if is_file and not Path(path).is_file():
        found = f"there is no file {path}" if path else "no file is named"
        raise SourceConfigError(
            settings.source, found, f"Correct {settings.name('credentials')}: sqlite:////an/absolute/path.db"
        )


def _refuse_repeated(settings: Settings, credentials: ConnectionStringCredentials) -> None:
    """Of what a connection string says twice nobody knows which one is meant, and drivers are handed both as one."""
    repeated = [name for name, value in (credentials.query or {}).items() if not isinstance(value, str | int)]
    if repeated:
        found = f"{settings.name('credentials')} says {', '.join(sorted(repeated))} more than once"
        raise SourceConfigError(settings.source, found, "Say it once: several hosts as host=one,other")


def _ignored(settings: Settings, credentials: ConnectionStringCredentials, warning: str) -> SourceConfigError:
    """What a driver warns that it would leave out of account."""
    named = [name for name in credentials.to_url().query if f"'{name}'" in warning]
    of = f"{', '.join(sorted(named)) or 'a part'} of {settings.name('credentials')}"
    do = f"Correct it, or leave it out; what SQLite itself is to be told is written as {_TOLD_TO_SQLITE}"
    return SourceConfigError(settings.source, f"the driver of {credentials.drivername} ignores {of}", do)


def _credentials(settings: Settings) -> ConnectionStringCredentials:
    whole = _setting(settings, "credentials")
    try:
        if isinstance(whole, str):
            return ConnectionStringCredentials(whole.strip())
        parts = {part: _setting(settings, f"credentials.{part}") for part in PARTS}
        given = {part: value for part, value in parts.items() if value is not None}
        if not given:
            raise settings.missing("credentials")
        if "drivername" not in given:
            raise settings.missing("credentials.drivername")
        return ConnectionStringCredentials(_typed(given))
    except SourceConfigError:
        raise
    except Exception:  # noqa: BLE001 - whatever dlt says of it may quote it
        raise _malformed(settings) from None


def _secrets(credentials: ConnectionStringCredentials) -> Iterator[str]:
    """The password, and whatever else says by its name that it is one, also within a connection string of ODBC."""
    yield credentials.password or ""
    for name, value in credentials.get_query().items():
        if _SECRET.search(name):
            yield str(value)
        yield from (found[1].strip("{}") for found in _ODBC_SECRET.finditer(str(value)))


def _typed(parts: dict[str, Any]) -> dict[str, Any]:
    """Parts as they are meant, whether they were set in a file or as variables."""
    if "port" in parts:
        parts["port"] = int(parts["port"])
    if isinstance(parts.get("query"), str):
        parts["query"] = json.loads(parts["query"])
    return {name: str(value) if name not in ("port", "query") else value for name, value in parts.items()}


def _setting(settings: Settings, key: str) -> Any:
    name = settings.name(key)
    value = dlt.secrets.get(name)
    return dlt.config.get(name) if value is None else value


def _malformed(settings: Settings) -> SourceConfigError:
    return SourceConfigError(
        settings.source,
        f"{settings.name('credentials')} is no connection string",
        "Write it as postgresql+psycopg://user:password@host:5432/database (what is not a letter or digit in the "
        "password as %-codes), or its parts one by one",
    )


def _prepared(dialect: str) -> Any:
    def prepare(connection: Any, record: Any) -> None:  # noqa: ARG001 - as SQLAlchemy calls it
        cursor = connection.cursor()
        try:
            for statement in _AT_CONNECTION.get(dialect, ()):
                cursor.execute(statement)
        finally:
            cursor.close()
        connection.commit()

    return prepare


def _answer(failure: BaseException) -> BaseException | None:
    """The database's own failure in a chain of them."""
    seen: BaseException | None = failure
    while seen is not None:
        if isinstance(seen, sa.exc.SQLAlchemyError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None
