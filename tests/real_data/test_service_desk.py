"""A real audit log, by the files source and declarations alone, against SQL over the CSV written without our code.

The file is the "Incident management process enriched event log" (UCI no. 498, CC BY 4.0), in the folder that
`HITO_REAL_DATA` names or in `shared/data` beside the project; it is not ours to ship, so without it this test does not
run. Read as its keepers say: times are UTC, an incident's facts are those of its last row, resolved means resolved_at.
"""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest

from kr_definitions.catalogue import load
from kr_definitions.compute import compute
from pipelines.files import FILES, read_declaration
from pipelines.load import Lake, Source, bring_up_to_date, fetch
from pipelines.source import Account

HERE = Path(__file__).parent
FOLDER = Path(os.environ.get("HITO_REAL_DATA") or HERE.parents[2] / "shared" / "data")
CSV = FOLDER / "incident_event_log.csv"
NOW = datetime(2026, 11, 21, 6, tzinfo=UTC)
LAST_COVERED = date(2017, 2, 3)  # the last row is of the 4th, 19:00, so the 4th is not known to its end

pytestmark = pytest.mark.skipif(not CSV.exists(), reason=f"no {CSV}: the real data is kept outside the project")

# One row an incident, from the last of its rows: the newest update, and of those the one with the highest counter.
INCIDENTS = """
    create view incidents as
    select
        number,
        strptime(opened_at, '%d-%m-%Y %H:%M') as opened_at,
        case when resolved_at <> '?' then strptime(resolved_at, '%d-%m-%Y %H:%M') end as resolved_at,
        made_sla = 'TRUE' as made_sla
    from rows
    qualify row_number() over (
        partition by number
        order by strptime(sys_updated_at, '%d-%m-%Y %H:%M') desc, cast(sys_mod_count as int) desc
    ) = 1
"""

# One row a reopening: a row of an incident whose running count is higher than any before it. Five rows were updated
# before their incident was opened: the load sets them aside, and none of them is a reopening.
REOPENINGS = """
    create view reopenings as
    select number, reopened_at from (
        select
            number,
            strptime(sys_updated_at, '%d-%m-%Y %H:%M') as reopened_at,
            cast(reopen_count as int) as reopen_count,
            coalesce(max(cast(reopen_count as int)) over (
                partition by number
                order by strptime(sys_updated_at, '%d-%m-%Y %H:%M'), cast(sys_mod_count as int)
                rows between unbounded preceding and 1 preceding
            ), 0) as before
        from rows
    )
    where reopen_count > before
"""

DAYS = """
    create view days as
    select cast(day as date) as day, date_trunc('month', day) as month_start, day + interval 1 day as day_end
    from generate_series(timestamp '2016-02-01', timestamp '2017-02-28', interval 1 day) as t(day)
"""

ANSWERS = {
    "service_desk.service.opened": """
        select day, count(number)::double as value
        from days left join incidents on opened_at >= month_start and opened_at < day_end group by day
    """,
    "service_desk.service.within_sla": """
        select day, (count(*) filter (made_sla))::double / nullif(count(number), 0) as value
        from days left join incidents on resolved_at >= month_start and resolved_at < day_end group by day
    """,
    "service_desk.service.hours_to_resolve": """
        select day, quantile_cont(epoch(resolved_at - opened_at) / 3600.0, 0.5) as value
        from days left join incidents on resolved_at >= month_start and resolved_at < day_end group by day
    """,
    "service_desk.service.reopened": """
        select day, count(number)::double as value
        from days left join reopenings on reopened_at >= month_start and reopened_at < day_end group by day
    """,
    "service_desk.service.backlog": """
        select day, count(number)::double as value
        from days left join incidents
            on opened_at < day_end and (resolved_at is null or resolved_at >= day_end) group by day
    """,
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """The log, loaded from the file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCES__SERVICE_DESK__INCIDENTS__FOLDER", str(FOLDER))
        source = Source(FILES, Account("service_desk", "incidents", "UTC"), read_declaration(HERE / "incidents.yaml"))
        found = Lake(tmp_path_factory.mktemp("lake"))
        (load_of_file,) = fetch(source, found, clock=None, started_at=NOW)
        assert (load_of_file.delivered, load_of_file.failure) == (5998, None)
        bring_up_to_date([source], found, NOW)
    return found


@pytest.fixture(scope="module")
def figures(lake):
    """What our compiler makes of it."""
    catalogue = load("service_desk", HERE / "definitions")
    return compute(catalogue.definitions, catalogue.organisation, lake.log.scan(), date(2017, 2, 28))


@pytest.fixture(scope="module")
def oracle():
    """The same questions, asked of the CSV in SQL."""
    connection = duckdb.connect()
    connection.execute(f"create view rows as select * from read_csv('{CSV}', all_varchar = true, header = true)")
    for view in (INCIDENTS, REOPENINGS, DAYS):
        connection.execute(view)
    return {name: connection.execute(f"{query} order by day").pl() for name, query in ANSWERS.items()}


@pytest.mark.parametrize("key_result", sorted(ANSWERS))
def test_every_day_of_every_key_result_is_what_the_csv_says(figures, oracle, key_result):
    expected = oracle[key_result].rename({"day": "as_of", "value": "expected"})
    ours = figures.filter(pl.col("key_result_id") == key_result).select("as_of", "value", "status")
    beside = expected.join(ours, on="as_of", how="full", coalesce=True).sort("as_of")
    known = beside.filter(pl.col("as_of") <= LAST_COVERED)
    tolerance = 1e-9 * pl.col("expected").abs()
    agree = (pl.col("value").is_null() & pl.col("expected").is_null()) | (
        (pl.col("value") - pl.col("expected")).abs() <= tolerance
    )
    assert known.filter(agree.not_() | agree.is_null()).rows() == []
    assert known.get_column("expected").is_not_null().sum() > 200
    after = beside.filter(pl.col("as_of") > LAST_COVERED)
    assert after.get_column("value").is_null().all()


def test_every_declared_key_result_has_an_answer_in_sql(figures):
    assert set(figures.get_column("key_result_id")) == set(ANSWERS)


def test_what_was_dirty_is_told_by_file_row_and_reason(lake):
    problems = lake.quarantine().select("problem").collect().get_column("problem").sort().to_list()
    rows = (330, 336, 346, 351, 438)
    assert problems == [f"incident_event_log.csv row {row}: updated before it was opened" for row in rows]


def test_the_log_holds_each_incident_once(lake):
    counted = lake.log.scan().group_by("event_type").len().collect()
    found = dict(counted.filter(pl.col("event_type").str.starts_with("ticket")).iter_rows())
    assert found == {"ticket.created": 890, "ticket.solved": 861, "ticket.reopened": 11, "ticket.closed": 890}
