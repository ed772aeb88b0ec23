"""The agency's blog: what it writes, when that can be read, and what it takes back.

Belongs here: articles. Does not: what the site shows of them (`pipelines.sandbox.wordpress`).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta

from pipelines.sandbox.agency.office import MARKETS
from pipelines.sandbox.company import Article
from pipelines.sandbox.ground import DAY, HOUR, OPENING, Ground

TITLES = {
    "Consejos": ("Cómo preparar tu piso para venderlo", "Diez preguntas antes de comprar", "Vender sin prisas"),
    "Mercado": ("El precio de la vivienda en {market}", "Qué se alquila en {market}", "El mercado, mes a mes"),
    "Trámites": ("La plusvalía municipal, paso a paso", "Qué pide la notaría", "El certificado energético"),
}


def articles(ground: Ground) -> list[Article]:
    """Every article that somebody began to write: two in most months, in August one at the most."""
    made = [article for month in ground.months() for article in _articles_of(ground, month)]
    return sorted(made, key=lambda article: article.id)


def _articles_of(ground: Ground, month: date) -> Iterator[Article]:
    plan = ground.chance("articles", month)
    count = plan.choices((0, 1), (55, 45))[0] if month.month == 8 else plan.choices((1, 2, 3), (18, 58, 24))[0]
    worked = ground.worked_in(month)
    for number in range(count if worked else 0):
        day = worked[plan.randrange(len(worked))]
        if day <= ground.last_day:
            yield _article(ground, ground.chance("article", month, number), day, number)


def _article(ground: Ground, rng: random.Random, day: date, number: int) -> Article:
    """Half of them wait for the morning of a later day; a few stay drafts, and a few are taken back or put right."""
    written_at = ground.office_moment(rng, day)
    is_scheduled = rng.random() < 0.5
    published_at: datetime | None = written_at + timedelta(seconds=rng.randrange(60, HOUR))
    if is_scheduled:
        published_at = ground.at(day + DAY * rng.randint(1, 9), OPENING)
    if rng.random() < 0.06:
        published_at, is_scheduled = None, False
    known_at = published_at or written_at
    edited_at: tuple[datetime, ...] = () if is_scheduled or published_at is None else (published_at,)
    if rng.random() < 0.2:
        edited_at += (known_at + timedelta(seconds=rng.randrange(HOUR, 40 * 24 * HOUR)),)
    removed_at = known_at + timedelta(seconds=rng.randrange(2 * HOUR, 60 * 24 * HOUR)) if rng.random() < 0.04 else None
    if removed_at is not None:
        edited_at = tuple(at for at in edited_at if at < removed_at)
    category = rng.choice(tuple(TITLES))
    return Article(
        id=day.toordinal() * 10 + number,
        written_at=written_at,
        published_at=published_at,
        is_scheduled=is_scheduled,
        edited_at=edited_at,
        removed_at=removed_at,
        category=category,
        title=rng.choice(TITLES[category]).format(market=rng.choice(MARKETS)),
    )
