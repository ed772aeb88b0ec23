"""The agency on the social networks: what it posts on each, and who begins or ceases to follow it.

Belongs here: posts and followers of every network. Does not: the channel's videos and its totals (`videos`), whose
followers are told here to the second, as many a day as there.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise

from pipelines.sandbox.company import Post, Profile
from pipelines.sandbox.ground import DAY, HOUR, Ground, Kind, identity, ramp


@dataclass(frozen=True)
class Presence:
    """How the agency is on a network.

    posts: the chance of a post on a day that is worked, and on one that is not. kinds: what it posts there. seen: how
    often a post is seen in the end. before: followers on the founding day. gained, lost: followers a day, at first;
    growth: how much more a year later.
    """

    posts: tuple[float, float]
    kinds: tuple[str, ...]
    seen: float
    before: int
    gained: float
    lost: float
    growth: float


PRESENCES: Mapping[str, Presence] = {
    "facebook": Presence((0.62, 0.16), ("photo", "link", "video", "text"), 310, 840, 2.1, 0.5, 0.05),
    "instagram": Presence((0.55, 0.42), ("image", "carousel", "reel"), 520, 410, 3.0, 0.6, 0.6),
    "linkedin": Presence((0.40, 0.02), ("article", "image", "text"), 240, 150, 2.6, 0.2, 0.45),
    "x": Presence((0.34, 0.10), ("text", "photo"), 90, 260, 1.0, 0.4, -0.1),
}


def posts(ground: Ground) -> list[Post]:
    """What is posted on all networks: on most days something, on some of them nothing; a few are taken back."""
    days = (ground.founded + DAY * n for n in range((ground.last_day - ground.founded).days + 1))
    return [
        _post(ground, network, identity(Kind.POST, day, number), day)
        for day in days
        for number, network in enumerate(_posted_on(ground, day))
    ]


def _posted_on(ground: Ground, day: date) -> Iterator[str]:
    """The networks that something is posted on that day, in the order of the day; now and then twice on one."""
    rng = ground.chance("posted", day)
    grown = ramp(ground.months_old(day), 0.75, 0.05)
    for network, presence in PRESENCES.items():
        chance = presence.posts[0 if ground.is_working(day) else 1] * grown
        drawn = rng.random()
        yield from [network] * (0 if drawn >= chance else 2 if drawn < chance * 0.04 else 1)


def _post(ground: Ground, network: str, id_: int, day: date) -> Post:
    rng = ground.chance("post", day, id_)
    presence = PRESENCES[network]
    office = ground.is_working(day) and rng.random() < 0.9
    published_at = ground.office_moment(rng, day) if office else ground.at(day, rng.randrange(10 * HOUR, 23 * HOUR))
    removed_at = published_at + timedelta(seconds=rng.randrange(HOUR, 40 * 24 * HOUR)) if rng.random() < 0.03 else None
    edited_at = published_at + timedelta(seconds=rng.randrange(60, HOUR - 1)) if rng.random() < 0.06 else None
    views = int(presence.seen * (1 + presence.growth * ground.years_old(day)) * rng.lognormvariate(0, 0.6)) + 1
    likes = round(views * rng.uniform(0.02, 0.09))
    return Post(
        id=id_,
        network=network,
        published_at=published_at,
        kind=rng.choice(presence.kinds),
        edited_at=edited_at,
        removed_at=removed_at,
        views=views,
        likes=likes,
        comments=round(likes * rng.uniform(0, 0.3)),
        shares=round(likes * rng.uniform(0, 0.15)),
    )


def profiles(ground: Ground, subscribers: Mapping[date, int]) -> dict[str, Profile]:
    """The agency's profile on each network. subscribers: of its channel, at the end of each day."""
    told = {network: _profile(ground, network, presence) for network, presence in PRESENCES.items()}
    return {**told, "youtube": _channel(ground, subscribers)}


def _profile(ground: Ground, network: str, presence: Presence) -> Profile:
    followed: list[datetime] = []
    left: list[datetime] = []
    for n in range((ground.last_day - ground.founded).days + 1):
        day = ground.founded + DAY * n
        rng = ground.chance(f"followers of {network}", day)
        growth = 1 + presence.growth * ground.years_old(day)
        gained = _about(rng, presence.gained * growth)
        followed += _moments(ground, rng, day, gained)
        left += _moments(ground, rng, day, min(_about(rng, presence.lost), presence.before))
    return Profile(network, presence.before, tuple(followed), tuple(left))


def _channel(ground: Ground, subscribers: Mapping[date, int]) -> Profile:
    first = next(iter(subscribers.values()))
    followed: list[datetime] = []
    left: list[datetime] = []
    for before, day in pairwise(subscribers):
        rng = ground.chance("followers of youtube", day)
        net = subscribers[day] - subscribers[before]
        lost = max(-net, 0) + _about(rng, 0.4)
        followed += _moments(ground, rng, day, net + lost)
        left += _moments(ground, rng, day, lost)
    return Profile("youtube", first, tuple(followed), tuple(left))


def _about(rng: random.Random, mean: float) -> int:
    """A number that is `mean` on average, and now and then much more."""
    return int(mean * rng.triangular(0, 2.4, 0.6) + rng.random())


def _moments(ground: Ground, rng: random.Random, day: date, count: int) -> list[datetime]:
    seconds = ground.seconds_in(day)
    return [ground.at(day, at) for at in sorted(rng.randrange(seconds) for _ in range(count))]
