"""Mail addresses, which are stored nowhere: taken out of whatever a source gives, before anything is done with it.

Belongs here: what a mail address is, and hiding it. Does not: the fields that are known to hold one (each source drops
them or turns them into pseudonyms), or what becomes of a fact that says one (`plausibility` sets its record aside).

What is hidden is where nobody meant it: a name that somebody filled with an address, a title, a column that is no more
what it was. A text says afterwards that there was one, so that the record is told of as if there still were.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from pipelines.source import Covered, Fetch, Mark, Read, Record

HIDDEN = "⟨mail address⟩"

_LOCAL, _DOMAIN = r"[\w.%+'-]+", r"[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}"
ADDRESS = rf"(?:^|[^\w.%+'@-]){_LOCAL}(?:@|%40){_DOMAIN}"
"""One, and what stands before it, in words of Python's and of Polars' expressions. `@name@social.example` is none."""

_FOUND = re.compile(ADDRESS.replace("(?:", "(", 1))
_SIGNS = (b"@", b"%40")


def holds_a_mail_address(text: str) -> bool:
    """Whether a text may not be stored."""
    return _FOUND.search(text) is not None


def hidden(text: str) -> str:
    """A text without the mail addresses in it."""
    return _FOUND.sub(rf"\g<1>{HIDDEN}", text)


def without_addresses(fetch: Fetch) -> Fetch:
    """A fetch whose records hold no mail address."""

    def fetched(read: Read) -> Generator[list[Record] | Mark, None, Covered]:
        pages = fetch(read)
        try:
            while True:
                page = next(pages)
                yield [_clean(record) for record in page] if isinstance(page, list) else page
        except StopIteration as end:
            covered: Covered = end.value
            return covered
        finally:
            pages.close()

    return fetched


def _clean(record: Record) -> Record:
    written = orjson.dumps(record.payload)
    if not any(sign in written for sign in _SIGNS):
        return record
    return type(record)(record.key, record.revision, _within(record.payload, hidden), record.is_deleted)


def _within(value: Any, change: Callable[[str], str]) -> Any:
    """A value of JSON with its texts changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {change(key): _within(one, change) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_within(one, change) for one in value]
    return value
