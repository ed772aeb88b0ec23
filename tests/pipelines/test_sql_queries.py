"""What is asked of a table, in the words of databases that no test here can start."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql, mysql, oracle

from pipelines.sql import SqlOptions
from pipelines.sql.queries import After, Question
from pipelines.sql.tables import Table

DIALECTS = {"mysql": mysql.dialect(), "mssql": mssql.dialect(), "oracle": oracle.dialect()}  # type: ignore[no-untyped-call]
AT = datetime(2026, 3, 1, 9, tzinfo=UTC)


def question(after: After | None = None, **changes: Any) -> Question:
    stream = SqlOptions.model_validate({"streams": {"deals": {
        "table": "crm.deal", "shape": {"type": "history", "field": "name", "value": "value", "fields": ["stage"]},
        "delivery": "changes", "cursor": ["changed_at", "synced_at"], "key": "id", "revision": "changed_at",
        "events": [{"type": "deal.stage_entered", "each_change_of": "stage", "subject": "id"}], **changes,
    }}}).streams["deals"]  # fmt: skip
    reflected = sa.Table(
        "deal", sa.MetaData(schema="crm"), sa.Column("id", sa.BigInteger), sa.Column("name", sa.String(50)),
        sa.Column("value", sa.String(50)), sa.Column("changed_at", sa.DateTime(timezone=True)),
        sa.Column("synced_at", sa.DateTime(timezone=True)),
    )  # fmt: skip
    return Question(stream, Table(reflected, "other"), AT, AT, after)


@pytest.mark.parametrize("name", DIALECTS)
def test_each_question_can_be_asked_of_each_dialect(name: str) -> None:
    asked = question(After(AT, (7, AT, "stage")))
    for select in (asked.rows(is_keyed=True), asked.rows(is_keyed=False), asked.shared(), asked.without_key()):
        assert select is not None
        text = str(select.compile(dialect=DIALECTS[name]))
        assert "FROM crm.deal" in text
        assert "SELECT" in text
        assert not any(word in text for word in ("INSERT", "UPDATE ", "DELETE", "FOR UPDATE", "NULLS FIRST"))


def test_values_are_never_part_of_the_text() -> None:
    select = question(After(AT, (7, AT, "Robert'); DROP TABLE deal;--"))).rows(is_keyed=True)
    assert "DROP TABLE" not in str(select.compile(dialect=DIALECTS["mysql"]))


def test_names_that_hold_quotes_are_quoted() -> None:
    reflected = sa.Table(
        'de"al', sa.MetaData(), sa.Column('i"d', sa.Integer), sa.Column("at", sa.DateTime(timezone=True))
    )
    stream = SqlOptions.model_validate({"streams": {"deals": {
        "table": 'de"al', "delivery": "snapshot", "key": 'i"d',
        "events": [{"type": "deal.won", "at": "at", "subject": '"i""d"'}],
    }}}).streams["deals"]  # fmt: skip
    select = Question(stream, Table(reflected, "other")).rows(is_keyed=True)
    assert 'FROM "de""al"' in str(select)
