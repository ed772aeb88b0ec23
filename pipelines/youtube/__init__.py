"""YouTube: a channel's subscribers and views as they are read day by day, and the videos that it has published.

Belongs here: what an organisation may say of its channel, and which streams it gets. Does not: requests (`api`), what
the figures mean (`figures`), what a video means (`videos`).

The vendor knows only the present: what it does not show any more can be known only from what was read before.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pipelines.source import Account, Options, Stream
from pipelines.youtube.figures import channel_statistics
from pipelines.youtube.videos import videos

__all__ = ["YOUTUBE", "YouTube", "YouTubeOptions"]


class YouTubeOptions(Options):
    """What `organisation.yaml` says of a channel: its id, as in https://www.youtube.com/channel/<id>."""

    channel: str = Field(pattern=r"^UC[A-Za-z0-9_-]{22}$")


class YouTube:
    """The connector."""

    kind = "youtube"
    options = YouTubeOptions

    def streams(self, account: Account, options: Any) -> list[Stream]:
        """The channel's figures, and its videos."""
        return [channel_statistics(account, options.channel), videos(account, options.channel)]


YOUTUBE = YouTube()
