"""Templates of sheets: as they are written, filled in, looked at and read."""

from __future__ import annotations

import csv
import io
from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from string import Formatter
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from assets.cli import app
from assets.home import Home
from kr_definitions.catalogue import load
from kr_definitions.documents import read
from kr_definitions.events import current
from kr_definitions.vocabulary import vocabulary
from pipelines.files import FILES
from pipelines.google_sheets import GOOGLE_SHEETS
from pipelines.load import Lake, Source, bring_up_to_date, fetch
from pipelines.sandbox.stand_in import SharedClock
from pipelines.source import Account, Read, can_be_stored
from pipelines.templates import SPREADSHEET, NoTemplate, declaration, form, header, options, written
from pipelines.templates.checking import Checked, check
from pipelines.templates.forms import FORMS
from pipelines.templates.words import TOLD, Told

NOW = datetime(2026, 4, 10, 5, tzinfo=UTC)
EVERY = pytest.mark.parametrize(("name", "language"), [(name, tongue) for name in FORMS for tongue in ("es", "en")])
HEADER = "id;fecha;zona;folletos"
SAVE = f"Guárdalo como CSV (UTF-8) con esta cabecera: {HEADER}"


def rows_of(name: str, language: Any) -> list[list[str]]:
    text = written(form(name), language).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text), delimiter=";" if language == "es" else ","))


def looked_at(folder: Path, *lines: str, name: str = "flyers", language: Any = "es") -> list[str]:
    path = folder / "mi buzoneo [1].csv"
    path.write_text("\n".join((*lines, "")), encoding="utf-8")
    return [str(one) for one in check(path, form(name), language, NOW.date()).findings]


@EVERY
def test_a_template_names_explains_and_gives_an_example_of_each_column(name: str, language: Any) -> None:
    header, *notes = rows_of(name, language)
    columns = form(name).columns
    assert header == [column.name[language] for column in columns]
    assert len(header) == len({*header}) == len(notes)
    for note, column in zip(notes, columns, strict=True):
        texts = [words[language] for words in (column.name, column.says, column.example)]
        assert note == ["# {}: {} ({})".format(*texts), *[""] * (len(header) - 1)]
        assert all(texts)


@EVERY
def test_a_template_as_it_is_has_no_rows_and_its_example_can_be_read(
    name: str, language: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"{name}.csv"
    path.write_bytes(written(form(name), language))
    columns = form(name).columns
    [nothing] = check(path, form(name), language, NOW.date()).findings
    assert f"({len(columns)})" in nothing.found
    with path.open("a", encoding="utf-8", newline="") as file:
        example = [column.example[language] for column in columns]
        csv.writer(file, delimiter=";" if language == "es" else ",").writerow(example)
    assert check(path, form(name), language, NOW.date()) == Checked([], 1, notes=len(columns))
    monkeypatch.setenv(f"SOURCES__OFFICE__{name.replace('-', '_').upper()}__FOLDER", str(tmp_path))
    [stream] = FILES.streams(Account("office", name, "Europe/Madrid"), options(form(name), language))
    [[record]] = list(stream.fetch(Read(None, NOW, None, SharedClock(tmp_path / "clock.json", NOW))))
    assert record.payload.get("problem") is None
    assert {*stream.feeds} <= {*vocabulary().types}


@EVERY
@pytest.mark.parametrize("kind", ["files", "google_sheets"])
def test_its_declaration_is_one_that_can_be_pasted(name: str, language: Any, kind: Any) -> None:
    text = declaration(form(name), language, kind)
    assert max(map(len, text.splitlines())) <= 120
    content = read(f"sources:\n{text}", "organisation.yaml").content["sources"][name]
    of_kind: Any = {"files": FILES, "google_sheets": GOOGLE_SHEETS}[kind]
    if kind == "google_sheets":
        with pytest.raises(ValidationError, match="PASTE-ITS-ID is no id of a spreadsheet"):
            of_kind.options.model_validate(content["options"])
        content["options"]["spreadsheet"] = "1" * 44
    understood = of_kind.options.model_validate(content["options"])
    assert {*understood.streams[form(name).stream].used} == {column.name[language] for column in form(name).columns}


def validated(folder: Path, sources: str, monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """What `hito validate` says of an organisation that has these sources."""
    (folder / "office").mkdir()
    organisation = "id: office\ntitle: {es: O, en: O}\nzone: Europe/Madrid\ncountry: ES\ncurrency: EUR\nsources:\n"
    (folder / "office" / "organisation.yaml").write_text(organisation + sources, encoding="utf-8")
    monkeypatch.setenv("HITO_DEFINITIONS", str(folder))
    monkeypatch.setenv("HITO_HOME", str(folder / "home"))
    done = CliRunner().invoke(app, ["validate", "-o", "office"])
    return done.exit_code, done.output


@pytest.mark.parametrize("language", ["es", "en"])
@pytest.mark.parametrize("kind", ["files", "google_sheets"])
def test_an_organisation_that_pasted_every_declaration_is_valid_and_its_streams_can_be_stored(
    kind: Any, language: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pasted = "".join(declaration(one, language, kind) for one in FORMS.values()).replace(SPREADSHEET, "a" * 44)
    code, told = validated(tmp_path, pasted, monkeypatch)
    assert (code, "error" in told) == (0, False)
    sources = Home.from_environment().sources(load("office", tmp_path))
    streams = [stream.name for source in sources for stream in source.streams()]
    assert {one.stream for one in FORMS.values()} <= {*streams}
    assert [name for name in streams if not can_be_stored(name)] == []


def test_a_stream_that_cannot_be_stored_is_told_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pasted = declaration(form("campaign-spend"), "es").replace("campaign_spend:", "campaign-spend:")
    code, told = validated(tmp_path, pasted, monkeypatch)
    line = 1 + (tmp_path / "office" / "organisation.yaml").read_text().splitlines().index("        campaign-spend:")
    assert (code, f"organisation.yaml:{line}: error: source campaign-spend: " in told) == (1, True)
    assert "'campaign-spend' cannot be a stream's name. Name it in small letters" in told
    assert "joined by single underscores: campaign_spend" in told


def test_what_is_filled_in_is_read_and_counted_under_the_declaration_as_it_was_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "campaign-spend.csv").write_text("id;fecha;campana;importe;moneda\nG1;31/3/2026;sol;1250,5;EUR\n")
    monkeypatch.setenv("SOURCES__OFFICE__CAMPAIGN_SPEND__FOLDER", str(tmp_path))
    account = Account("office", "campaign-spend", "Europe/Madrid")
    source = Source(FILES, account, options(form("campaign-spend"), "es"))
    lake = Lake(tmp_path / "lake")
    [loaded] = fetch(source, lake, SharedClock(tmp_path / "clock.json", NOW), NOW)
    bring_up_to_date([source], lake, NOW)
    assert (loaded.failure, loaded.inserted) == (None, 1)
    spent = current(lake.log.scan()).filter(pl.col("event_type") == "expense.recorded")
    assert spent.select("subject_id", "amount", "currency", "campaign").collect().rows() == [
        ("G1", Decimal("1250.5"), "EUR", "sol")
    ]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (
            "F1;31/2/2026;Sol;200",
            "2, fecha: '31/2/2026' no es un día que exista, escrito como 31/03/2026. el día (31/0",
        ),
        ("F1;2026-03-31;Sol;200", "2, fecha: '2026-03-31' no es un día que exista, escrito como 31/03/2026. el día (3"),
        (
            "F1;31/3/26;Sol;200",
            "2, fecha: '31/3/26' no es un día que exista, escrito como 31/03/2026. el día (31/03/20",
        ),
        ("F1;1/3/2062;Sol;200", "2, fecha: '1/3/2062' está en el futuro. el día (31/03/2026)"),
        ("F1;1/3/1926;Sol;200", "2, fecha: '1/3/1926' es anterior al año 2000. el día (31/03/2026)"),
        ("F1;1/3/2026;Sol;muchos", "2, folletos: 'muchos' no es un número escrito con ',' decimal y sin separar los"),
        ("F1;1/3/2026;Sol;1,25e3", "2, folletos: '1,25e3' está escrito con exponente, y se leería como 1250. Escribe"),
        (
            "F1;1/3/2026;Sol;-5",
            "2, folletos: '-5': folletos tiene que ser mayor que cero. cuántos se repartieron (200)",
        ),
        ("F1;;Sol;5", "2, fecha: está vacío. el día (31/03/2026)"),
        (";1/3/2026;Sol;5", "2, id: está vacío. un código que nunca se repite ni cambia (F-001)"),
        ("F1;1/3/2026;ana@empresa.example;5", "2, zona: lleva una dirección de correo, que nunca se guarda. Escribe"),
        ("F1;1/3/2026;Sol;5;6", "2: tiene 5 celdas, donde la cabecera tiene 4. Escribe una celda por columna"),
        ("F1;1/3/2026", "2: tiene 2 celdas, donde la cabecera tiene 4. Escribe una celda por columna"),
    ],
)
def test_what_is_wrong_is_told_by_row_and_column_with_what_to_do(tmp_path: Path, row: str, told: str) -> None:
    [found] = looked_at(tmp_path, HEADER, row)
    assert found.startswith(f"mi buzoneo [1].csv fila {told}")


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    lines = ("F1;1/3/2026;Sol;200", "F1;31/2/2026;;muchos", "", ";x;;", "# una nota", "F2;2/3/2026;;1.200")
    found = [one.split(".csv ")[1].split(": ")[0] for one in looked_at(tmp_path, HEADER, *lines)]
    assert found == [
        "fila 3, fecha", "fila 3, folletos", "fila 3, id",  # the code of row 2
        "fila 5, fecha", "fila 5, folletos", "fila 5, id",
        "fila 7, folletos",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ((), [f": está vacío: no tiene ni cabecera. {SAVE}"]),
        (
            (HEADER,),
            [
                ": no tiene más que la cabecera. Escribe una fila por cada caso; una que empieza por '#' y no dice "
                "nada en sus otras celdas es una nota"
            ],
        ),
        ((";;;", ""), [f": está vacío: no tiene ni cabecera. {SAVE}"]),
        (
            ("", ";;;", HEADER),
            [" fila 1: está en blanco, y la cabecera está en la fila 3. Borra las filas que hay encima de la cabecera"],
        ),
        (
            ("id,fecha,zona,folletos",),
            [
                " fila 1: tiene una sola columna, 'id,fecha,zona,folletos', donde las columnas se separan con ';'. "
                f"Guárdalo como CSV separado por ';', con esta cabecera: {HEADER}"
            ],
        ),
        (
            ("id;dia;zona;Folletos repartidos",),
            [
                f" fila 1, fecha: falta la columna; hay id, dia, zona, Folletos repartidos. La cabecera es {HEADER}",
                " fila 1, folletos: falta la columna; hay una que se llama 'Folletos repartidos'. Llámala folletos, "
                "sin más",
            ],
        ),
        (
            ("id ;Fecha;zona;folletos",),
            [
                " fila 1, id: falta la columna; hay una que se llama 'id '. Llámala id, sin más",
                " fila 1, fecha: falta la columna; hay una que se llama 'Fecha'. Llámala fecha, sin más",
            ],
        ),
        (
            ("id;fecha;fecha;folletos",),
            [
                " fila 1, fecha: hay 2 columnas que se llaman así. Deja una, y llama a la otra por su nombre: la "
                f"cabecera es {HEADER}",
                f" fila 1, zona: falta la columna; hay id, fecha, fecha, folletos. La cabecera es {HEADER}",
            ],
        ),
        (
            (HEADER, 'F1;1/3/2026;"Sol;5'),
            [
                " fila 2: unas comillas no se cierran, o siguen letras a las que cierran. Cierra las comillas, o "
                "quítalas; las que son parte de un texto se escriben dobles"
            ],
        ),
        ((HEADER, "F1;\x00;Sol;5"), [f": no es texto: tiene caracteres NUL. {SAVE}"]),
    ],
)
def test_a_file_that_is_no_filled_in_template_is_told_as_a_whole(
    tmp_path: Path, lines: tuple[str, ...], told: list[str]
) -> None:
    path = tmp_path / "x.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    assert [str(one) for one in check(path, form("flyers"), "es", NOW.date()).findings] == [
        f"x.csv{one}" for one in told
    ]


def test_a_file_in_another_encoding_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(f"{HEADER}\nF1;1/3/2026;Chamberí;5\n".encode("windows-1252"))
    [found] = check(path, form("flyers"), "es", NOW.date()).findings
    assert str(found) == "x.csv: lo que hay en la línea 2 no es UTF-8. Guárdalo como CSV UTF-8"


def test_all_is_told_in_the_language_of_the_template(tmp_path: Path) -> None:
    lines = ("id,date,area,flyers", "F1,2026-02-31,Sol,-5", "F1,2026-03-01,Sol", "F1,,Sol,many")
    assert looked_at(tmp_path, *lines, language="en") == [
        f"mi buzoneo [1].csv row {told}"
        for told in (
            "2, date: '2026-02-31' is not a day that there is, written as 2026-03-31. the day (2026-03-31)",
            "2, flyers: '-5': flyers has to be more than zero. how many were handed out (200)",
            "3: has 3 cells, where the header has 4. Write a cell for each column; a text that holds ',' goes in "
            "quotes",
            "3, id: 'F1' is in row 2 as well. Give each row a code of its own",
            "4, date: is empty. the day (2026-03-31)",
            "4, flyers: 'many' is not a number written with '.' before its decimals and no sign between thousands. how "
            "many were handed out (200)",
            "4, id: 'F1' is in row 2 as well. Give each row a code of its own",
        )
    ]
    for one in fields(Told):
        spanish, english = (getattr(TOLD[language], one.name) for language in ("es", "en"))
        holes = [{name for _, name, *_ in Formatter().parse(text) if name} for text in (spanish, english)]
        assert (spanish != english, holes[0]) == (True, holes[1])


@pytest.mark.parametrize(
    ("name", "row", "told"),
    [
        ("audits", "A1;3/3/2026;CRM;98", "acierto: '98': acierto va de 0 a 1. parte que estaba bien, de 0 a 1: 98 de "
         "cada 100 es 0,98 (0,98)"),
        ("campaign-spend", "G1;3/3/2026;sol;5;€", "moneda: '€' no es un código de tres letras mayúsculas. su código "
         "de tres letras mayúsculas (EUR)"),
        ("campaign-spend", "G1;3/3/2026;sol;5;eur", "moneda: 'eur' no es un código de tres letras mayúsculas. su "
         "código de tres letras mayúsculas (EUR)"),
    ],
)  # fmt: skip
def test_what_a_row_may_not_say_is_told_with_its_column_what_stands_there_and_what_to_write(
    tmp_path: Path, name: str, row: str, told: str
) -> None:
    assert looked_at(tmp_path, header(form(name), "es"), row, name=name) == [f"mi buzoneo [1].csv fila 2, {told}"]


def test_a_training_is_not_completed_before_it_was_assigned(tmp_path: Path) -> None:
    header, row = "id;curso;equipo;persona;asignada;terminada", "T1;CRM;ventas;Ana;3/3/2026;{}"
    assert looked_at(tmp_path, header, row.format(""), name="trainings") == []
    [found] = looked_at(tmp_path, header, row.format("2/3/2026"), name="trainings")
    assert "fila 2, terminada: '2/3/2026' (asignada '3/3/2026'): terminada es anterior a asignada. el día" in found
    both = looked_at(tmp_path, header, row.replace("CRM", "").format("2/3/2026"), name="trainings")
    assert [one.partition(": ")[2] for one in both] == [
        "está vacío. qué curso (Procesos de venta)",
        "'2/3/2026' (asignada '3/3/2026'): terminada es anterior a asignada. el día en que se terminó; vacío si no "
        "(31/03/2026)",
    ]  # fmt: skip


def test_a_name_that_is_none_is_told_with_the_nearest() -> None:
    with pytest.raises(NoTemplate, match="there is no template 'flyer': choose flyers"):
        form("flyer")


def test_the_command_lists_writes_and_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HITO_NOW", NOW.isoformat())

    def hito(*given: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["template", *given])
        return done.exit_code, done.output

    assert all(name in hito()[1] for name in FORMS)
    code, told = hito("flyers", "--folder", str(tmp_path / "new"))
    assert (code, "type: flyers.distributed" in told) == (0, True)
    path = tmp_path / "new" / "flyers.csv"
    assert path.read_bytes() == written(form("flyers"), "es")
    assert hito("flyers", "--folder", str(tmp_path / "new"))[0] == 1
    assert path.read_bytes() == written(form("flyers"), "es")
    code, told = hito("flyers", "--check", str(path))
    assert (code, "flyers.csv: no tiene más que la cabecera y notas (4). Escribe una fila" in told) == (1, True)
    path.write_text(f"{HEADER}\n# F0;;;\n#1;1/3/2026;Sol;5\n#1;1/3/2026;Sol;5\n", encoding="utf-8")
    all_right = (
        "2 filas, todas se pueden leer; 1 fila repite otra letra por letra, y cuenta una sola vez; 1 nota no cuenta"
    )
    assert hito("flyers", "--check", str(path)) == (0, f"flyers.csv: {all_right}\n")
    path.write_text(f"{HEADER}\nF1;x;Sol;y\n", encoding="utf-8")
    code, told = hito("flyers", "--check", str(path))
    assert (code, told.count("flyers.csv fila 2"), "2 problemas" in told) == (1, 2, True)
    code, told = hito("--check", str(path))
    assert (code, "name the template that" in told, "flyers, events" in told) == (2, True, True)
    assert hito("flyer")[0] == hito("flyers", "--check", str(tmp_path / "none.csv"))[0] == 1
    assert "PASTE-ITS-ID" in hito("audits", "--kind", "google_sheets", "--folder", str(tmp_path))[1]


def test_a_day_is_one_until_it_is_over(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"{HEADER}\nF1;10/4/2026;Sol;5\n", encoding="utf-8")
    assert check(path, form("flyers"), "es", date(2026, 4, 10)) == Checked([], 1)
