"""Running rules with Great Expectations, and telling apart what it does not: bad data, a crash, nothing to check.

Belongs here: the only code that touches Great Expectations. Does not: the rules (`suites`), or what an outcome means
for publication (`audit`).

Importing Great Expectations takes seconds, so it happens in `run`. Of its ways: a metric that crashed is reported like
bad data, an expectation over no rows or only nulls succeeds, results come in another order than they were asked for,
and NaN is null (`frames` names NaN in a column of its own).
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from assets.checks.frames import Frame, height
from assets.checks.rules import Condition, Rule, Suite

MOST_ROWS_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one rule came to. checked: the rows that it looked at; failed: the positions of those that broke it.

    observed: of a rule about the whole frame, what was found instead. crash: the error, where the check itself failed.
    """

    rule: Rule
    checked: int
    failed: tuple[int, ...] = ()
    observed: str | None = None
    crash: str | None = None

    @property
    def result(self) -> str:
        """passed, failed, crashed, or nothing_to_check (no row met the rule's condition, or all were null)."""
        if self.crash is not None:
            return "crashed"
        if self.failed or self.observed is not None:
            return "failed"
        return "passed" if self.checked else "nothing_to_check"


def run(suite: Suite, frames: Mapping[str, Frame]) -> list[Outcome]:
    """The outcome of every rule of the suite, in its order. Raises `KeyError` for a rule on a frame that is missing."""
    found: dict[str, Outcome] = {}
    with _quiet():
        for name in dict.fromkeys(rule.frame for rule in suite.rules):
            rules = [rule for rule in suite.rules if rule.frame == name]
            for outcome in _outcomes(rules, frames[name]):
                earlier = found.get(outcome.rule.name)
                found[outcome.rule.name] = outcome if earlier is None else _together(earlier, outcome)
    return [found[rule.name] for rule in suite.rules]


def _outcomes(rules: list[Rule], frame: Frame) -> Iterator[Outcome]:
    """Long frames are cut for the rules that can be, so that no more than one piece is held, here or by pandas."""
    if height(frame) <= MOST_ROWS_AT_ONCE:
        yield from _validated(rules, frame, first=0)
        return
    yield from _validated([rule for rule in rules if not rule.is_row_by_row], frame, first=0)
    row_by_row, first = [rule for rule in rules if rule.is_row_by_row], 0
    for piece in frame.lazy().collect_batches(chunk_size=MOST_ROWS_AT_ONCE):
        yield from _validated(row_by_row, piece, first)
        first += piece.height


def _validated(rules: list[Rule], frame: Frame, first: int) -> Iterator[Outcome]:
    import great_expectations as gx  # noqa: PLC0415 - takes seconds

    if not rules:
        return
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("frames").add_dataframe_asset("frame")
    batch = asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": _as_pandas(rules, frame)})
    suite = gx.ExpectationSuite(name="suite", expectations=[_expectation(rule) for rule in rules])
    results = batch.validate(suite, result_format={"result_format": "COMPLETE", "return_unexpected_index_query": False})
    by_rule = {result.expectation_config.meta["rule"]: result for result in results.results}
    for rule in rules:
        yield _outcome(rule, by_rule.get(rule.name), first)


def _as_pandas(rules: list[Rule], frame: Frame) -> Any:
    """Only the columns that the rules look at (a frame without columns would have no rows either)."""
    used = {
        column
        for rule in rules
        for column in (*_columns_of(rule.arguments), *(condition[0] for condition in rule.where))
    }
    columns = frame.collect_schema().names()
    present = [name for name in columns if name in used]
    return frame.lazy().select(present or columns[:1]).collect().to_pandas()


def _columns_of(arguments: Mapping[str, Any]) -> list[str]:
    named = [arguments[key] for key in ("column", "column_A", "column_B") if key in arguments]
    return [*named, *arguments.get("column_list", ())]


def _expectation(rule: Rule) -> Any:
    from great_expectations import expectations  # noqa: PLC0415 - takes seconds

    condition = {"row_condition": _condition(rule.where), "condition_parser": "pandas"} if rule.where else {}
    return getattr(expectations, rule.expectation)(
        **rule.arguments, **condition, severity=rule.severity, meta={"rule": rule.name}
    )


def _condition(where: Sequence[Condition]) -> Any:
    from great_expectations.expectations.row_conditions import AndCondition, Column  # noqa: PLC0415 - takes seconds

    made: Mapping[str, Callable[[Any, Any], Any]] = {
        "==": lambda column, value: column == value,
        "!=": lambda column, value: column != value,
        "in": lambda column, value: column.is_in(value),
        "not in": lambda column, value: column.is_not_in(value),
        "is null": lambda column, _: column.is_null(),
        "is not null": lambda column, _: column.is_not_null(),
    }
    conditions = [made[operator](Column(name), value) for name, operator, value in where]
    return conditions[0] if len(conditions) == 1 else AndCondition(conditions=conditions)


def _outcome(rule: Rule, result: Any, first: int) -> Outcome:
    if result is None:
        return Outcome(rule, checked=0, crash="Great Expectations returned no result for it")
    if crash := _crash(result.exception_info):
        return Outcome(rule, checked=0, crash=crash)
    found = result.result
    if "observed_value" in found:
        return Outcome(rule, checked=1, observed=None if result.success else f"{found['observed_value']:,} rows")
    checked = int(found["element_count"]) - int(found.get("missing_count", 0))
    failed = tuple(first + int(position) for position in found["unexpected_index_list"])
    if bool(failed) == bool(result.success):
        return Outcome(rule, checked, crash=f"success={result.success}, yet {len(failed)} rows are named as failing")
    return Outcome(rule, checked, failed=failed)


def _crash(information: Mapping[str, Any] | None) -> str | None:
    """The error of a crashed metric: at the top of the information, or under each metric's own id."""
    entries = [information or {}, *(entry for entry in (information or {}).values() if isinstance(entry, dict))]
    for entry in entries:
        if entry.get("raised_exception") or entry.get("exception_message"):
            return " ".join(str(entry.get("exception_message")).split())[:300]
    return None


def _together(one: Outcome, other: Outcome) -> Outcome:
    return Outcome(
        one.rule,
        one.checked + other.checked,
        one.failed + other.failed,
        one.observed or other.observed,
        one.crash or other.crash,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """No bars, warnings, log lines or statistics sent; what there is to say is in the outcomes."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    logger, nowhere = logging.getLogger("great_expectations"), logging.NullHandler()
    propagated = logger.propagate
    logger.propagate = False  # its modules set levels of their own, so a level here would not silence them
    logger.addHandler(nowhere)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.removeHandler(nowhere)
        logger.propagate = propagated
