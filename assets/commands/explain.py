"""`hito explain`: a figure down to its events, and what changed between two days.

Belongs here: what is asked, and how the answer is told. Does not: finding it (`kr_definitions.explaining`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import polars as pl
from rich.console import Console
from rich.text import Text

from assets import set_aside, steps
from assets.commands.beside import Beside, beside, told
from assets.commands.deployed import Deployed, NotToBeHad, deployed
from assets.home import Home
from assets.report import numbers
from assets.report.words import LANGUAGES
from kr_definitions.explaining import Explained, changed, explain
from kr_definitions.tables import measure_text, target_text
from kr_definitions.units import unit

_ENGLISH = LANGUAGES["en"]


@dataclass(frozen=True)
class Question:
    """What is asked: of which day (the newest without it) and member; since which day; known at which instant."""

    key_result: str
    day: date | None = None
    member: str | None = None
    since: date | None = None
    known_at: datetime | None = None


@dataclass(frozen=True)
class Answer:
    """A figure explained. row: what was reported of it, if it was. earlier: the figure of the day that is compared.

    beside: what a person said of the day, and the seal of its period. aside: what is set aside of what it is made from.
    """

    of: Deployed
    explained: Explained
    row: dict[str, Any] | None
    earlier: Explained | None
    findings: pl.DataFrame
    beside: Beside
    aside: list[set_aside.Aside]

    @property
    def day(self) -> date:
        found: date = self.explained.figure["as_of"]
        return found


def answered(home: Home, question: Question) -> Answer:
    """The answer. Raises `NotToBeHad`."""
    of = deployed(home, question.key_result, question.known_at)
    known_at = question.known_at or of.known_until
    members = of.reported.get_column("member").drop_nulls().unique().sort().to_list()
    if question.member is not None and question.member not in members:
        raise NotToBeHad(
            f"{question.key_result} has no member {question.member!r}. "
            + (f"It has {', '.join(members)}" if members else "It has none")
        )
    rows = of.reported.filter(pl.col("member").eq_missing(pl.lit(question.member, pl.String)))
    newest = rows.get_column("as_of").max()
    if not isinstance(newest, date):
        raise NotToBeHad(f"{question.key_result}: nothing has been reported of it yet")
    day = question.day or newest

    def figure(of_day: date) -> Explained:
        found = explain(of.definition, of.organisation, of.log, of_day, question.member, of.feeds, known_at)
        if found is None or of_day > newest:
            days = rows.get_column("as_of").sort().to_list()
            raise NotToBeHad(f"{question.key_result} has no figure of {of_day}: {days[0]} to {days[-1]} is what it has")
        return found

    if question.since is not None and question.since >= day:
        raise NotToBeHad(f"--since {question.since} is not before {day}, the day that is explained (--on)")
    row = rows.filter(pl.col("as_of") == day)
    organisation = of.organisation.id
    checks = steps.findings(home, organisation).filter(
        pl.col("key_results").str.contains(question.key_result, literal=True)
    )
    return Answer(
        of,
        figure(day),
        row.row(0, named=True) if row.height else None,
        figure(question.since) if question.since is not None else None,
        checks.collect(),
        beside(home, of, day, question.known_at) if question.member is None else Beside(),
        set_aside.of(home, organisation, _streams(of), question.known_at),
    )


def _streams(of: Deployed) -> set[tuple[str, str]]:
    """The streams that state what a key result needs."""
    in_use = {} if of.feeds is None else of.feeds.streams
    return {one for name in of.definition.types for one in in_use.get(name, ())}


# --- told -------------------------------------------------------------------------------------------------------------


def tell(console: Console, answer: Answer, most: int) -> None:
    """The answer on a terminal; most: how many events are shown at most."""
    for line in _heading(answer):
        console.print(line, soft_wrap=True, highlight=False)
    console.print()
    if answer.earlier is not None:
        _tell_change(console, answer, answer.earlier, most)
    elif answer.explained.parts.height:
        _tell_parts(console, answer)
    else:
        _tell_events(console, answer, most)


def _heading(answer: Answer) -> Iterator[Text]:
    kr, figure, edition = answer.of.definition.key_result, answer.explained.figure, answer.of.edition
    name = kr.title.en + (f" · {figure['member']}" if figure["member"] is not None else "")
    yield Text.assemble((name, "bold"), f"  {kr.id}")
    measured_in = figure["unit"]
    parts = [_value(answer.explained)]
    if figure["target"] is not None:
        target = numbers.target(figure["target"], figure["target_high"], measured_in, None, _ENGLISH)
        parts.append(f"target {target}")
    if figure["progress"] is not None and kr.target is not None:
        parts.append(f"progress {numbers.percent(figure['progress'], _ENGLISH)}")
    if figure["status"] is not None:
        parts.append(_ENGLISH.statuses.get(figure["status"], figure["status"]))
    span = f"counted {figure['window_start'] or 'from the beginning'} to {figure['window_end']}"
    yield Text(f"{figure['as_of']}: {' · '.join(parts)} ({span})")
    asked = f"; asked for: {target_text(kr)}" if target_text(kr) else ""
    yield Text(f"counts     {measure_text(kr)}{asked}", style="dim")
    version = f"{edition['definition_version']} ({edition['definition_hash']})"
    yield Text(
        f"definition {version} since {_at(answer, edition['recorded_at'])}, {edition['definition_file']}"
        + _declared(answer),
        style="dim",
    )
    yield from _recorded(answer)
    for one in answer.aside:
        counts = "counts" if one.records == 1 else "count"
        lacks = f"{one.counted}, which {counts} only for what was said before: {one.why()}"
        yield Text(f"set aside  {lacks}; the value may be incomplete or out of date", style="yellow")
    for line in told(answer.beside, answer.of, measured_in):
        yield Text(line)


def _declared(answer: Answer) -> str:
    """What has become of the definition since."""
    of = answer.of
    if not of.is_readable:
        return "; what is declared now is wrong (hito validate)"
    if of.retired is not None:
        return f"; retired on {_at(answer, of.retired['recorded_at'])}"
    if of.is_of_then:
        return "; another one is in force now"
    if of.is_as_declared is None:
        return "; it is declared no more (the next run retires it)"
    return "" if of.is_as_declared else "; the declaration on disk is another one (hito diff)"


def _recorded(answer: Answer) -> Iterator[Text]:
    known_at = answer.explained.known_at
    if answer.row is None:
        yield Text(
            f"computed now, with what was known at {_at(answer, known_at) if known_at else 'any time'}", style="dim"
        )
        return
    row = answer.row
    until = "provisional when it was recorded" if row["is_provisional"] else "final when it was recorded"
    if row["value"] is None:
        until = "not known when it was recorded"
    yield Text(
        f"recorded   {_at(answer, row['recorded_at'])} by run {row['run_id'][:8]}; checks {row['quality']}; {until}",
        style="dim",
    )
    if row["is_restatement"]:
        before = numbers.figure(row["previous_value"], row["unit"], _ENGLISH)
        why = _ENGLISH.causes.get(row["cause"], row["cause"])
        had_been = f"it had been {before}; it moved by: {why}"
        yield Text(
            f"restated   {had_been if row['cause'] != 'target' else 'judged anew by another target'}", style="dim"
        )
    of_run = answer.findings.filter(pl.col("run_id") == row["run_id"], pl.col("check") != set_aside.CHECK)
    for finding in of_run.iter_rows(named=True):
        yield Text(f"check      {finding['check']}: {finding['found']}", style="yellow")
    if answer.explained.figure["value"] != row["value"]:
        yield Text(
            f"Reported was {row['value']}: the log, or the sources in use, have changed since. Run hito run",
            style="yellow",
        )


def _value(explained: Explained) -> str:
    figure = explained.figure
    shown = numbers.figure(figure["value"], figure["unit"], _ENGLISH)
    if figure["value"] is None:
        return "not known"
    if figure["denominator"] is not None and figure["numerator"] is not None:
        return f"{shown} = {_exact(figure['numerator'])} / {_exact(figure['denominator'])}"
    return shown


def _tell_events(console: Console, answer: Answer, most: int) -> None:
    events, figure = answer.explained.events, answer.explained.figure
    if not events.height:
        console.print("No event counts in it.")
        return
    is_fraction = figure["denominator"] is not None and figure["numerator"] is not None
    gives = ["gives", "of", "out of"] if is_fraction else ["gives"]
    shown = events.head(most)
    gives += ["stated"] if shown.get_column("rate").null_count() < shown.height else []
    lines = []
    for row in shown.iter_rows(named=True):
        fraction = [_exact(row["numerator"]), _exact(row["denominator"])] if is_fraction else []
        stated = [_stated(row)] if "stated" in gives else []
        lines.append([_contribution(row["contribution"], figure["unit"]), *fraction, *stated, *_event(answer, row)])
    _listed(console, [*gives, *_EVENT], lines, right=len(gives))
    _tell_sum(console, answer, events, most)


def _tell_sum(console: Console, answer: Answer, events: pl.DataFrame, most: int) -> None:
    more = f" ({events.height - most:,} more are not shown: --most)" if events.height > most else ""
    figure = answer.explained.figure
    told = f"{events.height:,} event{'s' if events.height != 1 else ''}{more}"
    if figure["value"] is None:
        why = _ENGLISH.statuses.get(figure["status"] or "", "not read")
        console.print(f"{told} so far; the figure is not known: {why}.", highlight=False)
    elif answer.explained.adds_up:
        console.print(f"{told}; they add up to {_value(answer.explained)}.", highlight=False)
    else:
        console.print(
            f"{told}; they do NOT add up to {_value(answer.explained)}: tell Hito's maintainers.", style="red"
        )


def _tell_parts(console: Console, answer: Answer) -> None:
    lines = [
        [
            "1" if row["is_met"] else "0",
            numbers.figure(row["value"], row["unit"], _ENGLISH),
            numbers.target(row["target"], row["target_high"], row["unit"], None, _ENGLISH),
            numbers.percent(row["progress"], _ENGLISH),
            row["member"],
            _ENGLISH.statuses.get(row["status"], row["status"]),
        ]
        for row in answer.explained.parts.iter_rows(named=True)
    ]
    _listed(console, ["met", "value", "target", "progress", "member", "status"], lines, right=4)
    console.print("It counts how many of these are met. To see the events of one: --member NAME.")


def _tell_change(console: Console, answer: Answer, earlier: Explained, most: int) -> None:
    found = changed(earlier.events, answer.explained.events)
    before, after = earlier.figure["as_of"], answer.day
    console.print(f"From {before} to {after}: {_value(earlier)} → {_value(answer.explained)}", highlight=False)
    windows = {earlier.figure["window_start"], answer.explained.figure["window_start"]}
    if len(windows) > 1:
        console.print(
            f"Another window: what was counted from {earlier.figure['window_start'] or 'the beginning'} on "
            f"is counted from {answer.explained.figure['window_start'] or 'the beginning'} on.",
            highlight=False,
            soft_wrap=True,
        )
    if answer.explained.parts.height or earlier.parts.height:
        console.print("It is made of others: ask for one of them (--member) to see what changed.", highlight=False)
        _tell_parts(console, answer)
        return
    if earlier.figure["value"] is None and answer.explained.figure["value"] is None:
        console.print("Neither is known.")
        return
    if not found.height:
        console.print("The same events make both.")
        return
    measured_in = answer.explained.figure["unit"]
    lines = [
        [_side(row, "_before", measured_in), _side(row, "", measured_in), row["change"], *_event(answer, row)]
        for row in found.head(most).iter_rows(named=True)
    ]
    _listed(console, ["before", "after", "", *_EVENT], lines, right=2)
    counted = found.group_by("change").len().sort("change").rows()
    more = f" ({found.height - most:,} are not shown: --most)" if found.height > most else ""
    console.print(", ".join(f"{count:,} {change}" for change, count in counted) + more + ".", highlight=False)


def _side(row: dict[str, Any], suffix: str, measured_in: str | None) -> str:
    """What an event gave, before or after: a part of the value, or of its numerator and denominator."""
    numerator, denominator = row[f"numerator{suffix}"], row[f"denominator{suffix}"]
    if numerator is not None and denominator is not None:
        return f"{_exact(numerator)} / {_exact(denominator)}"
    return _contribution(row[f"contribution{suffix}"], measured_in)


def _stated(row: dict[str, Any]) -> str:
    """An amount in another currency as it was stated, with the rate that it counts by."""
    return "" if row["rate"] is None else f"{_exact(row['amount'])} {row['currency']} at {row['rate']}"


_EVENT = ["event", "happened", "known since", "about", "record"]


def _listed(console: Console, header: list[str], lines: list[list[str]], right: int) -> None:
    """Lines in columns, the first ones to the right; the last one, a link, is never broken."""
    widths = [max(len(line[n]) for line in [header, *lines]) for n in range(len(header))]

    def told(line: list[str]) -> str:
        cells = [
            cell.rjust(width) if n < right else cell.ljust(width)
            for n, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        return "  ".join(cells).rstrip()

    console.print(told(header), style="dim", soft_wrap=True, highlight=False)
    for line in lines:
        console.print(told(line), soft_wrap=True, highlight=False)


def _event(answer: Answer, row: dict[str, Any]) -> list[str]:
    if row["event_id"] is None:
        return ["a number that is declared", "", "", "", ""]
    return [
        row["event_type"],
        _at(answer, row["occurred_at"]),
        _at(answer, row["recorded_at"]),
        row["subject_id"] or "",
        row["source_url"] or row["source"] or "",
    ]


def _at(answer: Answer, instant: datetime | None) -> str:
    """An instant on the organisation's clock."""
    return "" if instant is None else f"{instant.astimezone(ZoneInfo(answer.of.organisation.zone)):%Y-%m-%d %H:%M}"


def _contribution(value: float | None, measured_in: str | None) -> str:
    return "" if value is None else numbers.figure(value, measured_in, _ENGLISH, with_unit=False)


def _exact(number: Any) -> str:
    return "" if number is None else f"{number.normalize():f}"


def as_json(answer: Answer) -> str:
    """The answer for another program: figure, definition, what is set aside, events, parts, and what changed."""
    edition = {name: value for name, value in answer.of.edition.items() if name != "declared"}
    content = {
        "figure": dict(answer.explained.figure),
        "adds_up": answer.explained.adds_up,
        "definition": edition | {"unit": unit(answer.of.definition.key_result, answer.of.organisation.currency)},
        "reported": answer.row,
        "check_in": answer.beside.check_in,
        "seal": answer.beside.seal,
        "set_aside": [
            {"stream": ".".join(one.stream), "records": one.records, "problems": one.problems} for one in answer.aside
        ],
        "events": answer.explained.events.to_dicts(),
        "parts": answer.explained.parts.to_dicts(),
        "changes": None
        if answer.earlier is None
        else changed(answer.earlier.events, answer.explained.events).to_dicts(),
    }
    return orjson.dumps(content, default=str, option=orjson.OPT_INDENT_2).decode()
