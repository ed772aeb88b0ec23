"""A page's followers and what LinkedIn tells of its days: how many came or went, and how often its posts were shown.

Belongs here: which days are asked for, and what is kept of them. Does not: HTTP (`api`), what the figures mean
(`pipelines.profiles`, `pipelines.profile_days`) and how far they cover (`pipelines.day_streams`).

A day is UTC's. LinkedIn has those of the last 12 months, up to two days ago, and refuses to be asked for others: of a
page that is connected later, what was before is lost for good. The gain of a day may be negative: it is what came less
what went, and says nothing of those who did both on one day. So a gain counts as followers that came, and a loss as
followers that went.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl

from pipelines import day_streams
from pipelines.day_streams import Moved, Profile
from pipelines.linkedin.api import Api, Object
from pipelines.source import READ_AGAIN, Account, Read, Stream, VendorError

KEPT_DAYS = 364
"""How far back LinkedIn knows days: a day less than the 12 months that it says."""
NEWEST_DAYS = 2
OVERLAP = timedelta(days=5)

_FOLLOWERS, _SHARES = "organizationalEntityFollowerStatistics", "organizationalEntityShareStatistics"
_DAY = timedelta(days=1)


def streams(account: Account, organization: str) -> list[Stream]:
    """The number of followers; and of each day what came, what went, and how often posts were shown."""
    page = Profile(account, "linkedin", organization, "UTC", "https://www.linkedin.com/company/{}", OVERLAP)

    def opened(read: Read) -> Api:
        return Api(account, organization, read.clock)

    def told(statistics: str, figure: Callable[[Object], Any]) -> Callable[[Read], dict[date, Any]]:
        return lambda read: _told(opened(read), statistics, figure, asked_days(read))

    def moved(read: Read) -> dict[date, Moved]:
        return _told(opened(read), _FOLLOWERS, _moved, asked_days(read, OVERLAP))

    return [
        day_streams.followers(page, "followers", lambda read: opened(read).followers(), moved, _rough),
        day_streams.daily(
            page, "followers_gained", "followers.gained", told(_FOLLOWERS, lambda one: _moved(one).gained)
        ),
        day_streams.daily(page, "followers_lost", "followers.lost", told(_FOLLOWERS, lambda one: _moved(one).lost)),
        day_streams.daily(page, "views", "views.counted", told(_SHARES, _shown)),
    ]


def asked_days(read: Read, overlap: timedelta = timedelta(0)) -> tuple[datetime, datetime]:
    """The span of days that LinkedIn may be asked for and that may say something new, from midnight to midnight UTC."""
    end = _midnight(read.until.astimezone(UTC).date() - _DAY * NEWEST_DAYS)
    start = end - _DAY * (KEPT_DAYS - NEWEST_DAYS)
    if read.since is not None:
        start = min(max(start, _midnight((read.since - overlap).astimezone(UTC).date())), end - _DAY)
    return start, end


def _told(
    api: Api, statistics: str, figure: Callable[[Object], Any], span: tuple[datetime, datetime]
) -> dict[date, Any]:
    """What LinkedIn tells of each day of a span. Raises `VendorError` where that is nothing at all."""
    try:
        told = {at.date(): figure(one) for at, one in api.by_day(statistics, *span)}
    except (KeyError, TypeError, ValueError) as failure:
        found = f"{statistics} came in another shape than LinkedIn documents ({type(failure).__name__})"
        raise VendorError(api.source, found, READ_AGAIN) from None
    if not told:
        found = f"LinkedIn has no {statistics} of any of the days that it was asked for"
        raise VendorError(api.source, found, READ_AGAIN)
    return told


def _moved(one: Object) -> Moved:
    gains = one["followerGains"]
    net = int(gains["organicFollowerGain"]) + int(gains["paidFollowerGain"])
    return Moved(max(net, 0), max(-net, 0))


def _shown(one: Object) -> Any:
    return one["totalShareStatistics"]["impressionCount"]


def _rough(count: pl.Expr) -> pl.Expr:
    """How far two readings may differ from what came and went: LinkedIn tells of a day only what is left of it."""
    return count // 200 + 2


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
