"""The mapping of Witei's exports that ships, on files that were made up: Witei's are not known (docs/sources.md)."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from kr_definitions.events import COVERED, current
from pipelines.files import FILES
from pipelines.files.declaration import read_declaration
from pipelines.load import Lake, Source, bring_up_to_date, fetch
from pipelines.sandbox.stand_in import SharedClock
from pipelines.source import Account

DECLARED = Path(__file__).parents[2] / "docs" / "examples" / "witei.yaml"
MARCH = datetime(2026, 3, 20, 12, tzinfo=UTC)

CONTACTS = """\
ID;Nombre;Email;Teléfono;Tipo;Origen;Fecha de alta;Notas
101;Ana Ruiz;ana@correo.example;600 112 233;Comprador;idealista;02/03/2026 09:30;Llamar a Ana
102;Luis Gil;;600112234;Inquilino;Web;29/03/2025 23:59;
103;Eva Sanz;eva@correo.example;;Propietario;Web;03/03/2026 10:00;Vende
"""
PROPERTIES = """\
Referencia;Tipo;Operación;Población;Precio;Exclusiva;Fecha de captación;Estado;Propietario;Dirección
EP-01;Piso;Venta;Getafe;185.000,50;Sí;04/03/2026;Disponible;Eva Sanz;Calle Mayor 1
EP-02;Local;Alquiler;Madrid;900;No;05/03/2026;Vendido;Eva Sanz;Calle Mayor 2
EP-03;Ático;Venta;Madrid;;No;06/03/2026;Prospecto;Eva Sanz;Calle Mayor 3
"""


def loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *contents: tuple[str, str]) -> Lake:
    """What is known after files of these names and contents were there, one after the other."""
    folder, lake = tmp_path / "exports", Lake(tmp_path / "lake")
    folder.mkdir()
    monkeypatch.setenv("SOURCES__AGENCIA__WITEI__FOLDER", str(folder))
    account = Account("agencia", "witei", "Europe/Madrid", lambda person: f"pseudonym of {len(person)}")
    source = Source(FILES, account, read_declaration(DECLARED))
    for name, content in contents:
        (folder / name).write_text(content, encoding="utf-8")
        os.utime(folder / name, (MARCH.timestamp(), MARCH.timestamp()))
    loads = fetch(source, lake, SharedClock(tmp_path / "clock.json", MARCH), MARCH)
    assert {load.stream: load.failure for load in loads} == {"contactos": None, "inmuebles": None}
    bring_up_to_date([source], lake, MARCH)
    return lake


def test_exports_become_leads_and_properties_and_nothing_of_people_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = loaded(tmp_path, monkeypatch, ("contactos.csv", CONTACTS), ("inmuebles.csv", PROPERTIES))
    events = current(lake.log.scan()).filter(pl.col("event_type") != COVERED).sort("event_type", "subject_id").collect()
    leads = events.filter(pl.col("event_type") == "lead.created")
    assert leads.select("subject_id", "occurred_at", "channel").rows() == [
        ("101", datetime(2026, 3, 2, 8, 30, tzinfo=UTC), "portal"),
        ("102", datetime(2025, 3, 29, 22, 59, tzinfo=UTC), "web"),
    ]  # fmt: skip
    captured = events.filter(pl.col("event_type") == "listing.captured")
    said = captured.select("subject_id", "occurred_at", "mandate", "market", "category", "amount", "currency")
    assert said.rows() == [
        ("EP-01", datetime(2026, 3, 3, 23, tzinfo=UTC), "exclusive", "Getafe", "flat", Decimal("185000.5"), "EUR"),
        ("EP-02", datetime(2026, 3, 4, 23, tzinfo=UTC), "open", "Madrid", "premises", 900, "EUR"),
    ]  # fmt: skip
    assert lake.quarantine().collect().is_empty()
    stored = "\n".join(
        payload for name in ("contactos", "inmuebles") for payload in lake.raw.scan("witei", name).collect()["payload"]
    )
    assert stored
    assert not [word for word in ("Ana", "Eva", "correo", "600", "Mayor", "Llamar") if word in stored]


def test_a_day_that_is_written_otherwise_is_set_aside_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = loaded(
        tmp_path, monkeypatch, ("contactos.csv", CONTACTS),
        ("inmuebles.csv", PROPERTIES.replace("04/03/2026", "2026-03-04").replace("900", "900 €")),
    )  # fmt: skip
    said = lake.quarantine().sort("record_key").select("record_key", "problem").collect().rows()
    assert [key for key, _ in said] == ["EP-01", "EP-02"]
    assert "is not a time written as %d/%m/%Y" in said[0][1]
    assert "Precio: '999 €' is not a number" in said[1][1]


def test_a_file_with_other_columns_changes_nothing_and_says_which_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AssertionError, match="Referencia"):
        loaded(
            tmp_path, monkeypatch, ("contactos.csv", CONTACTS),
            ("inmuebles.csv", PROPERTIES.replace("Referencia", "Ref.")),
        )  # fmt: skip
