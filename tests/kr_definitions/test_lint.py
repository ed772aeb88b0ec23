"""What is wrong with declarations beside one another (ids, links, texts, files), in a set in which nothing else is."""

from __future__ import annotations

import pytest
from reviewed import MEASURED, ORGANISATION, files, findings, of_spoilt, stated

# --- ids, links, texts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "changes"),
    [
        (["norte.yaml:2: error: agencya.norte: an id that does not begin with the organisation's, agencia. "
          "Write agencia.norte"],
         [("norte", "id: agencia.norte\n", "id: agencya.norte\n")]),
        (["norte.yaml:6: error: agencia.norte: supports itself. Remove or change a supports, so that it leads away"],
         [("norte", "supports: agencia.empresa", "supports: agencia.norte")]),
        (["empresa.yaml:7: error: agencia.empresa: supports itself: agencia.empresa → agencia.norte → agencia.empresa. "
          "Remove or change a supports, so that it leads away",
          "empresa.yaml:7: warning: agencia.empresa: of level company, it supports agencia.norte of level team. "
          "Let the lower level support the higher one, or correct the level [alignment.level]"],
         [("empresa", "level: company", "level: company\n  supports: agencia.norte")]),
        (["norte.yaml:16: error: agencia.norte.outcome: feeds from itself: agencia.norte.outcome → "
          "agencia.sur.outcome → agencia.norte.outcome. Remove or change a feeds_from, so that it leads away"],
         [("norte", MEASURED, f"    feeds_from: agencia.sur.outcome\n{MEASURED}"),
          ("sur", MEASURED, f"    feeds_from: agencia.norte.outcome\n{MEASURED}")]),
        (["norte.yaml:16: error: agencia.norte.outcome: feeds from 'agencia.sur.outcom', which is not declared. "
          "Did you mean agencia.sur.outcome or agencia.norte.outcome or agencia.empresa.outcome?"],
         [("norte", MEASURED, f"    feeds_from: agencia.sur.outcom\n{MEASURED}")]),
        (["norte.yaml:16: error: agencia.norte.outcome: feeds from 'agencia.sur', which is an objective. "
          "Did you mean agencia.sur.outcome or agencia.sur.activity or agencia.sur.milestone?"],
         [("norte", MEASURED, f"    feeds_from: agencia.sur\n{MEASURED}")]),
        (["norte.yaml:3: error: agencia.norte: en: an empty text. Fill it in"],
         [("norte", "en: Gain ground", "en: '  '")]),
        (["norte.yaml:16: error: agencia.norte.outcome: unit: an empty text. Fill it in"],
         [("norte", MEASURED, f"    unit: ''\n{MEASURED}")]),
        (["norte.yaml:8: error: agencia.norte: approved_by: a blank at an end in 'direccion '. Delete it"],
         [("norte", "[direccion]", "['direccion ']")]),
        (["norte.yaml:15: error: agencia.norte.outcome: owner: a character that cannot be seen (U+200B) in "
          "'equi\u200bpo'. Delete it"],
         [("norte", "level: team\n    owner: equipo", "level: team\n    owner: equi\u200bpo")]),
        (["norte.yaml:18: error: agencia.norte.outcome: members: a blank at an end in ' sur'. Delete it"],
         [("norte", MEASURED, f"{MEASURED}    each: {{dimension: market, members: [norte, ' sur']}}\n")]),
        (["norte.yaml:8: error: agencia.norte: approved_by: an empty text. Fill it in"],
         [("norte", "[direccion]", "['']")]),
    ],
)  # fmt: skip
def test_what_leads_nowhere_or_says_nothing_is_refused(tmp_path, said, changes):
    assert said == of_spoilt(tmp_path, *changes)


def test_an_objective_that_supports_its_own_key_result_supports_itself(tmp_path):
    assert [
        "norte.yaml:6: error: agencia.norte: supports itself: agencia.norte → agencia.norte.outcome → agencia.norte. "
        "Remove or change a supports, so that it leads away"
    ] == of_spoilt(tmp_path, ("norte", "supports: agencia.empresa", "supports: agencia.norte.outcome"))


def test_a_circle_through_the_key_results_of_two_objectives_is_told_once(tmp_path):
    changes = [("norte", "supports: agencia.empresa", "supports: agencia.sur.outcome")]
    changes += [("sur", "supports: agencia.empresa", "supports: agencia.norte.activity")]
    assert [
        "norte.yaml:6: error: agencia.norte: supports itself: agencia.norte → agencia.sur.outcome → agencia.sur → "
        "agencia.norte.activity → agencia.norte. Remove or change a supports, so that it leads away"
    ] == of_spoilt(tmp_path, *changes)


def test_a_circle_is_told_once_and_not_those_who_lead_into_it(tmp_path):
    changes = [("sur", "supports: agencia.empresa", "supports: agencia.norte")]
    changes += [("norte", "supports: agencia.empresa", "supports: agencia.norte.outcome")]
    changes += [("norte", MEASURED, f"    supports: agencia.norte\n{MEASURED}")]
    assert [
        "norte.yaml:6: error: agencia.norte: supports itself: agencia.norte → agencia.norte.outcome → agencia.norte. "
        "Remove or change a supports, so that it leads away"
    ] == of_spoilt(tmp_path, *changes)


def test_an_objective_without_key_results_is_refused(tmp_path):
    text = stated("norte", kinds="").replace("key_results:\n", "key_results: []\n")
    assert [
        "norte.yaml:10: error: agencia.norte: an objective without key results. Add what shows that it is reached"
    ] == findings(tmp_path, {**files(), "norte": text})


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("otra.YAML:1: error: a file that nobody reads. Name it .yaml", "otra.YAML"),
        ("otra.Yml:1: error: a file that nobody reads. Name it .yaml", "otra.Yml"),
        ("q3/otra.yaml:1: error: a file that nobody reads. Move it to kr_definitions/agencia", "q3/otra.yaml"),
    ],
)
def test_a_declaration_that_would_be_passed_over_is_told(tmp_path, said, name):
    stray = tmp_path / "kr_definitions" / "agencia" / name
    stray.parent.mkdir(parents=True)
    stray.write_text("")
    assert [said] == findings(tmp_path, files())


def test_a_folder_that_is_called_as_a_file_is_told(tmp_path):
    (tmp_path / "kr_definitions" / "agencia" / "otra.yaml").mkdir(parents=True)
    assert ["otra.yaml:1: error: a file that cannot be read: Is a directory. Check what it is"] == findings(
        tmp_path, files()
    )


def test_all_is_told_at_once_whatever_cannot_be_read(tmp_path):
    changes = [
        ("organisation", "EUR", "euro"),
        ("norte", MEASURED, MEASURED.replace("deal.won", "deal.wn")),
        ("sur", "type: outcome", "type: result"),
        ("sur", "  why: It pays.\n", ""),
        ("empresa", "value: 5", "value: 5, of: 4"),
    ]
    assert ["empresa.yaml:17", "norte.yaml:16", "organisation.yaml:5", "sur.yaml:12", "sur.yaml:1"] == [
        line.partition(": ")[0] for line in of_spoilt(tmp_path, *changes)
    ]


@pytest.mark.parametrize("file", ["norte", "organisation"])
@pytest.mark.parametrize(
    "text", ["", "[]", "a", "objective: [1]\nkey_results: {a: 1}\n", "lint: [a]\n", "id: 5\nlint: {a: 1}\n"]
)
def test_a_file_of_another_shape_is_told_and_nothing_breaks(tmp_path, file, text):
    assert findings(tmp_path, {**files(), "organisation": ORGANISATION, file: text}, frozenset())
