"""X: an account's followers as they are read day by day, and what it has posted.

Belongs here: what an organisation may say of its account, and which streams it gets. Does not: requests and what they
cost (`api`), what posts mean (`posts`).

Configuration, below `sources.<organisation>.<source>`: `bearer_token` of an app; `reads_a_run`; `base_url`.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any, Literal

from pydantic import Field

from pipelines.observations import PAYLOAD, covered, observation, observed
from pipelines.source import Account, Covered, Options, Read, Record, Stream
from pipelines.x.api import Api, Purse
from pipelines.x.posts import posts

__all__ = ["X", "XOptions"]


class XOptions(Options):
    """What `organisation.yaml` says of an account of X.

    user: the account's id, which is a number and stays when it is renamed. kinds: what counts as a post: what the
    account wrote (`post`), wrote about another post (`quote`), answered (`reply`), or only passed on (`repost`); each
    is the post's category. reread_days: of how many days the posts are read again by each run, so that those that were
    deleted are missed; each costs what a new one costs. With 0 only what is new is read.

    A whole one::

        user: "2244994945"
        kinds: [post, quote]
        reread_days: 7
    """

    user: str = Field(pattern=r"^[0-9]{1,19}$")
    kinds: tuple[Literal["post", "quote", "reply", "repost"], ...] = Field(("post", "quote"), min_length=1)
    reread_days: int = Field(7, ge=0, le=30)


class Connector:
    """The connector."""

    kind = "x"
    options = XOptions

    def streams(self, account: Account, options: Any) -> list[Stream]:
        """Followers before posts, which may cost all that a run may spend."""
        purse = Purse()
        return [_followers(account, options.user, purse), posts(account, options, purse)]


X = Connector()


def _followers(account: Account, user: str, purse: Purse) -> Stream:
    def fetch(read: Read) -> Generator[list[Record], None, Covered]:
        count = Api(account, read.clock, purse).user(user).followers
        yield [observation(read, account.zone, user, "followers", count)]
        return covered(read, account.zone)

    return Stream(
        name="followers",
        feeds=("followers.observed",),
        fetch=fetch,
        payload=PAYLOAD,
        facts=observed("x", "https://x.com/i/user/{}"),
        always={"network": "x"},
        overlap=timedelta(0),
        lateness=timedelta(0),
    )
