"""Measures: what is counted, each a small model with its own compilation in two phases.

A measure is a frozen model with

* `types`: the event types that it reads; `remembered`, where it has any: those of which all of the past counts;
* `partials(log)`: the heavy phase, lazy: the current events (with `day`, the local day) to rows keyed by `day` that can
  be merged; the only part that reads the log;
* `series(partials, windows)`: the light phase, in memory: a value for each asked day and window;
* `text()`: itself in one line.

To add one: its model in a module here, a member in the union below, its tests.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Tag

from kr_definitions.measures.additive import Count, Share, Sum
from kr_definitions.measures.distinct import DailyMax, Distinct
from kr_definitions.measures.subjects import Duration, Open
from kr_definitions.words import one_of

Measure = Annotated[
    Annotated[Count, Tag("count")]
    | Annotated[Sum, Tag("sum")]
    | Annotated[Distinct, Tag("distinct")]
    | Annotated[DailyMax, Tag("daily_max")]
    | Annotated[Share, Tag("share")]
    | Annotated[Duration, Tag("duration")]
    | Annotated[Open, Tag("open")],
    one_of("measure", "count", "sum", "distinct", "daily_max", "share", "duration", "open"),
]

__all__ = ["Count", "DailyMax", "Distinct", "Duration", "Measure", "Open", "Share", "Sum"]
