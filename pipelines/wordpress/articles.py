"""The articles of a blog: what was published, and what is there no more.

Belongs here: reading articles, and the facts that they state. Does not: HTTP (`site`).

`article.published` happens at the article's `date_gmt`: a scheduled one counts once its time has come and the site
shows it, a draft never, and one that is put in the trash, made a draft or deleted is withdrawn. Only what everybody can
read is asked for, and of that only the id, the time and the categories: no title, no text, no author.

What changed is asked for by the time of change and by the time of publication, as WordPress does not count publishing a
scheduled article as a change of it. What is gone is in no list. So each reading also asks how many articles there are;
where that is not as many as are known, and once every `reread_days`, and where a category was renamed, all of them are
read. A long reading of all goes on from the page at which it was interrupted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import orjson
import polars as pl

from kr_definitions.vocabulary import UTC_MICROSECONDS, nearest
from pipelines.ids import packed, unpacked
from pipelines.novelty import are_too_many
from pipelines.source import (
    READ_AGAIN,
    Account,
    Covered,
    DoubtedReading,
    Mark,
    Read,
    Record,
    SourceConfigError,
    Stream,
    VendorError,
)
from pipelines.wordpress.options import WordPressOptions
from pipelines.wordpress.site import MOST_TRIES, Item, ListChanged, Place, Site

PAYLOAD = pl.Struct({"id": pl.String(), "date_gmt": pl.String(), "status": pl.String(), "category": pl.String()})
FIELDS = "id,date_gmt,status,categories"

OVERLAP = timedelta(days=2)
"""More than zones differ by, and than a clock goes back."""

PAGES_A_MARK = 10


Pages = Generator[list[Record] | Mark, None, Covered]


def articles(account: Account, options: WordPressOptions) -> Stream:
    """The stream."""
    return Stream(
        name="articles",
        feeds=("article.published",),
        fetch=lambda read: _Reading(account, options, read).pages(),
        payload=PAYLOAD,
        facts=lambda records: facts(records, options.site),
        overlap=OVERLAP,
    )


@dataclass(frozen=True)
class Known:
    """What is known of a blog after a reading: the cursor. blog: which one it is; categories: what it calls them."""

    ids: frozenset[int]
    all_read_at: datetime
    blog: str
    categories: str

    def text(self) -> str:
        content = {**asdict(self), "ids": packed(self.ids), "all_read_at": self.all_read_at.isoformat()}
        return orjson.dumps(content).decode()

    @classmethod
    def of(cls, text: str) -> Known:
        content = orjson.loads(text)
        at = datetime.fromisoformat(content["all_read_at"])
        return cls(frozenset(unpacked(content["ids"])), at, content["blog"], content["categories"])


@dataclass
class _Reading:
    """One reading of a blog."""

    account: Account
    options: WordPressOptions
    read: Read
    site: Site = field(init=False)
    categories: dict[str, str] = field(init=False)

    def pages(self) -> Pages:
        self.site = Site(self.account, self.options.site, self.read.clock)
        self.categories = self.site.categories()
        self._refuse_unknown_categories()
        known = Known.of(self.read.cursor) if self.read.cursor else None
        if known is not None and self.read.since is not None and self.read.mark is None and not self._is_due(known):
            seen = yield from self._changed(self.read.since)
            ids = known.ids | seen
            if self.site.total(self.options.type) == len(ids):
                return Covered(self.read.since, self.read.until, replace(known, ids=ids).text())
        return (yield from self._whole(known))

    def _is_due(self, known: Known) -> bool:
        """Whether all has to be read: from time to time, and where something else is asked than was."""
        is_old = self.read.until - known.all_read_at >= timedelta(days=self.options.reread_days)
        return is_old or (known.blog, known.categories) != (self._blog, self._categories)

    @property
    def _blog(self) -> str:
        return f"{self.options.site} {self.options.type}"

    @property
    def _categories(self) -> str:
        said = [self.options.categories, sorted(self.categories.items())]
        return hashlib.sha256(orjson.dumps(said)).hexdigest()[:16]

    def _changed(self, since: datetime) -> Generator[list[Record] | Mark, None, set[int]]:
        """What was changed or published since: two lists, as publishing what was scheduled is no change."""
        found: set[int] = set()
        for name in ("modified_after", "after"):
            for _ in range(MOST_TRIES):
                try:
                    params = {"_fields": FIELDS, name: self.site.text_of(since)}
                    for page in self.site.listed(self.options.type, params):
                        found.update(one["id"] for one in page.items)
                        yield [self._record(one) for one in page.items]
                except ListChanged:
                    continue
                break
            else:
                raise self._unsteady()
        return found

    def _whole(self, known: Known | None) -> Pages:
        """Everything that the site shows, and what is known and it shows no more."""
        place, found = _resumed(self.read.mark)
        for _ in range(MOST_TRIES):
            try:
                for number, page in enumerate(self.site.listed(self.options.type, {"_fields": FIELDS}, place), start=1):
                    found.update(one["id"] for one in page.items)
                    yield [self._record(one) for one in page.items]
                    if number % PAGES_A_MARK == 0:
                        yield Mark(packed(found))
            except ListChanged:
                place, found = None, set()
                continue
            break
        else:
            raise self._unsteady()
        if known is not None:
            gone = known.ids - found
            if known.blog == self._blog:
                self._refuse_doubtful(len(gone), len(known.ids))
            yield [Record(str(id_), None, {}, is_deleted=True) for id_ in sorted(gone)]
        now = Known(frozenset(found), self.read.until, self._blog, self._categories)
        return Covered(None, self.read.until, now.text())

    def _record(self, article: Item) -> Record:
        """An article without its texts and its author; without revision: what arrives last holds."""
        categories = article.get("categories")
        if not isinstance(categories, list | None):
            found = (
                f"the categories of article {article['id']} are {type(categories).__name__}, where WordPress has a list"
            )
            raise VendorError(self.site.source, found, READ_AGAIN)
        payload = {
            "id": article["id"],
            "date_gmt": article.get("date_gmt"),
            "status": article.get("status"),
            "category": self._category(categories or []),
        }
        return Record(str(article["id"]), None, payload)

    def _category(self, ids: list[Any]) -> str | None:
        names = [self.categories[str(id_)] for id_ in ids if str(id_) in self.categories]
        if self.options.categories:
            return next((name for name in self.options.categories if name in names), None)
        return names[0] if len(names) == 1 else None

    def _refuse_unknown_categories(self) -> None:
        known = set(self.categories.values())
        for name in self.options.categories:
            if name not in known:
                likely = nearest(name, known) or sorted(known)[:10]
                do = f"Did you mean {' or '.join(likely)}?" if likely else "Leave the option `categories` out"
                raise SourceConfigError(self.site.source, f"the site has no category {name}", do)

    def _refuse_doubtful(self, gone: int, held: int) -> None:
        """Where so much is gone, the site is likelier to hide it: a plugin, another address, a restored backup."""
        if are_too_many(gone, held, self.options.most_removed):
            raise DoubtedReading(
                self.site.source,
                f"{gone} of the {held} articles that were known are not on the site any more",
                "Check that it still shows them; where so many were really removed, set most_removed to 1 for one run",
            )

    def _unsteady(self) -> VendorError:
        found = f"the list of {self.options.type} changed each of {MOST_TRIES} times that it was read"
        return VendorError(self.site.source, found, READ_AGAIN)


def _resumed(mark: str | None) -> tuple[Place | None, set[int]]:
    """Where an earlier reading of all had got to, and the ids that it had come past."""
    found = unpacked(mark) if mark else set()
    return (Place(len(found), max(found)) if found else None), found


def facts(records: pl.LazyFrame, site: str) -> pl.LazyFrame:
    """What articles state: each that everybody can read."""
    published = records.filter(pl.col("status").eq_missing("publish"))
    at = pl.col("date_gmt").str.strip_suffix("Z").str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False)
    return published.select(
        "record_key",
        fact_key=pl.format("article/{}/published", "id"),
        event_type=pl.lit("article.published"),
        subject_id="id",
        occurred_at=at.dt.replace_time_zone("UTC").cast(UTC_MICROSECONDS),
        category="category",
        source_url=pl.format("{}/?p={}", pl.lit(site.rstrip("/")), "id"),
        problem=pl.when(at.is_null()).then(
            pl.format("date_gmt: not a time ({})", pl.col("date_gmt").str.slice(0, 40).fill_null("nothing"))
        ),
    )
