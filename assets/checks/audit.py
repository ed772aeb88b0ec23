"""Audits: what a suite found, whom it concerns, and what may be published in spite of it.

Belongs here: turning outcomes into findings that a person understands. Does not: rules (`suites`), running them
(`expectations`), or Dagster's words for it (`asset_check`).

Nothing passes by being empty: no rows, no rules, a check that crashed or gave no result are all failures, and a check
that had nothing to look at is listed as that, not as passed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

import polars as pl

from assets.checks import frames, suites
from assets.checks.expectations import Outcome, run
from assets.checks.frames import Frame, height, rows_at
from assets.checks.rules import Severity, Suite
from kr_definitions.events import EVENT_SCHEMA
from kr_definitions.history import COMPUTED_SCHEMA

MOST_ROWS_SHOWN = 20

Quality = Literal["passed", "remarked", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One check that did not pass.

    key_results: whom it concerns (of progress; events concern no single one). rows: the keys, and where they may be
    shown the values, of the first rows that broke the rule. failed, checked: how many broke it, of how many.
    is_crash: the check itself failed, so that nothing is known about the data.
    """

    check: str
    severity: Severity
    says: str
    found: str
    do: str
    key_results: tuple[str, ...] = ()
    rows: tuple[Mapping[str, Any], ...] = ()
    failed: int = 0
    checked: int = 0
    is_crash: bool = False

    @property
    def line(self) -> str:
        """What must hold, where it does not, what was found, and what to do: one line for a person."""
        return f"{self.check}: {self.says} Found: {self.found}. {self.do}."


@dataclass(frozen=True, slots=True)
class Audit:
    """What a suite came to. outcomes: check -> passed, failed, crashed or nothing_to_check, for every rule."""

    suite: str
    rows: int
    outcomes: Mapping[str, str]
    checked: Mapping[str, int]
    findings: tuple[Finding, ...]

    @property
    def passed(self) -> bool:
        """Whether everything may be published: there were checks, and none that is critical failed or crashed."""
        return bool(self.outcomes) and not any(finding.severity == "critical" for finding in self.findings)

    @property
    def held_back(self) -> tuple[str, ...]:
        """The key results of which no new row may be published: their last good rows stay."""
        critical = (finding for finding in self.findings if finding.severity == "critical")
        return tuple(sorted({name for finding in critical for name in finding.key_results}))

    @property
    def statistics(self) -> dict[str, int]:
        """How many checks passed, failed, crashed and had nothing to check."""
        counted = Counter(self.outcomes.values())
        return {name: counted[name] for name in ("passed", "failed", "crashed", "nothing_to_check")}

    def of(self, key_result_id: str) -> tuple[Finding, ...]:
        """The findings that concern a key result."""
        return tuple(finding for finding in self.findings if key_result_id in finding.key_results)

    def quality(self, key_result_id: str) -> Quality:
        """In one word, for the `quality` column of the history."""
        severities = {finding.severity for finding in self.of(key_result_id)}
        return "failed" if "critical" in severities else "remarked" if severities else "passed"

    def publishable(self, computed: pl.DataFrame) -> pl.DataFrame:
        """The computed rows that may be published: those of the key results that are not held back."""
        if not self.outcomes:
            return computed.clear()
        return computed.filter(
            pl.col("key_result_id").is_not_null() & ~pl.col("key_result_id").is_in(list(self.held_back))
        )


def audit_events(events: pl.DataFrame | pl.LazyFrame, at: datetime, stated: int | None = None) -> Audit:
    """Check the events of one load.

    events: EVENT_SCHEMA, those that the load appends (coverage and retractions included); where they are lazy, no more
    than some thousands are held at once. at: the run's instant.
    stated: how many rows the load says that it appends; None: not known, at least one. Without any event a load passes
    only if it says so (0).
    """
    suite = suites.batch_of_events(at, stated)
    events = events.lazy()
    columns = frames.columns_of(events, EVENT_SCHEMA)
    if failed := _wrong_columns(suite, columns, events):
        return failed
    return audit(suite, {"columns": columns, **frames.events_frames(events)})


def audit_progress(computed: pl.DataFrame, due: pl.DataFrame, key_results: pl.DataFrame) -> Audit:
    """Check what a run computed, before anybody can see it.

    computed: COMPUTED_SCHEMA, all computed rows. due: key_result_id and as_of of every row that must be there (the key
    results' own rows, not their members'). key_results: KEY_RESULTS_SCHEMA, everything that is declared.
    """
    declared = key_results.get_column("key_result_id").to_list()
    suite = suites.computed_progress(declared)
    columns = frames.columns_of(computed, COMPUTED_SCHEMA)
    everybody = tuple(sorted({*declared, *due.get_column("key_result_id").drop_nulls().to_list()}))
    if failed := _wrong_columns(suite, columns, computed, everybody):
        return failed
    found = computed.get_column("key_result_id").drop_nulls().to_list()
    prepared = {"columns": columns, **frames.progress_frames(computed, due, key_results)}
    return audit(suite, prepared, everybody=tuple(sorted({*everybody, *found})))


def audit(suite: Suite, prepared: Mapping[str, Frame], everybody: tuple[str, ...] = ()) -> Audit:
    """Check a suite on prepared frames. everybody: the key results that a finding about a whole frame concerns."""
    outcomes = run(suite, prepared)
    findings = [
        _finding(suite, outcome, prepared[outcome.rule.frame], everybody)
        for outcome in outcomes
        if outcome.result in ("failed", "crashed")
    ]
    if not outcomes:
        findings = [_no_rules(suite, everybody)]
    return Audit(
        suite=suite.name,
        rows=height(prepared["rows"]),
        outcomes={outcome.rule.name: outcome.result for outcome in outcomes},
        checked={outcome.rule.name: outcome.checked for outcome in outcomes},
        findings=tuple(sorted(findings, key=lambda finding: finding.severity != "critical")),
    )


def _wrong_columns(suite: Suite, columns: pl.DataFrame, rows: Frame, everybody: tuple[str, ...] = ()) -> Audit | None:
    """The audit of a frame with other columns than declared: the other rules would only crash on it."""
    only = Suite(suite.name, tuple(rule for rule in suite.rules if rule.frame == "columns"), suite.keys)
    found = audit(only, {"columns": columns, "rows": rows}, everybody)
    return None if found.passed else found


def _no_rules(suite: Suite, everybody: tuple[str, ...]) -> Finding:
    return Finding(
        check=f"{suite.name}.has_rules",
        severity="critical",
        says="A suite has rules.",
        found="none, so nothing was checked",
        do="Look at assets/checks/suites",
        key_results=everybody,
        is_crash=True,
    )


def _finding(suite: Suite, outcome: Outcome, frame: Frame, everybody: tuple[str, ...]) -> Finding:
    rule = outcome.rule
    about = Finding(f"{suite.name}.{rule.name}", rule.severity, rule.says, found="", do=rule.do, key_results=everybody)
    if outcome.crash is not None:
        return replace(
            about,
            found=f"the check itself failed ({outcome.crash}), so nothing is known",
            do="Mend the check in assets/checks, not the data",
            is_crash=True,
        )
    if outcome.observed is not None:
        return replace(about, found=outcome.observed, checked=height(frame))
    broken = rows_at(frame, outcome.failed)
    keys = suite.keys.get(rule.frame, tuple(broken.columns[:1]))
    shown = [name for name in (*keys, *rule.shows) if name in broken.columns]
    rows = broken.head(MOST_ROWS_SHOWN).select(list(dict.fromkeys(shown))).to_dicts()
    return replace(
        about,
        found=_found(rows, keys, len(outcome.failed), outcome.checked),
        do=f"{rule.do}{_declared_in(broken)}",
        key_results=_concerned(broken, everybody),
        rows=tuple(rows),
        failed=len(outcome.failed),
        checked=outcome.checked,
    )


def _concerned(broken: pl.DataFrame, everybody: tuple[str, ...]) -> tuple[str, ...]:
    """The key results of the rows that broke a rule; everybody, where rows do not say whose they are."""
    if "key_result_id" not in broken.columns:
        return everybody
    return tuple(broken.get_column("key_result_id").drop_nulls().unique().sort().to_list())


def _declared_in(broken: pl.DataFrame) -> str:
    """Where the first of the failing key results is declared, as far as it is known."""
    if "definition_file" not in broken.columns:
        return ""
    files = broken.get_column("definition_file").drop_nulls()
    return f" (declared in {files[0]})" if files.len() else ""


def _found(rows: list[dict[str, Any]], keys: tuple[str, ...], failed: int, checked: int) -> str:
    """The first row by its key and what it holds, and how many more there are."""
    first = rows[0]
    where = " ".join(_text(first[key]) for key in keys if first[key] is not None)
    what = ", ".join(f"{name} {_text(value)}" for name, value in first.items() if name not in keys)
    more = f", and {failed - 1:,} more" if failed > 1 else ""
    return f"{where or 'a row without a key'}{f' ({what})' if what else ''}{more}, of {checked:,} checked"


def _text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M UTC")
    return value.isoformat() if isinstance(value, date) else str(value)[:60]
