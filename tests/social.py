"""Builders for tests of social networks: posts written out by hand, and who follows a profile, day by day."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import helpdesk_office
from helpdesk_office import Exchange, Office, at

from pipelines.sandbox.company import Company, Post, Profile

__all__ = ["Exchange", "Office", "at", "changing", "company", "follows", "post"]


def post(number: int = 1, published_at: datetime | None = None, *, network: str = "x", **different: Any) -> Post:
    """A post of the `number`-th of March."""
    usual: dict[str, Any] = {
        "id": number, "network": network, "published_at": published_at or at(number), "kind": "text",
        "edited_at": None, "removed_at": None, "views": 100, "likes": 5, "comments": 1, "shares": 1,
    }  # fmt: skip
    return Post(**{**usual, **different})


def follows(network: str, *, before: int = 1000, gained: int = 5, lost: int = 2, days: int = 40) -> Profile:
    """A profile that gains and loses as many each day, from 20 February on, an hour after noon (UTC)."""
    noons = [at(-8 + n, 13) for n in range(days)]
    followed = tuple(noon + timedelta(seconds=n) for noon in noons for n in range(gained))
    left = tuple(noon + timedelta(seconds=n) for noon in noons for n in range(lost))
    return Profile(network, before, followed, left)


def company(*posts: Post, profiles: tuple[Profile, ...] = (), **more: Any) -> Company:
    told = {profile.network: profile for profile in profiles}
    return replace(helpdesk_office.company(), posts=posts, profiles=told, **more)


def changing(change: Callable[[Exchange, Any], Any], status: int | None = None) -> Callable[[Exchange], Any]:
    """The stand-in, with its answers changed on their way, in place; what `change` says to be False stays as it was."""

    def alter(exchange: Exchange) -> tuple[int, Mapping[str, str], bytes] | None:
        if "/oauth/" in exchange.path:
            return None
        content = exchange.content
        if change(exchange, content) is False:
            return None
        return status or exchange.status, {}, json.dumps(content).encode()

    return alter
