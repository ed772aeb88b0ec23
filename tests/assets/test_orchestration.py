"""What Dagster is told: the assets, their checks, the schedule; and that it costs no secret, network or clock."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from assets.home import Home
from assets.orchestration import definitions, job_name, key_result_key

PROJECT = Path(__file__).resolve().parents[2]
GRAPH = Path(__file__).with_name("asset_graph.txt")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return Home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def defs(home):
    return definitions(home)


def test_a_changed_asset_graph_is_a_visible_diff(defs):
    """To accept a change: pytest -k asset_graph, look at the diff, and put what it prints into asset_graph.txt."""
    graph = defs.resolve_asset_graph()
    lines = []
    for key in sorted(graph.get_all_asset_keys(), key=lambda key: key.path):
        node = graph.get(key)
        parents = ", ".join(sorted(parent.to_user_string() for parent in node.parent_keys))
        checks = ", ".join(sorted(check.name for check in node.check_keys))
        lines.append(f"{key.to_user_string()} <- {parents or 'the world'}{f' [{checks}]' if checks else ''}")
    assert GRAPH.read_text(encoding="utf-8").splitlines() == lines


def test_every_declared_key_result_is_an_asset(home, defs):
    declared = {
        key_result_key(definition)
        for organisation in home.organisations()
        for definition in home.catalogue(organisation).definitions
    }
    assert declared
    assert declared <= defs.resolve_asset_graph().get_all_asset_keys()


def test_all_key_results_of_an_organisation_are_one_step(home, defs):
    job = defs.resolve_job_def(job_name("inmobiliaria"))
    of_key_results = [node for node in job.graph.node_dict if node.endswith("key_results")]
    assert of_key_results == ["inmobiliaria_key_results"]
    assert len(job.graph.node_dict) == len(home.sources(home.catalogue("inmobiliaria"))) + 3


def test_the_schedule_runs_each_morning_in_the_organisations_zone(defs):
    schedule = defs.resolve_schedule_def("inmobiliaria_daily_schedule")
    assert (schedule.execution_timezone, schedule.cron_schedule) == ("Europe/Madrid", "0 5 * * *")


def test_definitions_load_with_an_empty_environment_and_write_nothing(tmp_path):
    script = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise AssertionError('network')\n"
        "socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse\n"
        f"sys.path.insert(0, {str(PROJECT)!r})\n"
        "from assets.home import Home\n"
        "from assets.orchestration import definitions\n"
        "from pathlib import Path\n"
        f"definitions(Home(Path({str(tmp_path / 'home')!r})))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], env={}, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "home").exists()


def test_workspace_yaml_loads_from_any_folder(tmp_path):
    dagster = Path(sys.executable).with_name("dagster")
    done = subprocess.run(
        [dagster, "definitions", "validate", "-w", PROJECT / "workspace.yaml"],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "HITO_HOME": str(tmp_path / "home")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "hito" in done.stderr + done.stdout
