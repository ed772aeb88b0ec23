"""An audit becomes one check result of Dagster's: failed, remarked or passed, with what was found as metadata."""

from __future__ import annotations

import dagster as dg
import polars as pl
import pytest

from assets.checks.asset_check import check_result
from assets.checks.audit import Audit, audit
from assets.checks.rules import Rule, Severity, Suite

# One worker imports Great Expectations, which takes seconds.


def audited(severity: Severity, *values: str) -> Audit:
    """One check: every text is x."""
    rule = Rule(
        "text_is_x",
        "ExpectColumnValuesToBeInSet",
        {"column": "text", "value_set": ["x"]},
        "Every text is x.",
        "Write x",
        shows=("text",),
        severity=severity,
    )
    frame = pl.DataFrame({"key_result_id": [f"org.{n}" for n in range(len(values))], "text": values})
    return audit(Suite("texts", (rule,), {"rows": ("key_result_id",)}), {"rows": frame})


@pytest.mark.parametrize(
    ("severity", "text", "passed", "told"),
    [
        ("critical", "x", True, dg.AssetCheckSeverity.WARN),
        ("warning", "y", False, dg.AssetCheckSeverity.WARN),
        ("critical", "y", False, dg.AssetCheckSeverity.ERROR),
    ],
)
def test_severity_and_result(severity: Severity, text: str, passed: bool, told: dg.AssetCheckSeverity) -> None:
    result = check_result(audited(severity, text), dg.AssetKey("progress"))
    assert (result.check_name, result.asset_key) == ("texts", dg.AssetKey("progress"))
    assert (result.passed, result.severity) == (passed, told)


def test_what_was_found_is_in_the_metadata_and_in_words() -> None:
    result = check_result(audited("critical", "x", "y", "z"))
    line = "texts.text_is_x: Every text is x. Found: org.1 (text y), and 1 more, of 3 checked. Write x."
    assert result.description == f"0 of 1 checks passed on 3 rows\n{line}"
    assert result.metadata["statistics"].value == {"passed": 0, "failed": 1, "crashed": 0, "nothing_to_check": 0}
    (record,) = result.metadata["findings"].records
    assert record.data["key_results"] == "org.1, org.2"
    assert (record.data["failed"], record.data["checked"], record.data["is_crash"]) == (2, 3, False)
    assert result.metadata["held_back"].value == ["org.1", "org.2"]
    assert result.metadata["failing_rows"].value["texts.text_is_x"][0] == {"key_result_id": "org.1", "text": "y"}


def test_dagster_takes_the_result_of_a_blocking_check() -> None:
    @dg.asset_check(asset="progress", name="texts", blocking=True)
    def texts() -> dg.AssetCheckResult:
        return check_result(audited("critical", "y"))

    @dg.asset
    def progress() -> None: ...

    ran = dg.materialize([progress, texts], raise_on_error=False)
    (evaluation,) = ran.get_asset_check_evaluations()
    assert (evaluation.passed, evaluation.severity, evaluation.blocking) == (False, dg.AssetCheckSeverity.ERROR, True)
