"""Erasure: whose a record is, what goes with somebody, that nothing of them can be read afterwards or comes back.

The first part is the real job on a company in which one person can be told from all others (`one_person`), and a search
of every byte on the disk, which finds her before and not after. The second part is rules, on small cases.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import shop
from bytes_of import mentions
from one_person import ANA, ANAS_ID, HER_CUSTOMER_ID, HERS, LUCIA, LUCIA_BEFORE, LUIS, NAME, QUIQUE, XIMENA, World
from shop import CUSTOMERS, ORDERS, Shop, at, customer, load_shop, order

from assets.publication import read
from kr_definitions.events import COVERED, ERASED, RETRACTED, as_known_at, current
from kr_definitions.vocabulary import vocabulary
from pipelines import erasure, lake, raw_zone
from pipelines.files.declaration import FileStream
from pipelines.http import _place
from pipelines.hubspot import people as hubspot_people
from pipelines.lake import Busy, LakeError, Overtaken
from pipelines.load import Lake, bring_up_to_date, fetch
from pipelines.people import ANYWHERE, People, Place
from pipelines.rows.people import PERSONS
from pipelines.rows.people import people as people_of_file
from pipelines.source import Record
from pipelines.suppression import GONE, Suppressed, person_digest, record_digest

# --- the real job, and every byte on the disk -------------------------------------------------------------------------


@dataclass
class Told:
    """What was seen of the world before her erasure, after it, and after more runs."""

    world: World
    sought: list[str]
    before: dict[str, set[str]]
    events_before: pl.DataFrame
    history_before: pl.DataFrame
    not_found_before: list[tuple[str, str]]
    outputs: list[str] = field(default_factory=list)
    after: dict[str, set[str]] = field(default_factory=dict)
    events_after: pl.DataFrame = field(default_factory=pl.DataFrame)
    history_after: pl.DataFrame = field(default_factory=pl.DataFrame)

    def history(self) -> pl.DataFrame:
        return history(self.world)


def history(world: World) -> pl.DataFrame:
    return lake.stored(world.home.history("agencia")).collect()


def of_her(world: World) -> list[str]:
    """Everything that could tell of her: ids, names, her records' ids, and all that was ever made of those alone."""
    keys = {id_ for ids in HERS.values() for id_ in ids}
    plain = {str(LUCIA), str(LUCIA_BEFORE), NAME, HER_CUSTOMER_ID, pseudonym(world, NAME), *keys}
    tables = [world.lake.log.path, *(world.root / "lake" / "agencia" / "raw").glob("*/*")]
    made, others = set[str](), set[str]()
    for table in tables:
        rows = lake.stored(table).collect()
        hashes = rows.select(pl.col("^(event_id|fact_id|record_id|content_hash)$"))
        is_hers = pl.col("record_key").is_in(keys)
        for column in hashes.columns:
            made |= set(rows.filter(is_hers).get_column(column))
            others |= set(rows.filter(~is_hers).get_column(column))
    return sorted(plain | (made - others))


def not_found(world: World) -> list[tuple[str, str]]:
    """Source and id of everybody whom an event names and an erasure would not find."""
    events = world.events().filter(~pl.col("event_type").is_in([COVERED]))
    named = {one for column in ("account_id", "actor") for one in events.select("source", column).rows() if one[1]}
    sources = world.home.sources(world.home.catalogue("agencia"))
    return [one for one in sorted(named) if not erasure.find(world.lake, sources, one[1], one[0]).streams]


def pseudonym(world: World, name: str) -> str:
    return world.home.sources(world.home.catalogue("agencia"))[0].account.pseudonym(name)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Two runs, then the erasure of Lucía by each of the ids that she has."""
    with pytest.MonkeyPatch.context() as environment:
        world = World(tmp_path_factory.mktemp("world"), environment)
        for _ in range(2):
            outcome = world.run()
            assert not outcome.failed
            world.check_in(ANA)
        sought = of_her(world)
        said = Told(world, sought, mentions(world.root, sought), world.events(), history(world), not_found(world))
        for person in (str(LUCIA), HER_CUSTOMER_ID, NAME):
            code, output = world.hito("erase", "-o", "agencia", "--person", person, "--yes")
            assert code == 0, output
            said.outputs.append(output)
        said.after = {**mentions(world.root, sought), **mentions(world.temporary, sought)}
        said.events_after, said.history_after = world.events(), history(world)
        yield said


@pytest.fixture(scope="module")
def next_day(told: Told) -> Told:
    """A run after the erasure."""
    outcome = told.world.run()
    assert not outcome.failed
    return told


@pytest.fixture(scope="module")
def read_anew(next_day: Told) -> Told:
    """A run that has forgotten what had been read, so that every vendor serves everything again."""
    shutil.rmtree(next_day.world.lake.root / "loads")
    outcome = next_day.world.run()
    assert not outcome.failed
    return next_day


def test_the_search_finds_her_before_in_every_kind_of_file(told):
    everywhere = set(told.before)
    for table in ("events", "loads", "quarantine", "raw/crm/contacts", "raw/soporte/tickets", "raw/cobros/invoices"):
        assert any(name.startswith(f"lake/agencia/{table}/part-") for name in everywhere), table
        assert any(name.startswith(f"lake/agencia/{table}/_delta_log/") for name in everywhere), table
    found = set().union(*told.before.values())
    assert {str(LUCIA), str(LUCIA_BEFORE), HER_CUSTOMER_ID} < found
    assert {id_ for ids in HERS.values() for id_ in ids} < found


def test_no_byte_below_the_home_tells_of_her_after(told):
    assert {} == told.after


def test_dagsters_records_never_told_of_anybody(told):
    people = [*told.sought, str(QUIQUE), str(XIMENA), ANA, ANAS_ID, LUIS]
    assert {} == mentions(told.world.home.dagster, people)


def test_nothing_is_said_of_her_but_what_was_typed(told):
    for typed, output in zip((str(LUCIA), HER_CUSTOMER_ID, NAME), told.outputs, strict=True):
        assert [] == [text for text in told.sought if text in output and text != typed and text not in typed]


def test_what_would_go_is_told_by_stream(told):
    assert told.outputs[0].splitlines() == [
        "agencia has of this person:",
        "  crm.calls                     1 record, 0 events",
        "  crm.contacts                  2 records, 3 events; 1 record of others that name them",
        "  crm.deals                     2 records, 11 events",
        "  crm.meetings                  1 record, 2 events",
        "  hojas.visitas                 2 records, 1 event",
        "  soporte.satisfaction_ratings  2 records, 2 events",
        "  soporte.survey_responses      1 record, 2 events",
        "  soporte.tickets               3 records, 16 events",
        "Records of others stay, and lose the name alone.",
        "Erased. The next run restates the figures that this had a part in.",
    ]


def test_every_table_of_the_lake_is_swept_or_names_nobody(read_anew):
    tables = {path.parent.name for path in read_anew.world.lake.root.glob("*/_delta_log")}
    swept = {"events", "loads", "quarantine", "findings", "progress_history", "movers", "seals"}
    assert {"events", "loads", "quarantine", "progress_history", "movers"} <= tables
    assert tables - swept == {"suppressed", "editions", "computations", "objective_history"}


def test_everybody_whom_an_event_names_can_be_found(told):
    assert [] == told.not_found_before


def test_everybody_elses_events_are_what_they_were(told):
    keys = [id_ for ids in HERS.values() for id_ in ids]
    of_ticket = pl.col("record_key").str.split("/").list.first()
    is_others = ~of_ticket.is_in(keys) & ~pl.col("event_type").is_in([COVERED, ERASED])
    of_others = [frame.filter(is_others).sort("event_id") for frame in (told.events_before, told.events_after)]
    gone = of_others[0].join(of_others[1], on="event_id", how="anti")
    assert [("referral.received", str(XIMENA))] == gone.select("event_type", "subject_id").rows()
    assert of_others[1].equals(of_others[0].join(gone, on="event_id", how="anti"))


def test_whoever_was_recommended_by_her_stays_and_loses_the_recommendation(told):
    rows = told.world.lake.raw.newest("crm", "contacts").filter(pl.col("record_key") == str(XIMENA)).collect()
    assert '"cliente_que_recomienda":null' in rows.item(0, "payload")
    events = current(told.events_after.lazy()).filter(pl.col("subject_id") == str(XIMENA)).collect()
    assert ["lead.created", "lifecycle.entered", "lifecycle.entered"] == sorted(events.get_column("event_type"))


def test_tombstones_say_how_many_events_of_which_type_and_day_went_and_nothing_else(told):
    stones = told.events_after.filter(pl.col("event_type") == ERASED)
    held = current(told.events_before.lazy()).collect()
    went = held.join(told.events_after, on="event_id", how="anti").filter(pl.col("event_type") != COVERED)
    days = went.group_by("source", "stream", "event_type", pl.col("occurred_at").dt.truncate("1d")).len()
    assert sorted(days.rows()) == sorted(
        stones.select("source", "stream", "covers", "occurred_at", pl.col("quantity").cast(pl.UInt32)).rows()
    )
    for column in ("account_id", "actor", "amount", "currency", "source_url", "retracts"):
        assert stones.get_column(column).is_null().all()
    assert (stones.get_column("subject_id") == stones.get_column("covers")).all()
    assert stones.get_column("event_id").is_unique().all()


def test_what_was_reported_stays_reported(told):
    assert told.history_before.equals(told.history_after.select(told.history_before.columns))


def test_the_next_run_restates_what_she_had_a_part_in_as_an_erasure(next_day):
    new = next_day.history().filter(pl.col("recorded_at") > next_day.history_after.get_column("recorded_at").max())
    restated = new.filter("is_restatement")
    assert {"erasure"} == set(restated.get_column("cause"))
    moved = {
        id_.rpartition(".")[2] for id_ in restated.filter(pl.col("value") != pl.col("previous_value"))["key_result_id"]
    }
    assert {"operaciones", "importe", "visitas", "demos", "referidos", "resueltos", "facturado", "satisfechos"} == moved
    now = {
        row["key_result_id"]: row["value"] for row in read(next_day.world.home.published)["current_progress"].to_dicts()
    }
    assert (1, 7000, 1, 0) == tuple(
        now[f"agencia.ventas.{name}"] for name in ("operaciones", "importe", "demos", "referidos")
    )


def test_what_a_run_reads_of_her_again_is_dropped_and_counted(next_day):
    loads = next_day.world.lake.loads().filter(pl.col("recorded_at") >= next_day.world.present).collect()
    dropped = dict(loads.filter(pl.col("suppressed") > 0).select("stream", "suppressed").rows())
    assert {"visitas": 2, "demos": 1} == {name: dropped[name] for name in ("visitas", "demos")}
    assert (loads["delivered"] == loads["inserted"] + loads["duplicates"]).all()


def test_nothing_of_her_comes_back_even_where_everything_is_served_again(read_anew):
    world = read_anew.world
    loads = world.lake.loads().collect()
    dropped = dict(loads.filter(pl.col("suppressed") > 0).select("stream", "suppressed").rows())
    assert {"contacts", "deals", "calls", "meetings", "tickets", "invoices", "charges", "visitas", "demos"} < set(
        dropped
    )
    assert {} == {**mentions(world.root, read_anew.sought), **mentions(world.temporary, read_anew.sought)}
    assert not loads.filter(pl.col("stream") == "deals").item(0, "inserted"), "others are as they were stored"


def test_a_seller_is_forgotten_by_the_deals_that_stay(read_anew):
    world = read_anew.world
    world.check_in(ANA)
    sought = [ANAS_ID, ANA, pseudonym(world, ANA)]
    found = mentions(world.root, sought)
    assert {ANAS_ID, sought[2]} == set().union(*found.values())
    assert {"check_ins/agencia.jsonl"} < set(found)
    is_others = (pl.col("event_type") != COVERED) & (pl.col("source") != "check_ins")
    before = current(world.lake.log.scan()).filter(is_others).collect()
    members = set(history(world).get_column("member").drop_nulls())
    for person in (ANAS_ID, ANA):
        code, output = world.hito("erase", "-o", "agencia", "--person", person, "--yes")
        assert code == 0, output
    assert {} == mentions(world.root, sought)
    after = current(world.lake.log.scan()).filter(is_others).collect()
    said = ["fact_id", "event_type", "subject_id", "account_id", "occurred_at", "amount", "recorded_at"]
    assert before.select(said).sort("fact_id").equals(after.select(said).sort("fact_id"))
    assert {None} == set(after.filter(pl.col("source") == "crm").get_column("actor"))
    assert members - set(history(world).get_column("member").drop_nulls()) == {sought[2]}
    assert "erased 1" in set(history(world).get_column("member").drop_nulls())
    outcome = world.run()
    assert not outcome.failed
    assert {} == mentions(world.root, sought)
    restated = world.events().filter(pl.col("recorded_at") >= world.present, ~pl.col("event_type").is_in([COVERED]))
    assert restated.is_empty(), "the log says already what the records now say"


# --- whose a record is ------------------------------------------------------------------------------------------------


def erased(*identities: tuple[str, str]):
    return lambda kind, id_: (kind, id_) in identities


P, Q = ("customer", "101"), ("customer", "202")


@pytest.mark.parametrize(
    ("people", "key", "payload", "gone", "is_theirs"),
    [
        (CUSTOMERS, "101", {}, [P], True),
        (CUSTOMERS, "202", {"merged_into": "101"}, [P], True),
        (CUSTOMERS, "202", {"absorbed": "99; 101"}, [P], True),
        (CUSTOMERS, "202", {"recommended_by": "101"}, [P], False),
        (ORDERS, "101", {"customers": ["202"]}, [P], False),
        (ORDERS, "1", {"customers": ["101"]}, [P], True),
        (ORDERS, "1", {"customers": [101]}, [P], True),
        (ORDERS, "1", {"customers": ["101", "202"]}, [P], False),
        (ORDERS, "1", {"customers": ["101", "202"]}, [P, Q], True),
        (ORDERS, "1", {"customers": [], "seller": "101"}, [P, ("seller", "101")], False),
        (ORDERS, "1", {"customers": ["202"], "seller": "101"}, [P], False),
        (ORDERS, "1", {"customers": None}, [P], False),
        (ORDERS, "1", {}, [P], False),
    ],
)
def test_a_record_is_theirs_who_it_is_or_who_alone_it_is_about(people, key, payload, gone, is_theirs):
    assert is_theirs == people.is_theirs(key, payload, erased(*gone))


@pytest.mark.parametrize(
    ("people", "before", "after"),
    [
        (ORDERS, {"customers": ["101", "202"], "seller": "101"}, {"customers": ["202"], "seller": "101"}),
        (CUSTOMERS, {"recommended_by": "101", "at": "x"}, {"recommended_by": None, "at": "x"}),
        (CUSTOMERS, {"recommended_by": 101}, {"recommended_by": None}),
        (
            ORDERS,
            {"sold_before": [{"by": "7", "at": "a"}, {"by": "101", "at": "b"}, {"at": "c"}]},
            {"sold_before": [{"by": None, "at": "a"}, {"by": "101", "at": "b"}, {"at": "c"}]},
        ),
        (People(beside=(Place("customer", ("all",), ";"),)), {"all": "5;101 ;6"}, {"all": "5;6"}),
        (People(beside=(Place("customer", ("all",), ";"),)), {"all": "101"}, {"all": None}),
    ],
)
def test_a_mention_goes_and_nothing_else(people, before, after):
    assert after == people.without(before, erased(P, ("seller", "7")))


@pytest.mark.parametrize("payload", [{"customers": ["202"]}, {"customers": {"not": "a list"}}, {"seller": True}, {}])
def test_a_payload_that_mentions_nobody_is_itself(payload):
    assert payload is ORDERS.without(payload, erased(P, ("seller", "7")))


def test_anywhere_is_anywhere():
    found = Place("any", (ANYWHERE,)).ids({"a": [{"b": "x"}, 7], "c": None, "d": True, "e": {"f": ["y"]}})
    assert ["x", "7", "y"] == list(found)


def test_hubspots_contacts_are_people_and_their_deals_theirs():
    people = hubspot_people.OF_WHAT_CONTACTS_HAVE
    payload = {
        "properties": {"hubspot_owner_id": "101"},
        "contacts": ["101", "202"],
        "history": {"hubspot_owner_id": [{"timestamp": "t", "value": "101"}, {"timestamp": "s", "value": "9"}]},
    }
    assert not people.is_theirs("101", payload, erased(("contact", "101")))
    assert ["202"] == people.without(payload, erased(("contact", "101")))["contacts"]
    without = people.without(payload, erased(("owner", "101")))
    assert (None, ["101", "202"], [None, "9"]) == (
        without["properties"]["hubspot_owner_id"],
        without["contacts"],
        [entry["value"] for entry in without["history"]["hubspot_owner_id"]],
    )


def file_stream(**said: Any) -> FileStream:
    events = said.pop("events")
    return FileStream.model_validate(
        {"path": "x.csv", "format": "csv", "delivery": "append", "key": "id", "events": events, **said}
    )


def test_a_row_about_an_account_is_its_accounts_and_mentions_its_actor():
    people = people_of_file(
        file_stream(events=[{"type": "call.made", "at": "t", "subject": "id", "account": "lower(who)", "actor": "by"}])
    )
    row = {"row": {"id": "1", "who": "101", "by": "7"}}
    assert people.is_theirs("1", row, erased(("account", "101")))
    assert not people.is_theirs("1", row, erased(("actor", "7")))
    assert {"row": {"id": "1", "who": "101", "by": None}} == people.without(row, erased(("actor", "7")))


def test_a_row_without_accounts_is_its_actors():
    people = people_of_file(file_stream(events=[{"type": "system.used", "at": "t", "subject": "id", "actor": "by"}]))
    assert people.is_theirs("1", {"row": {"id": "1", "by": "7"}}, erased(("actor", "7")))


def test_a_row_about_a_member_of_staff_is_theirs_by_whatever_id():
    people = people_of_file(
        file_stream(key="no", events=[{"type": "staff.joined", "at": "t", "subject": "no", "actor": "code"}])
    )
    row = {"row": {"no": "17", "code": "c7"}}
    assert people.is_theirs("17", row, erased(("subject", "17")))
    assert people.is_theirs("17", row, erased(("actor", "c7")))
    assert people.is_theirs("17", {"row": None, "problem": "two rows differ"}, erased(("subject", "17")))


def test_the_subjects_that_are_people_are_the_vocabularys():
    assert {kind.subject for kind in vocabulary().types.values()} >= PERSONS


@pytest.mark.parametrize(
    ("said", "key", "named"),
    [
        ({"key": ["who", "day"]}, "a%2Fb/2026", [("account", "a/b")]),
        ({"key": ["who", "day"], "revision": {"column": "r", "format": "iso"}}, "7/d@2026-01-01", [("account", "7")]),
        ({"key": ["who", "day"]}, "!file.csv/7", []),
        ({"key": ["id"]}, "7", []),
    ],
)
def test_a_key_names_who_stands_in_it(said, key, named):
    events = [{"type": "call.made", "at": "t", "subject": "id", "account": "who"}]
    assert named == list(people_of_file(file_stream(events=events, **said)).in_key(key))


def test_a_key_after_a_subject_that_counts_once_names_who_stands_in_it():
    events = [{"type": "call.made", "at": "t", "subject": "s", "account": "who", "once": True}]
    assert [("account", "7")] == list(people_of_file(file_stream(key=["who"], events=events)).in_key("subject@7"))


@pytest.mark.parametrize(
    ("account", "columns"),
    [("who", {"who"}), ("lower(who)", {"who"}), ("coalesce(who, lead)", {"who", "lead"}), ("who || lead", set())],
)
def test_an_id_stands_in_one_column_or_in_the_first_of_several(account, columns):
    events = [{"type": "call.made", "at": "t", "subject": "id", "account": account}]
    assert columns == {place.path[1] for place in people_of_file(file_stream(events=events)).whose}


# --- who is meant -----------------------------------------------------------------------------------------------------


WHO = "777000101"
"""An id that stands in no hash or time by chance."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def find(root: Path, person: str, kinds: tuple[str, ...] = (), sold: Shop | None = None) -> erasure.Found:
    return erasure.find(Lake(root), [shop.source(sold or Shop())], person, kinds=kinds)


def erase(root: Path, person: str, hour: int, *kinds: str, sold: Shop | None = None) -> erasure.Found:
    """Erase somebody, as `hito erase` does."""
    found = find(root, person, kinds, sold)
    erasure.erase(Lake(root), [shop.source(sold or Shop())], found, at(hour))
    erasure.published(Lake(root))
    return found


def told_of(found: erasure.Found) -> dict[str, tuple[set[str], int, int]]:
    return {one.stream: (set(one.records), one.events, one.mentions) for one in found.streams}


def test_one_id_may_be_two_peoples_and_each_is_found_by_its_kind(root):
    load_shop(root, Shop([customer("101")], [order("1", "101"), order("2", "5", seller="101")]), 2)
    assert {"shop": ["customer", "seller"]} == find(root, "101").kinds
    assert {"customers": ({"101"}, 1, 0), "orders": ({"1"}, 1, 0)} == told_of(find(root, "101", ("customer",)))
    assert {"orders": (set(), 0, 1)} == told_of(find(root, "101", ("seller",)))


@pytest.mark.parametrize("named", ["101", "102", "103"])
def test_whoever_was_merged_is_one_person_by_each_of_their_ids(root, named):
    load_shop(root, Shop([customer("101"), customer("102"), customer("103")], [order("1", "102"), order("2", "9")]), 2)
    merged = [customer("101", absorbed="102"), customer("102", merged_into="101"), customer("103", merged_into="102")]
    load_shop(root, Shop(merged, [order("1", "101", hour=3), order("2", "9")]), 4)
    found = find(root, named)
    assert {("shop", "customer", id_) for id_ in ("101", "102", "103")} == found.identities
    assert {"101", "102", "103"} == told_of(found)["customers"][0]
    assert {"1"} == told_of(found)["orders"][0]


def test_somebody_is_found_by_what_the_source_calls_them_before_it_became_a_pseudonym(root):
    load_shop(root, Shop([customer(shop.code("Ana Ruiz"))]), 2)
    assert {"customers": ({shop.code("Ana Ruiz")}, 1, 0)} == told_of(find(root, " Ana Ruiz "))


def test_nobody_is_found_by_a_part_of_an_id_or_by_the_id_of_a_thing(root):
    load_shop(root, Shop([customer("1012")], [order("101", "1012")]), 2)
    assert () == find(root, "101").streams


def test_records_of_a_stream_that_is_not_declared_any_more_go_wherever_they_have_the_id(root):
    load_shop(root, Shop([customer("101")], [order("1", "101", "9", seller="7"), order("2", "5")]), 2)
    now = Shop(streams_in_use=("customers",))
    assert {"customers": ({"101"}, 1, 0), "orders": ({"1"}, 1, 0)} == told_of(find(root, "101", sold=now))
    erase(root, "101", 3, sold=now)
    assert {"2"} == set(Lake(root).raw.scan("shop", "orders").collect().get_column("record_key"))
    assert {"2"} == set(events_of(root, "deal.won").get_column("subject_id"))


# --- what goes, and what stays ----------------------------------------------------------------------------------------


def events_of(root: Path, event_type: str | None = None) -> pl.DataFrame:
    events = current(Lake(root).log.scan()).filter(pl.col("event_type") != COVERED).collect()
    return events if event_type is None else events.filter(pl.col("event_type") == event_type)


def test_an_order_that_two_share_stays_for_the_other_one(root):
    load_shop(root, Shop([], [order("1", WHO, "202", seller="7")]), 2)
    erase(root, WHO, 3)
    [event] = events_of(root).to_dicts()
    assert ("deal.won", "202", "7", at(2)) == (
        event["event_type"], event["account_id"], event["actor"], event["recorded_at"],
    )  # fmt: skip
    assert {} == mentions(root, [WHO])


def test_a_sellers_name_goes_from_every_version_and_as_known_at_any_time_as_much_is_known_as_was(root):
    for hour, seller, amount in ((2, "7", "10"), (4, "7", "20"), (6, "8", "20"), (8, "7", "30"), (10, "7", "30.0")):
        sold = order("1", "101", seller=seller, amount=amount, hour=1) | {"revision": hour}
        load_shop(root, Shop([], [sold]), hour)
    known = [as_known_at(Lake(root).log.scan(), at(hour)).select("amount", "event_type") for hour in range(12)]
    known_before = [frame.sort("event_type", "amount").collect() for frame in known]
    erase(root, "7", 11, "seller")
    known_after = [
        as_known_at(Lake(root).log.scan(), at(hour))
        .select("amount", "event_type")
        .sort("event_type", "amount")
        .collect()
        for hour in range(11)
    ]
    for before, after in zip(known_before, known_after, strict=False):
        assert before.equals(after)
    log = Lake(root).log.scan().filter(pl.col("event_type") != COVERED).collect()
    assert {None, "8"} == set(log.get_column("actor"))
    assert log.get_column("event_id").is_unique().all()
    assert set(log.drop_nulls("retracts")["retracts"]) < set(log.filter(pl.col("event_type") != RETRACTED)["event_id"])
    assert log.filter(pl.col("event_type") == ERASED).is_empty()


def test_what_was_renewed_is_what_would_have_been_stated_had_nobody_been_named(root, tmp_path):
    other = tmp_path / "other"
    for hour, seller, amount in ((2, "7", "10"), (4, "7", "20"), (6, "8", "30")):
        for folder, named in ((root, seller), (other, None if seller == "7" else seller)):
            sold = order("1", "101", seller=named, amount=amount, hour=1) | {"revision": hour}
            load_shop(folder, Shop([customer("5")], [sold]), hour)
    erase(root, "7", 7, "seller")
    for table in ("events", "raw/shop/orders", "raw/shop/customers"):
        one, another = (lake.stored(folder / table).collect() for folder in (root, other))
        key = "event_id" if table == "events" else "record_id"
        assert one.sort(key).equals(another.select(one.columns).sort(key)), table


def test_an_order_that_was_theirs_and_is_somebody_elses_now_stays_with_that_one(root):
    load_shop(root, Shop([], [order("1", WHO, hour=1)]), 2)
    load_shop(root, Shop([], [order("1", "202", hour=1) | {"revision": 3}]), 4)
    found = erase(root, WHO, 5)
    assert {"orders": (set(), 0, 1)} == told_of(found)
    assert ["202"] == events_of(root).get_column("account_id").to_list()
    assert {} == mentions(root, [WHO])


def test_a_recommendation_goes_with_who_made_it(root):
    load_shop(
        root, Shop([customer("101"), customer("202", recommended_by="101"), customer("303", recommended_by="202")]), 2
    )
    erase(root, "101", 3)
    assert [("lead.created", "202"), ("lead.created", "303"), ("referral.received", "303")] == sorted(
        events_of(root).select("event_type", "subject_id").rows()
    )
    stones = Lake(root).log.scan().filter(pl.col("event_type") == ERASED).select("covers", "quantity").collect()
    assert [("lead.created", 1), ("referral.received", 1)] == sorted(stones.rows())


def test_what_had_been_withdrawn_goes_without_a_tombstone(root):
    load_shop(root, Shop([], [order("1", WHO)]), 2)
    load_shop(root, Shop([], [order("1", WHO) | {"is_deleted": True, "revision": 3, "customers": []}]), 4)
    assert {"orders": ({"1"}, 0, 0)} == told_of(erase(root, WHO, 5))
    assert Lake(root).log.scan().filter(pl.col("event_type") != COVERED).collect().is_empty()
    assert {} == mentions(root, [WHO])


def test_tombstones_of_a_second_erasure_stand_beside_those_of_the_first(root):
    load_shop(root, Shop([customer("101"), customer("202"), customer("303")]), 2)
    erase(root, "101", 3)
    erase(root, "202", 3)
    stones = Lake(root).log.scan().filter(pl.col("event_type") == ERASED).collect()
    assert ([1, 1], 2) == (stones.get_column("quantity").to_list(), stones.get_column("event_id").n_unique())
    assert stones.get_column("recorded_at").n_unique() == 2
    assert stones.get_column("recorded_at").min() >= at(3)


def test_what_is_erased_is_no_correction_and_no_deletion_in_the_log(root):
    load_shop(root, Shop([customer("101"), customer("202")]), 2)
    erase(root, "101", 3)
    load_shop(root, Shop([customer("101"), customer("202")]), 4)
    new = Lake(root).log.scan().filter(pl.col("recorded_at") > at(3), pl.col("event_type") != COVERED).collect()
    assert [] == new.get_column("event_type").to_list()


def test_what_was_set_aside_goes_with_its_record_and_follows_one_that_stays(root):
    strange = [
        order("1", "101", amount="x"),
        order("2", "202", seller="101", amount="y"),
        order("3", "303", amount="z"),
    ]
    load_shop(root, Shop([], strange), 2)
    erase(root, "101", 3, "customer", "seller")
    aside = Lake(root).quarantine().sort("record_key").collect()
    assert [("2", "amount of order 2: not a number"), ("3", "amount of order 3: not a number")] == aside.select(
        "record_key", "problem"
    ).rows()
    load_shop(root, Shop([], strange), 4)
    assert aside.equals(Lake(root).quarantine().sort("record_key").collect())


def test_a_text_that_quotes_an_erased_record_does_not_any_more(root):
    load_shop(root, Shop([customer("101")], [order("1", "202", amount="x")]), 2)
    quoting = "amount of order 1: not a number; customer 101, (101) and 1010"
    rows = Lake(root).quarantine().collect().with_columns(problem=pl.lit(quoting))
    lake.append(root / "quarantine", rows, "test")
    erase(root, "101", 3)
    told = set(Lake(root).quarantine().collect().get_column("problem"))
    assert f"amount of order 1: not a number; customer {GONE}, ({GONE}) and 1010" in told


def test_members_of_a_reported_figure_lose_their_name_and_stay_apart(root):
    load_shop(root, Shop([customer("101"), customer("202"), customer("303")]), 2)
    rows = pl.DataFrame({"key_result_id": ["k"] * 4, "member": ["101", "202", "north", None], "value": [1.0, 2, 3, 4]})
    lake.append(root / "progress_history", rows, "test")
    erase(root, "202", 3)
    erase(root, "101", 4)
    kept = lake.stored(root / "progress_history").collect()
    assert [("erased 2", 1.0), ("erased 1", 2.0), ("north", 3.0), (None, 4.0)] == kept.sort("value").select(
        "member", "value"
    ).rows()


def test_what_moved_a_figure_stays_without_naming_events_that_are_gone(root):
    load_shop(root, Shop([customer("101")], [order("1", "202", seller="101"), order("2", "303")]), 2)
    ids = dict(Lake(root).log.scan().select("subject_id", "event_id").collect().rows())
    rows = {"member": ["101", "101", None], "event_id": [ids["101"], ids["1"], ids["2"]], "numerator_change": [1, 2, 3]}
    lake.append(root / "movers", pl.DataFrame(rows), "test")
    erase(root, "101", 3, "customer", "seller")
    now = dict(events_of(root).select("subject_id", "event_id").rows())
    kept = lake.stored(root / "movers").collect().sort("numerator_change")
    assert [("erased 1", None, 1), ("erased 1", now["1"], 2), (None, ids["2"], 3)] == kept.rows()
    assert now["1"] != ids["1"]


def test_a_seal_stays_and_says_no_more_who_signed_it(root):
    load_shop(root, Shop([customer("202")]), 2)
    signed = {"sealed_by": [shop.code("Ana Ruiz"), "sales", None], "score": [0.1, 0.2, 0.3], "note": ["n"] * 3}
    lake.append(root / "seals", pl.DataFrame(signed), "test")
    found = erase(root, "Ana Ruiz", 3)
    assert {"seals": (set(), 0, 1)} == told_of(found)
    assert [(None, 0.1), ("sales", 0.2), (None, 0.3)] == lake.stored(root / "seals").collect().sort("score").select(
        "sealed_by", "score"
    ).rows()


def test_findings_do_not_name_erased_events_or_people(root):
    load_shop(root, Shop([customer("101"), customer("202")]), 2)
    ids = dict(Lake(root).log.scan().select("subject_id", "event_id").collect().rows())
    found = [f"shop customers lead.created {ids['101']} (and 12 more)", f"k 101 2026-03-01, {ids['202']}"]
    lake.append(root / "findings", pl.DataFrame({"found": found, "says": ["101 days", "x"]}), "test")
    erase(root, "101", 3)
    kept = lake.stored(root / "findings").collect()
    assert [f"shop customers lead.created {GONE} (and 12 more)", f"k {GONE} 2026-03-01, {ids['202']}"] == kept[
        "found"
    ].to_list()
    assert ["101 days", "x"] == kept["says"].to_list()


# --- it does not come back --------------------------------------------------------------------------------------------


def test_what_is_served_again_is_dropped_counted_and_no_gap(root):
    served = Shop([customer("101"), customer("202", recommended_by="101")], [order("1", "101"), order("2", "202")])
    load_shop(root, served, 2)
    erase(root, "101", 3)
    before = {name: lake.stored(root / "raw" / "shop" / name).collect() for name in ("customers", "orders")}
    loads = load_shop(root, served, 4)
    assert [(1, 0, 1, 1), (1, 0, 1, 1)] == [
        (load.delivered, load.inserted, load.duplicates, load.suppressed) for load in loads
    ]
    for name, rows in before.items():
        assert rows.sort("record_id").equals(lake.stored(root / "raw" / "shop" / name).collect().sort("record_id"))
    assert [at(4), at(4)] == Lake(root).loads().filter(pl.col("suppressed") > 0).collect()["covered_to"].to_list()


def test_what_comes_of_them_later_is_dropped_too_and_what_only_names_them_is_stored_without(root):
    load_shop(root, Shop([customer(WHO)]), 2)
    erase(root, WHO, 3)
    later = Shop([customer("404", recommended_by=WHO)], [order("8", WHO), order("9", WHO, "404", hour=3)])
    load_shop(root, later, 4)
    assert [("deal.won", "404"), ("lead.created", "404")] == sorted(
        events_of(root).select("event_type", "account_id").rows()
    )
    assert {} == mentions(root, [WHO])


def test_a_number_that_is_a_sellers_is_not_suppressed_with_the_customers(root):
    load_shop(root, Shop([customer("101")], [order("1", "202", seller="101")]), 2)
    erase(root, "101", 3, "customer")
    load_shop(root, Shop([], [order("2", "202", seller="101")]), 4)
    assert ["101", "101"] == events_of(root).get_column("actor").to_list()


@pytest.mark.parametrize(
    ("cursor", "kept"),
    [
        ('{"asked":"x","archived":["101","202"]}', '{"asked":"x","archived":["202"]}'),
        ('{"asked":"101"}', '{"asked":"101"}'),
        ("WzE3NzMxNzY0MDAsMTAxXQ==", None),  # [1773176400,101]
        ("WzE3NzMxNzY0MDAsMjAyXQ==", "WzE3NzMxNzY0MDAsMjAyXQ=="),
        ("after-101", None),
        ("", ""),
        (None, None),
    ],
)
def test_a_vendors_cursor_has_no_erased_record_in_it(root, cursor, kept):
    served = Shop([customer("101"), customer("202")], cursor=cursor)
    load_shop(root, served, 2)
    erase(root, "101", 3)
    load_shop(root, served, 4)
    loads = Lake(root).loads().filter(pl.col("stream") == "customers").collect()
    assert [kept, kept] == loads.get_column("cursor").to_list()


def test_the_list_says_nothing_of_anybody(root):
    load_shop(root, Shop([customer("101")], [order("1", "101")]), 2)
    erase(root, "101", 3)
    digests = Lake(root).suppressed().digests
    assert {
        person_digest(shop.code, "shop", "customer", "101"),
        record_digest(shop.code, "shop", "customers", "101"),
        record_digest(shop.code, "shop", "orders", "1"),
    } == digests
    another_key = Suppressed(digests).of("shop", lambda text: text)
    record = Record("101", None, {})
    assert record is another_key.applied("customers", CUSTOMERS, record)


def test_errors_name_no_record():
    assert [
        "https://a.example/api/v2/tickets/…/audits.json",
        "https://a.example/v1/invoices/…",
        "https://a.example/crm/v3/objects/deals/…/associations/contacts",
        "https://a.example/crm/objects/2026-03/deals",
        "https://a.example/api/v2/incremental/ticket_events.json",
    ] == [
        _place(f"https://a.example{path}?secret=1")
        for path in (
            "/api/v2/tickets/451/audits.json", "/v1/invoices/in_1a2B", "/crm/v3/objects/deals/7/associations/contacts",
            "/crm/objects/2026-03/deals", "/api/v2/incremental/ticket_events.json",
        )
    ]  # fmt: skip


# --- others are at work -----------------------------------------------------------------------------------------------


def test_whoever_had_read_the_log_before_is_overtaken_and_versions_go_on_counting(root):
    load_shop(root, Shop([customer(WHO)]), 2)
    load_shop(root, Shop([customer(WHO), customer("202")]), 3)
    log = Lake(root).log
    before = log.version()
    statements = log.scan().collect()
    erase(root, WHO, 4)
    assert log.version() == before + 1
    for version in range(before + 1):
        with pytest.raises(Overtaken):
            log.append(statements.with_columns(event_id=pl.lit("x")), version)
    assert {} == mentions(root, [WHO])
    load_shop(root, Shop([customer("202"), customer("303")]), 5)
    assert log.version() == before + 2


def test_a_fetch_that_had_begun_before_stores_nothing(root, monkeypatch):
    served = Shop([customer(WHO), customer("202")])
    load_shop(root, Shop([customer(WHO)]), 2)
    admit = raw_zone._Reading._part

    def erasing_meanwhile(self, *arguments):
        yield from admit(self, *arguments)
        if not Lake(root).suppressed().digests:
            erase(root, WHO, 3)

    monkeypatch.setattr(raw_zone._Reading, "_part", erasing_meanwhile)
    with pytest.raises(Overtaken, match="somebody was erased while this load was at work"):
        fetch(shop.source(served), Lake(root), shop.StillClock(at(4)), at(4))
    assert {} == mentions(root, [WHO])
    assert Lake(root).raw.scan("shop", "customers").collect().is_empty()
    monkeypatch.undo()
    load_shop(root, served, 5)
    assert ["202"] == events_of(root).get_column("subject_id").to_list()


def test_a_mapping_that_had_begun_before_states_nothing_and_sets_nothing_aside(root):
    served = Shop([customer(WHO)], [order("1", WHO, amount=f"strange {WHO}")])
    fetch(shop.source(served), Lake(root), shop.StillClock(at(2)), at(2))

    def erasing_meanwhile(statements: pl.LazyFrame, stated: int) -> None:
        erase(root, WHO, 3)

    with pytest.raises(Overtaken):
        bring_up_to_date([shop.source(served)], Lake(root), at(4), erasing_meanwhile)
    assert {} == mentions(root, [WHO])
    assert Lake(root).quarantine().collect().is_empty()


def test_a_table_that_somebody_writes_to_is_not_rewritten_and_the_next_run_completes(root):
    load_shop(root, Shop([customer(WHO), customer("202")]), 2)
    with lake.writing(root / "events"), pytest.raises(Busy, match="another process is writing to it"):
        erase(root, WHO, 3)
    assert erasure.is_under_way(Lake(root))
    load_shop(root, Shop([customer(WHO), customer("202")]), 4)
    assert {} == mentions(root, [WHO])
    assert ["202"] == events_of(root).get_column("subject_id").to_list()


def test_nothing_is_due_where_nobody_was_erased(root):
    load_shop(root, Shop([customer("101")]), 2)
    assert not erasure.is_under_way(Lake(root))
    assert Lake(root).suppressed() == Suppressed(frozenset())


def test_what_killed_and_overtaken_writers_left_goes_as_well(root, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    load_folder = tmp_path / "temporary" / "hito-files-left"
    load_folder.mkdir(parents=True)
    (load_folder / "000000.arrow").write_bytes(f"of {WHO}".encode())
    load_shop(root, Shop([customer(WHO), customer("202")]), 2)
    events = root / "events"
    orphan = next(events.glob("*.parquet"))
    shutil.copy(orphan, events / "part-00000-of-a-writer-that-was-overtaken.parquet")
    (events / "_delta_log" / "_commit_killed.json.tmp").write_text(WHO)
    (events / ".newest_version.7").write_text(WHO)
    erase(root, WHO, 3)
    assert {} == {**mentions(root, [WHO]), **mentions(tmp_path / "temporary", [WHO])}


# --- rewriting a table ------------------------------------------------------------------------------------------------


def written(path: Path, *numbers: int) -> pl.LazyFrame:
    for number in numbers:
        lake.append(path, pl.DataFrame({"a": [number]}), "test")
    return lake.stored(path)


def test_a_rewriting_with_too_few_rows_is_refused_and_the_table_is_as_it_was(tmp_path):
    rows = written(tmp_path / "t", 1, 2, 3)
    with lake.alone(tmp_path / "t"), pytest.raises(LakeError, match="2 rows were written anew instead of 3"):
        lake.rewrite(tmp_path / "t", rows.filter(pl.col("a") > 1), 3, "test")
    assert [3, 2, 1] == lake.stored(tmp_path / "t").collect()["a"].to_list()
    assert lake.version(tmp_path / "t") == 2


def test_of_a_rewritten_table_only_the_newest_version_is_on_disk(tmp_path):
    path = tmp_path / "t"
    rows = written(path, *range(1, 31))
    with lake.alone(path):
        assert 30 == lake.rewrite(path, rows.filter(pl.col("a") > 25), 5, "test")
        lake.forget(path)
    assert sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()) == [
        ".newest_version",
        f"_delta_log/{30:020d}.checkpoint.parquet",
        f"_delta_log/{30:020d}.json",
        "_delta_log/_last_checkpoint",
        f"rewritten-{30:020d}.parquet",
    ]
    assert 31 == lake.append(path, pl.DataFrame({"a": [31], "b": ["new"]}), "test")
    assert list(range(26, 32)) == sorted(lake.stored(path).collect()["a"].to_list())
    assert 30 == lake.version(path) - 1


def test_a_table_of_which_everything_goes_is_empty_and_can_be_written(tmp_path):
    path = tmp_path / "t"
    rows = written(path, 1, 2)
    with lake.alone(path):
        lake.rewrite(path, rows.filter(pl.col("a") > 9), 0, "test")
        lake.forget(path)
    assert 0 == lake.stored(path).collect().height
    written(path, 3)
    assert [3] == lake.stored(path).collect()["a"].to_list()


def test_whoever_wants_to_write_waits_until_a_rewriting_has_ended(tmp_path):
    written(tmp_path / "t", 1)
    with lake.writing(tmp_path / "t"), lake.writing(tmp_path / "t"), pytest.raises(Busy), lake.alone(tmp_path / "t"):
        pass
    with lake.alone(tmp_path / "t"):
        pass
