"""Whatever text names a command, an option or a target of make, names one that there is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from assets.cli import app

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("assets", "pipelines", "kr_definitions")
TEXTS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "examples").iterdir()),
    *sorted(path for name in PACKAGES for kind in ("py", "yaml") for path in (ROOT / name).rglob(f"*.{kind}")),
]
NAMED = re.compile(r"\bhito (?P<command>[a-z][a-z-]*)(?P<rest>(?:\\\n|(?!, )[^`#&|;\n])*)")
OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z-]*")
ALONE = re.compile(r"`(--[a-z][a-z-]*)[^`]*`")
TARGET = re.compile(r"(?:`|^ {4}|^\$ )make (?P<target>[a-z]+)", re.MULTILINE)

COMMANDS = {
    name: {option for one in command.params for option in (*one.opts, *one.secondary_opts)} | {"--help"}
    for name, command in vars(typer.main.get_command(app))["commands"].items()
}


def wrong(text: str) -> Iterator[str]:
    """The commands that a text names and the options that it gives them, where there are none such."""
    for found in NAMED.finditer(text):
        command = found["command"]
        if command not in COMMANDS:
            yield f"hito {command}"
            continue
        yield from (f"hito {command} {one}" for one in OPTION.findall(found["rest"]) if one not in COMMANDS[command])
    yield from (option for option in ALONE.findall(text) if not any(option in known for known in COMMANDS.values()))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("`hito lint` and the first run", ["hito lint"]),
        ("    hito run --sandbox -o revops --quick  # `--x`", ["hito run --quick", "--x"]),
        ("hito explain X \\\n  --mots 1", ["hito explain --mots"]),
        ("`hito validate`, with `--language en`; `gh pr comment --edit-last`", []),
    ],
)
def test_what_is_not_there_is_found(text: str, told: list[str]) -> None:
    assert list(wrong(text)) == told


def test_each_command_and_option_that_is_named_is_one() -> None:
    found = [f"{path.relative_to(ROOT)}: {one}" for path in TEXTS for one in wrong(path.read_text(encoding="utf-8"))]
    assert found == []


def test_each_target_of_make_that_is_named_is_one() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {one for path in TEXTS for one in TARGET.findall(path.read_text(encoding="utf-8"))}
    assert {"run", "test"} <= named <= targets
