"""Posts of a page or account: that they were published, that they are gone, and what they brought.

Belongs here: walking the list, newest first, and what its records state. Does not: HTTP (`api`), either vendor's words
(`pipelines.facebook`, `pipelines.instagram`).

The first reading walks the whole list; later ones the last `posts_days`, and back to the last reading where that is
longer ago. Meta says nothing of what was deleted: a post that was there and is not in the list any more is asked for
by its id, and withdrawn where there is nothing of that id. What disappears when it is older than that is not noticed.

Reactions and views are read each day while a post is young (that often half of them come on the first one), and told
where they differ from what was told last.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import polars as pl

from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines.meta.api import READ_AGAIN, Gone, Graph, MetricRefused
from pipelines.source import Account, Covered, Mark, Read, Record, Stream, VendorError

Post = dict[str, Any]

PAYLOAD = pl.Struct({"id": pl.String(), "at": pl.String(), "kind": pl.String(), "address": pl.String()})
FIGURE_PAYLOAD = pl.Struct({"id": pl.String(), "at": pl.String(), "kind": pl.String(), "count": pl.String()})

_A_PAGE = 100
_TOGETHER = 50
_FEW = 10


@dataclass(frozen=True, slots=True)
class Posts:
    """A list of posts. path: below the profile. at: the field that says when.

    kind, address, reactions: of a record, what it is, where it can be seen, and how many reacted (None: not told, which
    is an error where nobody may hide them).
    """

    profile: str
    path: str
    at: str
    fields: str
    reaction_fields: str
    kind: Callable[[Post], str | None]
    address: Callable[[Post], str | None]
    reactions: Callable[[Post], Any]
    may_hide_reactions: bool = False

    def walked(
        self, graph: Graph, fields: str, since: datetime | None, until: int | None = None
    ) -> Iterator[list[Post]]:
        """The list's pages, newest first, back to an instant."""
        span: dict[str, Any] = {} if since is None else {"since": int(since.timestamp())}
        span |= {} if until is None else {"until": until}
        for page in graph.pages(f"{self.profile}/{self.path}", _A_PAGE, fields=fields, **span):
            yield page
            ats = [at for at in map(self.published_at, page) if at is not None]
            if since is not None and ats and max(ats) < since:
                return

    def published_at(self, post: Post) -> datetime | None:
        """When a post was published, as the vendor writes it; None for what is no time."""
        try:
            return datetime.strptime(str(post.get(self.at)), "%Y-%m-%dT%H:%M:%S%z").astimezone(UTC)
        except ValueError:
            return None


def posts(account: Account, vendor: str, of: Posts, posts_days: int) -> Stream:
    """That posts were published, and that they are gone."""
    network = vendor.lower()
    return Stream(
        name="posts",
        feeds=("post.published",),
        fetch=lambda read: _fetch(account, vendor, of, timedelta(days=posts_days), read),
        payload=PAYLOAD,
        facts=lambda records: _facts(records, network),
        always={"network": network},
    )


def _fetch(
    account: Account, vendor: str, of: Posts, young: timedelta, read: Read
) -> Generator[list[Record] | Mark, None, Covered]:
    graph = Graph(account, read.clock, vendor)
    horizon = read.until - young
    since = None if read.since is None else min(read.since, horizon)
    mark = orjson.loads(read.mark) if read.mark else {"until": None, "seen": {}}
    seen: dict[str, int] = mark["seen"]
    for page in of.walked(graph, of.fields, since, mark["until"]):
        yield [Record(str(post["id"]), None, _kept(of, post)) for post in page]
        ats = {str(post["id"]): at for post in page if (at := of.published_at(post)) is not None}
        seen |= {id_: int(at.timestamp()) for id_, at in ats.items() if at >= horizon}
        if ats:
            oldest = int(min(ats.values()).timestamp())
            yield Mark(orjson.dumps({"until": oldest + 1, "seen": seen}).decode())
    held = orjson.loads(read.cursor) if read.cursor else {}
    young_ones = {id_: at for id_, at in held.items() if at >= horizon.timestamp()}
    missing = {id_: at for id_, at in young_ones.items() if id_ not in seen}
    if len(missing) > max(_FEW, len(young_ones) // 2):
        found = f"{len(missing)} of {len(young_ones)} posts are not in the list any more, which is not believed"
        raise VendorError(graph.source, found, READ_AGAIN)
    for id_, at in missing.items():
        try:
            graph.get(id_, ("id",), fields="id")
            seen[id_] = at
        except Gone:
            yield [Record(id_, None, {"id": id_}, is_deleted=True)]
    return Covered(since, read.until, orjson.dumps(seen).decode())


def _kept(of: Posts, post: Post) -> dict[str, Any]:
    return {"id": post["id"], "at": post.get(of.at), "kind": of.kind(post), "address": of.address(post)}


def _facts(records: pl.LazyFrame, network: str) -> pl.LazyFrame:
    at = pl.col("at").str.to_datetime("%Y-%m-%dT%H:%M:%S%z", time_unit="us", time_zone="UTC", strict=False)
    return records.select(
        "record_key",
        fact_key="record_key",
        event_type=pl.lit("post.published"),
        subject_id="id",
        occurred_at=at.cast(UTC_MICROSECONDS),
        network=pl.lit(network),
        category="kind",
        source_url="address",
        problem=pl.when(at.is_null()).then(pl.format("published: not a time ({})", pl.col("at").fill_null("nothing"))),
    )


Counted = Callable[[Graph, list[Post]], Iterator[tuple[Post, Any]]]
"""From posts to those that have a figure, with it."""


def reactions(account: Account, vendor: str, of: Posts, days: int) -> Stream:
    """How many reacted to young posts."""

    def counted(graph: Graph, page: list[Post]) -> Iterator[tuple[Post, Any]]:
        for post in page:
            count = of.reactions(post)
            if count is not None:
                yield post, count
            elif not of.may_hide_reactions:
                raise VendorError(graph.source, "a post came without its reactions, which were asked for", READ_AGAIN)

    return _figures(account, vendor, of, "post_reactions", "post.reactions_observed", of.reaction_fields, days, counted)


def views(account: Account, vendor: str, of: Posts, days: int, metric: str) -> Stream:
    """How often young posts were seen: a request for each of them."""

    def counted(graph: Graph, page: list[Post]) -> Iterator[tuple[Post, Any]]:
        refused: list[MetricRefused] = []
        for post in page:
            try:
                told = graph.get(f"{post['id']}/insights", ("data",), metric=metric, period="lifetime")["data"]
            except Gone:
                continue
            except MetricRefused as refusal:  # of some kinds of post there are no such figures; of all, is an error
                refused.append(refusal)
                continue
            if (count := _value(told)) is not None:
                yield post, count
        if page and len(refused) == len(page):
            raise refused[-1]

    return _figures(account, vendor, of, "post_views", "post.views_observed", of.fields, days, counted)


def _figures(
    account: Account, vendor: str, of: Posts, name: str, event_type: str, fields: str, days: int, counted: Counted
) -> Stream:
    network, zone = vendor.lower(), ZoneInfo(account.zone)

    def fetch(read: Read) -> Generator[list[Record], None, Covered]:
        graph = Graph(account, read.clock, vendor)
        known: Mapping[str, Any] = orjson.loads(read.cursor) if read.cursor else {}
        today = read.until.astimezone(zone).date()
        now: dict[str, str] = {}
        for page in of.walked(graph, fields, read.until - timedelta(days=days)):
            records = []
            for post, count in counted(graph, page):
                now[str(post["id"])] = str(count)
                if known.get(str(post["id"])) != str(count):
                    said = {"id": post["id"], "at": read.until.isoformat(), "kind": of.kind(post), "count": count}
                    records.append(Record(f"{post['id']}/{today}", read.until, said))
            yield records
        return Covered(_observed_from(read, zone), read.until, orjson.dumps(now).decode())

    return Stream(
        name=name,
        feeds=(event_type,),
        fetch=fetch,
        payload=FIGURE_PAYLOAD,
        facts=lambda records: _figure_facts(records, network, event_type),
        always={"network": network},
        overlap=timedelta(0),
        lateness=timedelta(0),
    )


def _observed_from(read: Read, zone: ZoneInfo) -> datetime:
    """Where today's reading joins what was read before: at the last one, if that was yesterday's or today's."""
    today = read.until.astimezone(zone).date()
    if read.since is not None and read.since.astimezone(zone).date() >= today - timedelta(days=1):
        return read.since
    return datetime.combine(today, time.min, zone).astimezone(UTC)


def _figure_facts(records: pl.LazyFrame, network: str, event_type: str) -> pl.LazyFrame:
    count = pl.col("count").cast(pl.UInt64, strict=False)
    return records.select(
        "record_key",
        fact_key="record_key",
        event_type=pl.lit(event_type),
        subject_id="id",
        occurred_at=pl.col("revision").cast(UTC_MICROSECONDS),
        quantity=count,
        network=pl.lit(network),
        category="kind",
        problem=pl.when(count.is_null()).then(pl.format("count: not a number ({})", "count")),
    )


def _value(told: Any) -> Any:
    """The value of a metric of a post; None where it is not told."""
    first = told[0] if isinstance(told, list) and told and isinstance(told[0], dict) else {}
    values = first.get("values") or [first.get("total_value") or {}]
    return values[0].get("value")
