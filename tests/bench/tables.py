"""What benchmarks read of tables: a database's, a spreadsheet's, a file's, and the European Central Bank's."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

from bench import Bench
from starlette.types import ASGIApp

from pipelines.sandbox.stand_in import Desk, SharedClock


def sql() -> Bench:
    """Rows of a table that says what is so now, as a warehouse has them."""
    from warehouse import NOW

    from pipelines.sql import SQL, SqlOptions

    won = {"type": "deal.won", "when": "stage = 'won'", "at": "closed_at", "subject": "id"}
    deals = {
        "table": "deal", "delivery": "changes", "cursor": "updated_at", "key": "id", "zone": "UTC",
        "columns": {"amount": "number"}, "events": [{**won, "amount": "amount", "currency": "'EUR'"}],
    }  # fmt: skip

    def make(records: int, folder: Path) -> None:
        with closing(sqlite3.connect(folder / "crm.db")) as table:
            table.execute(
                "CREATE TABLE deal (id INTEGER PRIMARY KEY, stage TEXT, amount NUMERIC(10, 2), closed_at DATETIME, "
                "updated_at DATETIME, note TEXT)"
            )
            closed = (f"{NOW - timedelta(days=60) + timedelta(seconds=n):%Y-%m-%d %H:%M:%S}" for n in range(records))
            rows = ((n, "won" if n % 3 == 0 else "open", n * 1.5, at, at, "x" * 200) for n, at in enumerate(closed))
            table.executemany("INSERT INTO deal VALUES (?, ?, ?, ?, ?, ?)", rows)
            table.commit()

    def rows(folder: Path) -> int:
        with closing(sqlite3.connect(folder / "crm.db")) as table:
            asked = table.execute("SELECT id, stage, amount, closed_at, updated_at FROM deal ORDER BY updated_at, id")
            return sum(1 for _ in asked)

    def credentials(folder: Path) -> Mapping[str, str]:
        return {"credentials": f"sqlite:///{folder / 'crm.db'}"}

    options = SqlOptions.model_validate({"streams": {"deals": deals}})
    return Bench(SQL, options, "deals", NOW, make=make, rows=rows, open=credentials)


def google_sheets() -> Bench:
    """Rows of a sheet that is as wide as a new one."""
    from helpdesk_office import at, company

    from pipelines.google_sheets import GOOGLE_SHEETS, SheetsOptions
    from pipelines.sandbox.google_sheets import CREDENTIALS, SPREADSHEET, app

    rule = {"type": "flyers.distributed", "at": "fecha", "subject": "id", "quantity": "folletos"}
    stream = {"sheet": "Buzoneo", "key": "id", "columns": {"folletos": "number"}, "events": [rule]}
    options = SheetsOptions.model_validate({"spreadsheet": SPREADSHEET, "streams": {"buzoneo": stream}})

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        rows = [[f"F{n}", 45_000 + n % 1_000, n % 300] for n in range(records)]
        return app(Desk(company(), at(10), clock), tabs={"Buzoneo": [["id", "fecha", "folletos"], *rows]})

    return Bench(GOOGLE_SHEETS, options, "buzoneo", at(10), CREDENTIALS, serve)


def files() -> Bench:
    """Rows of a CSV file that is a state, exported anew each time."""
    from helpdesk_office import at

    from pipelines.files import FILES, FilesOptions

    name = "buzoneo.csv"
    rule = {"type": "flyers.distributed", "at": {"column": "fecha", "format": "%d/%m/%Y"}, "subject": "id"}
    stream = {
        "path": name, "format": {"type": "csv", "separator": ";"}, "delivery": "snapshot", "key": "id",
        "columns": {"folletos": "number"}, "covers": {"through": "reading"},
        "events": [{**rule, "quantity": "folletos", "attributes": {"market": "zona"}}],
    }  # fmt: skip

    def make(records: int, folder: Path) -> None:
        with (folder / name).open("w", encoding="utf-8") as file:
            file.write("id;fecha;zona;folletos;nota\n")
            days = [f"{at(1) - timedelta(days=n):%d/%m/%Y}" for n in range(1_000)]
            file.writelines(f"F{n};{days[n % 1_000]};Retiro;{n % 300};{'x' * 100}\n" for n in range(records))

    def rows(folder: Path) -> int:
        with (folder / name).open(encoding="utf-8", newline="") as file:
            return sum(1 for _ in csv.reader(file, delimiter=";")) - 1

    def configured(folder: Path) -> Mapping[str, str]:
        return {"folder": str(folder)}

    options = FilesOptions.model_validate({"streams": {"buzoneo": stream}})
    return Bench(FILES, options, "buzoneo", at(10), make=make, rows=rows, open=configured)


def ecb() -> Bench:
    """All rates of all currencies of which there are some today, since the first day: one table, about 190,000 rates.

    There are no more, whatever `records` says.
    """
    from helpdesk_office import at, company

    from pipelines.ecb import ECB, EcbOptions
    from pipelines.sandbox.ecb import MIDDLES, OTHERS, app

    def serve(records: int, clock: SharedClock) -> ASGIApp:
        return app(Desk(company(), at(10), clock), date(1999, 1, 4), (*MIDDLES, *OTHERS))

    return Bench(ECB, EcbOptions(currencies=[*MIDDLES, *OTHERS]), "reference_rates", at(10), app=serve)
