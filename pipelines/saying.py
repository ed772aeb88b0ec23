"""What a run has to say to the log, stream after stream, kept aside until all of it is known.

Belongs here: bringing together what is new in the raw zone, what it is understood as and what the log holds. Does not:
any of the three (`mapped`, `understanding`, `event_log`), or the order of a load (`load`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from kr_definitions import shapes
from kr_definitions.events import empty_log
from pipelines import event_log, mapped
from pipelines.aside import SET_ASIDE_SCHEMA
from pipelines.event_log import EventLog
from pipelines.pieces import Pieces
from pipelines.raw_zone import RawZone
from pipelines.source import Stream
from pipelines.understanding import understand


@dataclass(frozen=True)
class Said:
    """How many facts of a stream are stated and retracted; what could not be understood (`SET_ASIDE_SCHEMA`).

    mended: what was noted of records that had not been understood, and are now.
    """

    stated: int
    retracted: int
    problems: pl.DataFrame
    mended: pl.DataFrame


@dataclass
class Saying:
    """What the log has to be told. accounted_for: how many statements that has to come to."""

    raw: RawZone
    log: EventLog
    folder: Path
    recorded_at: datetime
    accounted_for: int = 0
    _aside: Pieces = field(init=False)

    def __post_init__(self) -> None:
        self._aside = Pieces(self.folder / "statements", event_log.ORDER)

    def statements(self) -> list[pl.LazyFrame]:
        """All of it until now, in pieces: `EVENT_SCHEMA`."""
        return self._aside.frames() or [empty_log()]

    def state(self, rows: pl.DataFrame) -> None:
        """Add statements that no stream makes."""
        self._aside.add(rows)
        self.accounted_for += rows.height

    def add(
        self,
        source: str,
        stream: Stream,
        mapping: str,
        last: dict[str, Any] | None,
        loads: pl.DataFrame,
        aside: pl.DataFrame,
    ) -> Said:
        """Add what a stream says that the log does not.

        mapping: what its records are understood by. last: its last reading that the log states. loads: its complete
        readings. aside: what is noted of those of its records that are set aside.
        """
        stored = mapped.stored_at(self.raw, source, stream.name)
        is_still_so = mapped.is_still_so(last, mapping, stored)
        mapped_until = last["read_at"] if last is not None and is_still_so else None
        has_news = not stored.is_empty() and (mapped_until is None or stored[-1] > mapped_until)
        said = (
            self._understood(source, stream, mapping, last, mapped_until, aside)
            if has_news or aside.height
            else Said(0, 0, shapes.empty(SET_ASIDE_SCHEMA), aside)
        )
        if last is not None:
            # The last reading is stated again where what it says has changed, so that the log knows of the change.
            at = pl.col("recorded_at")
            loads = loads.filter(at > last["read_at"] if is_still_so else at >= last["read_at"])
        if loads.is_empty():
            self.accounted_for += said.stated + said.retracted
            return said
        read = loads.with_columns(
            pl.col("recorded_at").alias("read_at"),
            stored.search_sorted(loads.get_column("recorded_at"), side="right").alias("quantity"),
        )
        self._aside.add(event_log.readings(read, stream.feeds, source, stream.name, mapping, self.recorded_at))
        self.accounted_for += said.stated + said.retracted + read.height * len(stream.feeds)
        return said

    def _understood(
        self,
        source: str,
        stream: Stream,
        mapping: str,
        last: dict[str, Any] | None,
        mapped_until: datetime | None,
        aside: pl.DataFrame,
    ) -> Said:
        """What records say of which something came since they were understood, or which were not, goes to the log."""
        folder = self.folder / source / stream.name
        facts = Pieces(folder / "facts")
        touched, problems = [pl.DataFrame(schema={"record_key": pl.String})], [shapes.empty(SET_ASIDE_SCHEMA)]
        for part in mapped.to_map(self.raw, source, stream, mapped_until, aside.lazy(), folder / "records"):
            understood = understand(stream, source, part.records, self.recorded_at, part.versions)
            facts.add(event_log.identified(understood.facts, source, stream.name))
            touched.append(understood.touched.collect())
            problems.append(understood.problems)
        keys = pl.concat(touched).lazy()
        changes = event_log.changes(self.log.scan(), facts.frames(), keys, source, stream.name, self.recorded_at)
        by_records = None
        if last is not None and last["mapping"] != mapping:
            by_records = mapped.by_records(
                changes, stream, mapped.arrived_since(self.raw, source, stream, last["read_at"])
            )
        for rows in changes.rows():
            self._aside.add(rows if by_records is None else mapped.by_mapping(rows, by_records))
        return Said(
            changes.to_state.height,
            changes.to_retract.height,
            pl.concat(problems).unique(maintain_order=True),
            aside.join(keys.collect(), on="record_key", how="semi"),
        )
