"""An audit in Dagster's words: one check result a suite.

Belongs here: the mapping. Does not: which assets have checks (the definitions), or what blocks publication (the audit:
a blocking check of Dagster's does not take back what has been written, so publication asks the audit itself).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from assets.checks.audit import Audit, Finding


def check_result(audit: Audit, asset_key: dg.AssetKey | None = None) -> dg.AssetCheckResult:
    """Passed without any finding; with warnings only it did not pass, but with severity WARN, which blocks nothing."""
    return dg.AssetCheckResult(
        passed=audit.passed and not audit.findings,
        asset_key=asset_key,
        check_name=audit.suite,
        severity=dg.AssetCheckSeverity.WARN if audit.passed else dg.AssetCheckSeverity.ERROR,
        description=_description(audit),
        metadata={
            "rows": audit.rows,
            "statistics": dg.MetadataValue.json(audit.statistics),
            "findings": dg.MetadataValue.table([_record(found) for found in audit.findings], schema=_SCHEMA),
            "held_back": dg.MetadataValue.json(list(audit.held_back)),
            "nothing_to_check": dg.MetadataValue.json(
                [name for name, result in audit.outcomes.items() if result == "nothing_to_check"]
            ),
            "failing_rows": dg.MetadataValue.json(
                {found.check: [_plain(row) for row in found.rows] for found in audit.findings if found.rows}
            ),
        },
    )


def _description(audit: Audit) -> str:
    statistics = audit.statistics
    counted = f"{statistics['passed']} of {sum(statistics.values())} checks passed on {audit.rows:,} rows"
    return "\n".join([counted, *(found.line for found in audit.findings)])


_SCHEMA = dg.TableSchema(
    columns=[
        dg.TableColumn("check", "string"),
        dg.TableColumn("severity", "string"),
        dg.TableColumn("says", "string"),
        dg.TableColumn("found", "string"),
        dg.TableColumn("do", "string"),
        dg.TableColumn("key_results", "string"),
        dg.TableColumn("failed", "int"),
        dg.TableColumn("checked", "int"),
        dg.TableColumn("is_crash", "bool"),
    ]
)


def _record(found: Finding) -> dg.TableRecord:
    return dg.TableRecord(
        {
            "check": found.check,
            "severity": found.severity,
            "says": found.says,
            "found": found.found,
            "do": found.do,
            "key_results": ", ".join(found.key_results),
            "failed": found.failed,
            "checked": found.checked,
            "is_crash": found.is_crash,
        }
    )


def _plain(row: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in row.items()}
