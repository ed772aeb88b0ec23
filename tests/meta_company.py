"""A company on the social networks, written out by hand: followers who come and go like clockwork, and a few posts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pipelines.sandbox.company import Company, Post, Profile
from pipelines.source import Account, Stream

FOUNDED, LAST_DAY = date(2025, 10, 1), date(2026, 4, 30)
FOLLOWERS_BEFORE = 1000
COME, GO = (3, 13, 21), (17,)  # hours (UTC) of every day


def post(number: int, published: datetime, network: str, **different: Any) -> Post:
    usual: dict[str, Any] = {
        "kind": "video" if network == "facebook" else "reel",
        "edited_at": None,
        "removed_at": None,
        "views": 1000,
        "likes": 100,
        "comments": 5,
        "shares": 2,
    }
    return Post(id=number, network=network, published_at=published, **{**usual, **different})


def on(network: str, *posts: Post, before: int = FOLLOWERS_BEFORE) -> Company:
    """A company on a network: each day of its life three come and one goes."""
    days = [FOUNDED + timedelta(days=n) for n in range((LAST_DAY - FOUNDED).days + 1)]

    def at(hours: tuple[int, ...]) -> tuple[datetime, ...]:
        return tuple(datetime(day.year, day.month, day.day, hour, tzinfo=UTC) for day in days for hour in hours)

    none: tuple[Any, ...] = ()
    return Company(
        seed=0, zone="Europe/Madrid", founded=FOUNDED, last_day=LAST_DAY, contacts=none, listings=none, sales=none,
        activities=none, tickets=none, invoices=none, videos=none, sheet_rows=none, subscribers={}, views={},
        posts=posts, profiles={network: Profile(network, before, at(COME), at(GO))},
    )  # fmt: skip


@dataclass(frozen=True)
class Only:
    """A connector of which only some streams are read: a load of all of them takes its time."""

    whole: Any
    names: frozenset[str]

    @property
    def kind(self) -> str:
        return str(self.whole.kind)

    @property
    def options(self) -> Any:
        return self.whole.options

    def streams(self, account: Account, options: Any) -> list[Stream]:
        return [one for one in self.whole.streams(account, options) if one.name in self.names]
