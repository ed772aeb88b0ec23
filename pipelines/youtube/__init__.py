"""YouTube: a channel's subscribers and views as they are read day by day, and the videos that it has published.

Belongs here: what an organisation may say of its channel, and which streams it gets. Does not: requests (`api`), what
anybody can see of the channel (`figures`), what only its owner can (`analytics`), what a video means (`videos`).

The Data API knows only the present: what it does not show any more can be known only from what was read before.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pipelines.source import Account, Options, Stream
from pipelines.youtube import analytics
from pipelines.youtube.figures import channel_statistics
from pipelines.youtube.videos import videos

__all__ = ["YOUTUBE", "YouTube", "YouTubeOptions"]


class YouTubeOptions(Options):
    """What `organisation.yaml` says of a channel.

    channel: its id, as in https://www.youtube.com/channel/<id>. analytics: whether its owner has signed in, so that who
    came and who went on each day is known, and how many subscribers there were before the first reading.

    A whole one::

        channel: UCagenciaInmobiliaria000
        analytics: true
    """

    channel: str = Field(pattern=r"^UC[A-Za-z0-9_-]{22}$")
    analytics: bool = False


class YouTube:
    """The connector."""

    kind = "youtube"
    options = YouTubeOptions

    def streams(self, account: Account, options: Any) -> list[Stream]:
        """The channel's figures, and its videos; with Analytics, what it tells of the channel's days."""
        channel = options.channel
        if not options.analytics:
            return [channel_statistics(account, channel), videos(account, channel)]
        seen = channel_statistics(account, channel, ("views",))
        return [*analytics.streams(account, channel), seen, videos(account, channel)]


YOUTUBE = YouTube()
