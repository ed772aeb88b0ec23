"""What an organisation says of its blog. Does not belong here: what follows from it (`articles`)."""

from __future__ import annotations

from pydantic import Field

from pipelines.source import Options


class WordPressOptions(Options):
    """What `organisation.yaml` says of a blog.

    site: its address, with the folder that WordPress is in, if it is in one. type: which of its types of content the
    articles are, as in its REST API. categories: which categories say what an article is about, the one that counts
    most first, by name; an article in several of them has the first. Without them, an article that is in one
    category alone has that one, and one in several has none. reread_days: how often all is read again. most_removed:
    the share of the articles that one reading may find gone; where more are, it is the reading that is doubted.

    A whole one::

        site: https://blog.acme.example
        type: posts
        categories: [Mercado, Consejos]
        reread_days: 30
        most_removed: 0.5
    """

    site: str = Field(pattern=r"^https://[^\s/?#@]+(/[^\s?#]*)?$")
    type: str = Field(default="posts", pattern=r"^[a-z0-9][a-z0-9_-]*$")
    categories: tuple[str, ...] = ()
    reread_days: int = Field(default=30, ge=1)
    most_removed: float = Field(default=0.5, gt=0, le=1)
