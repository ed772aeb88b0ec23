"""The event log: brought up to what records say, whatever the order, and however often they are read."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from builders import LOADED_AT, empty, event, facts
from hypothesis import given, settings
from hypothesis import strategies as st

from kr_definitions.events import (
    COVERED,
    EVENT_SCHEMA,
    FACT_SCHEMA,
    REQUIRED_FACT_COLUMNS,
    RETRACTED,
    as_known_at,
    current,
    facts_frame,
)
from pipelines import mapped, pieces
from pipelines.event_log import ORDER, ContradictoryFacts, EventLog, changes, identified, readings, statements
from pipelines.lake import Overtaken
from pipelines.load import Lake, Source, bring_up_to_date, fetch
from pipelines.mapped import by_mapping, by_records
from pipelines.source import Account, Covered, Options, Read, Record, Stream

Said = Mapping[str, str]
"""What one record says: fact key -> amount."""


def at(n: int) -> datetime:
    return LOADED_AT + timedelta(minutes=n)


def deal(key: str, record: str, amount: str = "1", **columns: Any) -> dict[str, Any]:
    """A deal won, as one record states it."""
    return {**event("deal.won", "2026-03-01", key, key=key, amount=amount, **columns), "record_key": record}


def stated(
    log: pl.DataFrame, records: Mapping[str, Said], n: int, source: str = "crm", stream: str = "deals"
) -> pl.DataFrame:
    """What has to be appended so that the log says what these records, and no others, were read to say."""
    said = facts([deal(key, record, amount) for record, held in records.items() for key, amount in held.items()])
    touched = pl.LazyFrame({"record_key": list(records)}, {"record_key": pl.String})
    return statements(log.lazy(), said, touched, source, stream, at(n))


def told(*loads: Mapping[str, Said]) -> pl.DataFrame:
    """A log that was told of records load by load."""
    log = empty().collect()
    for n, records in enumerate(loads):
        log = pl.concat([log, stated(log, records, n)])
    return log


def holds(log: pl.DataFrame) -> dict[str, str]:
    """The facts that the log now states: key -> amount."""
    now = current(log.lazy()).select("fact_key", pl.col("amount").cast(pl.Int64).cast(pl.String)).collect()
    assert now.get_column("fact_key").is_unique().all()
    return dict(now.rows())


def now(log: pl.DataFrame) -> pl.DataFrame:
    """The events that hold, in an order that does not depend on how they came."""
    return current(log.lazy()).sort("fact_id", "event_id").collect()


def kinds(log: pl.DataFrame) -> list[str]:
    return log.get_column("event_type").to_list()


# --- one record -------------------------------------------------------------------------------------------------------


def test_a_new_fact_is_stated_with_all_that_was_said():
    log = told({"r": {"a": "7"}})
    row = log.row(0, named=True)
    assert ("crm", "deals", "r", "a", "deal.won", Decimal(7), at(0), None) == tuple(
        row[name]
        for name in ("source", "stream", "record_key", "fact_key", "event_type", "amount", "recorded_at", "retracts")
    )
    assert dict(EVENT_SCHEMA) == dict(log.schema)


def test_what_is_loaded_twice_is_stated_once():
    assert 0 == stated(told({"r": {"a": "7"}}), {"r": {"a": "7"}}, 1).height


def test_a_corrected_fact_withdraws_what_was_said_and_states_what_is():
    log = told({"r": {"a": "7"}}, {"r": {"a": "8"}})
    assert (["deal.won", RETRACTED, "deal.won"], {"a": "8"}) == (kinds(log), holds(log))
    assert log.item(0, "event_id") == log.item(1, "retracts")
    assert 1 == log.get_column("fact_id").n_unique()


def test_a_value_that_changes_and_changes_back_is_stated_three_times():
    log = told({"r": {"a": "7"}}, {"r": {"a": "8"}}, {"r": {"a": "7"}})
    assert {"a": "7"} == holds(log)
    assert 5 == log.get_column("event_id").n_unique() == log.height


def test_a_value_may_change_back_as_often_as_it_likes():
    assert {"a": "8"} == holds(told(*[{"r": {"a": amount}} for amount in "787878"]))


def test_a_deleted_record_withdraws_its_facts_and_no_others():
    log = told({"r": {"a": "7", "b": "1"}, "s": {"c": "2"}}, {"r": {}})
    assert ({"c": "2"}, 5) == (holds(log), log.height)


def test_a_record_that_comes_back_states_its_facts_again():
    log = told({"r": {"a": "7"}}, {"r": {}}, {"r": {"a": "7"}})
    assert ({"a": "7"}, 3) == (holds(log), log.get_column("event_id").n_unique())


def test_a_deletion_that_is_read_twice_withdraws_once():
    assert 0 == stated(told({"r": {"a": "7"}}, {"r": {}}), {"r": {}}, 2).height


def test_a_repaired_mapping_corrects_what_it_said_wrongly_and_leaves_the_rest():
    log = told({"r": {"a": "7", "b": "1"}, "s": {"c": "2"}})
    repaired = stated(log, {"r": {"a": "70", "b": "1"}, "s": {"c": "2", "d": "3"}}, 1)
    assert ["a", "a", "d"] == sorted(repaired.get_column("fact_key"))
    assert {"a": "70", "b": "1", "c": "2", "d": "3"} == holds(pl.concat([log, repaired]))


def test_the_identity_of_a_statement_does_not_depend_on_when_it_was_recorded():
    once, later = (stated(empty().collect(), {"r": {"a": "7"}}, n).get_column("event_id").to_list() for n in (1, 99))
    assert once == later


def test_another_source_or_stream_states_a_fact_of_its_own():
    log = told({"r": {"a": "7"}})
    log = pl.concat(
        [log, stated(log, {"r": {"a": "7"}}, 1, source="erp"), stated(log, {"r": {"a": "7"}}, 1, stream="old")]
    )
    assert (3, 3) == (log.height, log.get_column("fact_id").n_unique())
    assert 0 == stated(log, {"r": {"a": "7"}}, 2).height


def test_names_that_run_together_are_not_the_same_fact():
    one, other = (
        stated(empty().collect(), {"r": {"a": "1"}}, 0, source=s, stream=t) for s, t in [("ab", "c"), ("a", "bc")]
    )
    assert one.item(0, "fact_id") != other.item(0, "fact_id")


def test_a_retraction_has_not_the_reason_of_what_it_withdraws():
    log = told({"r": {"a": "7"}}).with_columns(reason=pl.lit("mapping"))
    assert [None, None] == stated(log, {"r": {"a": "8"}}, 1).get_column("reason").to_list()


def test_a_readings_statement_is_not_withdrawn_by_a_record():
    columns = dict.fromkeys(("covered_from", "covered_to", "read_at"), pl.Datetime("us", "UTC"))
    loads = pl.DataFrame([(None, at(0), at(0))], columns, orient="row")
    read = readings(loads, ("deal.won", "deal.lost"), "crm", "deals", "1", at(0))
    log = pl.concat([told({"r": {"a": "7"}}), read])
    assert 0 == stated(log, {"r": {"a": "7"}, "reading:deals": {}}, 1).height
    assert [COVERED, COVERED] == [kind for kind in kinds(log) if kind == COVERED]


# --- facts that contradict each other, or move ------------------------------------------------------------------------


def test_two_records_that_say_different_things_of_one_fact_are_refused_by_type():
    with pytest.raises(
        ContradictoryFacts, match=r"^crm\.deals: two different facts under one fact_key \(deal\.won\)\. The mapping"
    ) as raised:
        told({"r": {"a": "7"}, "s": {"a": "8"}})
    assert ["a"] == raised.value.fact_keys


def test_two_records_that_say_the_same_of_one_fact_state_it_once():
    log = told({"r": {"a": "7"}, "s": {"a": "7"}})
    assert 1 == log.height
    assert 0 == stated(log, {"s": {"a": "7"}, "r": {"a": "7"}}, 1).height


def test_a_fact_that_moves_to_another_record_stays_when_the_one_it_left_is_read_again():
    log = told({"r": {"a": "7"}}, {"r": {}, "s": {"a": "7"}}, {"r": {}})
    assert {"a": "7"} == holds(log)
    assert ["s"] == current(log.lazy()).collect().get_column("record_key").to_list()


@pytest.mark.parametrize("loads", [[{"r": {}}, {"s": {"a": "7"}}], [{"s": {"a": "7"}}, {"r": {}}]])
def test_a_fact_moves_in_whichever_order_its_records_are_read(loads):
    assert {"a": "7"} == holds(told({"r": {"a": "7"}}, *loads))


def test_a_fact_that_moved_goes_with_the_record_that_it_moved_to():
    assert {} == holds(told({"r": {"a": "7"}}, {"r": {}, "s": {"a": "7"}}, {"s": {}}))


def test_a_fact_that_moves_and_changes_is_corrected():
    assert {"a": "8"} == holds(told({"r": {"a": "7"}}, {"s": {"a": "8"}}, {"r": {}}))


# --- any order, any split ---------------------------------------------------------------------------------------------

Revisions = Mapping[str, Sequence[Said]]
"""Each record's revisions, oldest first; one that says nothing is a deletion."""

AMOUNTS = st.sampled_from(["1", "2", "3"])
HISTORIES = st.dictionaries(
    st.sampled_from("rstu"),
    st.lists(st.dictionaries(st.sampled_from("abc"), AMOUNTS, max_size=3), min_size=1, max_size=4),
    min_size=1,
)


def delivered(revisions: Revisions, order: Sequence[tuple[str, int]], cuts: Iterable[int]) -> pl.DataFrame:
    """A log that was told of revisions in an order and in parts; of each record the newest that has arrived counts."""
    log, newest = empty().collect(), dict[str, int]()
    marks = sorted({0, len(order), *cuts})
    for n, (start, end) in enumerate(pairwise(marks)):
        part = order[start:end]
        for record, revision in part:
            newest[record] = max(revision, newest.get(record, 0))
        records = {record: own(record, revisions[record][newest[record]]) for record, _ in part}
        log = pl.concat([log, stated(log, records, n)])
    return log


def own(record: str, said: Said) -> Said:
    """What a record says, with keys that no other record uses."""
    return {f"{record}/{key}": amount for key, amount in said.items()}


FEW = settings(max_examples=settings.default.max_examples // 3)
"""For properties of which each example is a dozen loads."""


@FEW
@given(HISTORIES, st.data())
def test_the_log_says_what_the_newest_revisions_say_in_whatever_order_and_parts_they_came(revisions, data):
    all_of_them = [(record, n) for record, several in revisions.items() for n in range(len(several))]
    again = data.draw(st.lists(st.sampled_from(all_of_them), max_size=4))
    order = data.draw(st.permutations([*all_of_them, *again]))
    log = delivered(revisions, order, data.draw(st.lists(st.integers(0, len(order)), max_size=5)))
    at_once = delivered(revisions, all_of_them, [])
    said = ["fact_id", "content_hash", *FACT_SCHEMA]
    assert now(log).select(said).equals(now(at_once).select(said))
    assert holds(log) == {k: v for record, several in revisions.items() for k, v in own(record, several[-1]).items()}


@FEW
@given(HISTORIES)
def test_as_known_at_an_instant_is_the_log_of_then_and_each_event_is_withdrawn_at_most_once(revisions):
    loads = [{r: own(r, said)} for r, several in revisions.items() for said in several]
    log = told(*loads)
    for n in range(len(loads)):
        then = log.filter(pl.col("recorded_at") <= at(n))
        assert now(then).equals(as_known_at(log.lazy(), at(n)).sort("fact_id", "event_id").collect())
    assert now(log).equals(as_known_at(log.lazy(), at(len(loads))).sort("fact_id", "event_id").collect())
    withdrawn = log.filter(pl.col("event_type") == RETRACTED).get_column("retracts")
    assert withdrawn.is_unique().all()
    assert set(withdrawn) <= set(log.filter(pl.col("event_type") != RETRACTED).get_column("event_id"))
    assert log.get_column("event_id").is_unique().all()


# --- what a fact is ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", REQUIRED_FACT_COLUMNS)
def test_a_mapping_that_leaves_out_what_every_fact_has_is_told(missing):
    whole = facts([event("deal.won", "2026-03-01")])
    with pytest.raises(ValueError, match=f"a mapping left out {missing}; every fact has record_key"):
        facts_frame(whole.drop(missing))


def test_a_mapping_that_says_what_the_vocabulary_has_not_is_told():
    with pytest.raises(ValueError, match="a mapping gave colour, which the vocabulary does not declare"):
        facts_frame(facts([event("deal.won", "2026-03-01")]).with_columns(colour=pl.lit("red")))


def test_a_fact_says_the_same_whatever_columns_are_left_out():
    one, other = ({"product": None}, {})
    hashes = [told_once(deal("a", "r", **columns)).item(0, "content_hash") for columns in (one, other)]
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"product": "ab"}, {"market": "ab"}),
        ({"product": "a"}, {"product": "b"}),
        ({"amount": "1"}, {"amount": "1.000001"}),
    ],
)
def test_another_content_has_another_hash(one, other):
    hashes = [told_once(deal("a", "r", **columns)).item(0, "content_hash") for columns in (one, other)]
    assert hashes[0] != hashes[1]


def told_once(*facts_of_a_record: Mapping[str, Any]) -> pl.DataFrame:
    said = facts(facts_of_a_record)
    return statements(empty(), said, said.select("record_key"), "crm", "deals", at(0))


# --- the table --------------------------------------------------------------------------------------------------------


def test_a_log_that_does_not_exist_yet_is_empty(tmp_path):
    log = EventLog(tmp_path / "events")
    assert (0, dict(EVENT_SCHEMA)) == (log.scan().collect().height, dict(log.scan().collect_schema()))
    assert (None, 0) == (log.version(), log.readings().height)


def test_what_is_appended_can_be_read_as_it_was(tmp_path):
    log = EventLog(tmp_path / "events")
    rows = told({"r": {"a": "7", "b": "1"}})
    assert 2 == log.append(rows, log.version())
    assert rows.sort("event_id").equals(log.scan().sort("event_id").collect())


def test_what_the_log_holds_is_not_appended_again_and_costs_no_version(tmp_path):
    log = EventLog(tmp_path / "events")
    rows = told({"r": {"a": "7"}})
    log.append(rows, log.version())
    before = log.version()
    assert (0, before) == (log.append(rows, before), log.version())


def test_statements_that_were_made_from_an_older_log_are_refused(tmp_path):
    log = EventLog(tmp_path / "events")
    log.append(told({"r": {"a": "7"}}), log.version())
    older = log.version()
    log.append(stated(log.scan().collect(), {"s": {"b": "1"}}, 1), older)
    with pytest.raises(Overtaken):
        log.append(stated(empty().collect(), {"t": {"c": "1"}}, 2), older)
    assert {"a": "7", "b": "1"} == holds(log.scan().collect())


def test_the_next_instant_is_later_than_all_that_is_recorded_even_if_a_clock_went_back(tmp_path):
    log = EventLog(tmp_path / "events")
    assert at(-5) == log.next_instant(at(-5))
    log.append(told({"r": {"a": "7"}}), log.version())
    assert at(0) + timedelta(microseconds=1) == log.next_instant(at(-5))
    assert at(9) == log.next_instant(at(9))


def test_the_last_reading_of_each_stream_is_told(tmp_path):
    log = EventLog(tmp_path / "events")
    columns = dict.fromkeys(("covered_from", "covered_to", "read_at"), pl.Datetime("us", "UTC"))
    loads = pl.DataFrame([(None, at(n), at(n)) for n in (1, 3, 2)], columns, orient="row")
    rows = [
        readings(loads, ("deal.won", "deal.lost"), "crm", "deals", "1:x", at(4)),
        readings(loads.head(1), ("call.made",), "crm", "calls", "2:x", at(4)),
    ]
    log.append(pl.concat(rows), log.version())
    found = log.readings().sort("stream").select("source", "stream", "read_at", "mapping").rows()
    assert [("crm", "calls", at(1), "2:x"), ("crm", "deals", at(3), "1:x")] == [
        (source, stream, read_at.astimezone(UTC), mapping) for source, stream, read_at, mapping in found
    ]


# --- why something is stated ------------------------------------------------------------------------------------------


@dataclass
class Till:
    """A vendor of deals, in groups (`a/1` is of group a), and a mapping that multiplies their amounts."""

    folder: Path
    amounts: dict[str, str]
    times: int = 1
    version: str = "1"
    kind: str = "till"
    options: type[Options] = Options
    now: int = field(default=0)

    def streams(self, account: Account, options: Options) -> list[Stream]:
        return [
            Stream(
                "deals", ("deal.won",), self._fetch, pl.Struct({"amount": pl.String}), self._facts,
                mapping_version=self.version, group=lambda key: key.str.split("/").list.first(),
            )
        ]  # fmt: skip

    def _fetch(self, read: Read) -> Generator[list[Record], None, Covered]:
        yield [Record(key, None, {"amount": amount}) for key, amount in self.amounts.items()]
        return Covered(read.since, read.until)

    def _facts(self, records: pl.LazyFrame) -> pl.LazyFrame:
        said = (
            facts([deal("x", "x", currency="EUR")])
            .drop("record_key", "fact_key", "amount")
            .collect()
            .row(0, named=True)
        )
        amount = pl.col("amount").cast(pl.Int64) * self.times
        return records.select(
            "record_key",
            fact_key="record_key",
            amount=amount.cast(FACT_SCHEMA["amount"]),
            **{name: pl.lit(value, FACT_SCHEMA[name]) for name, value in said.items()},
        )

    def load(self) -> dict[tuple[str, str], str | None]:
        """Loads all; event type and fact of what was stated, with the reason."""
        self.now += 1
        source = Source(self, Account("test", "till", "UTC"), Options())
        lake = Lake(self.folder)
        before = lake.log.scan().collect().get_column("event_id").to_list()
        fetch(source, lake, self, at(self.now))  # type: ignore[arg-type]  # nobody waits here
        bring_up_to_date([source], lake, at(self.now))
        new = lake.log.scan().filter(~pl.col("event_id").is_in(before), pl.col("event_type") != COVERED).collect()
        return {(kind, key): reason for kind, key, reason in new.select("event_type", "fact_key", "reason").rows()}


def test_what_a_record_says_anew_has_no_reason(tmp_path):
    till = Till(tmp_path, {"a/1": "1"})
    assert {("deal.won", "a/1"): None} == till.load()
    till.amounts = {"a/1": "2"}
    assert {(RETRACTED, "a/1"): None, ("deal.won", "a/1"): None} == till.load()


def test_what_a_changed_mapping_says_otherwise_says_so(tmp_path):
    till = Till(tmp_path, {"a/1": "1", "b/1": "2"})
    till.load()
    till.times, till.version = 10, "2"
    assert {
        (RETRACTED, "a/1"): "mapping",
        ("deal.won", "a/1"): "mapping",
        (RETRACTED, "b/1"): "mapping",
        ("deal.won", "b/1"): "mapping",
    } == till.load()
    till.amounts = {"a/1": "3", "b/1": "2"}
    assert {(RETRACTED, "a/1"): None, ("deal.won", "a/1"): None} == till.load()


def test_what_a_new_record_says_by_a_changed_mapping_is_its_own_saying_and_so_is_what_its_group_says(tmp_path):
    till = Till(tmp_path, {"a/1": "1", "a/2": "2", "b/1": "3"})
    till.load()
    till.times, till.version, till.amounts = 10, "2", {"a/1": "5", "a/2": "2", "b/1": "3", "c/1": "4"}
    assert {
        (RETRACTED, "a/1"): None,
        ("deal.won", "a/1"): None,
        (RETRACTED, "a/2"): None,
        ("deal.won", "a/2"): None,
        (RETRACTED, "b/1"): "mapping",
        ("deal.won", "b/1"): "mapping",
        ("deal.won", "c/1"): None,
    } == till.load()


def test_what_is_stated_in_parts_is_what_is_stated_at_once(tmp_path, monkeypatch):
    def life(folder: Path) -> pl.DataFrame:
        till = Till(folder, {f"{group}/{n}": str(n) for group in "abc" for n in range(3)})
        till.load()
        till.amounts = {**till.amounts, "a/1": "7", "d/1": "8"}
        till.load()
        till.times, till.version = 10, "2"
        till.load()
        return Lake(folder).log.scan().sort("event_id").collect()

    at_once = life(tmp_path / "at once")
    monkeypatch.setattr(mapped, "_ROWS_AT_ONCE", 2)
    monkeypatch.setattr(mapped, "_A_PART", {"rows": 3, "bytes": 1_000})
    monkeypatch.setattr(pieces, "ROWS_A_PIECE", 2)
    assert at_once.equals(life(tmp_path / "in parts"))


def test_what_is_stated_in_parts_lies_in_the_log_in_its_order(tmp_path, monkeypatch):
    monkeypatch.setattr(pieces, "ROWS_A_PIECE", 2)
    Till(tmp_path, {f"a/{n}": str(n) for n in range(30)}).load()
    rows = Lake(tmp_path).log.scan().select(ORDER).collect()
    assert rows.equals(rows.sort(ORDER))


def test_a_fact_that_a_record_read_anew_takes_from_another_one_has_no_reason(tmp_path):
    """The one that it is taken from was not read anew, but nor did the mapping take it."""
    log = told({"r": {"a": "7"}})
    stream = Till(tmp_path, {}).streams(Account("test", "till", "UTC"), Options())[0]
    said, touched = facts([deal("a", "s", "7")]), pl.LazyFrame({"record_key": ["r", "s"]})
    moved = changes(log.lazy(), [identified(said, "crm", "deals").lazy()], touched, "crm", "deals", at(1))
    for arrived, reason in ((["s"], None), ([], "mapping")):
        groups = pl.LazyFrame({"group": arrived}, {"group": pl.String})
        rows = pl.concat(list(moved.rows()))
        assert [reason, reason] == by_mapping(rows, by_records(moved, stream, groups)).get_column("reason").to_list()
