"""What the report says of each key result, before it is laid out.

Belongs here: from a row of the published tables to the texts of one line. Does not: where they stand (`page`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from assets.publication.standing import days
from assets.publication.trend import sparkline
from assets.report import numbers
from assets.report.marks import STYLES, Marks
from assets.report.sheet import Row, Sheet
from assets.report.words import Language

SHORTFALLS = ("missed", "off_track", "at_risk", "unreliable", "no_data")
"""Statuses that show at the key results which feed from one."""


@dataclass(frozen=True)
class Line:
    """One key result as the report shows it. series: what its sparkline draws; floor: what its lowest block means.

    bar, bar_expected: how far the value is from its target (of what recurs, in the open window), and how far it was
    expected to be. progress, expected: of the whole period. notes: what else there is to know.
    """

    status: str
    title: str
    value: str
    target: str
    moved: str
    progress: str
    expected: str
    windows: str
    series: Sequence[float | None]
    floor: float | None
    bar: float | None
    bar_expected: float | None
    notes: tuple[str, ...] = ()

    @property
    def style(self) -> str:
        return STYLES[self.status]

    def sparkline(self, width: int, marks: Marks) -> str:
        """The history in at most so many characters: of what recurs the last windows, else the whole period."""
        series = self.series[-width:] if self.floor is not None else self.series
        return sparkline(series, width, self.floor, marks.blocks, marks.unknown)


def line_of(row: Row, daily: pl.DataFrame, sheet: Sheet) -> Line:
    """row: of `current_progress`. daily: the rows of `progress_daily` of this key result."""
    language, marks = sheet.words, sheet.marks
    every, unit = row["every"], row["unit"]
    is_kpi = row["type"] == "kpi"
    own = daily.filter(pl.col("member").is_null())
    more = _more_decimals(row)
    return Line(
        status="kpi" if is_kpi and row["status"] is None else row["status"],
        title=marks.text(row[f"title_{language.code}"]),
        value=marks.text(numbers.figure(row["value"], unit, language, with_unit=is_kpi, more_decimals=more)),
        target="" if is_kpi else marks.text(_target(row, language, more)),
        moved=marks.text(_moved(row, sheet)),
        progress=marks.text("" if is_kpi else numbers.percent(row["progress"], language)),
        expected=marks.text("" if is_kpi or row["expected"] is None else numbers.percent(row["expected"], language)),
        windows=marks.text(_windows(row, sheet)),
        series=_by_window(own) if every else (days(own) if own.height else []),
        floor=0.0 if every else None,
        bar=_distance(row),
        bar_expected=row["window_expected"] if every else row["expected"],
        notes=tuple(marks.text(note) for note in _notes(row, daily, sheet) if note),
    )


def _notes(row: Row, daily: pl.DataFrame, sheet: Sheet) -> Iterator[str | None]:
    language = sheet.words
    yield _problem(row, sheet)
    yield language.say("set_aside", streams=row["set_aside_in"]) if row["set_aside"] else None
    yield _revision(row, language)
    yield _sealed(row, language)
    yield _said(row, sheet)
    yield _members(daily, ("member", "part", "window"), language)
    if row["breached"]:
        yield language.say("breached", names=row["breached"])
        yield _members(daily, ("guardrail",), language)
    if row["upstream_status"] in SHORTFALLS:
        yield language.say(
            "upstream", title=sheet.titles[row["feeds_from"]], status=sheet.status(row["upstream_status"])
        )


def _revision(row: Row, language: Language) -> str | None:
    """What became of figures that were as provisional as this one; nothing where they hardly ever moved."""
    within = row["revision_within"]
    if not row["is_provisional"] or not within or row["value"] is None:
        return None
    shown = numbers.moved(row["expected_revision"], row["unit"], language) or numbers.number(0, language)
    most = numbers.moved(within, row["unit"], language).lstrip("+")
    return language.say("revised", day=language.day(row["final_on"]), by=shown, within=most) if most else None


def _target(row: Row, language: Language, more_decimals: int) -> str:
    bound = row["direction"] if row["target_high"] is None else None
    return numbers.target(row["target"], row["target_high"], row["unit"], bound, language, more_decimals)


def _more_decimals(row: Row) -> int:
    """How many decimals more than usual its figures need, so that the value does not look like its target."""
    return max(numbers.more_decimals(row["value"], row[name], row["unit"]) for name in ("target", "target_high"))


def _distance(row: Row) -> float | None:
    """How far the value is. At least so much is either met or not; its bar shows how near it is all the same."""
    if row["direction"] == "at_least" and row["value"] is not None and (row["target"] or 0) > 0:
        return float(row["value"] / row["target"])
    distance: float | None = row["window_progress" if row["every"] else "progress"]
    return distance


def _moved(row: Row, sheet: Sheet) -> str:
    """What changed since yesterday: nothing of a figure that is of an earlier day."""
    if row["as_of"] != sheet.organisation["newest_day"]:
        return ""
    if row["is_new_window"]:
        return sheet.words.say("new_window", window=sheet.words.windows[row["every"]][0])
    return numbers.moved(row["value_moved"], row["unit"], sheet.words)


def _windows(row: Row, sheet: Sheet) -> str:
    """How many closed windows met the target, where there is one; a dash where one of them is not known."""
    if row["type"] == "kpi" or not row["every"] or not row["windows_closed"]:
        return ""
    met = numbers.NOT_KNOWN if row["windows_met"] is None else row["windows_met"]
    return sheet.words.counted_windows(met, row["windows_closed"], row["every"], in_short=sheet.is_wide)


def _by_window(own: pl.DataFrame) -> list[float | None]:
    """The last value of each window, in order."""
    closing = own.filter(pl.col("window_start").is_not_null()).sort("as_of")
    return closing.unique("window_start", keep="last", maintain_order=True).get_column("value").to_list()


def _problem(row: Row, sheet: Sheet) -> str | None:
    if row["problem"] is None:
        return None
    day = sheet.words.day(row["as_of"]) if row["as_of"] else numbers.NOT_KNOWN
    detail = row["problem_detail"] or ""
    if row["problem"] == "not_loaded":
        detail = detail.partition(". ")[0]  # what to do about it stands once, with the load
    source, _, until = detail.rpartition(": ")  # of a stream that was read in part
    return sheet.words.problems[row["problem"]].format(
        detail=detail, day=day, source=source, until=until, currency=sheet.organisation["currency"]
    )


def _said(row: Row, sheet: Sheet) -> str | None:
    """What a person says, marked as their word: the computed figures are the headline."""
    if row["checked_in_on"] is None:
        return None
    language, told = sheet.words, []
    if row["confidence"] is not None:
        told.append(language.say("confidence", part=numbers.percent(row["confidence"], language)))
    if row["stated_value"] is not None:
        would_be = [numbers.percent(row["stated_progress"], language)] if row["stated_progress"] is not None else []
        would_be += [sheet.status(row["stated_status"])] if row["stated_status"] is not None else []
        value = language.say("stated_value", value=numbers.figure(row["stated_value"], row["unit"], language))
        told.append(f"{value} ({', '.join(would_be)})" if would_be else value)
    if row["note"]:
        told.append(language.say("quoted", text=row["note"]))
    return language.say("said", day=language.day(row["checked_in_on"]), told=" · ".join(told))


def _sealed(row: Row, language: Language) -> str | None:
    """The score that the period was closed with, and the one that it would have now, where that is another one."""
    if row["sealed_at"] is None:
        return None
    told = language.say("sealed", score=numbers.figure(row["sealed_score"], None, language))
    if not row["moved_since_seal"]:
        return told
    value, score = numbers.figure(row["value"], row["unit"], language), numbers.figure(row["score"], None, language)
    return f"{told}; {language.say('moved_since', value=value, score=score)}"


def _members(daily: pl.DataFrame, roles: tuple[str, ...], language: Language) -> str | None:
    """Each member's (part's, window's, guardrail's) value beside its target, those that lag most first."""
    members = daily.filter(pl.col("role").is_in(roles) & pl.col("is_latest")).sort("progress", nulls_last=False)
    if members.is_empty():
        return None
    shown = []
    for row in members.iter_rows(named=True):
        name = language.windows[row["member"]][0] if row["role"] == "window" else row["member"]
        more, unit = _more_decimals(row), row["unit"]
        value = numbers.figure(row["value"], unit, language, more_decimals=more)
        target = numbers.target(row["target"], row["target_high"], unit, None, language, more)
        shown.append(f"{name} {value}" if row["target"] is None else f"{name} {value} / {target}")
    return " · ".join(shown)
