"""An erasure that is killed, anywhere and at any moment, and loads that are at work beside it.

Whatever happens, others' records are all there, once; and as soon as the list of what was erased has grown, the next
plain run or command leaves nothing of the person on the disk, and no writer that wakes late writes them back.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from bytes_of import mentions
from faults.attack import KILLED, Loader, Stage
from shop import customer, order

from kr_definitions.events import COVERED, ERASED, current
from pipelines import erasure, lake
from pipelines.load import Lake

WHO, OTHER, SELLER = "777000101", "888000202", "999000303"

BEFORE = {
    "customers": [customer(WHO), customer(OTHER, recommended_by=WHO), customer("888000404")],
    "orders": [
        order("666000001", WHO, seller=SELLER),
        order("666000002", WHO, amount="set aside"),
        order("111000001", OTHER, seller=SELLER),
        order("111000002", WHO, OTHER),
        order("111000003", "888000404", amount="set aside"),
    ],
}
AFTER = {
    "customers": [*BEFORE["customers"], customer("888000505")],
    "orders": [
        *(one | {"amount": "70", "revision": 4} for one in BEFORE["orders"] if one["amount"] == "10"),
        *(one for one in BEFORE["orders"] if one["amount"] != "10"),
    ],
}
HERS = [WHO, "666000001", "666000002", "666000009"]


@dataclass
class Street:
    """The shop's lake, and the loader that works on it; `hour` is the present, `has` what the shop has then."""

    root: Path
    loader: Loader
    hour: int = 10
    has: Mapping[str, Any] = field(default_factory=lambda: AFTER)

    def begin(self, job: str, stage: Stage | None = None, sends: int = signal.SIGKILL) -> int:
        self.hour += 1
        what: dict[str, Any] = {"has": self.has} if job == "shop" else {"person": WHO}
        return self.loader.start(job, stage, sends, lake=str(self.root), hour=self.hour, **what)

    def run(self, job: str) -> int:
        status, _ = self.loader.end(self.begin(job))
        return status

    def plainly(self, job: str) -> None:
        assert self.run(job) == 0, self.loader.told()

    def kill(self, job: str, stage: Stage) -> None:
        status, _ = self.loader.end(self.begin(job, stage))
        assert status == KILLED, f"{stage} was never reached (exit {status}): {self.loader.told()}"

    def of_her(self) -> dict[str, set[str]]:
        return mentions(self.root, HERS) | mentions(self.loader.folder / "tmp", HERS)

    def is_suppressed(self) -> bool:
        return bool(Lake(self.root).suppressed().digests)

    def assert_others_whole(self) -> None:
        """Nothing of others is lost or there twice, in any table, whatever of hers there is."""
        log = Lake(self.root).log.scan().collect()
        assert log.get_column("event_id").is_unique().all()
        held = current(log.lazy()).filter(~pl.col("event_type").is_in([COVERED])).collect()
        facts = Counter(key for key in held.get_column("fact_key") if not any(her in key for her in HERS))
        facts -= Counter({f"customer/{OTHER}/referral": 1})  # by her
        assert facts == Counter({"111000001": 1, "111000002": 1, **{f"customer/{id_}/lead": 1 for id_ in OTHERS}})
        raw = Lake(self.root).raw.scan("shop", "orders").collect()
        assert raw.get_column("record_id").is_unique().all()
        assert {"111000001", "111000002", "111000003"} <= set(raw.get_column("record_key"))
        assert "111000003" in set(Lake(self.root).quarantine().collect().get_column("record_key"))

    def assert_erased(self) -> None:
        assert self.of_her() == {}
        assert erasure._noted(Lake(self.root)) != "sweep"
        stones = Lake(self.root).log.scan().filter(pl.col("event_type") == ERASED).collect()
        counted = dict(stones.group_by("covers").agg(pl.col("quantity").sum().cast(pl.Int64)).rows())
        assert (1, 1) == (counted["lead.created"], counted["referral.received"])
        assert counted["deal.won"] in (1, 2), "the second is one that a load beside the erasure had stated"


OTHERS = (OTHER, "888000404", "888000505")


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory, loader: Loader) -> Path:
    """After two loads: hers is in several versions, corrected, and set aside."""
    root = tmp_path_factory.mktemp("loaded") / "lake"
    for hour, has in ((2, BEFORE), (5, AFTER)):
        status, _ = loader.end(loader.start("shop", lake=str(root), hour=hour, has=has))
        assert status == 0, loader.told()
    return root


@pytest.fixture
def street(loaded: Path, tmp_path: Path, loader: Loader) -> Street:
    return Street(Path(shutil.copytree(loaded, tmp_path / "lake")), loader)


SINK = "polars.lazyframe.frame:LazyFrame.sink_parquet"
COMMIT = "deltalake.table:DeltaTable.create_write_transaction"
CHECKPOINT = "deltalake.table:DeltaTable.create_checkpoint"

# In the order in which an erasure reaches them: two tables of the raw zone, what was set aside, the loads, the log.
BEFORE_THE_LIST = [
    Stage("before", "pipelines.erasure:_note", "sweep"),
    Stage("before", "pathlib:Path.replace", "erasing"),
    Stage("after", "pipelines.erasure:_note", "sweep"),
    Stage("before", "pipelines.lake:append_after", "suppressed"),
]
AFTER_THE_LIST = [
    Stage("before", "pipelines.lake:settle", "suppressed"),
    Stage("after", "pipelines.lake:append_after", "suppressed"),
    Stage("before", SINK),
    Stage("after", SINK),
    Stage("before", COMMIT),
    Stage("after", COMMIT),
    Stage("before", "pathlib:Path.replace", "customers/.newest_version"),
    Stage("after", "pipelines.lake:rewrite", "customers"),
    Stage("before", CHECKPOINT),
    Stage("after", CHECKPOINT),
    Stage("after", "pathlib:Path.unlink", "customers"),
    Stage("after", "pathlib:Path.unlink", "customers/_delta_log", nth=2),
    Stage("after", "pipelines.lake:forget", "customers"),
    Stage("after", COMMIT, nth=2),
    Stage("after", "pipelines.lake:forget", "orders"),
    Stage("before", COMMIT, nth=3),
    Stage("after", COMMIT, nth=3),
    Stage("after", "pipelines.lake:forget", "quarantine"),
    Stage("after", COMMIT, nth=4),
    Stage("after", "pipelines.lake:forget", "loads"),
    Stage("before", "pipelines.lake:rewrite", "events"),
    Stage("before", COMMIT, nth=5),
    Stage("after", COMMIT, nth=5),
    Stage("after", "pathlib:Path.unlink", "events"),
    Stage("after", "pathlib:Path.unlink", "events/_delta_log"),
    Stage("after", "pipelines.lake:forget", "events"),
    Stage("before", "pipelines.erasure:_note", "publish"),
    Stage("after", "pipelines.erasure:_note", "publish"),
]


def test_the_search_finds_her_before(street: Street) -> None:
    found = street.of_her()
    for table in ("events", "raw/shop/customers", "raw/shop/orders", "quarantine"):
        assert any(name.startswith(f"{table}/part-") for name in found), table
        assert any(name.startswith(f"{table}/_delta_log") for name in found), table
    street.assert_others_whole()


def test_an_erasure_that_nobody_disturbs(street: Street) -> None:
    street.plainly("erase")
    street.assert_erased()
    street.assert_others_whole()


@pytest.mark.parametrize("stage", BEFORE_THE_LIST, ids=str)
def test_an_erasure_killed_before_the_list_grew_has_not_happened(street: Street, stage: Stage) -> None:
    before = {table: lake.stored(street.root / table).collect() for table in ("events", "raw/shop/orders")}
    street.kill("erase", stage)
    assert not street.is_suppressed()
    for table, rows in before.items():
        assert rows.equals(lake.stored(street.root / table).collect())
    street.plainly("shop")
    street.assert_others_whole()
    assert street.of_her()
    street.plainly("erase")
    street.assert_erased()


def completed() -> Iterator[Any]:
    """Each stage, and what is run after it: the next run or the command again in turns; in a soak, both after each."""
    for number, stage in enumerate(AFTER_THE_LIST):
        for turn, job in enumerate(("shop", "erase")):
            in_turn = number % 2 == turn
            yield pytest.param(stage, job, id=f"{stage}-{job}", marks=() if in_turn else pytest.mark.soak)


@pytest.mark.parametrize(("stage", "job"), completed())
def test_an_erasure_killed_at_any_later_stage_is_completed_by_the_next_run_or_command(
    street: Street, stage: Stage, job: str
) -> None:
    street.kill("erase", stage)
    assert street.is_suppressed()
    street.assert_others_whole()
    street.plainly(job)
    street.assert_erased()
    street.assert_others_whole()
    street.plainly("shop")
    street.assert_erased()


def test_an_erasure_killed_again_and_again_is_completed_by_the_first_that_is_not(street: Street) -> None:
    for stage in AFTER_THE_LIST[2::4]:
        status, _ = street.loader.end(street.begin("erase", stage))
        assert status in (0, KILLED), street.loader.told()
        street.assert_others_whole()
    street.plainly("shop")
    street.assert_erased()
    street.assert_others_whole()


def test_erasures_killed_at_random_moments(loaded: Path, tmp_path: Path, loader: Loader) -> None:
    attack_at_random(loaded, tmp_path, loader, 6)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_erasures_killed_at_random_moments_hundreds_of_times(loaded: Path, tmp_path: Path, loader: Loader) -> None:
    attack_at_random(loaded, tmp_path, loader, 300)


def attack_at_random(loaded: Path, folder: Path, loader: Loader, times: int) -> None:
    dice = random.Random(int(os.environ.get("HITO_SEED", "1")))
    whole = Street(Path(shutil.copytree(loaded, folder / "first")), loader)
    _, longest = loader.end(whole.begin("erase"))
    for number in range(times):
        street = Street(Path(shutil.copytree(loaded, folder / str(number))), loader)
        loader.end(street.begin("erase"), kill_after=dice.uniform(0, longest))
        street.assert_others_whole()
        was_begun = street.is_suppressed()
        street.plainly("shop")
        street.assert_others_whole()
        assert bool(street.of_her()) != was_begun
        shutil.rmtree(street.root)


# In the order in which a load reaches them; from the third to the fourth it holds the tables of the raw zone.
STOPS = [
    Stage("before", "pipelines.raw_zone:RawZone.load"),
    Stage("after", "dlt.pipeline.pipeline:Pipeline.extract"),
    Stage("before", "dlt.common.libs.deltalake:merge_delta_table"),
    Stage("before", "pipelines.lake:settle", "customers"),
    Stage("before", "pipelines.lake:append_after", "loads"),
    Stage("before", "pipelines.load:bring_up_to_date"),
    Stage("after", "pipelines.event_log:changes"),
    Stage("before", "pipelines.lake:append_after", "events"),
    Stage("before", "pipelines.lake:write_deltalake", nth=2),
]


@pytest.mark.parametrize("stage", STOPS, ids=str)
def test_a_load_that_was_stopped_while_she_was_erased_and_wakes_does_not_write_her_back(
    street: Street, stage: Stage
) -> None:
    street.has = {**AFTER, "orders": [*AFTER["orders"], order("666000009", WHO, hour=6)]}
    asleep = street.begin("shop", stage, sends=signal.SIGSTOP)
    street.loader.stop(asleep)
    is_erased = street.run("erase") == 0
    if not is_erased:
        assert "another process is writing to it" in street.loader.told()
    os.kill(asleep, signal.SIGCONT)
    status, _ = street.loader.end(asleep)
    assert status in (0, 1), street.loader.told()
    if is_erased:
        street.assert_erased()
    street.assert_others_whole()
    street.plainly("shop")
    street.assert_erased()
    street.assert_others_whole()


@pytest.mark.parametrize("number", range(3))
def test_of_an_erasure_and_a_load_at_once_the_next_plain_run_leaves_nothing_of_her(street: Street, number: int) -> None:
    pids = [street.begin("shop"), street.begin("erase")]
    assert {street.loader.end(pid)[0] for pid in pids} <= {0, 1}, street.loader.told()
    street.assert_others_whole()
    street.plainly("erase" if number % 2 and not street.is_suppressed() else "shop")
    if street.is_suppressed():
        street.assert_erased()
    street.assert_others_whole()
