"""The sandbox as a whole: what it serves, what connects a run to it, and what it refuses."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from importlib import import_module
from pathlib import Path

import pytest
import requests

from pipelines.sandbox.runner import ORGANISATIONS, Sandbox, SandboxError, running, zones
from pipelines.sandbox.server import serving
from pipelines.sandbox.stand_in import SharedClock

TODAY = date(2025, 1, 15)
VENDORS = {
    "hubspot": "/crm/v3/objects/deals",
    "zendesk": "/api/v2/users",
    "typeform": "/forms/u6nXL7kd/responses",
    "facebook": "/v25.0/104857600000001",
    "instagram": "/v25.0/178414000000001",
    "youtube": "/youtube/v3/channels",
    "linkedin": "/rest/posts",
    "x": "/2/tweets",
    "wordpress": "/wp-json/wp/v2/posts",
    "stripe": "/v1/events",
    "google_sheets": "/v4/spreadsheets/x",
}


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running(["inmobiliaria"], TODAY, tmp_path_factory.mktemp("home")) as sandbox:
        yield sandbox


def refused(*args: object, **kwargs: object) -> str:
    """The message with which the sandbox refuses to start: one line."""
    with pytest.raises(SandboxError) as failure, running(*args, **kwargs):  # type: ignore[arg-type]
        pass
    assert "\n" not in str(failure.value)
    return str(failure.value)


def test_the_data_stops_at_six_in_the_morning_of_the_day(sandbox: Sandbox) -> None:
    assert sandbox.present == datetime(2025, 1, 15, 5, 0, tzinfo=UTC)


def test_the_status_page_says_what_is_where(sandbox: Sandbox) -> None:
    status = requests.get(sandbox.base_url, timeout=5).json()
    agency = status["organisations"]["inmobiliaria"]
    assert agency["present"] == "2025-01-15T05:00:00+00:00"
    assert agency["vendors"] == {vendor: sandbox.url("inmobiliaria", vendor) for vendor in VENDORS}
    assert agency["sheets"] == ["colaboraciones", "buzoneo"]


@pytest.mark.parametrize("vendor", VENDORS)
def test_each_vendor_is_served_and_asks_for_credentials(sandbox: Sandbox, vendor: str) -> None:
    answer = requests.get(sandbox.url("inmobiliaria", vendor) + VENDORS[vendor], timeout=5)
    assert answer.status_code in (400, 401, 403)


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_environment_has_each_vendors_address_and_credentials(sandbox: Sandbox, vendor: str) -> None:
    environment, prefix = sandbox.environment(), f"SOURCES__INMOBILIARIA__{vendor.upper()}__"
    given = {key.removeprefix(prefix).lower(): value for key, value in environment.items() if key.startswith(prefix)}
    credentials = import_module(f"pipelines.sandbox.{vendor}").CREDENTIALS
    assert given == {"base_url": f"{sandbox.base_url}/inmobiliaria/{vendor}", **credentials}


def test_the_environment_has_the_sheets_the_clock_and_the_present(sandbox: Sandbox) -> None:
    environment = sandbox.environment()
    for sheet in ("colaboraciones", "buzoneo"):
        folder = Path(environment[f"SOURCES__INMOBILIARIA__{sheet.upper()}__FOLDER"])
        assert (folder / f"{sheet}.csv").is_file()
    assert SharedClock(Path(environment["HITO_CLOCK"])).now() >= sandbox.present
    assert environment["HITO_NOW"] == "2025-01-15T05:00:00+00:00"


def test_nothing_else_is_in_the_environment(sandbox: Sandbox) -> None:
    assert all(key.startswith(("SOURCES__INMOBILIARIA__", "HITO_")) for key in sandbox.environment())


def test_the_status_page_counts_how_long_clients_waited(sandbox: Sandbox) -> None:
    before = requests.get(sandbox.base_url, timeout=5).json()["waited_seconds"]
    SharedClock(Path(sandbox.environment()["HITO_CLOCK"])).sleep(90)
    assert requests.get(sandbox.base_url, timeout=5).json()["waited_seconds"] == before + 90


def test_a_later_day_in_the_same_folder_is_the_same_company_grown_older(tmp_path: Path) -> None:
    with running(["inmobiliaria"], date(2024, 12, 1), tmp_path) as young:
        sheet = Path(young.environment()["SOURCES__INMOBILIARIA__BUZONEO__FOLDER"]) / "buzoneo.csv"
        first, before = sheet.read_text().splitlines(), young.clock.now()
    with running(["inmobiliaria"], date(2024, 12, 20), tmp_path) as old:
        assert len(set(sheet.read_text().splitlines()) & set(first)) > 1
        assert len(sheet.read_text().splitlines()) > len(first)
        assert old.clock.now() > before


def test_the_clock_does_not_go_back_when_the_sandbox_is_started_again(tmp_path: Path) -> None:
    with running(["inmobiliaria"], date(2024, 11, 10), tmp_path) as first:
        first.clock.sleep(3600)
        then = first.clock.now()
    with running(["inmobiliaria"], date(2024, 11, 10), tmp_path) as again:
        assert again.clock.now() == then
        assert again.clock.waited_seconds() == 0


def test_an_earlier_day_is_refused(tmp_path: Path) -> None:
    with running(["inmobiliaria"], date(2024, 12, 1), tmp_path):
        pass
    assert "has been at 2024-12-01 already" in refused(["inmobiliaria"], date(2024, 11, 30), tmp_path)


def test_another_seed_is_refused(tmp_path: Path) -> None:
    with running(["inmobiliaria"], date(2024, 12, 1), tmp_path):
        pass
    assert "holds the companies of seed 1, not 2" in refused(["inmobiliaria"], date(2024, 12, 1), tmp_path, seed=2)


def test_a_sandbox_that_could_not_start_leaves_the_folder_as_young_as_it_was(tmp_path: Path) -> None:
    refused(["inmobiliaria"], date(2025, 1, 1), tmp_path, port=99_999)
    with running(["inmobiliaria"], date(2024, 11, 20), tmp_path) as sandbox:
        assert sandbox.present.date() == date(2024, 11, 20)


def test_a_second_sandbox_in_the_same_folder_is_refused(sandbox: Sandbox) -> None:
    assert "already running in" in refused(["inmobiliaria"], TODAY, sandbox.home)


def test_a_port_in_use_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"Port {port} cannot be used" in refused(["inmobiliaria"], date(2024, 11, 20), tmp_path, port=port)


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_does_not_exist_is_refused(tmp_path: Path, port: int) -> None:
    assert f"Port {port} cannot be used" in refused(["inmobiliaria"], date(2024, 11, 20), tmp_path, port=port)


@pytest.mark.parametrize("today", [date(2024, 11, 1), date(1999, 1, 1), date(9999, 12, 31)])
def test_a_day_on_which_there_is_nothing_to_show_is_refused(tmp_path: Path, today: date) -> None:
    assert f"can be shown from 2024-11-02 to 2034-10-30, and {today} is not" in refused(
        ["inmobiliaria"], today, tmp_path
    )


def test_an_unknown_organisation_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    message = refused(["inmobilaria"], TODAY, tmp_path)
    assert "no simulated organisation inmobilaria" in message
    assert all(name in message for name in ORGANISATIONS)


def test_no_organisation_is_refused(tmp_path: Path) -> None:
    assert "No organisation was named" in refused([], TODAY, tmp_path)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be made" in refused(["inmobiliaria"], TODAY, tmp_path / "file" / "home")


def test_a_sandbox_in_the_foreground_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    code = (
        "import sys; from datetime import date; from pathlib import Path;"
        "from pipelines.sandbox.runner import running\n"
        "try:\n"
        "    with running(['inmobiliaria'], date(2024, 11, 20), Path(sys.argv[1])) as sandbox:\n"
        "        print(sandbox.base_url, flush=True); sandbox.wait()\n"
        "except KeyboardInterrupt:\n"
        "    print('stopped')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        # What a shell starts in the background ignores Ctrl-C, and so would all that it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - it has no threads yet
    )
    assert process.stdout is not None
    base_url = process.stdout.readline().strip()
    assert requests.get(base_url, timeout=5).status_code == 200
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20)[0] == "stopped\n"
    assert process.returncode == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")  # uvicorn exits its thread
def test_an_application_that_cannot_be_loaded_is_refused_at_once() -> None:
    with pytest.raises(SandboxError, match="stopped as it started"), serving("nothing:there"):  # type: ignore[arg-type]
        pass


def test_what_was_served_is_gone_after_the_block(sandbox: Sandbox) -> None:
    async def app(scope: object, receive: object, send: object) -> None: ...

    with serving(app) as base_url:
        address = ("127.0.0.1", int(base_url.rpartition(":")[2]))
        socket.create_connection(address, timeout=5).close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)


def test_organisations_of_several_zones_are_read_at_one_instant_at_which_it_is_morning_for_all(tmp_path: Path) -> None:
    with running(["revops", "inbound"], date(2024, 12, 1), tmp_path) as sandbox:
        assert sandbox.present == datetime(2024, 12, 1, 11, tzinfo=UTC)
        status = requests.get(sandbox.base_url, timeout=5).json()["organisations"]
        assert {one["present"] for one in status.values()} == {sandbox.present.isoformat()}
        assert status["revops"]["sheets"][0] == "plantilla"
        folder = Path(sandbox.environment()["SOURCES__REVOPS__PLANTILLA__FOLDER"])
        assert (folder / "plantilla.csv").is_file()


def test_the_zones_of_organisations_are_those_that_are_simulated() -> None:
    assert zones(["inbound", "revops", "nobody"]) == {"America/Bogota", "Europe/Madrid"}
