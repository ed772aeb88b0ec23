"""What the tutorial says that its commands answer is what they answer."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kr_definitions.catalogue import FOLDER

PROJECT = Path(__file__).resolve().parents[2]
TEXT = (PROJECT / "docs" / "tutorial.md").read_text(encoding="utf-8")
DECLARATION = TEXT.split("```yaml\n")[1].split("```")[0]

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture
def declared(tmp_path: Path) -> Path:
    """The shipped declarations of the agency, with the tutorial's."""
    folder = tmp_path / "kr_definitions"
    shutil.copytree(FOLDER / "inmobiliaria", folder / "inmobiliaria")
    with (folder / "inmobiliaria" / "clientes.yaml").open("a", encoding="utf-8") as file:
        file.write(DECLARATION)
    return folder


def sessions() -> Iterator[tuple[str, list[str]]]:
    """Each command, as a shell gets it, and the lines that it is said to answer."""
    for block in TEXT.split("```console\n")[1:]:
        for session in block.split("```")[0].split("$ ")[1:]:
            lines = session.splitlines()
            command = [lines[0], *(line.removeprefix("> ") for line in lines[1:] if line.startswith("> "))]
            yield "\n".join(command), [line for line in lines[1:] if not line.startswith("> ") and line != "…"]


def answer(commands: str, definitions: Path, home: Path) -> str:
    """What a shell answers to commands, at the project, with a home of the test's own."""
    clean = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "PYTHONPATH") if name in os.environ}
    done = subprocess.run(
        [
            "bash",
            "-ec",
            commands.replace(".venv/bin/", f"{Path(sys.executable).parent}/").replace(".hito/tutorial", str(home)),
        ],
        cwd=PROJECT,
        env={**clean, "HITO_DEFINITIONS": str(definitions), "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    return done.stdout + done.stderr


def is_told(expected: str, answered: str) -> bool:
    """Whether a line of an answer is as expected, on whichever line of its file a declaration stands."""
    pattern = re.sub(r"\\.yaml:[0-9]+:", r"\\.yaml:[0-9]+:", re.escape(" ".join(expected.split()))).replace("…", ".*")
    return any(re.fullmatch(pattern, " ".join(line.split())) for line in answered.splitlines())


def test_every_command_answers_what_it_is_said_to(declared: Path, tmp_path: Path) -> None:
    exported = ""
    for command, expected in sessions():
        if command.startswith("export "):
            exported = f"{command}\n"
            continue
        answered = answer(exported + command, declared, tmp_path / "home")
        assert [line for line in expected if not is_told(line, answered)] == [], answered


def test_a_mistake_is_told_as_it_is_said_to(declared: Path, tmp_path: Path) -> None:
    file = declared / "inmobiliaria" / "clientes.yaml"
    file.write_text(file.read_text("utf-8").replace("to: ticket.solved}", "to: ticket.solve}"), encoding="utf-8")
    expected = TEXT.split("```text\n")[1].split("```")[0]
    answered = answer(".venv/bin/hito validate -o inmobiliaria", declared, tmp_path / "home")
    assert is_told(expected, answered), answered
