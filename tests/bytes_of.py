"""What can be read of anything below a folder, by whoever has the disk: every file, opened as far as it opens.

Belongs here: reading. Does not: what to look for. A file is given raw, and again as whatever it holds: each column of a
parquet file (referenced by a table or not) with its statistics, what is compressed decompressed, each column of each
table of SQLite and DuckDB, texts in base 64.
"""

from __future__ import annotations

import base64
import bz2
import gzip
import lzma
import re
import sqlite3
import zlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

_MAGIC: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ": lzma.decompress,
    b"\x28\xb5\x2f\xfd": lambda data: pa.input_stream(pa.BufferReader(data), compression="zstd").read(),
    b"\x04\x22\x4d\x18": lambda data: pa.input_stream(pa.BufferReader(data), compression="lz4").read(),
    b"\x78\x01": zlib.decompress,
    b"\x78\x9c": zlib.decompress,
    b"\x78\xda": zlib.decompress,
}
_BETWEEN = b"\n\0\n"
"""What no text that is looked for holds."""
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{12,}={0,2}")


def mentions(root: Path, needles: Collection[str]) -> dict[str, set[str]]:
    """The files below a folder that hold one of these texts, each with those that it holds; names of files count."""
    sought = {needle: needle.encode() for needle in needles}
    found: dict[str, set[str]] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        parts = dict.fromkeys([name.encode(), *(readings(path) if path.is_file() else ())])
        everything = _BETWEEN.join(parts)
        held = {needle for needle, text in sought.items() if text in everything}
        if held:
            found[name] = held
    return found


def readings(path: Path) -> Iterator[bytes]:
    """A file's bytes, and what is in them."""
    data = path.read_bytes()
    yield from opened(data)
    if data[:4] == b"PAR1":
        yield from _of_parquet(path)
    elif data[:16] == b"SQLite format 3\0":
        yield from _of_sqlite(path)
    elif data[8:12] == b"DUCK":
        yield from _of_duckdb(path)


def opened(data: bytes) -> Iterator[bytes]:
    """Bytes, and whatever they hold in base 64 or compressed."""
    yield data
    yield from (base64.urlsafe_b64decode(_padded(text[0])) for text in _BASE64.finditer(data))
    for magic, decompress in _MAGIC.items():
        if data.startswith(magic):
            try:
                yield from opened(decompress(data))
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError):
                continue


def _padded(text: bytes) -> bytes:
    bare = text.rstrip(b"=").translate(bytes.maketrans(b"+/", b"-_"))
    bare = bare[: len(bare) - (len(bare) % 4 == 1)]
    return bare + b"=" * (-len(bare) % 4)


def _of_parquet(path: Path) -> Iterator[bytes]:
    with pq.ParquetFile(path) as file:
        yield repr(file.metadata.to_dict()).encode()
        yield repr(file.schema_arrow.metadata).encode()
        for batch in file.iter_batches():
            for column in batch.columns:
                yield from _texts(column.to_pylist())


def _of_sqlite(path: Path) -> Iterator[bytes]:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        connection.text_factory = bytes
        names = [name.decode() for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for name in names:
            for row in connection.execute(f'SELECT * FROM "{name}"'):
                yield from _texts(list(row))


def _of_duckdb(path: Path) -> Iterator[bytes]:
    with duckdb.connect(str(path), read_only=True) as connection:
        names = connection.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall()
        for schema, name in names:
            for row in connection.execute(f'SELECT * FROM "{schema}"."{name}"').fetchall():
                yield from _texts(list(row))


def _texts(values: list[object]) -> Iterator[bytes]:
    for value in values:
        if isinstance(value, bytes):
            yield from opened(value)
        elif isinstance(value, str):
            yield from opened(value.encode())
        elif value is not None:
            yield repr(value).encode()
