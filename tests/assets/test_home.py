"""Where things are: the same wherever a command is started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from assets.home import Home

PROJECT = Path(__file__).resolve().parents[2]
SECRET = "sources.somebody.hubspot.access_token"


def said(code: str, folder: Path, **environment: str) -> str:
    """What code prints, run in a folder."""
    clean = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    command = [sys.executable, "-c", f"from assets.home import Home; Home.from_environment()\n{code}"]
    done = subprocess.run(command, env={**clean, **environment}, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize("folder", [PROJECT, PROJECT / "assets", Path("/")])
def test_secrets_are_the_projects_wherever_a_command_is_started(folder):
    where = "from dlt.common.runtime import run_context; print(run_context.active().settings_dir)"
    assert said(where, folder) == str(PROJECT / ".dlt")


def test_secrets_of_another_folder_are_read_where_it_is_named(tmp_path):
    (tmp_path / ".dlt").mkdir()
    (tmp_path / ".dlt" / "secrets.toml").write_text('[sources.somebody.hubspot]\naccess_token = "found"\n')
    read = f"import dlt; print(dlt.secrets.get({SECRET!r}))"
    assert said(read, PROJECT, DLT_PROJECT_DIR=str(tmp_path)) == "found"
    assert said(read, tmp_path) == "None"


def test_an_address_has_one_pseudonym_however_a_sheet_writes_it(tmp_path):
    pseudonym = Home(tmp_path).pseudonym("agencia")
    assert pseudonym("marta@correo.example") == pseudonym(" Marta@Correo.Example ")
    assert pseudonym("Marta") != pseudonym("marta")  # an id of which nobody knows whether its case counts
