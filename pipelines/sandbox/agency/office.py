"""The agency's towns, seasons and staff.

Belongs here: what is the agency's alone of what all its parts stand on. Does not: its calendar and chance (`ground`).
"""

from __future__ import annotations

from datetime import date

from pipelines.sandbox.ground import Ground

MARKETS = ("Madrid", "Alcobendas", "Getafe", "Leganés", "Móstoles", "Las Rozas", "Majadahonda", "Alcorcón")

SEASON = {1: 0.90, 2: 1.00, 3: 1.10, 4: 1.12, 5: 1.12, 6: 1.04, 7: 0.93, 8: 0.8, 9: 1.04, 10: 1.08, 11: 1.00, 12: 0.84}
"""How busy each month is: a spring peak, August asleep, Christmas short."""


def agents(ground: Ground, day: date) -> list[str]:
    """Who works there on a day: four at first, one more every eight months, up to seven."""
    return [f"agent-{n}" for n in range(1, 5 + min(ground.months_old(day) // 8, 3))]
