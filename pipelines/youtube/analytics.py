"""What YouTube Analytics tells a channel's owner of its days: who subscribed, who ceased to, how often it was watched.

Belongs here: signing in to it, asking for days, and the streams of them. Does not: what anybody can see of the channel
(`api`, `figures`), what the figures mean (`pipelines.profiles`, `pipelines.profile_days`).

Settings of an account: `client_id`, `client_secret` and `refresh_token` of whoever owns the channel, with the scope
`yt-analytics.readonly`. Sources of the facts: https://developers.google.com/youtube/analytics/reference/reports/query
and /dimensions#Temporal_Dimensions (a day is one in California). A day is told some days later; what is asked for
beyond the last one that is ready is left out. Subscribers that YouTube takes away itself (closed accounts, spam) are in
no day's figures, and the number that anybody can see is rounded: a difference beyond that is told of.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import polars as pl

from pipelines import day_streams, google
from pipelines.day_streams import Moved, Profile
from pipelines.http import PatientSession, whole_json
from pipelines.settings import Settings
from pipelines.source import READ_AGAIN, Account, Clock, Read, SourceConfigError, Stream, VendorError
from pipelines.youtube.api import QUOTA_ZONE, Api, slow_down
from pipelines.youtube.figures import HIDDEN

HOST = "https://youtubeanalytics.googleapis.com"
FIRST_DAY = date(2005, 2, 14)
LATE = timedelta(days=5)

_DAY = timedelta(days=1)


def streams(account: Account, channel: str) -> list[Stream]:
    """The number of subscribers, and of each day who came, who went, and how often the channel was watched."""
    address = "https://www.youtube.com/channel/{}"
    profile = Profile(account, "youtube", channel, str(QUOTA_ZONE), address, LATE)

    def number(read: Read) -> Any:
        statistics = Api(account, read.clock).channel(channel, "statistics")["statistics"]
        if statistics.get("hiddenSubscriberCount") is True:
            do = "Let the channel show it (YouTube Studio, Settings, Channel), so that it can be counted"
            raise SourceConfigError(profile.source, HIDDEN, do)
        return statistics.get("subscriberCount")

    def moved(read: Read) -> dict[date, Moved]:
        analytics, days = Analytics(account, read.clock), asked_days(read, LATE)
        gained, lost = (analytics.by_day(channel, metric, *days) for metric in ("subscribersGained", "subscribersLost"))
        return {day: Moved(gained[day], lost[day]) for day in gained.keys() & lost.keys()}

    def only(metric: str) -> Callable[[Read], dict[date, Any]]:
        return lambda read: Analytics(account, read.clock).by_day(channel, metric, *asked_days(read, timedelta(0)))

    return [
        day_streams.followers(profile, "subscribers", number, moved, rounded),
        day_streams.daily(profile, "subscribers_gained", "followers.gained", only("subscribersGained")),
        day_streams.daily(profile, "subscribers_lost", "followers.lost", only("subscribersLost")),
        day_streams.daily(profile, "daily_views", "views.counted", only("views")),
    ]


def asked_days(read: Read, overlap: timedelta) -> tuple[date, date]:
    """The first and the last day to ask for: all of them at first, later those that may be told anew."""
    last = read.until.astimezone(QUOTA_ZONE).date() - _DAY
    if read.since is None:
        return FIRST_DAY, last
    return min((read.since - overlap).astimezone(QUOTA_ZONE).date(), last), last


def rounded(count: pl.Expr) -> pl.Expr:
    """How far a number of subscribers may be from the truth: it is rounded down to three significant digits."""
    digits = count.cast(pl.String).str.len_chars().cast(pl.Int64)
    return pl.lit(10, pl.Int64).pow((digits - 3).clip(lower_bound=0)) - 1


class Analytics:
    """The reports of whoever owns a channel."""

    def __init__(self, account: Account, clock: Clock) -> None:
        self.settings = Settings(account)
        self.source = self.settings.source
        self.root, self.oauth = google.hosts(self.settings, HOST)
        self.session = PatientSession(self.source, clock, slow_down=lambda response: slow_down(response, clock))
        self.session.headers.update(self._token())
        self.session.renew_token = self._token

    def by_day(self, channel: str, metric: str, first: date, last: date) -> dict[date, Any]:
        """Day -> figure of a metric, asked for by itself: one that YouTube gives no more takes no other one with it.

        Raises `VendorError` where no day is told, or one of another span.
        """
        asked = {
            "ids": f"channel=={channel}",
            "startDate": str(first),
            "endDate": str(last),
            "metrics": metric,
            "dimensions": "day",
            "sort": "day",
        }
        try:
            response = self.session.get(f"{self.root}/v2/reports", params=asked)
        except SourceConfigError as refused:
            raise SourceConfigError(
                self.source,
                refused.found,
                "Whoever signed in has to own the channel, and the YouTube Analytics API has to be enabled",
            ) from None
        content = whole_json(self.source, response, ("columnHeaders",))
        try:
            names = [str(one["name"]) for one in content["columnHeaders"]]
            rows = [dict(zip(names, row, strict=True)) for row in content.get("rows") or []]
            told = {date.fromisoformat(row["day"]): row[metric] for row in rows}
        except (KeyError, TypeError, ValueError) as failure:
            found = f"the report came in another shape than YouTube Analytics documents ({type(failure).__name__})"
            raise VendorError(self.source, found, READ_AGAIN) from None
        if len(told) < len(rows) or any(not first <= day <= last for day in told):
            raise VendorError(self.source, "the report has a day twice, or one that was not asked for", READ_AGAIN)
        if not told:
            raise VendorError(
                self.source, f"YouTube Analytics tells {metric} of no day from {first} to {last}", READ_AGAIN
            )
        return told

    def _token(self) -> dict[str, str]:
        return google.renewed(self.session, self.settings, self.oauth)
