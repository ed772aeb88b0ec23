"""What an organisation declares, as a whole: read and resolved, or refused with every mistake told at its line."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pytest
import yaml
from builders import empty
from hypothesis import given, settings
from hypothesis import strategies as st

from kr_definitions import tables
from kr_definitions.catalogue import load, organisations
from kr_definitions.compute import compute
from kr_definitions.documents import DeclarationErrors

BROKEN = Path(__file__).parent / "broken"
"""An organisation with about every mistake that can be made, and what is said of it (`told.txt`)."""

WHOLE = Path(__file__).parent / "whole"
"""An organisation that uses every word of a declaration."""

ORGANISATION = """\
id: agencia
title: {es: Agencia, en: Agency}
zone: Europe/Madrid
country: ES-MD
currency: EUR
"""

SALES = """\
objective:
  id: agencia.ventas
  title: {es: Vender, en: Sell}
  owner: ventas
  period: {year: 2026}

key_results:
  - id: agencia.ventas.operaciones
    title: {es: Ventas, en: Sales}
    type: outcome
    level: team
    owner: ventas
    every: month
    measure: {count: deal.won}
    target: {value: 5}
    why: They pay.
"""


def written(home: Path, **files: str) -> Path:
    """A folder of organisations with one, `agencia`, that has these files (with `__` for a point in the name)."""
    agency = home / "kr_definitions" / "agencia"
    agency.mkdir(parents=True, exist_ok=True)
    for name, text in {"organisation": ORGANISATION, **files}.items():
        agency.joinpath(f"{name}.yaml" if "__" not in name else name.replace("__", ".")).write_text(text, "utf-8")
    return home / "kr_definitions"


def problems(home: Path, **files: str) -> list[str]:
    """What is said of an organisation that is refused, line by line, without the folder's name."""
    with pytest.raises(DeclarationErrors) as caught:
        load("agencia", written(home, **files))
    return str(caught.value).replace("kr_definitions/agencia/", "").splitlines()


def instead(home: Path, before: str, after: str) -> list[str]:
    """What is said of `SALES` with `before` replaced."""
    assert before in SALES
    return problems(home, ventas=SALES.replace(before, after))


# --- what is read -----------------------------------------------------------------------------------------------------


def test_the_shipped_organisations_load_without_a_warning():
    assert [()] * len(organisations()) == [load(name).warnings for name in organisations()]
    assert "inmobiliaria" in organisations()


def test_a_definition_knows_its_period_and_where_it_was_declared(tmp_path):
    (found,) = load("agencia", written(tmp_path, ventas=SALES)).definitions
    assert ("kr_definitions/agencia/ventas.yaml", 8) == (found.file, found.line)
    assert (date(2026, 1, 1), date(2026, 12, 31)) == (found.period.first, found.period.last)


def test_a_period_of_its_own_comes_before_the_objectives(tmp_path):
    text = SALES.replace("    every: month\n", "    every: month\n    period: {quarter: 2026-Q2}\n")
    (found,) = load("agencia", written(tmp_path, ventas=text)).definitions
    assert date(2026, 4, 1) == found.period.first


def test_a_fiscal_year_moves_the_period(tmp_path):
    (found,) = load(
        "agencia", written(tmp_path, ventas=SALES, organisation=ORGANISATION + "fiscal_year_starts: 7\n")
    ).definitions
    assert (date(2026, 7, 1), date(2027, 6, 30)) == (found.period.first, found.period.last)


def test_definitions_come_in_the_order_of_their_ids(tmp_path):
    other = SALES.replace("agencia.ventas", "agencia.a")
    found = load("agencia", written(tmp_path, ventas=SALES, zeta=other)).definitions
    assert ["agencia.a.operaciones", "agencia.ventas.operaciones"] == [definition.id for definition in found]


# --- what is refused --------------------------------------------------------------------------------------------------


def test_every_mistake_is_told_at_its_line_with_what_to_do():
    with pytest.raises(DeclarationErrors) as caught:
        load("agencia", BROKEN)
    assert (BROKEN / "told.txt").read_text("utf-8").splitlines() == str(caught.value).splitlines()


def test_every_problem_of_the_broken_folder_has_all_its_parts():
    with pytest.raises(DeclarationErrors) as caught:
        load("agencia", BROKEN)
    assert all(p.file and p.line >= 1 and p.found and p.do and p.severity == "error" for p in caught.value.problems)


@pytest.mark.parametrize(
    ("said", "before", "after"),
    [
        ("ventas.yaml:14: error: agencia.ventas.operaciones: visit.held holds no amount. "
         "Name what it holds, or add amount to the type in kr_definitions/vocabulary.yaml",
         "{count: deal.won}", "{sum: amount, of: visit.held}"),
        ("ventas.yaml:14: error: agencia.ventas.operaciones: deal.won holds no score. "
         "Name what it holds, or add score to the type in kr_definitions/vocabulary.yaml",
         "{count: deal.won}", "{sum: score, of: [survey.answered, deal.won]}"),
        ("ventas.yaml:14: error: agencia.ventas.operaciones: deal.won holds no quantity. "
         "Name what it holds, or add quantity to the type in kr_definitions/vocabulary.yaml",
         "{count: deal.won}", "{daily_max: quantity, of: deal.won}"),
        ("ventas.yaml:14: error: agencia.ventas.operaciones: deal.won carry no 'zzz'. "
         "They carry: account_id, actor, amount, campaign, category, currency, industry, market, occurred_at, "
         "pipeline, product, quantity, segment, source, subject_id",
         "{count: deal.won}", "{distinct: zzz, of: deal.won}"),
        ("ventas.yaml:14: error: agencia.ventas.operaciones: listing.published carry no 'portl'. Did you mean portal?",
         "{count: deal.won}", "{distinct: portl, of: listing.published}"),
        ("ventas.yaml:14: error: agencia.ventas.operaciones: no event type 'deal.wun'. "
         "Did you mean deal.won or deal.lost or email.sent?",
         "{count: deal.won}", "{count: deal.won, among: {had: deal.wun}}"),
        ("ventas.yaml:14: error: agencia.ventas.operaciones: 'source.covered' is the log's own and counts nothing. "
         "Name something that happens in the world",
         "{count: deal.won}", "{open: {opened_by: deal.won, closed_by: source.covered}}"),
        ("ventas.yaml:15: error: agencia.ventas.operaciones: a share of 1.5 cannot be. "
         "A share is between 0 and 1: write 0.9 for 90 %",
         "{count: deal.won}\n    target: {value: 5}",
         "{share: {of: deal.won, reached: \"product = 'a'\"}}\n    target: {within: [0.5, 1.5]}"),
        ("ventas.yaml:14: error: agencia.ventas.operaciones: a running total starts at nothing, so it cannot be asked "
         "to fall. Compare it day by day with the span before (to_date: true), or state the most as at_most",
         "    every: month\n    measure: {count: deal.won}\n    target: {value: 5}",
         "    measure: {count: deal.won}\n    target: {relative: -0.1, baseline: previous_year}"),
        ("ventas.yaml:14: error: agencia.ventas.operaciones: a figure of the whole period has none on the eve of it to "
         "start from. Name previous_period or previous_year, or count over trailing days or ever",
         "    every: month\n    measure: {count: deal.won}\n    target: {value: 5}",
         "    measure: {count: deal.won}\n    target: {delta: 2, baseline: start}"),
        ("ventas.yaml:14: error: agencia.ventas.operaciones: deal.created (deal) and invoice.paid (invoice) are about "
         "different things. Name events of one and the same thing, or join them by: account_id",
         "{count: deal.won}", "{duration: {from: deal.created, to: invoice.paid}}"),
        ("ventas.yaml:14: error: agencia.ventas.operaciones: ticket.created (ticket) and deal.won (deal) are about "
         "different things. Name events of one and the same thing",
         "{count: deal.won}", "{open: {opened_by: ticket.created, closed_by: deal.won}}"),
        ("ventas.yaml:8: error: agencia.ventas.operaciones: 'target' is missing. "
         "Add a target, or make it a kpi if it has none",
         "    target: {value: 5}\n", ""),
        ("ventas.yaml:8: error: agencia.ventas.operaciones: a kpi has no target. "
         "Remove the target, or give it another type",
         "type: outcome", "type: kpi"),
        ("ventas.yaml:8: error: agencia.ventas.operaciones: more than one of every, trailing and cumulative. "
         "Keep one of them",
         "every: month", "every: month\n    cumulative: ever"),
        ("ventas.yaml:14: error: agencia.ventas.operaciones: previous_window of a key result without windows. "
         "Name previous_period, or add every",
         "    every: month\n    measure: {count: deal.won}\n    target: {value: 5}",
         "    measure: {count: deal.won}\n    target: {relative: 0.1, baseline: previous_window}"),
        ("ventas.yaml:15: error: agencia.ventas.operaciones: to_date of what is not a total of the period so far. "
         "Remove to_date",
         "{value: 5}", "{relative: 0.1, to_date: true}"),
        ("ventas.yaml:5: error: agencia.ventas: from: below 2000-01-01 (found '1026-01-01'). Give 2000-01-01 or more",
         "{year: 2026}", "{from: 1026-01-01, until: 2026-12-31}"),
        ("ventas.yaml:5: error: agencia.ventas: until: above 2100-12-31 (found '9999-12-31'). Give 2100-12-31 or less",
         "{year: 2026}", "{from: 2026-01-01, until: 9999-12-31}"),
        ("ventas.yaml:5: error: agencia.ventas: from: a day was expected (found '2026-1-1'). "
         "Write it as YYYY-MM-DD, without quotes",
         "{year: 2026}", "{from: 2026-1-1, until: 2026-12-31}"),
        ("ventas.yaml:5: error: agencia.ventas: year: a whole number was expected (found '2026'). "
         "Write it with digits alone",
         "{year: 2026}", "{year: '2026'}"),
        ("ventas.yaml:15: error: agencia.ventas.operaciones: target: no target that is known (found 'valu'). "
         "Did you mean 'value'?",
         "{value: 5}", "{valu: 5}"),
        ("ventas.yaml:15: error: agencia.ventas.operaciones: target: no target that is known (found an empty mapping). "
         "Give it one of these keys: value, at_least, at_most, within, relative, delta, "
         "not_below, not_above",
         "{value: 5}", "{}"),
        ("ventas.yaml:15: error: agencia.ventas.operaciones: target: a mapping was expected (found a list). "
         "Write it as {value: …}, with one of these keys: value, at_least, at_most, within, relative, delta, "
         "not_below, not_above",
         "{value: 5}", "[5]"),
        ("ventas.yaml:15: error: agencia.ventas.operaciones: value: not a number (found '5'). "
         "Write it without quotes: 5",
         "{value: 5}", "{value: '5'}"),
        ("ventas.yaml:16: error: agencia.ventas.operaciones: value: not a number (found '5,5'). "
         "Decimals have a point: 5.5",
         "{value: 5}", "\n      value: 5,5"),
        ("ventas.yaml:15: error: agencia.ventas.operaciones: '5' is not known here. "
         "Write decimals with a point, as in 5.5",
         "{value: 5}", "{value: 5,5}"),
        ("ventas.yaml:15: error: agencia.ventas.operaciones: value: not a number (found '90 %'). "
         "A share is between 0 and 1: write 0.9 for 90 %",
         "{value: 5}", "{value: 90 %}"),
        ("ventas.yaml:15: error: agencia.ventas.operaciones: baseline: none of previous_period, previous_year, "
         "previous_window, start (found 'last_year'). Did you mean 'previous_year'?",
         "{value: 5}", "{relative: 0.1, baseline: last_year}"),
        ("ventas.yaml:14: error: agencia.ventas.operaciones: count: a name, or a list of names, was expected "
         "(found '5'). Write one name, or several in [ ]",
         "{count: deal.won}", "{count: 5}"),
        ("ventas.yaml:14: error: agencia.ventas.operaciones: among: before the period and since its beginning: nothing "
         "can be both. Keep one of them",
         "{count: deal.won}", "{count: deal.won, among: {had: deal.won, before: period, since: period}}"),
        ("ventas.yaml:14: error: agencia.ventas.operaciones: before the period and since its beginning: nothing "
         "can be both. Keep one of them",
         "{count: deal.won}", "{count: deal.won, among: [{had_not: deal.won, before: period, since: period}]}"),
        ("ventas.yaml:14: error: agencia.ventas.operaciones: 'from_' is not known here. Did you mean 'from'?",
         "{count: deal.won}", "{duration: {from: deal.created, to: deal.won, from_: deal.created}}"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_in_words_that_a_person_can_act_on(tmp_path, said, before, after):
    assert said in instead(tmp_path, before, after)


def test_what_is_wrong_in_one_file_does_not_hide_what_is_wrong_in_another(tmp_path):
    broken = SALES.replace("deal.won", "deal.wn").replace("agencia.ventas", "agencia.otra")
    assert ["otra.yaml:14", "ventas.yaml:3"] == [
        line.partition(": error")[0]
        for line in problems(tmp_path, ventas=SALES.replace("es: Vender, ", ""), otra=broken)
    ]


@pytest.mark.parametrize(
    ("line", "after"),
    [
        (15, "{value: 010}"), (15, "{value: 5, value: 6}"), (15, "{value: &x 5}"), (15, "{value: !!int 5}"),
        (15, "{value: 2026-02-30}"), (15, "{value: 1e99}"),
    ],
)  # fmt: skip
def test_a_slip_of_one_value_does_not_hide_the_other_mistakes_of_its_file(tmp_path, line, after):
    text = SALES.replace("{value: 5}", after).replace("deal.won", "deal.wn").replace("type: outcome", "type: result")
    assert [f"ventas.yaml:{n}" for n in sorted([10, 14, line])] == [
        told.partition(": error")[0] for told in problems(tmp_path, ventas=text)
    ]


def test_what_an_alias_stands_for_is_not_asked_of_it_too(tmp_path):
    text = SALES.replace("owner: ventas\n  period", "owner: &who ventas\n  period").replace(
        "    owner: ventas", "    owner: *who"
    )
    told = [
        "ventas.yaml:4: error: an anchor or alias. Write the value out",
        "ventas.yaml:12: error: an anchor or alias. Write the value out",
    ]
    assert told == problems(tmp_path, ventas=text)


def test_a_file_that_cannot_be_read_makes_nothing_else_dangle(tmp_path):
    other = SALES.replace("agencia.ventas", "agencia.otra").replace(
        "    why:", "    supports: agencia.ventas\n    why:"
    )
    assert ["ventas.yaml:1: error: the number 010. Write it in plain decimals, at most 28, or quote it"] == problems(
        tmp_path, ventas="a: 010\n" + SALES, otra=other
    )


def test_a_key_result_that_cannot_be_read_makes_nothing_else_dangle(tmp_path):
    other = SALES.replace("agencia.ventas", "agencia.otra").replace(
        "    why:", "    supports: agencia.ventas.operaciones\n    why:"
    )
    assert ["ventas.yaml:10: error: agencia.ventas.operaciones: type: none of outcome, activity, guardrail, milestone, "
            "kpi (found 'result'). Write one of them"] == problems(
        tmp_path, ventas=SALES.replace("type: outcome", "type: result"), otra=other
    )  # fmt: skip


def test_an_id_used_in_two_files_is_told_with_both_places(tmp_path):
    assert [
        "ventas.yaml:2: error: agencia.ventas: the id is used twice (first in otra.yaml:2). "
        "Give it an id of its own: an id is never used again",
        "ventas.yaml:8: error: agencia.ventas.operaciones: the id is used twice (first in otra.yaml:8). "
        "Give it an id of its own: an id is never used again",
    ] == problems(tmp_path, ventas=SALES, otra=SALES)


def test_an_organisation_is_called_as_its_folder(tmp_path):
    assert [
        "organisation.yaml:1: error: agency: the id is 'agency' in the folder 'agencia'. Give both the same name"
    ] == problems(tmp_path, organisation=ORGANISATION.replace("id: agencia", "id: agency"))


def test_an_unknown_organisation_is_told_with_the_nearest():
    with pytest.raises(DeclarationErrors, match=r"inmobilaria: no such organisation. Did you mean inmobiliaria\?"):
        load("inmobilaria")


def test_where_nothing_is_declared_an_unknown_organisation_is_told_so(tmp_path):
    with pytest.raises(DeclarationErrors, match=r"no such organisation. None is declared: add a folder with"):
        load("agencia", tmp_path)


@pytest.mark.parametrize("name", ["", ".", "..", "../kr_definitions", "inmobiliaria/..", "/"])
def test_what_is_no_folders_name_is_no_organisation(name):
    with pytest.raises(DeclarationErrors, match="no such organisation") as errors:
        load(name)
    assert len(errors.value.problems) == 1


@pytest.mark.parametrize("code", ["EUX", "eur", "euro", "XAU", "HRK"])
def test_a_currency_is_one_of_the_world(tmp_path, code):
    told = f"currency: not a currency (found '{code}'). Use an ISO 4217 code such as EUR or COP"
    assert [f"organisation.yaml:5: error: agencia: {told}"] == problems(
        tmp_path, ventas=SALES, organisation=ORGANISATION.replace("EUR", code)
    )


def test_a_folder_without_organisation_is_told(tmp_path):
    agency = written(tmp_path, ventas=SALES)
    (agency / "agencia" / "organisation.yaml").unlink()
    with pytest.raises(DeclarationErrors, match=r"agencia:1: error: agencia: no organisation.yaml"):
        load("agencia", agency)


def test_a_file_that_would_be_passed_over_is_told(tmp_path):
    assert ["otra.yml:1: error: a file that nobody reads. Name it .yaml"] == problems(
        tmp_path, ventas=SALES, otra__yml=""
    )


def test_a_file_that_is_not_utf_8_is_told(tmp_path):
    folder = written(tmp_path, ventas=SALES)
    (folder / "agencia" / "latin.yaml").write_bytes("why: año".encode("latin-1"))
    with pytest.raises(DeclarationErrors, match=r"latin.yaml:1: error: not UTF-8 text. Save the file as UTF-8"):
        load("agencia", folder)


# --- versions ---------------------------------------------------------------------------------------------------------


def version(home: Path, before: str, after: str, more: str = "") -> str:
    """The version of the one key result of `SALES`, with `before` replaced."""
    assert before in SALES
    files = {"ventas": SALES.replace(before, after), "organisation": ORGANISATION + more}
    (found,) = load("agencia", written(home, **files)).definitions
    return found.meaning.content_hash


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("es: Ventas, en: Sales", "es: Operaciones, en: Deals"),
        ("They pay.", "They are why we are here."),
        ("owner: ventas", "owner: equipo-ventas"),
        ("{count: deal.won}", "{count: [deal.won]}"),
        ("{value: 5}", "{value: 5.0}"),
        ("{value: 5}", "{value: 5.00, from: 0}"),
        ("id: agencia.ventas.operaciones", "supports: agencia.ventas\n    id: agencia.ventas.operaciones"),
        ("{year: 2026}", "{from: 2026-01-01, until: 2026-12-31}"),
    ],
)
def test_a_version_stays_where_no_figure_can_move(tmp_path, before, after):
    assert version(tmp_path, "", "") == version(tmp_path, before, after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{count: deal.won}", "{count: deal.lost}"),
        ("{count: deal.won}", "{count: deal.won, where: \"product = 'a'\"}"),
        ("{count: deal.won}", "{count: deal.won, among: {had: deal.won}}"),
        ("{value: 5}", "{value: 5.1}"),
        ("{value: 5}", "{at_least: 5}"),
        ("every: month", "every: week"),
        ("every: month", "trailing: 30 days"),
        ("every: month", "cumulative: ever"),
        ("{year: 2026}", "{year: 2025}"),
    ],
)
def test_a_version_changes_with_what_can_move_a_figure(tmp_path, before, after):
    assert version(tmp_path, "", "") != version(tmp_path, before, after)


def test_a_filter_written_otherwise_is_the_same_version(tmp_path):
    measure = '{{count: deal.won, where: "{}"}}'.format
    one = version(tmp_path, "{count: deal.won}", measure("product IN ('a', 'b')"))
    assert one == version(tmp_path, "{count: deal.won}", measure("(product   in ('b','a'))"))


def test_an_organisations_thresholds_are_part_of_the_version_and_its_sources_are_not(tmp_path):
    assert version(tmp_path, "", "") != version(tmp_path, "", "", more="thresholds: upraise\n")
    assert version(tmp_path, "", "") == version(tmp_path, "", "", more="sources: {}\n")


@pytest.mark.parametrize(("changes", "every"), [(False, "month"), (True, "working_day")])
def test_an_organisations_holidays_are_part_of_the_version_where_working_days_count(tmp_path, changes, every):
    text = SALES.replace("every: month", f"every: {every}")
    versions = {
        load("agencia", written(tmp_path, ventas=text, organisation=ORGANISATION.replace("ES-MD", country)))
        .definitions[0]
        .meaning.content_hash
        for country in ("ES-MD", "ES-CT")
    }
    assert (2 if changes else 1) == len(versions)


def test_an_organisations_zone_is_part_of_the_version(tmp_path):
    elsewhere = ORGANISATION.replace("Europe/Madrid", "Atlantic/Canary")
    (found,) = load("agencia", written(tmp_path, ventas=SALES, organisation=elsewhere)).definitions
    assert version(tmp_path, "", "") != found.meaning.content_hash


# --- nothing that a user writes ends in a traceback -------------------------------------------------------------------

PLAIN = """\
-|-0|0|1|-1|0.5|1e9|1e999|010|9999999999999999999999999999999999|true|false|null|~|''|[]|{}|[1, 2]|{a: 1}|!x|&a|*a|<<|=
2026-02-30|2028-02-29|0001-01-01|9999-12-31|12:30|month|deal.won|deal.wn|account_id|start|2026-Q3|2026-Q9|90 days
"""
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
SCALARS = st.one_of(st.sampled_from(PLAIN.strip().replace("\n", "|").split("|")), TEXTS)
MUTATIONS = st.lists(
    st.tuples(st.sampled_from(["drop", "double", "retype", "rename", "nest"]), st.integers(0, 10_000), SCALARS),
    min_size=1,
    max_size=4,
)
HALF = settings(max_examples=settings.default.max_examples // 2)
FILES = sorted((WHOLE / "agencia").glob("*.yaml"))


def mutated(text: str, mutations: list[tuple[str, int, str]]) -> str:
    """A YAML file with some of its keys dropped, doubled or renamed, and some of its values replaced."""
    tree = yaml.compose(text, Loader=yaml.SafeLoader)
    for kind, where, scalar in mutations:
        places = list(entries(tree))
        holder, i = places[where % len(places)]
        key, value = holder.value[i]
        new = yaml.ScalarNode("tag:yaml.org,2002:str", scalar)
        changed = {
            "drop": [],
            "double": [(key, value), (key, value)],
            "retype": [(key, new)],
            "rename": [(new, value)],
            "nest": [(key, yaml.SequenceNode("tag:yaml.org,2002:seq", [value, new]))],
        }[kind]
        holder.value[i : i + 1] = changed
        if not list(entries(tree)):
            break
    return rendered(tree).removeprefix("\n")


def rendered(node: yaml.Node, pad: str = "") -> str:
    """A tree as YAML, its plain scalars as they are: what they look like is what is put to the test."""
    if isinstance(node, yaml.ScalarNode):
        return f" {node.value if node.style is None else json.dumps(node.value)}"
    if isinstance(node, yaml.SequenceNode):
        return "".join(f"\n{pad}-{rendered(item, pad + '  ')}" for item in node.value) or " []"
    return "".join(f"\n{pad}{rendered(key)[1:]}:{rendered(value, pad + '  ')}" for key, value in node.value) or " {}"


def entries(node: yaml.Node):
    """Every mapping below a node with the position of each of its entries."""
    if isinstance(node, yaml.MappingNode):
        for i, (_, value) in enumerate(node.value):
            yield node, i
            yield from entries(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from entries(value)


def loads_or_tells(home: Path, name: str, text: str) -> bool:
    """Whether an organisation with a changed file loads; if not, that all is said as it should be."""
    (home / "agencia" / name).write_text(text, "utf-8")
    try:
        found = load("agencia", home)
    except DeclarationErrors as errors:
        are_told(errors)
        return False
    finally:
        shutil.copy(WHOLE / "agencia" / name, home / "agencia" / name)
    compute(found.definitions, found.organisation, empty(), date(2026, 11, 20))
    tables.key_results(found)
    return True


def are_told(errors: DeclarationErrors) -> None:
    assert errors.problems
    for problem in errors.problems:
        assert problem.line >= 1
        assert problem.file.startswith("whole/agencia")
        assert problem.found.strip()
        assert problem.do.strip(" .:")
        assert "Input should" not in str(problem)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return Path(shutil.copytree(WHOLE, tmp_path_factory.mktemp("mutated") / "whole"))


@HALF
@given(file=st.sampled_from(FILES), mutations=MUTATIONS)
def test_a_changed_file_loads_or_says_what_is_wrong_with_it(home, file, mutations):
    loads_or_tells(home, file.name, mutated(file.read_text("utf-8"), mutations))


@HALF
@given(
    file=st.sampled_from(FILES),
    at=st.integers(0, 5_000),
    length=st.integers(0, 20),
    by=st.one_of(SCALARS, st.text(st.sampled_from(":-[]{}#&*!|>'\"%@`, \n\t0a"), max_size=6)),
)
def test_a_file_with_a_slip_of_the_pen_loads_or_says_what_is_wrong_with_it(home, file, at, length, by):
    text = file.read_text("utf-8")
    at %= len(text)
    loads_or_tells(home, file.name, text[:at] + by + text[at + length :])


def test_a_changed_file_does_load_where_nothing_is_wrong(home):
    assert all(loads_or_tells(home, file.name, mutated(file.read_text("utf-8"), [])) for file in FILES)
