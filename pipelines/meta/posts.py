"""Posts of a page or account: that they were published, that they are gone, and what they brought.

Belongs here: walking the list, newest first, and what its records state. Does not: HTTP (`api`), either vendor's words
(`pipelines.facebook`, `pipelines.instagram`).

The first reading walks the whole list; later ones the last `posts_days`, and back to the last reading where that is
longer ago. Meta says nothing of what was deleted: a post that was there and is not in the list any more is asked for
by its id, and withdrawn where there is nothing of that id. What disappears when it is older than that is not noticed.

Of what was deleted Meta says the same as of what the access token may not see; so a post is withdrawn only where one
that is in the list can be read by its id. Where that cannot be said the post stays, is told of in the quarantine, and
is looked for again by each reading, however old it is by then.

Reactions and views are read each day while a post is young (that often half of them come on the first one), and told
where they differ from what was told last.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import polars as pl

from kr_definitions.vocabulary import UTC_MICROSECONDS
from pipelines.meta.api import Gone, Graph, MetricRefused, NotPermitted
from pipelines.source import (
    READ_AGAIN,
    Account,
    Covered,
    Mark,
    Read,
    Record,
    RequestRefused,
    SourceError,
    Stream,
    VendorError,
)

Post = dict[str, Any]

PAYLOAD = pl.Struct(
    {
        "id": pl.String(),
        "at": pl.String(),
        "kind": pl.String(),
        "address": pl.String(),
        "doubt": pl.String(),  # of one that was looked for: why it is not known whether it is gone
    }
)
FIGURE_PAYLOAD = pl.Struct({"id": pl.String(), "at": pl.String(), "kind": pl.String(), "count": pl.String()})

_A_PAGE = 100
_VERDICTS = (Gone, NotPermitted, RequestRefused)
"""What Meta says of a post that was asked for; after any other error no more are asked for."""

_DOUBT = "doubt/"
"""What the keys of those records begin with that say whether it is known that a post is gone."""


@dataclass(frozen=True, slots=True)
class Posts:
    """A list of posts. path: below the profile. at: the field that says when.

    kind, address, reactions: of a record, what it is, where it can be seen, and how many reacted (None: not told, which
    is an error where nobody may hide them). most: how many the vendor lists at most, the newest; None: all.
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
    most: int | None = None

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


@dataclass
class _Walk:
    """How far a list has been walked. seen: the posts that are looked for; newest: the id of the first that came."""

    seen: dict[str, int] = field(default_factory=dict)
    listed: int = 0
    oldest: int | None = None
    newest: str | None = None

    def passed(self, times: Mapping[str, int], looked_for: Mapping[str, int], horizon: int) -> None:
        """Note a page's posts, by when they were published."""
        self.listed += len(times)
        self.seen |= {id_: at for id_, at in times.items() if at >= horizon or id_ in looked_for}
        if times:
            self.oldest = min(times.values())
            self.newest = self.newest or max(times, key=lambda id_: times[id_])

    def covered_from(self, since: datetime | None, most: int | None) -> datetime | None:
        """From when on all posts were listed, where the vendor lists so many at most."""
        if most is None or self.listed < most or self.oldest is None:
            return since
        oldest = datetime.fromtimestamp(self.oldest, UTC)
        return oldest if since is None else max(since, oldest)


def _fetch(
    account: Account, vendor: str, of: Posts, young: timedelta, read: Read
) -> Generator[list[Record] | Mark, None, Covered]:
    graph = Graph(account, read.clock, vendor)
    horizon = int((read.until - young).timestamp())
    held: dict[str, int] = orjson.loads(read.cursor) if read.cursor else {}
    walk = _Walk(**orjson.loads(read.mark)) if read.mark else _Walk()
    since = None
    if read.since is not None:
        since = datetime.fromtimestamp(min(read.since.timestamp(), horizon, *held.values()), UTC)
    for page in of.walked(graph, of.fields, since, None if walk.oldest is None else walk.oldest + 1):
        with graph.documented("a post"):
            records = [Record(post["id"], None, _kept(of, post)) for post in page]
        yield records
        times = {post["id"]: int(at.timestamp()) for post in page if (at := of.published_at(post)) is not None}
        walk.passed(times, held, horizon)
        if times:
            yield Mark(orjson.dumps(asdict(walk)).decode())
    there = {id_: at for id_, at in walk.seen.items() if at >= horizon}
    for id_, is_gone, doubt in _looked_for(graph, [id_ for id_ in held if id_ not in walk.seen], walk.newest):
        yield [Record(f"{_DOUBT}{id_}", None, {"id": id_, "doubt": doubt})]
        if is_gone:
            yield [Record(id_, None, {"id": id_}, is_deleted=True)]
        elif doubt or held[id_] >= horizon:
            there[id_] = held[id_]
    return Covered(walk.covered_from(since, of.most), read.until, orjson.dumps(there).decode())


def _looked_for(graph: Graph, missing: list[str], listed: str | None) -> Iterator[tuple[str, bool, str | None]]:
    """Of each post that is missing in the list whether it is gone; and where that cannot be said, why.

    listed: a post that is in the list.
    """
    can_read: bool | None = None
    failed: SourceError | None = None
    for id_ in missing:
        found = failed or _refused(graph, id_)
        if isinstance(found, Gone) and can_read is None:
            can_read = listed is not None and _refused(graph, listed) is None
        if found is None:
            yield id_, False, None
        elif isinstance(found, Gone) and can_read:
            yield id_, True, None
        else:
            yield id_, False, f"not in the list any more, and it cannot be said whether it is gone: {found.found}"
        failed = None if isinstance(found, _VERDICTS) else found


def _refused(graph: Graph, id_: str) -> SourceError | None:
    """Why a post cannot be read by its id; None where it can."""
    try:
        graph.get(id_, ("id",), fields="id")
    except SourceError as refused:
        return refused
    return None


def _kept(of: Posts, post: Post) -> dict[str, Any]:
    return {"id": post["id"], "at": post.get(of.at), "kind": of.kind(post), "address": of.address(post)}


def _facts(records: pl.LazyFrame, network: str) -> pl.LazyFrame:
    at = pl.col("at").str.to_datetime("%Y-%m-%dT%H:%M:%S%z", time_unit="us", time_zone="UTC", strict=False)
    is_doubt = pl.col("record_key").str.starts_with(_DOUBT)
    told = records.filter(~is_doubt).select(
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
    doubts = records.filter(is_doubt, pl.col("doubt").is_not_null()).select("record_key", problem="doubt")
    return pl.concat([told, doubts], how="diagonal")


Counted = Callable[[Graph, list[Post]], Iterator[tuple[Post, Any]]]
"""From posts to those that have a figure, with it."""


def reactions(account: Account, vendor: str, of: Posts, days: int) -> Stream:
    """How many reacted to young posts."""

    def counted(graph: Graph, page: list[Post]) -> Iterator[tuple[Post, Any]]:
        for post in page:
            with graph.documented("the reactions of a post"):
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
            with graph.documented(f"the metric {metric}"):
                count = _value(told)
            if count is not None:
                yield post, count
        if page and len(refused) == len(page) and not _is_told_of_others(graph, of, metric, page):
            raise refused[-1]

    return _figures(account, vendor, of, "post_views", "post.views_observed", of.fields, days, counted)


def _is_told_of_others(graph: Graph, of: Posts, metric: str, without: list[Post]) -> bool:
    """Whether the metric is told of a post of another kind, among the newest ones of any age."""
    with graph.documented("a post"):
        kinds = {of.kind(post) for post in without}
        newest = next(graph.pages(f"{of.profile}/{of.path}", _A_PAGE, fields=of.fields), [])
        others = {kind: post for post in reversed(newest) if (kind := of.kind(post)) not in kinds}
    for post in others.values():
        try:
            graph.get(f"{post['id']}/insights", ("data",), metric=metric, period="lifetime")
        except (Gone, MetricRefused):
            continue
        return True
    return False


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
                now[post["id"]] = str(count)
                if known.get(post["id"]) != str(count):
                    with graph.documented("a post"):
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
    if not told:
        return None
    values = told[0].get("values") or [told[0].get("total_value") or {}]
    return values[0].get("value")
