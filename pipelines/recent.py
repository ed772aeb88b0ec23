"""What a vendor lists newest first and takes back without a word: what is to be missed of what there was of late.

Belongs here: which records of the last days a reading knew, carried from one to the next in its cursor. Does not:
asking a vendor for a list, or whether what is missing in it is really gone (its module asks for that by itself).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson


@dataclass
class Recent:
    """since: what is of late. held: key -> when, of such records of the last reading; delivered: of this one."""

    since: datetime
    held: Mapping[str, datetime] = field(default_factory=dict)
    delivered: dict[str, datetime] = field(default_factory=dict)

    @classmethod
    def after(cls, since: datetime, cursor: str | None, mark: str | None = None) -> Recent:
        """What the last reading knew, and what this one had delivered where it was interrupted."""
        return cls(since, _times(cursor), _times(mark))

    def deliver(self, times: Mapping[str, datetime]) -> None:
        """Note records of this reading, by when each was made or last changed; older ones are let go."""
        self.delivered |= {key: at for key, at in times.items() if at >= self.since}

    def missing(self) -> list[str]:
        """What was held and was not delivered."""
        return sorted(key for key, at in self.held.items() if at >= self.since and key not in self.delivered)

    def told(self, **more: Any) -> str:
        """A cursor or a mark: what was delivered, and whatever else a stream has to remember."""
        times = {key: at.isoformat() for key, at in self.delivered.items()}
        return orjson.dumps({"recent": times, **more}, option=orjson.OPT_SORT_KEYS).decode()


def remembered(text: str | None) -> dict[str, Any]:
    """What a cursor or a mark says; nothing where there is none."""
    return dict(orjson.loads(text)) if text else {}


def _times(text: str | None) -> dict[str, datetime]:
    return {key: datetime.fromisoformat(at) for key, at in remembered(text).get("recent", {}).items()}
