"""Every key result of the five organisations is fed by the kinds of system that its activity is in (`fed_by.txt`)."""

from __future__ import annotations

from pathlib import Path

import pytest

from assets import steps
from assets.home import Home

KINDS = {
    "crm": {"hubspot", "salesforce", "pipedrive"},
    "billing": {"stripe", "holded"},
    "survey": {"typeform"},
    "sheet": {"files", "google_sheets"},
}
"""What a word of `fed_by.txt` may be here; any other word is the kind itself."""

BESIDE = {
    "revops.eficiencia.adopcion_crm": {"files"},  # who works in sales, and since when there is a CRM
    "revops.expansion.lineas_producto": {"files"},  # which product lines are new
    "revops.procesos.costes": {"typeform"},  # its forms are filtered out
    "revops.retencion.respuesta_feedback": {
        "files",
        "zendesk",
    },  # whom the form was sent to; the helpdesk's filtered out
    "ventas-b2b.equipo.lanzamiento": {"files"},  # when the product was launched
    "ventas-marketing.clientes.encuestas": {"files"},  # whom the form was sent to
    "ventas-marketing.mercados.ventas": {"files"},  # which markets are new
}
"""What else a key result needs, that no system of those kinds knows."""

NOT_NEEDED = {
    "revops.expansion.lineas_producto": {"crm"},  # what was invoiced says what was sold
    "ventas-marketing.clientes.encuestas": {"survey"},  # it knows who opened the form, not whom it was sent to
}


def rows() -> dict[str, set[str]]:
    """Each key result, and the words under which it is listed."""
    words: set[str] = set()
    found: dict[str, set[str]] = {}
    for line in Path(__file__).with_name("fed_by.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            words = set(line.strip("[]").split(", "))
        elif not line.startswith("#"):
            found[line] = words
    return found


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Each declared key result, and the kinds of source that state an event type it needs."""
    home = Home(tmp_path_factory.mktemp("home"))
    found: dict[str, set[str]] = {}
    for name in home.organisations():
        catalogue = home.catalogue(name)
        kinds = {source: declared.kind for source, declared in catalogue.organisation.sources.items()}
        streams = steps.feeds(home.sources(catalogue)).streams
        for one in catalogue.definitions:
            assert set(one.types) <= set(streams), one.id
            found[one.id] = {kinds[source] for type_ in set(one.types) for source, _ in streams[type_]}
    return found


def test_every_row_of_the_catalogue_is_declared(fed: dict[str, set[str]]) -> None:
    assert sorted(fed) == sorted(rows())
    assert len(fed) == 82


@pytest.mark.parametrize("id_", rows())
def test_it_is_fed_by_the_kinds_of_system_that_it_names(fed: dict[str, set[str]], id_: str) -> None:
    named = {word: KINDS.get(word, {word}) for word in rows()[id_]}
    assert {word for word, kinds in named.items() if not kinds & fed[id_]} == NOT_NEEDED.get(id_, set())
    assert fed[id_] - set().union(*named.values()) == BESIDE.get(id_, set())
