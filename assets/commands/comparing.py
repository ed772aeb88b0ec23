"""What is deployed of an organisation, for `hito diff`: from the lake with its log, or from the published file alone.

Belongs here: gathering it. Does not: how it is compared (`kr_definitions.changes`), what is said of it (`diff_words`).

Nothing is written: no lock is taken, and a table that is being written to is read as it last was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path

import polars as pl

from assets import steps
from assets.commands.declared import other_declarations
from assets.commands.deployed import NotToBeHad
from assets.commands.known import has_log
from assets.home import Home, last_whole_day
from assets.publication import PublicationError, read
from assets.publication.tables import as_written
from kr_definitions.catalogue import Catalogue, recalled, strays
from kr_definitions.changes import Changes, Deployed, changes
from kr_definitions.documents import DeclarationErrors, Problem
from kr_definitions.editions import EDITIONS_SCHEMA
from kr_definitions.history import HISTORY_SCHEMA
from kr_definitions.memory import Memory
from kr_definitions.organisation import Organisation
from pipelines import lake

_TABLES = ("editions", "progress_history", "key_results", "objectives", "organisations")


def compared(home: Home, named: Sequence[str] | None, published: Path | None, now: datetime) -> list[Changes]:
    """What the declarations of these organisations would do; without names, of all of which anything is deployed.

    published: the file to compare with; without it, each one's lake, or else the home's own file. Raises
    `DeclarationErrors` with what is wrong in any of them, `NotToBeHad` where nothing was ever deployed.
    """
    catalogues: list[Catalogue] = []
    problems: list[Problem] = []
    for name in _chosen(home, named):
        try:
            catalogue = home.catalogue(name)
            home.sources(catalogue)
            catalogues.append(catalogue)
        except DeclarationErrors as errors:
            problems += errors.problems
    if problems:
        raise DeclarationErrors(problems)
    tables = _published(home, published)
    if not named:
        here = [one for one in catalogues if _is_deployed(home, one.organisation.id, tables, published)]
        catalogues = (here or catalogues) + _no_longer_declared(home, tables, published)
    return [changes(catalogue, _deployed(home, catalogue, tables, now, published)) for catalogue in catalogues]


def remarks(home: Home, named: Sequence[str] | None, published: Path | None, found: Sequence[Changes]) -> list[str]:
    """What somebody who reads a comparison has to know of what it is about: a line each."""
    told = [other] if (other := other_declarations(home, Path.cwd())) is not None else []
    left_out = [] if named else sorted(set(home.organisations()) - {one.organisation for one in found})
    if left_out:
        told.append(f"nothing is deployed of {', '.join(left_out)}: left out (-o compares one all the same)")
    for one in found:
        if published is None and not one.has_log and _has_lake(home, one.organisation):
            log = home.lake(one.organisation).log.path
            told.append(f"{one.organisation}: its log is not in {log}: compared with what was reported. Restore it")
    return told


def _is_deployed(
    home: Home, organisation: str, tables: Mapping[str, pl.DataFrame] | None, published: Path | None
) -> bool:
    """Whether there is anything of an organisation to compare with."""
    if tables is not None and organisation in tables["organisations"].get_column("organisation"):
        return True
    return published is None and _has_lake(home, organisation)


def _no_longer_declared(
    home: Home, tables: Mapping[str, pl.DataFrame] | None, published: Path | None
) -> list[Catalogue]:
    """What is declared of organisations that are deployed and have no declarations any more: nothing."""
    declared = set(home.organisations())
    editions: dict[str, pl.DataFrame] = {}
    if tables is not None:
        for name in sorted({*tables["organisations"].get_column("organisation")} - declared):
            editions[name] = _in_shape(_of(name, tables["editions"]), EDITIONS_SCHEMA)
    if published is None:
        for name in sorted({*home.remembered()} - declared):
            editions[name] = steps.memory(home, name).complete().editions
    return [Catalogue(whose, (), ()) for rows in editions.values() if (whose := _whose(rows)) is not None]


def _whose(editions: pl.DataFrame) -> Organisation | None:
    """The organisation that editions are of, as it was when the last of them began; None where that is not known."""
    for declared, file in editions.sort("recorded_at").select("declared", "definition_file").reverse().iter_rows():
        with suppress(DeclarationErrors):
            if declared is not None:
                return recalled(declared, file)[1]
    return None


def _chosen(home: Home, named: Sequence[str] | None) -> list[str]:
    if named:
        return list(dict.fromkeys(named))
    if without := strays(home.definitions):
        where = f"{home.definitions.name}/{without[0]}"
        raise NotToBeHad(f"{where} has declarations but no organisation.yaml: add or remove it")
    if not home.organisations():
        raise NotToBeHad(f"{home.definitions} declares no organisation: it has no folder with an organisation.yaml")
    return home.organisations()


def _published(home: Home, given: Path | None) -> Mapping[str, pl.DataFrame] | None:
    """The published tables; None where there is no file beside a lake."""
    if given is not None:
        return read(given, _TABLES)
    is_any_lake = any(_has_lake(home, name) for name in home.organisations())
    if not home.published.exists() and not is_any_lake:
        raise NotToBeHad(
            f"there is nothing to compare with: {home.root} has neither tables nor a published file. "
            "Run hito run first, or name the file that was published (--published)"
        )
    if not is_any_lake:
        return read(home.published, _TABLES)
    with suppress(PublicationError):  # what readers are told is not known then; the figures are in the lake
        return read(home.published, _TABLES)
    return None


def _has_lake(home: Home, organisation: str) -> bool:
    paths = (home.editions(organisation), home.history(organisation), home.lake(organisation).log.path)
    return any(lake.version(path) is not None for path in paths)


def _deployed(
    home: Home,
    catalogue: Catalogue,
    tables: Mapping[str, pl.DataFrame] | None,
    now: datetime,
    published: Path | None,
) -> Deployed:
    organisation = catalogue.organisation.id
    of_file = {} if tables is None else {name: _of(organisation, rows) for name, rows in tables.items()}
    is_told = "organisations" in of_file and of_file["organisations"].height > 0
    described = of_file["key_results"] if is_told else None
    objectives = of_file["objectives"] if is_told else None
    otherwise = last_whole_day(catalogue.organisation.zone, now)
    if published is None and _has_lake(home, organisation):
        memory = steps.memory(home, organisation)
        through = _last_day(memory) or otherwise
        log = home.lake(organisation).log.scan() if has_log(home, organisation) else None
        feeds = steps.feeds(home.sources(catalogue)) if catalogue.document is not None else None
        return Deployed(memory, through, log, feeds if log is not None else None, described, objectives)
    if not is_told:
        return Deployed(Memory(), otherwise)
    memory = Memory(
        _in_shape(of_file["progress_history"], HISTORY_SCHEMA).lazy(), _in_shape(of_file["editions"], EDITIONS_SCHEMA)
    )
    newest: date | None = of_file["organisations"].item(0, "newest_day")
    return Deployed(memory, newest or otherwise, described=described, objectives=objectives)


def _of(organisation: str, rows: pl.DataFrame) -> pl.DataFrame:
    return as_written(rows.filter(pl.col("organisation") == organisation))


def _in_shape(rows: pl.DataFrame, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Published rows with the columns that they have in the lake; null what is not published."""
    return rows.select(
        (pl.col(name) if name in rows.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in schema.items()
    )


def _last_day(memory: Memory) -> date | None:
    """The last day that a run computed."""
    found = memory.computations.get_column("through").max()
    if found is None:
        found = memory.history.select(pl.col("as_of").max()).collect().item()
    return found if isinstance(found, date) else None
