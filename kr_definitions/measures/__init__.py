"""Measures: what is counted, each a small model with its own compilation in two phases (`base`).

To add one: its model in a module here, a member in the union below, its page in the reference, its tests.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Tag

from kr_definitions.measures.additive import Count, Figure, Share, Sum
from kr_definitions.measures.base import Context, Measured
from kr_definitions.measures.conversion import Conversion
from kr_definitions.measures.distinct import DailyMax, Distinct
from kr_definitions.measures.duration import Duration
from kr_definitions.measures.forecast import ForecastAccuracy
from kr_definitions.measures.function import Function
from kr_definitions.measures.levels import Gain, Level, Open
from kr_definitions.measures.membership import Participation, Retention
from kr_definitions.measures.numbers import Largest, Mean, Median, Quantile, Smallest
from kr_definitions.measures.ratio import Ratio
from kr_definitions.measures.steps import Steps
from kr_definitions.words import one_of

MEASURES: dict[str, type[Measured]] = {
    "count": Count,
    "sum": Sum,
    "distinct": Distinct,
    "daily_max": DailyMax,
    "mean": Mean,
    "median": Median,
    "quantile": Quantile,
    "min": Smallest,
    "max": Largest,
    "level": Level,
    "gain": Gain,
    "open": Open,
    "share": Share,
    "ratio": Ratio,
    "duration": Duration,
    "conversion": Conversion,
    "retention": Retention,
    "participation": Participation,
    "steps": Steps,
    "forecast_accuracy": ForecastAccuracy,
    "function": Function,
}
"""Every measure, by the key that tells it apart."""

Measure = Annotated[
    Annotated[Count, Tag("count")]
    | Annotated[Sum, Tag("sum")]
    | Annotated[Distinct, Tag("distinct")]
    | Annotated[DailyMax, Tag("daily_max")]
    | Annotated[Mean, Tag("mean")]
    | Annotated[Median, Tag("median")]
    | Annotated[Quantile, Tag("quantile")]
    | Annotated[Smallest, Tag("min")]
    | Annotated[Largest, Tag("max")]
    | Annotated[Level, Tag("level")]
    | Annotated[Gain, Tag("gain")]
    | Annotated[Open, Tag("open")]
    | Annotated[Share, Tag("share")]
    | Annotated[Ratio, Tag("ratio")]
    | Annotated[Duration, Tag("duration")]
    | Annotated[Conversion, Tag("conversion")]
    | Annotated[Retention, Tag("retention")]
    | Annotated[Participation, Tag("participation")]
    | Annotated[Steps, Tag("steps")]
    | Annotated[ForecastAccuracy, Tag("forecast_accuracy")]
    | Annotated[Function, Tag("function")],
    one_of("measure", *MEASURES),
]

__all__ = [
    "MEASURES",
    "Context",
    "Conversion",
    "Count",
    "DailyMax",
    "Distinct",
    "Duration",
    "Figure",
    "ForecastAccuracy",
    "Function",
    "Gain",
    "Largest",
    "Level",
    "Mean",
    "Measure",
    "Measured",
    "Median",
    "Open",
    "Participation",
    "Quantile",
    "Ratio",
    "Retention",
    "Share",
    "Smallest",
    "Steps",
    "Sum",
]
