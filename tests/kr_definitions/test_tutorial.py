"""The tutorial's declaration can be merged as it stands."""

from __future__ import annotations

import shutil
from pathlib import Path

from kr_definitions import catalogue

ROOT = Path(__file__).parents[2]


def test_the_tutorials_key_result_is_declared_without_a_mistake(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    written = text.split("```yaml\n")[1].split("```")[0]
    shutil.copytree(catalogue.FOLDER / "inmobiliaria", tmp_path / "inmobiliaria")
    with (tmp_path / "inmobiliaria" / "clientes.yaml").open("a", encoding="utf-8") as file:
        file.write(f"\n{written}")
    found = catalogue.load("inmobiliaria", tmp_path)
    added = {d.id for d in found.definitions} - {d.id for d in catalogue.load("inmobiliaria").definitions}
    assert added == {"inmobiliaria.clientes.resolucion"}
