"""docs/adding-a-source.md, step by step: its files are written down as they stand there, and run."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from kr_definitions.catalogue import load
from kr_definitions.documents import DeclarationErrors
from pipelines.connectors import KINDS, connector, sources

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-source.md"
BLOCK = re.compile(r"```(?:python|yaml)\n# (\S+)\n(.*?)```", re.DOTALL)


def files() -> dict[str, str]:
    """Name -> text of each file that the page shows."""
    return dict(BLOCK.findall(PAGE.read_text(encoding="utf-8")))


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that has what the page shows, where Python finds it."""
    for name, text in files().items():
        at = tmp_path / (f"kr_definitions/acme/{name}" if name.endswith(".yaml") else name)
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_text(text, encoding="utf-8")
    objective = """\
objective:
  id: acme.agenda
  title: {es: Agenda, en: Calendar}
  owner: ventas
  period: {year: 2026}

key_results:
  - id: acme.agenda.citas
    title: {es: Citas, en: Appointments}
    type: activity
    level: team
    owner: ventas
    every: month
    measure: {count: meeting.scheduled}
    target: {value: 5}
    why: They buy.
"""
    (tmp_path / "kr_definitions" / "acme" / "agenda.yaml").write_text(objective, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    before, modules = dict(os.environ), set(sys.modules)
    yield tmp_path
    for name in set(os.environ) - set(before):
        del os.environ[name]
    for name in set(sys.modules) - modules:
        if name.split(".")[0] in ("acme", "try_calendly"):
            del sys.modules[name]


def test_the_page_shows_all_that_is_needed_and_it_works(written: Path) -> None:
    assert list(files()) == ["acme/calendly.py", "acme/calendly_stand_in.py", "organisation.yaml", "try_calendly.py"]
    told = import_module("try_calendly").try_it(written / "work", os.environ, written / "kr_definitions")
    assert f"`{told}`".replace("'", '"') in PAGE.read_text(encoding="utf-8")


def refused(written: Path, kind: str) -> str:
    """What is said of an organisation whose source is of a kind."""
    at = written / "kr_definitions" / "acme" / "organisation.yaml"
    at.write_text(at.read_text("utf-8").replace("acme.calendly:CALENDLY", f'"{kind}"'), encoding="utf-8")
    with pytest.raises(DeclarationErrors) as told:
        sources(load("acme", written / "kr_definitions"), str)
    [said] = str(told.value).splitlines()
    assert "organisation.yaml:8: error: source calendly" in said
    return said


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("acme.calendar:CALENDLY", "the module acme.calendar of kind 'acme.calendar:CALENDLY' cannot be imported"),
        (":CALENDLY", "cannot be imported"),
        ("acme.calendly:CALENDY", "acme.calendly has no CALENDY. Did you mean CALENDLY"),
        ("acme.calendly:", "acme.calendly has no name after the colon"),
        ("acme.calendly:Calendly", "is no connector: it is a class. Give it kind, options and streams"),
        ("acme.calendly:PAYLOAD", "is no connector: it is without kind, options, streams"),
        ("hubspott", "no kind of source 'hubspott'. Did you mean hubspot?"),
        ("calendly", "one of your own is package.module:NAME"),
    ],
)
def test_a_kind_that_is_none_is_told_at_its_line(written: Path, kind: str, says: str) -> None:
    assert says in refused(written, kind)


def test_a_module_that_fails_as_it_is_imported_is_told(written: Path) -> None:
    (written / "acme" / "broken.py").write_text("import no_such_module_at_all\n", encoding="utf-8")
    assert "No module named 'no_such_module_at_all'" in refused(written, "acme.broken:X")


def test_each_kind_of_the_list_is_what_it_says() -> None:
    assert {kind: connector(kind).kind for kind in KINDS} == {kind: kind for kind in KINDS}
