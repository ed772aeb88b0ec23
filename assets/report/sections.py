"""What stands below the key results: what changed since yesterday, what the load brought, what the checks found.

Belongs here: these three sections. Does not: the key results (`columns`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import polars as pl
from rich.console import RenderableType
from rich.text import Text

from assets.report import numbers
from assets.report.marks import QUIET, STYLES
from assets.report.sheet import Row, Sheet, grid, marked

BUILT_IN = "check_ins"
"""The source that is there without being declared: it is told of when it brought something."""

_MOST_DAYS_SHOWN = 2
_ASIDE = re.compile(
    r"[\d,]+ records? of (?P<of>\S+) set aside: (?P<why>.*?)(?:; and (?P<more>[\d,]+) more like these)?", re.S
)
"""As `assets.set_aside` tells what a stream's records lack."""


def movements(sheet: Sheet, rows: Sequence[Row]) -> Iterator[RenderableType]:
    """Statuses that changed since the day before, and days that were corrected. rows: of `current_progress`."""
    newest = sheet.organisation["newest_day"]
    for row in rows:
        before, after = row["status_before"], row["status"]
        if row["period_end"] is not None and newest is not None and row["period_end"] < newest:
            continue  # its period was over before yesterday
        if before is not None and after is not None and before != after:
            told = sheet.say("status_moved", before=sheet.status(before), after=sheet.status(after))
            yield _about(sheet, sheet.marks.statuses[after], STYLES[after], row, told)
    for row, told in _restatements(sheet):
        yield _about(sheet, "~", "cyan", row, told)
    for name, told in _comings_and_goings(sheet):
        yield marked("~", "cyan", f"{sheet.titles.get(name) or sheet.marks.text(name)}: {told}")


def _about(sheet: Sheet, mark: str, style: str, row: Row, told: str) -> RenderableType:
    return marked(mark, style, f"{sheet.title(row)}: {told}")


def _restatements(sheet: Sheet) -> Iterator[tuple[Row, str]]:
    """What was corrected since yesterday: one by one, or so many days of a key result at once.

    A day of which only the makings moved (another customer, as many customers) is in the tables and not here.
    """
    by_declaration = pl.col("cause").is_in(["definition", "target"])
    is_told = pl.col("value").ne_missing(pl.col("previous_value")) | by_declaration
    restatements = sheet.tables["restatements"]
    recent = restatements.filter(pl.col("recorded_at") >= _today(sheet), pl.col("member").is_null(), is_told)
    for (_, cause), group in recent.group_by(["key_result_id", "cause"], maintain_order=True):
        rows = group.sort("as_of").to_dicts()
        days = {"days": len({row["as_of"] for row in rows}), "first": sheet.words.day(rows[0]["as_of"])}
        last = sheet.words.day(rows[-1]["as_of"])
        if cause == "target":
            yield rows[-1], sheet.say("judged_anew", last=last, **days)
        elif len(rows) > _MOST_DAYS_SHOWN:
            yield rows[-1], _restated(sheet, rows[-1], "restated_days", last=last, **days)
        else:
            yield from ((row, _restated(sheet, row, "restated", day=sheet.words.day(row["as_of"]))) for row in rows)


def _today(sheet: Sheet) -> datetime:
    """When the day of this publication began, on the organisation's clock: what was told before it is not new."""
    published_at: datetime = sheet.tables["meta"].get_column("published_at").item()
    zone = ZoneInfo(sheet.organisation["zone"])
    return datetime.combine(published_at.astimezone(zone).date(), time.min, zone).astimezone(UTC)


def _comings_and_goings(sheet: Sheet) -> Iterator[tuple[str, str]]:
    """Key results that are new since yesterday, or are declared no more; not those that an organisation began with."""
    editions = sheet.tables["editions"]
    is_recent = pl.col("recorded_at") >= _today(sheet)
    if editions.filter(~is_recent).is_empty():
        return
    recent = editions.filter(is_recent).sort("recorded_at", "key_result_id")
    for name, change in recent.select("key_result_id", "change").iter_rows():
        if change in ("added", "retired", "reinstated"):
            yield name, sheet.say(f"was_{change}")


def _restated(sheet: Sheet, row: Row, phrase: str, **places: object) -> str:
    told, unit = (row["previous_value"], row["value"]), row["unit"]
    more = numbers.more_decimals(*told, unit)
    before, after = (numbers.figure(figure, unit, sheet.words, more_decimals=more) for figure in told)
    return sheet.say(phrase, before=before, after=after, cause=sheet.words.causes[row["cause"]], **places)


def loads(sheet: Sheet) -> Iterator[RenderableType]:
    """What each source brought when it was last read, what of it is set aside, and why a stream was not read."""
    has_said_nothing = (pl.col("source") == BUILT_IN) & (pl.col("delivered") == 0) & pl.col("covered_to").is_not_null()
    latest = _latest(sheet).filter(~has_said_nothing).sort("source", "stream")
    if latest.is_empty():
        return
    table = grid()
    table.add_column(no_wrap=True)
    for _ in range(3):
        table.add_column(justify="right", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_row(Text(), *(sheet.quiet(name) for name in ("new", "again", "aside", "until")))
    for (source,), streams in latest.group_by(["source"], maintain_order=True):
        table.add_row(*_load(sheet, str(source), streams))
    yield table
    unread = latest.filter(pl.col("covered_to").is_null())
    for (source, failure), streams in unread.group_by(["source", "failure"], maintain_order=True):
        told = sheet.marks.text(_unread(sheet, str(source), failure, streams.get_column("stream").to_list()))
        yield marked(sheet.marks.statuses["missed"], "red", Text(told, style="red"))


def _latest(sheet: Sheet) -> pl.DataFrame:
    """The newest reading of each stream that is declared; of a file that does not say which are, of each."""
    return sheet.tables["loads"].filter("is_latest", pl.col("is_declared").fill_null(value=True))


def _unread(sheet: Sheet, source: str, failure: object, streams: Sequence[str]) -> str:
    """What a source said when streams of it could not be read: once, however many they are."""
    account = f"{sheet.organisation['organisation']}.{source}: "
    said = str(failure or sheet.words.say("not_read")).removeprefix(account)
    whose = f"{source}.{streams[0]}" if len(streams) == 1 else f"{source} ({', '.join(streams)})"
    return f"{whose}: {said}"


def _load(sheet: Sheet, source: str, streams: pl.DataFrame) -> list[Text]:
    counts = [_total(streams.get_column(name)) for name in ("inserted", "duplicates", "set_aside")]
    styles = ["", QUIET, "yellow" if counts[2] else QUIET]
    read_to = streams.get_column("covered_to").min()
    until = Text(sheet.say("not_read"), style="red")
    if streams.get_column("covered_to").null_count() == 0 and isinstance(read_to, datetime):
        until = Text(_instant(sheet, read_to), style=QUIET)
    written = [
        Text(sheet.marks.plain(numbers.NOT_KNOWN if count is None else numbers.number(count, sheet.words)), style=style)
        for count, style in zip(counts, styles, strict=True)
    ]
    return [Text(sheet.marks.text(source)), *written, until]


def _total(counts: pl.Series) -> int | None:
    return None if counts.null_count() else int(counts.sum())


def _instant(sheet: Sheet, instant: datetime) -> str:
    local = instant.astimezone(ZoneInfo(sheet.organisation["zone"]))
    newest = sheet.organisation["newest_day"]
    is_of_long_ago = newest is not None and local.year < newest.year
    return (
        f"{sheet.words.day(local.date())} {local:%Y}"
        if is_of_long_ago
        else f"{sheet.words.day(local.date())} {local:%H:%M}"
    )


def nothing_found(sheet: Sheet) -> Text:
    """What no finding means: all is well only where all was read."""
    unread = _latest(sheet).filter(pl.col("covered_to").is_null()).get_column("source")
    if unread.is_empty():
        return sheet.quiet("checks_passed")
    return Text(sheet.say("checks_unread", sources=", ".join(unread.unique().sort())), style="yellow")


def findings(sheet: Sheet) -> Iterator[RenderableType]:
    """What the checks of the last run found, the critical ones first."""
    for row in sheet.tables["data_quality"].filter("is_current").sort("severity", "check").iter_rows(named=True):
        is_critical = row["severity"] == "critical"
        mark = sheet.marks.statuses["missed" if is_critical else "at_risk"]
        says, do = sheet.words.checks.get(row["check"], (row["says"], row["do"]))
        told = sheet.marks.text(f"{row['check']}: {says} {_found(sheet, row)}. {do}.")
        style = "red" if is_critical else "yellow"
        yield marked(mark, style, Text.assemble((f"{sheet.say(row['severity'])} ", style), told))


def _found(sheet: Sheet, row: Row) -> str:
    """What a check found; of records that are set aside, in the words of the page."""
    aside = _ASIDE.fullmatch(row["found"]) if row["check"] in sheet.words.checks else None
    if aside is None:
        return str(row["found"])
    problems = aside["why"]
    if aside["more"] is not None:
        problems = sheet.say("aside_more", problems=problems, more=aside["more"].replace(",", sheet.words.thousands))
    phrase = "aside_one" if row["failed"] == 1 else "aside_many"
    count = numbers.number(row["failed"], sheet.words)
    return sheet.say(phrase, count=count, stream=aside["of"], problems=problems)
