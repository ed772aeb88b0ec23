"""WordPress: the articles that a blog has published, as anybody can read them.

Belongs here: the connector. Does not: what an organisation may say of its blog (`options`), requests (`site`), what an
article means (`articles`).

Configuration, below `sources.<organisation>.<source>`: nothing, where the site shows its posts to everybody, as it does
unless somebody has closed it; otherwise `username` and `application_password` of somebody who may read; `base_url`
where the site's address differs from the option's.
"""

from __future__ import annotations

from typing import Any

from pipelines.source import Account, Stream
from pipelines.wordpress.articles import articles
from pipelines.wordpress.options import WordPressOptions

__all__ = ["WORDPRESS", "WordPress", "WordPressOptions"]


class WordPress:
    """The connector."""

    kind = "wordpress"
    options = WordPressOptions

    def streams(self, account: Account, options: Any) -> list[Stream]:
        """The articles."""
        return [articles(account, options)]


WORDPRESS = WordPress()
