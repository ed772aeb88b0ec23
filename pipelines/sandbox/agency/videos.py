"""The agency's video channel: what it publishes, who follows it, and how often it is watched.

Belongs here: videos and the channel's daily totals.
"""

from __future__ import annotations

import random
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import date, timedelta
from hashlib import sha256

from pipelines.sandbox.agency.office import MARKETS
from pipelines.sandbox.company import Video
from pipelines.sandbox.ground import DAY, HOUR, Ground

TITLES = (
    "Cómo preparar tu piso para venderlo", "Qué gastos tiene comprar una casa", "Vivir en {market}: lo que debes saber",
    "Visitamos un ático en {market}", "Errores al fijar el precio", "El mercado en {market}, explicado",
    "Alquilar o vender: cómo decidir", "La nota simple en tres minutos",
)  # fmt: skip


def videos(ground: Ground) -> list[Video]:
    """The channel's videos: one a month; each year a month without, and some with two, of which one is withdrawn."""
    made = [video for month in ground.months() for video in _videos_of(ground, month)]
    return sorted(made, key=lambda video: video.id)


def _videos_of(ground: Ground, month: date) -> Iterator[Video]:
    year = date(month.year, 1, 1)
    silent, busy = ground.chance("silence", year).choice((3, 5, 7, 8)), ground.chance("busy", year).choice((4, 6, 9))
    count = 0 if month.month == silent else 2 if month.month in (busy, 10) else 1
    worked = ground.worked_in(month)
    for number in range(count if worked else 0):
        rng = ground.chance("video", month, number)
        day = worked[rng.randrange(len(worked))]
        if day <= ground.last_day:
            yield _video(ground, rng, day, f"{month}:{number}", is_withdrawn=month.month == busy and number == 1)


def _video(ground: Ground, rng: random.Random, day: date, name: str, *, is_withdrawn: bool) -> Video:
    published_at = ground.office_moment(rng, day)
    id_ = urlsafe_b64encode(sha256(f"{ground.seed}:{name}".encode()).digest())[:11].decode()
    removed_at = (
        published_at + timedelta(seconds=rng.randrange(2 * 24 * HOUR, 30 * 24 * HOUR)) if is_withdrawn else None
    )
    title = rng.choice(TITLES).format(market=rng.choice(MARKETS))
    return Video(id_, published_at, rng.randrange(60, 700), title, removed_at)


def subscribers(ground: Ground) -> dict[date, int]:
    """How many follow the channel at the end of each day; a few leave."""
    total, counts = 40, {}
    for n in range((ground.last_day - ground.founded).days + 1):
        day = ground.founded + DAY * n
        total = max(total + round(ground.chance("subscribers", day).triangular(-2, 8.4, 2.1)), 0)
        counts[day] = total
    return counts


def views(ground: Ground) -> dict[date, int]:
    """How often the channel's videos have been seen altogether, at the end of each day."""
    total, counts = 0, {}
    for n in range((ground.last_day - ground.founded).days + 1):
        day = ground.founded + DAY * n
        total += int(ground.chance("views", day).lognormvariate(4.6 + 0.4 * ground.years_old(day), 0.5))
        counts[day] = total
    return counts
