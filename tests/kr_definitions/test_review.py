"""The guides' rules, the switches, and the page that lists every rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from reviewed import KEY_RESULT, files, findings, of_spoilt, stated

from kr_definitions.catalogue import load, organisations, read_files
from kr_definitions.review import OF_SWITCHES, documentation
from kr_definitions.rules import RULES

KPI = KEY_RESULT.format(name="norte", kind="kpi").replace("    target: {value: 5}\n", "")
DOCS = Path(__file__).resolve().parents[2] / "docs" / "review.md"


def test_a_good_set_has_no_findings(tmp_path):
    assert [] == findings(tmp_path, files())


def test_the_shipped_organisations_have_none_that_is_not_switched_off():
    assert [()] * len(organisations()) == [load(name).warnings for name in organisations()]


# --- the guides' rules ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "file", "before", "after"),
    [
        ("norte.yaml:3: warning: agencia.norte: more than one sentence. Say it in one sentence; the rest belongs in "
         "why, or in another objective [objective.sentence]",
         "norte", "en: Gain ground", 'en: "Gain ground. Keep it"'),
        ("norte.yaml:3: warning: agencia.norte: more than one sentence. Say it in one sentence; the rest belongs in "
         "why, or in another objective [objective.sentence]",
         "norte", "es: Ganar terreno", 'es: "Ganar terreno; crecer"'),
        ("norte.yaml:3: warning: agencia.norte: a figure, '15 %', in an objective. Say what will be different; make "
         "the figure the target of a key result [objective.qualitative]",
         "norte", "en: Gain ground", "en: Gain 15 % of the ground"),
        ("norte.yaml:1: warning: agencia.norte: no reason why. Add why: what reaching it is good for [objective.why]",
         "norte", "  why: It pays.\n", ""),
        ("norte.yaml:1: warning: agencia.norte: an objective of a team that supports nothing. "
         "Add supports: what it moves; or level: company, if nothing is above it [alignment.top]",
         "norte", "  supports: agencia.empresa\n", ""),
        ("norte.yaml:7: warning: agencia.norte: of level company, it supports agencia.sur of level team. "
         "Let the lower level support the higher one, or correct the level [alignment.level]",
         "norte", "  supports: agencia.empresa\n", "  level: company\n  supports: agencia.sur\n"),
        ("norte.yaml:14: warning: agencia.norte.outcome: of level company, it supports agencia.norte of level team. "
         "Let the lower level support the higher one, or correct the level [alignment.level]",
         "norte", "level: team", "level: company"),
        ("norte.yaml:1: warning: agencia.norte: no approved_by. "
         "Record who has agreed to it, and on which day [approval.recorded]",
         "norte", "  approved_by: [direccion]\n", ""),
        ("norte.yaml:1: warning: agencia.norte: no approved_on. "
         "Record who has agreed to it, and on which day [approval.recorded]",
         "norte", "  approved_on: 2026-06-20\n", ""),
        ("norte.yaml:16: remark: agencia.norte.outcome: a period of more than 12 months. "
         "Choose a year at most, better a quarter [cadence.quarterly]",
         "norte", "    measure:", "    period: {from: 2026-01-01, until: 2027-01-01}\n    measure:"),
        ("norte.yaml:16: remark: agencia.norte.outcome: a whole year without windows. "
         "Choose a quarter, or say what recurs in the year (every: month) [cadence.quarterly]",
         "norte", "    measure:", "    period: {year: 2026}\n    measure:"),
        ("norte.yaml:16: remark: agencia.norte.outcome: a period of more than 12 months. "
         "Choose a year at most, better a quarter [cadence.quarterly]",
         "norte", "    measure:", "    period: {from_event: {event: product.launched}, months: 18}\n    measure:"),
        ("norte.yaml:1: remark: agencia.norte: an objective without work to do. "
         "Add a key result of type activity or milestone: what will be done for it [balance.types]",
         "norte", stated("norte"), stated("norte").replace("type: activity", "type: outcome")
         .replace("type: milestone", "type: outcome")),
        ("norte.yaml:1: remark: agencia.norte: an objective without a result to achieve. "
         "Add a key result of type outcome [balance.types]",
         "norte", "type: outcome", "type: activity"),
        ("norte.yaml:1: warning: agencia.norte: an objective of 2 key results. "
         "3 to 5 are held to be right: say what else shows that it is reached [counts.key_results]",
         "norte", KEY_RESULT.format(name="norte", kind="milestone"), KPI),
    ],
)  # fmt: skip
def test_what_a_reviewer_would_question_is_found_with_its_rule(tmp_path, said, file, before, after):
    assert [said] == of_spoilt(tmp_path, (file, before, after))


@pytest.mark.parametrize("after", ["every: month", "trailing: 90 days"])
def test_a_year_that_is_cut_is_not_questioned(tmp_path, after):
    assert [] == of_spoilt(
        tmp_path, ("norte", "    measure:", f"    period: {{year: 2026}}\n    {after}\n    measure:")
    )


@pytest.mark.parametrize(
    "title",
    [
        "Gain ground (shops, etc. in the north)", "Gain ground with St. James Ltd. in the north",
        "Que la Sra. García nos recomiende", "Grow by approx. a half", "Lead the U.S. Market",
        "Gain B2B customers", "Be the Web3 house of reference", "Grow after COVID-19",
    ],
)  # fmt: skip
def test_an_abbreviation_is_no_second_sentence_and_a_name_no_figure(tmp_path, title):
    assert [] == of_spoilt(tmp_path, ("norte", "en: Gain ground", f'en: "{title}"'))


@pytest.mark.parametrize(
    "title", ["Grow in Madrid. Keep it", "Grow! Keep it", "Grow; keep it", "Grow by 3.000 €", "Grow 2x", "Reach 5%"]
)
def test_a_second_sentence_and_a_figure_are_found_beside_names(tmp_path, title):
    assert 1 == len(of_spoilt(tmp_path, ("norte", "en: Gain ground", f'en: "{title}"')))


def test_six_key_results_are_too_many(tmp_path):
    more = "".join(KEY_RESULT.format(name="sur", kind="outcome").replace("sur.outcome", f"sur.n{n}") for n in range(3))
    assert [
        "sur.yaml:1: warning: agencia.sur: an objective of 6 key results. 3 to 5 are held to be right: choose, or "
        "split the objective [counts.key_results]"
    ] == findings(tmp_path, {**files(), "sur": stated("sur") + more})


def test_too_few_objectives_are_told_once_an_owner(tmp_path):
    declared = files()
    del declared["sur"]
    assert [
        "norte.yaml:4: warning: agencia.norte: equipo has 2 objectives on 2026-07-01. 3 to 5 are held to be right: add "
        "to them [counts.objectives]"
    ] == findings(tmp_path, declared)


def test_a_time_with_too_few_is_told_beside_a_busier_one(tmp_path):
    later = {f"o{n}": stated(f"o{n}").replace("2026-Q3", "2026-Q4") for n in range(2)}
    assert ["equipo has 2 objectives on 2026-10-01"] == [
        line.split(": ")[3].partition(". ")[0] for line in findings(tmp_path, files() | later)
    ]


@pytest.mark.parametrize(
    "changes",
    [
        [("norte", "level: team", "level: teem"), ("sur", "  owner: equipo\n", "")],
        [("sur", "  period: {quarter: 2026-Q3}", "  period: {quarter: 2026-Q9}")],
        [("sur", "  why: It pays.\n", "  why: [010\n")],
    ],
)
def test_where_an_objective_cannot_be_read_its_siblings_are_not_too_few(tmp_path, changes):
    assert not [line for line in of_spoilt(tmp_path, *changes) if "counts.objectives" in line]


def test_only_the_objectives_of_one_time_count_together(tmp_path):
    later = {f"o{n}": stated(f"o{n}").replace("2026-Q3", "2026-Q4") for n in range(3)}
    assert [] == findings(tmp_path, files() | later)
    at_once = {f"o{n}": stated(f"o{n}") for n in range(3)}
    assert ["equipo has 6 objectives on 2026-07-01"] == [
        line.split(": ")[3].partition(". ")[0] for line in findings(tmp_path, files() | at_once)
    ]


def test_a_place_for_kpis_is_neither_counted_nor_balanced(tmp_path):
    kpis = stated("kpi").replace("    target: {value: 5}\n", "")
    for kind in ("outcome", "activity", "milestone"):
        kpis = kpis.replace(f"type: {kind}", "type: kpi")
    assert [] == findings(tmp_path, files() | {f"o{n}": stated(f"o{n}") for n in range(2)} | {"kpi": kpis})


def test_an_objective_that_cannot_be_read_whole_is_not_counted(tmp_path):
    found = of_spoilt(tmp_path, ("norte", "type: milestone", "type: milestoned"))
    assert ["error"] == [line.split(": ")[1] for line in found]


def test_who_agrees_does_so_before_the_period_is_over(tmp_path):
    assert [
        "norte.yaml:9: warning: agencia.norte: agreed to on 2026-10-01, when the period was over (2026-09-30). "
        "Correct the day, or the period [approval.in_time]"
    ] == of_spoilt(tmp_path, ("norte", "2026-06-20", "2026-10-01"))
    assert [] == of_spoilt(tmp_path, ("norte", "2026-06-20", "2026-09-30"))


def test_an_organisation_without_objectives_is_questioned(tmp_path):
    assert [
        "organisation.yaml:1: warning: agencia: an organisation without objectives. Add a file with an objective and "
        "its key results beside this one [text.no_objectives]"
    ] == findings(tmp_path, {"organisation": files()["organisation"]})


# --- switches ---------------------------------------------------------------------------------------------------------


def switched(home: Path, lint: str, *changes: tuple[str, str, str]) -> list[str]:
    """What is said with these lines below `lint:`."""
    return of_spoilt(home, ("organisation", "currency: EUR\n", f"currency: EUR\nlint:\n{lint}"), *changes)


NO_REASON = ("norte", "  why: It pays.\n", "")


def test_a_rule_is_switched_off_with_a_reason(tmp_path):
    assert [] == switched(tmp_path, "  objective.why: {off: They know}\n", NO_REASON)
    (found,) = read_files("agencia", tmp_path / "kr_definitions").reviewed().switched_off
    assert ("objective.why", "They know", 1) == (found.rule.id, found.reason, len(found.problems))


@pytest.mark.parametrize(
    ("said", "lint"),
    [
        ("organisation.yaml:7: error: agencia: no rule 'objective.wy'. Did you mean objective.why",
         "objective.wy: {off: a}"),
        ("organisation.yaml:7: error: agencia: 'target.possible' cannot be switched off: what it finds cannot be "
         "computed as it is meant. Remove it, and mend what it finds", "target.possible: {off: a}"),
        ("organisation.yaml:7: remark: agencia: 'filter.always' would find nothing. Remove it [lint.needless]",
         "filter.always: {off: a}"),
        ("organisation.yaml:7: error: agencia: 'lint.needless' is about switches, and cannot be switched off itself. "
         "Remove it, and mend what it finds", "lint.needless: {off: a}"),
        ("organisation.yaml:7: error: agencia: off: an empty text. Fill it in", "objective.why: {off: ''}"),
        ("organisation.yaml:7: error: agencia: off: an empty text. Fill it in", "objective.why: {off: ' '}"),
        ("organisation.yaml:7: error: agencia: 'off' is missing. Add it", "objective.why: {}"),
    ],
)  # fmt: skip
def test_a_switch_that_is_wrong_is_told(tmp_path, said, lint):
    (found,) = switched(tmp_path, f"  {lint}\n")
    assert found.startswith(said)


def test_a_rule_is_switched_off_for_those_that_are_named(tmp_path):
    without = (NO_REASON, ("sur", "  why: It pays.\n", ""))
    (left,) = switched(tmp_path, "  objective.why: {off: They know, only: agencia.norte}\n", *without)
    assert left.startswith("sur.yaml:1: warning: agencia.sur: no reason why")
    (found,) = read_files("agencia", tmp_path / "kr_definitions").reviewed().switched_off
    assert (("agencia.norte",), ["agencia.norte"]) == (found.only, [problem.where for problem in found.problems])
    assert [] == switched(tmp_path, "  objective.why: {off: a, only: [agencia.norte, agencia.sur]}\n", *without)


def test_a_switch_for_what_is_not_declared_or_is_right_is_told(tmp_path):
    assert [
        "organisation.yaml:7: error: agencia: 'agencia.nort', which is not declared. Did you mean agencia.norte",
        "organisation.yaml:7: remark: agencia: 'objective.why' would find nothing of agencia.sur. "
        "Remove it [lint.needless]",
    ] == [
        line.partition(" or ")[0]
        for line in switched(
            tmp_path, "  objective.why: {off: a, only: [agencia.norte, agencia.sur, agencia.nort]}\n", NO_REASON
        )
    ]


def test_a_rule_that_finds_nothing_in_what_can_be_read_is_not_needless(tmp_path):
    found = switched(tmp_path, "  objective.why: {off: They know}\n", ("norte", "level: team", "level: teem"))
    assert ["error"] == [line.split(": ")[1] for line in found]


def test_a_switch_holds_where_the_rest_of_its_file_cannot_be_read(tmp_path):
    found = switched(tmp_path, "  objective.why: {off: They know}\n", NO_REASON, ("organisation", "EUR", "euro"))
    assert ["error"] == [line.split(": ")[1] for line in found]


# --- sources ----------------------------------------------------------------------------------------------------------


def test_what_no_source_states_is_told_where_the_sources_are_known(tmp_path):
    call = ("norte", "{count: deal.won}", "{count: [call.made, deal.won], among: {had: lead.created}}")
    assert [
        "norte.yaml:16: warning: agencia.norte.outcome: no source states call.made or lead.created. "
        "Let a source of organisation.yaml state it, or measure what one states [sources.feed]"
    ] == of_spoilt(tmp_path, call, fed={"deal.won": {"account_id": None}})
    assert [] == of_spoilt(tmp_path, call)


def test_an_organisation_without_sources_is_told_once(tmp_path):
    assert [
        "organisation.yaml:1: warning: agencia: no source states any event, so that nothing can be measured. "
        "Name the accounts to read from [sources.feed]"
    ] == findings(tmp_path, files(), {})


SAYS = {"deal.won": {"market": None, "amount": None}, "deal.lost": {"market": None, "segment": None}}


@pytest.mark.parametrize(
    ("said", "measure"),
    [
        ("no source says the segment of deal.won, so that it is always empty",
         "{count: deal.won, where: \"segment = 'clave' and market = 'norte'\"}"),
        ("no source says the account_id of deal.won, so that it is always empty",
         "{distinct: account_id, of: deal.won}\n    unit: customers"),
        ("no source says the account_id of deal.lost, so that it is always empty",
         "{duration: {from: deal.lost, to: deal.lost, where: \"market = 'a'\", by: account_id}}"),
        ("no source says the amount of deal.lost, so that it is always empty",
         "{sum: amount, of: deal.lost}\n    unit: EUR"),
        ("no source says the product of deal.won, so that it is always empty",
         "{count: deal.won}\n    each: {dimension: product}"),
        (None, "{count: [deal.won, deal.lost], where: \"segment = 'clave'\"}"),
        (None, "{count: deal.won, where: \"market = 'norte' and occurred_at is not null and amount > 5\"}"),
    ],
)  # fmt: skip
def test_what_no_source_says_of_an_event_is_told(tmp_path, said, measure):
    told = of_spoilt(tmp_path, ("norte", "{count: deal.won}", measure), fed=SAYS)
    lines = [line for line in told if "[sources.columns]" in line]
    assert ([said] if said else []) == [line.split(": ", 3)[3].partition(". ")[0] for line in lines]


FOLLOWERS = {"followers.observed": {"quantity": None, "network": frozenset({"youtube"})}, "deal.won": {}}


@pytest.mark.parametrize(
    ("said", "more"),
    [
        ("no source has events for which «network = 'facebook'» holds: network is youtube",
         ", where: \"network = 'facebook'\"}"),
        ("no source has events of the network 'facebook' or 'x'",
         "}\n    each: {dimension: network, members: [facebook, youtube, x]}"),
        (None, ", where: \"network in ('facebook', 'youtube')\"}"),
        (None, "}\n    each: {dimension: network, members: youtube}"),
    ],
)  # fmt: skip
def test_a_value_that_no_source_has_is_told(tmp_path, said, more):
    measure = f"{{gain: quantity, of: followers.observed{more}\n    unit: followers"
    told = of_spoilt(tmp_path, ("norte", "{count: deal.won}", measure), fed=FOLLOWERS)
    assert ([said] if said else []) == [line.split(": ", 3)[3].partition(". ")[0] for line in told]


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_lists_every_rule_as_it_is():
    assert DOCS.read_text("utf-8") == documentation(), "run: python -m kr_definitions.review > docs/review.md"


def test_every_rule_is_on_the_page():
    assert [] == [name for name in RULES | OF_SWITCHES if documentation().count(f"| `{name}` |") != 1]
