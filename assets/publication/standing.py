"""How things stand: the tables that are computed from the history, for one organisation.

Belongs here: the newest row of each day, what moved since the day before, and what is wrong with a figure's data. Does
not: computing a figure (`kr_definitions`), the tables' columns and documentation (`tables.yaml`), writing (`file`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from assets.publication import readings
from assets.publication.results import Lack, Results
from assets.publication.trend import sparkline
from kr_definitions.finality import REVISIONS_SCHEMA, expected_revisions
from kr_definitions.history import current

TREND_DAYS = 30
_DAY = timedelta(days=1)
_KEY = ["key_result_id", "member", "as_of"]
_DECLARED = ["objective_id", "title_es", "title_en", "type", "level", "owner"]


def progress_daily(results: Results) -> pl.DataFrame:
    """The newest row of each key result, member and day, with titles; key results that are no longer declared too."""
    times = results.history.group_by(_KEY).agg(pl.len().cast(pl.Int64).alias("times_recorded"))
    # Of a definition that changed and was not computed since, rows may lie outside the period that is declared now.
    periods = results.key_results.select("key_result_id", _first="period_start", _last="period_end")
    in_period = pl.col("as_of").is_between(pl.col("_first"), pl.col("_last")).fill_null(value=True)
    last = pl.col("as_of").filter(in_period).max().over("key_result_id", "member")
    is_latest = ((pl.col("as_of") == last) & in_period).fill_null(value=False)
    return (
        current(results.history.lazy(), results.editions)
        .collect()
        .join(times, on=_KEY, nulls_equal=True, validate="1:1")
        .join(_revisions(results), on=_KEY, how="left", nulls_equal=True, validate="1:1")
        .join(results.key_results.select("key_result_id", *_DECLARED), on="key_result_id", how="left", validate="m:1")
        .join(_objective_titles(results), on="objective_id", how="left", validate="m:1")
        .join(periods, on="key_result_id", how="left", validate="m:1")
        .with_columns(
            is_latest.alias("is_latest"),
            # What held when a row was recorded need not hold any more: a day becomes final without a row of its own.
            pl.when(pl.col("key_result_id").is_in(list(results.late_days)))
            .then(pl.col("final_on").is_not_null())
            .otherwise(pl.col("is_provisional"))
            .alias("is_provisional"),
            (~pl.col("key_result_id").is_in(results.key_results["key_result_id"].to_list())).alias("is_retired"),
        )
        .drop("_first", "_last")
        .sort(_KEY, nulls_last=False)
    )


def _revisions(results: Results) -> pl.DataFrame:
    """What to expect of the figures that are provisional."""
    through = _newest_day(results.history)
    if through is None:
        return pl.DataFrame(schema=dict(REVISIONS_SCHEMA))
    history = (
        current(results.history.lazy(), results.editions)
        .select(*_KEY, "edition")
        .join(results.history.lazy(), on=[*_KEY, "edition"], nulls_equal=True)
    )
    return expected_revisions(history, results.computations, results.late_days, through)


def last_run(results: Results, publishing: str) -> str | None:
    """The run that last read and computed; publishing: the one that publishes, which may only publish."""
    read_by = results.loads.sort("recorded_at").get_column("run_id")
    is_it = read_by.is_empty() or publishing in {*read_by, *results.findings.get_column("run_id")}
    return publishing if is_it else read_by[-1]


def current_progress(results: Results, daily: pl.DataFrame, published_at: datetime, last: str | None) -> pl.DataFrame:
    """One row a declared key result: its newest day, what moved since the day before, and what is wrong with its data.

    daily: `progress_daily`. last: `last_run`. The status is `unreliable` where newer rows were held back by a check or
    are missing: the last good figures are shown, but never as if they were today's.
    """
    own = daily.filter(pl.col("member").is_null())
    of_row = own.drop([*_DECLARED, "objective_title_es", "objective_title_en", "is_retired"])
    figures = of_row.rename({"every": "_every"}).drop("unit")
    before = figures.select(
        "key_result_id",
        (pl.col("as_of") + _DAY).alias("as_of"),
        *[pl.col(name).alias(f"{name}_before") for name in ("value", "progress", "status", "window_start")],
        pl.col("definition_version").alias("definition_before"),
    )
    standing = (
        results.key_results.drop("definition_hash")
        .join(_objective_titles(results), on="objective_id", how="left", validate="m:1")
        .join(figures.filter("is_latest"), on="key_result_id", how="left", validate="1:1")
        .join(before, on=["key_result_id", "as_of"], how="left", validate="1:1")
        .join(_trends(own), on="key_result_id", how="left", validate="1:1")
        .join(_unknown_beside(daily), on="key_result_id", how="left", validate="1:1")
        .join(_said(results), on=["key_result_id", "as_of"], how="left", validate="1:1")
        .join(readings.of_key_results(results), on="key_result_id", how="left", validate="1:1")
        .join(_sealed(results), on=["key_result_id", "period_start", "period_end"], how="left", validate="1:1")
        .with_columns(pl.coalesce("_every", "every").alias("every"))
        .drop("_every")
        .with_columns(_movements())
    )
    return _with_upstream(_judged(standing, results, published_at, last))


def _with_upstream(standing: pl.DataFrame) -> pl.DataFrame:
    """Beside each key result the status of the one that it feeds from."""
    upstream = standing.select(pl.col("key_result_id").alias("feeds_from"), pl.col("status").alias("upstream_status"))
    return standing.join(upstream, on="feeds_from", how="left", validate="m:1", maintain_order="left")


def restatements(results: Results, daily: pl.DataFrame) -> pl.DataFrame:
    """The rows of the history that moved a day which had been reported."""
    titles = daily.select("key_result_id", "title_es", "title_en").unique("key_result_id")
    is_by_definition = pl.col("cause").is_in(["definition", "target"])
    moved = pl.col("value") - pl.col("previous_value")
    return (
        results.history.filter("is_restatement")
        .join(titles, on="key_result_id", how="left", validate="m:1")
        .with_columns(
            pl.when(~is_by_definition).then(moved).alias("moved_by_data"),
            pl.when(is_by_definition).then(moved).alias("moved_by_definition"),
        )
        .sort("recorded_at", *_KEY)
    )


def restatement_events(results: Results) -> pl.DataFrame:
    """The events that moved figures; those that a run recorded which was killed before its rows are nobody's."""
    recorded = results.history.select("key_result_id", "run_id").unique()
    found = results.restatement_events.join(recorded, on=["key_result_id", "run_id"], how="semi")
    return found.with_columns(pl.col("change").alias("movement"))


def editions(results: Results) -> pl.DataFrame:
    """What each key result has meant, and since when; the one that is in force marked."""
    is_in_force = pl.col("edition") == pl.col("edition").max().over("key_result_id")
    is_last = pl.col("recorded_at") == pl.col("recorded_at").max().over("key_result_id")
    return results.editions.with_columns((is_in_force & is_last).alias("is_in_force"))


def objectives(results: Results) -> pl.DataFrame:
    """Objectives by day, the newest marked."""
    is_latest = pl.col("as_of") == pl.col("as_of").max().over("objective_id")
    return results.objectives.with_columns(is_latest.alias("is_latest")).sort("objective_id", "as_of")


def organisation(results: Results) -> pl.DataFrame:
    """The organisation itself: one row."""
    declared = results.organisation
    return pl.DataFrame(
        {
            "title_es": [declared.title.es],
            "title_en": [declared.title.en],
            "zone": [declared.zone],
            "currency": [declared.currency],
            "newest_day": [_newest_day(results.history)],
        },
        schema_overrides={"newest_day": pl.Date},
    )


def _objective_titles(results: Results) -> pl.DataFrame:
    columns = ("objective_id", "objective_title_es", "objective_title_en")
    declared = [(name, title.es, title.en) for name, title in results.titles.items()]
    rolled_up = results.objectives.select("objective_id", "title_es", "title_en").rows()
    titles = pl.DataFrame([*rolled_up, *declared], schema=dict.fromkeys(columns, pl.String), orient="row")
    return titles.unique("objective_id", keep="last", maintain_order=True)


def _newest_day(history: pl.DataFrame) -> date | None:
    found = history.filter(pl.col("member").is_null()).get_column("as_of").max()
    return found if isinstance(found, date) else None


def check_ins(results: Results) -> pl.DataFrame:
    """The check-in in force on each day that has one, beside the day's figures."""
    titles = results.key_results.select("key_result_id", "title_es", "title_en", "unit")
    said = results.check_ins.join(titles, on="key_result_id", how="left", validate="m:1")
    return said.sort("key_result_id", "as_of")


def seals(results: Results) -> pl.DataFrame:
    """What was sealed, beside what is now known of it; an objective's own seal after those of its key results."""
    of_key_results = results.key_results.select("key_result_id", "title_es", "title_en", "unit")
    of_objectives = _objective_titles(results).rename(
        {"objective_title_es": "_title_es", "objective_title_en": "_title_en"}
    )
    titled = results.seals.join(of_key_results, on="key_result_id", how="left", validate="m:1").join(
        of_objectives, on="objective_id", how="left", validate="m:1"
    )
    is_own = pl.col("key_result_id").is_null()
    titles = [pl.when(is_own).then(f"_{name}").otherwise(name).alias(name) for name in ("title_es", "title_en")]
    return titled.with_columns(titles).sort("objective_id", "period_end", "key_result_id", nulls_last=True)


def _said(results: Results) -> pl.DataFrame:
    """What people say of each day, by key result and day."""
    beside = ["confidence", "note", "stated_value", "stated_progress", "stated_status"]
    return results.check_ins.select("key_result_id", "as_of", "checked_in_on", "checked_in_by", *beside)


def _sealed(results: Results) -> pl.DataFrame:
    """The seals of key results, by key result and period."""
    of_key_results = results.seals.filter(pl.col("key_result_id").is_not_null())
    period = ["key_result_id", "period_start", "period_end"]
    return of_key_results.select(*period, "sealed_score", "sealed_value", "sealed_at", "moved_since_seal")


def _unknown_beside(daily: pl.DataFrame) -> pl.DataFrame:
    """The members, parts and guardrails of which nothing is known on the newest day, and how many have a value."""
    is_unknown = pl.col("status").is_in(["no_data", "unreliable"])
    beside = daily.filter(pl.col("member").is_not_null(), "is_latest")
    return beside.group_by("key_result_id").agg(
        pl.col("member").filter(is_unknown).sort().alias("unknown_beside"),
        pl.col("value").count().alias("known_beside"),
    )


def _movements() -> list[pl.Expr]:
    """A value that begins anew, or that another definition gave, did not move: it is another figure."""
    is_same_definition = pl.col("definition_version") == pl.col("definition_before")
    begins_anew = pl.col("every").is_not_null() & pl.col("window_start").ne_missing(pl.col("window_start_before"))
    is_new_window = pl.col("status_before").is_not_null() & begins_anew
    return [
        is_new_window.alias("is_new_window"),
        pl.when(is_same_definition & ~begins_anew).then(pl.col("value") - pl.col("value_before")).alias("value_moved"),
        pl.when(is_same_definition).then(pl.col("progress") - pl.col("progress_before")).alias("progress_moved"),
    ]


def _trends(own: pl.DataFrame) -> pl.DataFrame:
    """Each key result's last days as a line: of its value, or of its progress where it has no value of its own."""
    lines = {}
    for (name,), rows in own.group_by(["key_result_id"], maintain_order=True):
        lines[str(name)] = sparkline(days(rows, TREND_DAYS), TREND_DAYS)
    return pl.DataFrame({"key_result_id": list(lines), "trend": list(lines.values())}, schema=_TREND_SCHEMA)


_TREND_SCHEMA = {"key_result_id": pl.String, "trend": pl.String}


def days(rows: pl.DataFrame, last: int | None = None) -> list[float | None]:
    """The value (or, where there never is one, the progress) of each day up to the newest; None where not known.

    rows: as_of, value and progress of one key result. last: only so many days.
    """
    figure = "value" if rows.get_column("value").is_not_null().any() else "progress"
    by_day = dict(rows.select("as_of", figure).iter_rows())
    end, first = max(by_day), min(by_day)
    if last is not None:
        first = max(first, end - (last - 1) * _DAY)
    return [by_day.get(first + n * _DAY) for n in range((end - first).days + 1)]


class Problem(NamedTuple):
    """Why a figure is not known, or not to be trusted. kind: see `problem` in tables.yaml."""

    kind: str
    detail: str | None


def _judged(standing: pl.DataFrame, results: Results, published_at: datetime, last: str | None) -> pl.DataFrame:
    """The status in view of what is known about the data, and the problem that explains it."""
    today = published_at.astimezone(ZoneInfo(results.organisation.zone)).date()
    newest_day = _newest_day(results.history) or today - _DAY
    through = pl.min_horizontal(pl.lit(newest_day), pl.col("period_end"))
    has_begun = pl.col("period_start") <= newest_day
    is_missing = pl.col("as_of").is_null()
    standing = standing.with_columns(
        pl.col("status").alias("status_reported"),
        pl.when(is_missing).then(has_begun).otherwise(pl.col("as_of") < through).alias("is_stale"),
    )
    problems = list(_problems(standing, results, last))
    is_held_back = pl.col("problem") == "held_back"
    return standing.with_columns(
        pl.Series("problem", [problem and problem.kind for problem in problems], dtype=pl.String),
        pl.Series("problem_detail", [problem and problem.detail for problem in problems], dtype=pl.String),
    ).with_columns(
        pl.when(is_missing & ~has_begun)
        .then(pl.lit("not_started"))
        .when(is_missing)
        .then(pl.lit("no_data"))
        .when((pl.col("is_stale") | is_held_back.fill_null(value=False)) & (pl.col("status").ne_missing("no_data")))
        .then(pl.lit("unreliable"))
        .otherwise(pl.col("status"))
        .alias("status")
    )


def _problems(standing: pl.DataFrame, results: Results, last: str | None) -> Iterator[Problem | None]:
    held_back = _held_back(results, last)
    readings = _readings(results)
    for row in standing.iter_rows(named=True):
        if finding := held_back.get(row["key_result_id"]):
            yield Problem("held_back", f"{finding['check']}: {finding['found']}")
        elif row["status_reported"] in ("no_data", "unreliable") or (row["is_stale"] and row["as_of"] is None):
            yield _unknown(row, results, readings)
        elif row["is_stale"]:
            yield Problem("stale", f"{row['as_of']}")
        elif row["type"] == "kpi" and row["value"] is None and not row["known_beside"]:
            yield _unknown(row, results, readings)  # it has no status that would say so
        else:
            yield None


def _held_back(results: Results, last: str | None) -> dict[str, dict[str, Any]]:
    """The key results of which the last run appended nothing, with the critical finding that held them back."""
    is_of_run = pl.col("run_id").eq_missing(pl.lit(last, pl.String))
    found = results.findings.filter(is_of_run, pl.col("severity") == "critical", pl.col("key_results") != "")
    return {name: row for row in found.iter_rows(named=True) for name in row["key_results"].split(", ")}


def _readings(results: Results) -> dict[tuple[str, str], dict[str, Any]]:
    """Of each stream the newest attempt to read it, and from when on it has been read completely."""
    complete = (
        results.loads.filter(pl.col("covered_to").is_not_null())
        .group_by("source", "stream")
        .agg(
            pl.col("covered_from").is_null().any().alias("is_from_the_beginning"),
            pl.col("covered_from").min().alias("read_from"),
        )
    )
    newest_attempts = results.loads.sort("recorded_at").unique(["source", "stream"], keep="last")
    joined = newest_attempts.join(complete, on=["source", "stream"], how="left")
    return {(row["source"], row["stream"]): row for row in joined.iter_rows(named=True)}


def _unknown(
    row: Mapping[str, Any], results: Results, readings: Mapping[tuple[str, str], Mapping[str, Any]]
) -> Problem:
    """Why a key result says no_data or unreliable, as far as the readings of its streams tell."""
    feeds = results.feeds.get(row["key_result_id"])
    if feeds is not None and not feeds:
        return Problem("no_source", row["measure_text"])
    for source, stream in feeds or ():
        reading = readings.get((source, stream))
        if reading is None:
            return Problem("not_loaded", f"{source}.{stream}")
        if reading["covered_to"] is None:
            return Problem("not_loaded", reading["failure"] or f"{source}.{stream}")
        if _begins_too_late(reading, row["window_start"], results.organisation.zone):
            return Problem("begins_later", f"{source}.{stream}: {reading['read_from']:%Y-%m-%d}")
        last_day = reading["covered_to"].astimezone(ZoneInfo(results.organisation.zone)).date() - _DAY
        if row["as_of"] is not None and last_day < row["as_of"]:
            return Problem("behind", f"{source}.{stream}: {last_day}")
    if lacking := results.lacking.get(row["key_result_id"]):
        return _without_rate(lacking, results.organisation.currency)
    if row["value"] is not None and row["target"] is None:
        return Problem("no_baseline", row["target_text"])
    if row["unknown_beside"]:
        return Problem("unknown_beside", ", ".join(row["unknown_beside"]))
    return Problem("nothing_yet", None)


def _without_rate(lacking: Sequence[Lack], own: str) -> Problem:
    """Of each pair of currencies, the first day on which no rate holds, and on how many more."""
    days: dict[str, list[date]] = {}
    for currency, day, _, _ in sorted(lacking, key=lambda one: one[1]):
        days.setdefault(currency, []).append(day)
    told = [
        f"{currency}→{own} {found[0]}" + (f" (+{len(found) - 1})" if len(found) > 1 else "")
        for currency, found in sorted(days.items())
    ]
    is_contradictory = all(lacks == "contradictory" for _, _, lacks, _ in lacking)
    return Problem("two_rates" if is_contradictory else "no_rate", ", ".join(told))


def _begins_too_late(reading: Mapping[str, Any], window_start: date | None, zone: str) -> bool:
    if reading["is_from_the_beginning"] or window_start is None or reading["read_from"] is None:
        return False
    first_day: date = reading["read_from"].astimezone(ZoneInfo(zone)).date()
    return first_day > window_start
