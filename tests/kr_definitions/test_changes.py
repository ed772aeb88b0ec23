"""What declarations would do to what is deployed: exactly what the next run then does, and never a guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import polars as pl
import pytest
from builders import definition, event, facts, key_result, organisation
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from stories import FIRST, MARCH, SECOND, THIRD, WINS, Story, won

from kr_definitions import catalogue, meaning
from kr_definitions.catalogue import Catalogue, Definition
from kr_definitions.changes import Changed, Changes, Deployed, Rolled, changes
from kr_definitions.compute import compute
from kr_definitions.declarations import KeyResult
from kr_definitions.declared_periods import MonthOf, MonthsFrom
from kr_definitions.editions import following
from kr_definitions.effects import Days, Move, Moved
from kr_definitions.fields import WORDS, changed_fields
from kr_definitions.history import newest
from kr_definitions.memory import Run
from kr_definitions.organisation import Organisation
from kr_definitions.rejudging import NeedsTheLog, rejudged
from kr_definitions.remembering import remember
from kr_definitions.replaying import FIGURES
from kr_definitions.tables import key_results, objectives
from kr_definitions.vocabulary import DECIMAL, vocabulary
from pipelines.event_log import readings, statements

LAST = date(2026, 3, 3)


def declared(*definitions: Definition, of: Organisation | None = None) -> Catalogue:
    objectives = {one.objective.id: one.objective for one in definitions}
    return Catalogue(of or organisation(), tuple(objectives.values()), definitions)


def found(
    story: Story, *definitions: Definition, log: bool = True, of: Organisation | None = None, **more: Any
) -> Changes:
    """What these definitions would do to what a story has come to."""
    deployed = Deployed(story.memory, more.pop("through", LAST), story.log.lazy() if log else None, **more)
    return changes(declared(*definitions, of=of), deployed)


def change(story: Story, *definitions: Definition, **more: Any) -> Changed:
    (one,) = found(story, *definitions, **more).changed
    return one


def whole(one: Changed) -> Moved:
    assert one.effect is not None
    assert one.effect.whole is not None
    return one.effect.whole


def after_a_run(*events: dict[str, Any], definitions: Sequence[Definition] = (WINS,)) -> Story:
    story = Story(definitions).told(FIRST, *events).read(FIRST, "2026-03-03")
    story.run(FIRST)
    return story


def said(one: Changed) -> list[str]:
    return [str(field) for field in one.fields]


# --- what happens to a key result -------------------------------------------------------------------------------------


def test_what_is_declared_as_it_is_deployed_does_nothing():
    told = found(after_a_run(won("2026-03-02")), WINS)
    assert (False, (), (), ()) == (told.moves, told.changed, told.reworded, told.refused)


def test_a_changed_target_moves_the_progress_of_every_day_and_no_value():
    one = change(after_a_run(won("2026-03-01"), won("2026-03-02", "b")), definition(**MARCH, target={"value": 40}))
    assert ("target", "1.0", "1.1", ["target.value: 10 → 40"]) == (one.what, one.before, one.version, said(one))
    moved = whole(one)
    assert (Days(3, date(2026, 3, 1), LAST), 0, 3, None) == (
        moved.restated, moved.value_days, moved.status_days, moved.largest,
    )  # fmt: skip
    assert (0.2, 0.05) == (moved.before.progress, moved.after.progress)
    assert ("on_track", "at_risk") == (moved.before.status, moved.after.status)
    course = one.effect.course
    assert ("progress", (0.1, 0.2, 0.2), (0.025, 0.05, 0.05)) == (course.figure, course.before, course.after)


def test_a_changed_measure_moves_values_and_says_the_largest_move_with_its_first_day():
    amount = definition(**MARCH, measure={"sum": "quantity", "of": "deal.won"})
    one = change(after_a_run(won("2026-03-02", quantity="5")), amount)
    assert ("measure", "2.0", Move(date(2026, 3, 2), 1, 5)) == (one.what, one.version, whole(one).largest)
    assert (2, "value") == (whole(one).value_days, one.effect.course.figure)


def test_what_the_data_did_is_no_part_of_it():
    story = after_a_run(won("2026-03-01", quantity="5")).told(SECOND, won("2026-03-02", "late", quantity="7"))
    one = change(story, definition(**MARCH, measure={"sum": "quantity", "of": "deal.won"}))
    assert (Move(date(2026, 3, 2), 2, 12), 2) == (whole(one).largest, whole(one).before.value)
    assert () == found(story, WINS).changed


def test_an_added_key_result_comes_with_its_whole_past():
    calls = definition(**MARCH, id="test.team.calls", measure={"count": "deal.won"})
    one = change(after_a_run(won("2026-03-02")), WINS, calls)
    assert ("added", "1.0", None, 1) == (one.what, one.version, one.before, whole(one).after.value)
    assert ((None, None, None), (0, 1, 1)) == (one.effect.course.before, one.effect.course.after)


def test_a_removed_key_result_leaves_its_history_and_its_last_figures():
    one = change(after_a_run(won("2026-03-02")))
    assert ("retired", None, 3, 1) == (one.what, one.definition, whole(one).gone_days.count, one.stands.value)


def test_a_changed_id_is_told_by_what_means_the_same():
    anew = definition(**MARCH, id="test.team.anew")
    told = {one.id: one.same_as for one in found(after_a_run(won("2026-03-02")), anew).changed}
    assert told == {WINS.id: None, "test.team.anew": WINS.id}
    other = definition(**MARCH, id="test.team.anew", target={"value": 99})
    assert {None} == {one.same_as for one in found(after_a_run(won("2026-03-02")), other).changed}


def test_a_retired_key_result_that_is_still_not_declared_does_nothing():
    story = after_a_run()
    story.run(SECOND, definitions=[definition(**MARCH, id="test.team.other")])
    assert () == found(story, definition(**MARCH, id="test.team.other")).changed


def test_a_retired_id_comes_back_with_the_meaning_that_it_had_and_is_refused_with_another():
    story = after_a_run(won("2026-03-02"))
    other = definition(**MARCH, id="test.team.other")
    story.run(SECOND, definitions=[other])
    assert ("reinstated", "1.0") == (change(story, WINS, other).what, change(story, WINS, other).version)
    told = found(story, definition(**MARCH, target={"value": 2}), other)
    assert ((), [("test.team.kr", SECOND)]) == (told.changed, [(r.definition.id, r.retired_at) for r in told.refused])


def test_a_period_that_moves_gains_days_and_loses_days():
    later = definition({"from": date(2026, 3, 2), "until": date(2026, 3, 31)})
    one = change(after_a_run(won("2026-03-02")), later)
    assert (Days(), Days(1, date(2026, 3, 1), date(2026, 3, 1))) == (whole(one).new_days, whole(one).gone_days)
    assert ["objective.period.from: – → 2026-03-02", "objective.period.until: – → 2026-03-31"] == said(one)[1:3]


def test_a_new_version_by_which_nothing_moves_is_told_and_moves_nothing():
    engagedly = organisation(thresholds="engagedly")
    told = found(after_a_run(won("2026-03-01")), definition(of=engagedly, **MARCH), of=engagedly)
    assert (["organisation.thresholds: viva → engagedly"], False) == (said(told.changed[0]), told.moves)


def test_a_setting_of_the_organisation_names_the_key_results_that_it_touches():
    calls = {"id": "test.team.calls", "measure": {"count": "call.made"}}
    story = after_a_run(won("2026-03-02"), definitions=[WINS, definition(**MARCH, **calls)])
    bogota = organisation(zone="America/Bogota")
    told = found(story, definition(of=bogota, **MARCH), definition(of=bogota, **MARCH, **calls), of=bogota)
    zone = "organisation.zone: Europe/Madrid → America/Bogota"
    assert {"test.team.kr": [zone], "test.team.calls": [zone]} == {one.id: said(one) for one in told.changed}


def test_a_member_that_moves_is_told_beside_the_whole():
    by_market = {"each": {"dimension": "market"}, "target": {"value": 1}}
    events = [won("2026-03-01", market="norte"), won("2026-03-01", "b", market="sur", product="x")]
    story = after_a_run(*events, definitions=[definition(**MARCH, **by_market)])
    of_x = {"count": "deal.won", "where": "product = 'x'"}
    one = change(story, definition(**MARCH, **by_market, measure=of_x))
    (north,) = one.effect.members
    assert ("norte", Move(date(2026, 3, 1), 1, 0)) == (north.member, north.largest)
    assert Move(date(2026, 3, 1), 2, 1) == whole(one).largest


def test_what_cannot_be_computed_any_more_is_compared_with_what_was_reported():
    story = after_a_run(won("2026-03-01", quantity="5")).told(SECOND, won("2026-03-02", "late", quantity="7"))
    story.editions = story.editions.with_columns(declared=pl.lit("key_result: {of: another time}"))
    one = change(story, definition(**MARCH, measure={"sum": "quantity", "of": "deal.won"}))
    assert (True, 1, 12) == (one.is_against_history, whole(one).before.value, whole(one).after.value)


def test_a_function_whose_file_changed_is_told_as_such(tmp_path):
    file = tmp_path / "calc.py"
    counted = {"measure": {"function": "calc:figures", "of": ["deal.won"]}, **MARCH}
    file.write_text("figures = 1")
    before = definition(folder=tmp_path, **counted)
    file.write_text("figures = 2")
    after = definition(folder=tmp_path, **counted)
    story = Story()
    story.editions = pl.DataFrame(
        [following(story.editions, [before])[0][0].row(FIRST, "run", is_split=None)], schema=story.editions.schema
    )
    one = change(story, after, log=False)
    assert [f"functions: {before.meaning.functions_hash} → {after.meaning.functions_hash}"] == said(one)
    assert "what is measured is something else" == one.needs_log


# --- words ------------------------------------------------------------------------------------------------------------

REWORDED = definition(**MARCH, title={"es": "Ventas", "en": "Sales"}, owner="others")


def test_other_words_move_nothing():
    told = found(after_a_run(won("2026-03-02")), REWORDED)
    assert (False, (), ["test.team.kr"]) == (told.moves, told.changed, [one.id for one in told.reworded])
    assert ["title.es: x → Ventas", "title.en: x → Sales", "owner: team → others"] == [
        str(field) for field in told.reworded[0].fields
    ]


def test_words_are_compared_with_what_readers_are_told_where_that_is_known():
    story = after_a_run(won("2026-03-02"))
    assert () == found(story, REWORDED, described=key_results(declared(REWORDED))).reworded
    (one,) = found(story, REWORDED, described=key_results(declared(WINS))).reworded
    assert ["title.es: x → Ventas", "title.en: x → Sales", "owner: team → others"] == [str(f) for f in one.fields]


def test_every_field_of_a_key_result_is_wording_or_meaning():
    assert set(KeyResult.model_fields) - set(WORDS) == {*meaning._MEASURED, *meaning._JUDGED, "period"}


def fields(before: Definition, after: Definition) -> list[str]:
    return [str(field) for field in changed_fields(before.meaning.declared, after.meaning.declared)]


def test_a_default_that_nobody_wrote_is_no_change():
    assert ["target.at_least: – → 5", "target.value: 10 → –"] == fields(
        WINS, definition(**MARCH, target={"at_least": 5})
    )


def test_a_setting_that_had_its_default_says_which_it_was():
    assert ["cumulative: period → ever"] == fields(WINS, definition(**MARCH, cumulative="ever"))


def test_what_is_in_a_list_is_told_by_its_name():
    def guarded(*limits: int) -> Definition:
        guards = [
            {"name": f"g{n}", "measure": {"count": "call.made"}, "target": {"at_least": one}}
            for n, one in enumerate(limits)
        ]
        return definition(**MARCH, guardrails=guards)

    new = "guardrails[g1]: – → {name: g1, measure: {count: [call.made]}, target: {at_least: 7}}"
    assert ["guardrails[g0].target.at_least: 3 → 4", new] == fields(guarded(3), guarded(4, 7))
    assert ["guardrails[g0]: – → {name: g0, measure: {count: [call.made]}, target: {at_least: 3}}"] == fields(
        guarded(), guarded(3)
    )


def test_a_list_of_plain_values_is_told_as_a_whole():
    markets = [definition(**MARCH, each={"dimension": "market", "members": names}) for names in (["a"], ["a", "b"])]
    assert ["each.members: [a] → [a, b]"] == fields(*markets)


# --- objectives -------------------------------------------------------------------------------------------------------


def test_an_objective_moves_with_its_key_results_and_their_weights():
    calls = {"id": "test.team.calls", "target": {"value": 1}}
    story = after_a_run(won("2026-03-02"), definitions=[WINS, definition(**MARCH, **calls)])

    def rolled(*definitions: Definition, log: bool = True) -> list[tuple[Any, ...]]:
        published = objectives(declared(WINS, definition(**MARCH, **calls)), story.now())
        told = found(story, *definitions, log=log, objectives=published)
        return [(one.before, one.after, one.needs_log) for one in told.objectives]

    was = Rolled(0.55, "on_track")
    assert [] == rolled(WINS, definition(**MARCH, **calls))
    assert [(was, Rolled(0.1, "on_track"), False)] == rolled(WINS)
    fewer = definition(**MARCH, target={"value": 2})
    assert [(was, Rolled(0.75, "on_track"), False)] == rolled(fewer, definition(**MARCH, **calls))
    heavy = definition(**MARCH, **calls, weight=Decimal("0.9"))
    assert [(was, Rolled(pytest.approx(0.91), "on_track"), False)] == rolled(WINS, heavy)
    another = definition(**MARCH, measure={"sum": "quantity", "of": "deal.won"})
    assert [(was, None, True)] == rolled(another, definition(**MARCH, **calls), log=False)


# --- without the log --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("why", "content"),
    [
        ("what is measured is something else", {"measure": {"sum": "quantity", "of": "deal.won"}}),
        ("what is measured is something else", {"every": "week"}),
        ("a figure that was not looked up before", {"target": {"relative": Decimal("0.5")}}),
        (
            "the guardrail 'g' was not measured like that before",
            {"guardrails": [{"name": "g", "measure": {"count": "call.made"}, "target": {"at_least": 3}}]},
        ),
    ],
)
def test_without_the_log_what_cannot_be_known_is_said(why, content):
    one = change(after_a_run(won("2026-03-02")), definition(**MARCH, **content), log=False)
    assert why in one.needs_log
    assert (None, True, 1) == (one.effect, one.moves, one.stands.value)


def test_without_the_log_a_changed_part_of_a_baseline_that_is_known_is_computed():
    asked = [{"relative": Decimal(part), "baseline": "previous_year"} for part in ("0.5", "1")]
    story = Story([definition(**MARCH, target=asked[0])]).told(FIRST, won("2025-03-09"), won("2026-03-01", "b"))
    story.read(FIRST, "2026-03-03").run(FIRST)
    one = change(story, definition(**MARCH, target=asked[1]), log=False)
    assert (1.5, 2.0) == (whole(one).before.target, whole(one).after.target)


def test_without_the_log_nothing_is_known_of_what_is_added_or_comes_back():
    story = after_a_run(won("2026-03-02"))
    other = definition(**MARCH, id="test.team.other")
    assert "nothing of it has been reported" == change(story, WINS, other, log=False).needs_log
    story.run(SECOND, definitions=[other])
    assert "nothing of it has been reported since it was retired" == change(story, WINS, other, log=False).needs_log


def test_without_the_log_a_day_that_is_missing_is_said():
    story = after_a_run(won("2026-03-01"))
    story.history = story.history.filter(pl.col("as_of") != date(2026, 3, 2))
    one = change(story, definition(**MARCH, target={"value": 2}), log=False)
    assert "not every day of the whole has been reported" == one.needs_log


def test_a_kpi_that_becomes_a_target_does_not_say_more_than_was_reported():
    story = Story([definition(**MARCH, type="kpi")]).told(FIRST, won("2026-03-01"))
    story.read(FIRST, "2026-03-02").run(FIRST)
    assert "whether the whole had been read" in change(story, WINS, log=False).needs_log


def test_a_kpi_of_members_that_becomes_a_target_does_not_say_more_than_was_reported():
    by_market = {"each": {"dimension": "market"}}
    story = after_a_run(won("2026-03-01", market="norte"), definitions=[definition(**MARCH, **by_market, type="kpi")])
    one = change(story, definition(**MARCH, **by_market), log=False)
    assert "up to which day its members had been named was not reported" == one.needs_log


# --- the laws ---------------------------------------------------------------------------------------------------------

MEASURES: list[dict[str, Any]] = [
    {"count": "deal.won"},
    {"count": "deal.won", "where": "product = 'x'"},
    {"sum": "quantity", "of": "deal.won"},
    {"distinct": "account_id", "of": "deal.won"},
    {"share": {"of": "deal.won", "reached": "product = 'x'"}},
]
TARGETS: list[dict[str, Any]] = [
    {"value": 3}, {"value": 10}, {"at_least": 2}, {"at_least": 4, "progress": "distance"}, {"at_most": 5},
    {"within": [1, 3]}, {"relative": Decimal("0.5")}, {"delta": 2}, {"relative": Decimal("-0.25"), "to_date": True},
]  # fmt: skip
WINDOWS: list[dict[str, Any]] = [
    {},
    {"every": "week"},
    {"every": "day"},
    {"trailing": "7 days"},
    {"cumulative": "ever"},
]
SHAPES: list[dict[str, Any]] = [
    {},
    {"each": {"dimension": "market"}},
    {"each": {"dimension": "market", "members": ["norte", "sur"]}},
    {"guardrails": [{"name": "g", "measure": {"count": "deal.won"}, "target": {"at_most": 6}}]},
    {"guardrails": [{"name": "g", "measure": {"count": "deal.won"}, "target": {"at_most": 2}}]},
    {"type": "kpi"},
]
PERIODS: list[dict[str, Any]] = [
    {"month": "2026-03"},
    {"from": date(2026, 2, 20), "until": date(2026, 3, 20)},
    {"from_event": {"event": "product.launched"}, "months": 1},
]
ORGANISATIONS = [organisation(**of) for of in ({}, {"thresholds": "upraise"}, {"zone": "America/Bogota"})]


@dataclass(frozen=True)
class Meant:
    """A definition with its organisation."""

    definition: Definition
    of: Organisation


@st.composite
def meanings(draw: st.DrawFn) -> Meant:
    of, period = draw(st.sampled_from(ORGANISATIONS)), draw(st.sampled_from(PERIODS))
    parts = [draw(st.sampled_from(some)) for some in (MEASURES, TARGETS, WINDOWS, SHAPES)]
    content = {"measure": parts[0], "target": parts[1], **parts[2], **parts[3]}
    try:
        return Meant(definition(period, of, **content), of)
    except ValidationError:
        assume(condition=False)
        raise


@st.composite
def deals(draw: st.DrawFn) -> list[dict[str, Any]]:
    random = Random(draw(st.integers(0, 2**32)))
    launch = event("product.launched", "2026-03-01", key="launch")
    first = date(2026, 2, 10)
    return [launch] + [
        won(
            f"{first + timedelta(days=random.randrange(40))} {random.randrange(24):02}:00",
            str(n),
            quantity=random.choice(["1", "2.5", "7"]),
            account_id=random.choice("pqr"),
            product=random.choice("xy"),
            market=random.choice(["norte", "sur", None]),
        )
        for n in range(random.randrange(30))
    ]


def ran(story: Story, meant: Meant, at: datetime, through: date) -> pl.DataFrame:
    """A run with the organisation of a meaning."""
    run = Run("run", at, through, meant.of)
    gained = remember(run, story.memory, [meant.definition], story.log.lazy())
    story.history = pl.concat([story.history, gained.history])
    story.editions = pl.concat([story.editions, gained.editions])
    story.computations = pl.concat([story.computations, gained.computations])
    return gained.history


@settings(
    max_examples=max(30, settings.default.max_examples // 3),
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
@given(
    old=meanings(), new=meanings(), before=deals(), after=deals(), until=st.sampled_from(["2026-03-12", "2026-03-31"])
)
def test_what_is_told_is_what_the_next_run_remembers(old, new, before, after, until):
    assume(old.definition.meaning.content_hash != new.definition.meaning.content_hash)
    story = Story([old.definition]).told(FIRST, *before).read(FIRST, until, "deal.won", "product.launched")
    ran(story, old, FIRST, date(2026, 3, 12))
    story.told(SECOND, *after)
    through = date(2026, 3, 14)
    (told,) = found(story, new.definition, of=new.of, through=through).changed
    gained = ran(story, new, THIRD, through)

    rows = newest(story.history.lazy()).filter(~pl.col("is_withdrawn")).collect()
    was = {(row["member"], row["as_of"]): row for row in rows.filter(pl.col("edition") == 1).to_dicts()}
    now = {(row["member"], row["as_of"]): row for row in gained.filter(pl.col("edition") == 2).to_dicts()}
    restated = {key for key, row in now.items() if row["cause"] in ("definition", "target")}
    assert restated == {key for key in now if key in was}
    moved = {key for key in restated if any(now[key][name] != was[key][name] for name in FIGURES)}
    assert told.effect.restated == days(moved)
    for one in (told.effect.whole, *told.effect.members):
        if one is None:
            assert not [key for key in {**was, **now} if key[0] is None]
            continue
        of_it = {key for key in moved if key[0] == one.member}
        assert (one.restated, one.new_days) == (
            days(of_it),
            days(key for key in now if key[0] == one.member and key not in was),
        )
        assert one.gone_days == days(key for key in was if key[0] == one.member and key not in now)
        assert one.value_days == sum(now[key]["value"] != was[key]["value"] for key in of_it)
        assert one.status_days == sum(now[key]["status"] != was[key]["status"] for key in of_it)
        assert one.largest == largest({key[1]: now[key] for key in of_it})
    untold = {key[0] for key in {**was, **now}} - {None, *(one.member for one in told.effect.members)}
    assert not [key for key in {*moved, *(was.keys() ^ now.keys())} if key[0] in untold]


def days(keys: Any) -> Days:
    found = {day for _, day in keys}
    return Days(len(found), min(found), max(found)) if found else Days()


def largest(rows: dict[date, dict[str, Any]]) -> Move | None:
    """By the rows that a history gained."""
    moves = [
        (-abs(row["value"] - row["previous_value"]), day, row["previous_value"], row["value"])
        for day, row in rows.items()
        if None not in (row["value"], row["previous_value"]) and row["value"] != row["previous_value"]
    ]
    return Move(*min(moves)[1:]) if moves else None


WHOLE = Path(__file__).parent / "whole"
DEFINITIONS = [
    (one, whole_catalogue.organisation)
    for folder in (catalogue.FOLDER, WHOLE)
    for whole_catalogue in (catalogue.load(name, folder) for name in catalogue.organisations(folder))
    for one in whole_catalogue.definitions
]


def stirred(one: Definition, seed: int) -> pl.DataFrame:
    """A random log of what matters to a definition, part of which had not been read."""
    random, (first, last) = Random(seed), bounds(one)
    literals = ["exclusive", "uno", "dos", "norte", "sur", None]

    def some(attribute: str) -> Any:
        kind = vocabulary().attributes[attribute].dtype
        if kind == pl.Boolean:
            return random.choice([True, False])
        if kind == pl.Date:
            return first
        return random.choice(["1", "9.5"]) if kind == DECIMAL else random.choice(literals)

    stated = facts(
        event(
            name := random.choice(one.types),
            f"{first + timedelta(days=random.randrange((last - first).days))}",
            str(random.randrange(9)),
            key=str(n),
            **{attribute: some(attribute) for attribute in vocabulary().types[name].carries},
            account_id=random.choice("pqr"), actor=random.choice("uv"), currency=random.choice(["EUR"] * 9 + ["USD"]),
            amount=random.choice(["100", "7.5"]), quantity=random.choice(["1", "12"]),
        )
        for n in range(80)
    )  # fmt: skip
    to = last - timedelta(days=random.choice([0, 0, 40, 150]))
    since = random.choice([None, None, first + timedelta(days=60)])
    columns = dict.fromkeys(("covered_from", "covered_to", "read_at"), pl.Datetime("us", "UTC"))
    instants = [day and datetime(day.year, day.month, day.day, tzinfo=FIRST.tzinfo) for day in (since, to)]
    loads = pl.DataFrame([(*instants, FIRST)], columns, orient="row")
    return pl.concat(
        [
            statements(Story().log.lazy(), stated, stated.select("record_key"), "test", "stream", FIRST),
            readings(loads, one.types, "test", "stream", "1", FIRST),
        ]
    )


def bounds(one: Definition) -> tuple[date, date]:
    span = one.period or one.objective.period.span(organisation().calendar)
    return span.first - timedelta(days=380), span.last + timedelta(days=1)


def retargeted(
    one: Definition, of: Organisation, random: Random, *, is_another: bool
) -> tuple[Definition, Organisation]:
    """The definition with other figures in its targets, or with another target, and sometimes by other thresholds."""
    factor = Decimal(random.choice(["0.5", "1.5", "3"]))
    other = of.model_copy(update={"thresholds": random.choice([of.thresholds, "upraise", "servicenow"])})
    parts = [part.model_copy(update={"target": scaled(part.target, factor)}) for part in one.key_result.all_of]
    guards = [guard.model_copy(update={"target": scaled(guard.target, factor)}) for guard in one.key_result.guardrails]
    others = [None, *(key_result(target=target).target for target in TARGETS)]
    target = random.choice(others) if is_another else scaled(one.key_result.target, factor)
    update = {"target": target, "all_of": tuple(parts), "guardrails": tuple(guards)}
    kr = one.key_result.model_copy(update=update)
    means = meaning.meaning(kr, one.objective, one.period, other, one.folder)
    return Definition(kr, one.objective, one.period, means, one.file, one.line, one.folder), other


def scaled(target: Any, factor: Decimal) -> Any:
    if target is None:
        return None
    numbers = {
        name: tuple(one * factor for one in value) if isinstance(value, tuple) else value * factor
        for name, value in target
        if name in ("value", "at_least", "at_most", "within", "relative", "delta")
    }
    return target.model_copy(update=numbers)


@pytest.mark.parametrize(("one", "of"), [pytest.param(*pair, id=pair[0].id) for pair in DEFINITIONS])
@settings(max_examples=max(2, settings.default.max_examples // 50), phases=[Phase.generate])
@given(seed=st.integers(0, 2**32), is_another=st.booleans())
def test_a_target_over_reported_values_gives_what_the_log_gives_or_says_that_it_takes_the_log(
    one, of, seed, is_another
):
    random = Random(seed)
    (first, last), log = bounds(one), stirred(one, seed).lazy()
    through = random.choice([last - timedelta(days=2), first + timedelta(days=380 + random.randrange(60))])
    is_another &= not one.key_result.all_of
    new, other = retargeted(one, of, random, is_another=is_another)
    reported = compute([one], of, log, through)
    expected = compute([new], other, log, through)
    if reported.is_empty():
        with pytest.raises(NeedsTheLog, match="no day of it has been reported"):
            rejudged(one, new, other, reported)
        return
    columns = ["key_result_id", "member", "role", "unit", "every", "as_of", "definition_hash", *FIGURES]
    try:
        found = rejudged(one, new, other, reported)
    except NeedsTheLog:
        assert is_another
    else:
        assert expected.select(columns).equals(found.select(columns))


def test_the_declared_definitions_hold_every_kind_of_period_and_shape():
    kinds = {type(one.key_result.period) for one, _ in DEFINITIONS}
    assert {MonthsFrom, MonthOf} <= kinds
    assert any(one.key_result.each for one, _ in DEFINITIONS)
    assert any(one.key_result.guardrails for one, _ in DEFINITIONS)
    assert any(one.key_result.all_of for one, _ in DEFINITIONS)
