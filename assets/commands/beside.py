"""What stands beside a computed figure: what a person said of its day, and the seal of its period.

Belongs here: finding both for `hito explain`, and telling them. Does not: what a check-in means
(`kr_definitions.check_ins`), what a seal is (`kr_definitions.seals`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from assets import closing
from assets.commands.deployed import Deployed
from assets.home import Home
from assets.report import numbers
from assets.report.words import LANGUAGES
from kr_definitions.check_ins import in_force, stated
from kr_definitions.events import as_known_at

_ENGLISH = LANGUAGES["en"]


@dataclass(frozen=True)
class Beside:
    """check_in: the one in force on the day (`CHECK_INS_SCHEMA`). seal: the one of its period (`SEALS_SCHEMA`)."""

    check_in: dict[str, Any] | None = None
    seal: dict[str, Any] | None = None


def beside(home: Home, of: Deployed, day: date, known_at: datetime | None) -> Beside:
    """What stood beside the figure of a key result on a day, as known at an instant (None: now)."""
    own, is_then = pl.col("key_result_id") == of.definition.id, pl.lit(value=True)
    log = of.log
    if known_at is not None:
        log, is_then = as_known_at(log, known_at), pl.col("recorded_at") <= known_at
    said = stated(log).filter(own).collect()
    held = in_force([of.definition], of.organisation, of.reported, said).filter(pl.col("as_of") == day)
    is_of_day = (pl.col("period_start") <= day) & (pl.col("period_end") >= day)
    seals = closing.kept(home, of.organisation.id).filter(own, is_then, is_of_day).sort("recorded_at").tail(1).collect()
    return Beside(
        held.row(0, named=True) if held.height else None,
        seals.row(0, named=True) if seals.height else None,
    )


def told(found: Beside, of: Deployed, measured_in: str | None) -> Iterator[str]:
    """A line for each of them."""
    if (said := found.check_in) is not None:
        parts = [
            *(
                [f"confidence {numbers.percent(said['confidence'], _ENGLISH)}"]
                if said["confidence"] is not None
                else []
            ),
            *([_value(said, measured_in)] if said["stated_value"] is not None else []),
            *([f"“{said['note']}”"] if said["note"] is not None else []),
        ]
        word = f"a person's word of {said['checked_in_on']}: {' · '.join(parts)}"
        yield f"said       {word}; nothing computed moves by it"
    if (seal := found.seal) is not None:
        at = seal["recorded_at"].astimezone(ZoneInfo(of.organisation.zone))
        score = "unknown" if seal["score"] is None else f"{seal['score']:.2f}"
        value = numbers.figure(seal["value"], measured_in, _ENGLISH)
        yield f"sealed     {at:%Y-%m-%d %H:%M}, of {seal['as_of']}: score {score}, value {value}; that stays"


def _value(said: dict[str, Any], measured_in: str | None) -> str:
    would_be = [
        *([numbers.percent(said["stated_progress"], _ENGLISH)] if said["stated_progress"] is not None else []),
        *([_ENGLISH.statuses.get(said["stated_status"], "")] if said["stated_status"] is not None else []),
    ]
    meant = f" ({', '.join(would_be)})" if would_be else ""
    return f"value {numbers.figure(said['stated_value'], measured_in, _ENGLISH)}{meant}"
