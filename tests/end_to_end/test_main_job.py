"""The main job as a person runs it: `hito run --sandbox` in a process of its own, three times over two days.

What is published is compared with figures computed here from the simulated company itself, in plain Python: the
vendors' stand-ins, the sources, the log and the compiler are all between the two.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from assets.run import pseudonym_keys
from kr_definitions.periods import Calendar
from pipelines.sandbox.company import Company, estate_agency, value_at
from pipelines.sandbox.runner import ORGANISATIONS, running

OBSERVED = {"channel_statistics", "followers", "subscribers"}
"""What is another reading each time that it is read."""
FIRST, NEXT, AFTER = date(2026, 11, 20), date(2026, 11, 21), date(2026, 11, 22)
MADRID = ZoneInfo("Europe/Madrid")
HITO = Path(sys.executable).with_name("hito")

pytestmark = pytest.mark.timeout(1800)


def hito(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, with nothing of this one's settings."""
    clean = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return subprocess.run(
        [HITO, *arguments],
        env={**clean, "HITO_HOME": str(home), "COLUMNS": "120", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


class Runs:
    """Three runs on one home: a day, the same day again, the next day; each with its output and what it published."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.outputs: list[str] = []
        self.published: list[dict[str, list[dict[str, object]]]] = []
        for today in (FIRST, FIRST, NEXT):
            done = hito(home, "run", "--sandbox", "-o", "inmobiliaria", "--today", today.isoformat())
            assert done.returncode == 0, done.stdout + done.stderr
            self.outputs.append(done.stdout)
            self.published.append(tables(home))


def tables(home: Path) -> dict[str, list[dict[str, object]]]:
    """Every published table, as a BI tool reads it."""
    with duckdb.connect(str(home / "hito.duckdb"), read_only=True) as connection:
        connection.execute("set timezone = 'UTC'")
        names = [row[0] for row in connection.execute("select table_name from information_schema.tables").fetchall()]
        return {name: connection.execute(f'select * from "{name}"').pl().to_dicts() for name in names}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return Runs(tmp_path_factory.mktemp("home"))


def expected_values(today: date) -> dict[str, float]:
    """What each key result is at the end of the day before `today`, from the company as its systems show it then."""
    company = estate_agency(1, date(2024, 11, 1), today - timedelta(days=1), "Europe/Madrid")
    present = datetime(today.year, today.month, today.day, 6, tzinfo=MADRID)
    return _Answers(company, present, today - timedelta(days=1)).all()


class _Answers:
    def __init__(self, company: Company, present: datetime, day: date) -> None:
        self.company, self.present, self.day = company, present, day
        self.month = day.replace(day=1)
        self.contacts = {contact.id: contact for contact in company.contacts}

    def _is_shown(self, gone_at: datetime | None) -> bool:
        return gone_at is None or gone_at > self.present

    def _local(self, at: datetime) -> date:
        return at.astimezone(MADRID).date()

    def _in_month(self, at: datetime) -> bool:
        return self.month <= self._local(at) <= self.day

    def _won_at(self, sale) -> datetime | None:
        shown = [change for change in sale.stages if change.at <= self.present and change.value == "won"]
        return shown[-1].at if shown and self._is_shown(sale.archived_at) else None

    def all(self) -> dict[str, float]:
        company, present = self.company, self.present
        won = [(sale, at) for sale in company.sales if (at := self._won_at(sale))]
        first_bought: dict[int, datetime] = {}
        for sale, at in won:
            first_bought[sale.buyer_id] = min(at, first_bought.get(sale.buyer_id, at))
        leads = [
            first
            for contact in company.contacts
            if self._is_shown(contact.archived_at)
            for first in [min((c.at for c in contact.lifecycle if c.value == "lead" and c.at <= present), default=None)]
            if first is not None
        ]
        listings = [
            listing
            for listing in company.listings
            if listing.entered_at <= present
            and self._is_shown(listing.archived_at)
            and self._in_month(listing.captured_at)
        ]
        done = [a for a in company.activities if a.entered_at <= present and self._is_shown(a.archived_at)]
        visits = [a for a in done if a.kind == "visit" and value_at(a.outcome, present) == "completed"]
        calls = [a for a in done if a.kind == "call" and value_at(a.outcome, present) is not None]
        called: dict[date, set[int]] = {}
        for call in calls:
            called.setdefault(self._local(call.starts_at), set()).add(call.contact_id)
        calendar = Calendar("ES-MD")
        last_working_day = self.day
        while not calendar.is_working_day(last_working_day):
            last_working_day -= timedelta(days=1)
        # A day between two working days shows the last one.
        return {
            "inmobiliaria.marketing.leads": sum(self._in_month(at) for at in leads),
            "inmobiliaria.ventas.operaciones": sum(self._in_month(at) for _, at in won),
            "inmobiliaria.ventas.captaciones": len(listings),
            "inmobiliaria.ventas.exclusivas": sum(
                # as it was when it was taken on; as first typed in where the CRM was told later
                (value_at(listing.mandate, listing.captured_at) or listing.mandate[0].value) == "exclusive"
                for listing in listings
            ),
            "inmobiliaria.ventas.visitas": sum(self._in_month(a.starts_at) for a in visits),
            "inmobiliaria.clientes.llamadas": len(called.get(last_working_day, set())),
            "inmobiliaria.clientes.satisfaccion": self._satisfied(),
            "inmobiliaria.facturacion": self._invoiced(),
            "inmobiliaria.marketing.video_mensual": sum(
                self._in_month(v.published_at) for v in company.videos
                if v.published_at <= present and self._is_shown(v.removed_at)
            ),
            "inmobiliaria.marketing.post_diario": sum(
                self._local(post.published_at) == self.day for post in company.posts
                if post.network in ORGANISATIONS["inmobiliaria"].vendors and self._is_shown(post.removed_at)
            ),
            "inmobiliaria.marketing.articulos": sum(
                self._in_month(one.published_at) for one in company.articles
                if one.published_at and one.published_at <= present and self._is_shown(one.removed_at)
            ),
            "inmobiliaria.marketing.colaboracion": len(self._rows("collaborations", self.month)),
            "inmobiliaria.marketing.evento": len(self._rows("events", self.day.replace(month=10, day=1))),
            "inmobiliaria.ventas.buzoneo": self._best_flyer_day(),
        }  # fmt: skip

    def _satisfied(self) -> float:
        since = self.day - timedelta(days=89)
        answers = Counter(
            shown[-1].value
            for ticket in self.company.tickets
            if self._is_shown(ticket.deleted_at) and (shown := [c for c in ticket.rating if c.at <= self.present])
            and since <= self._local(shown[0].at) <= self.day
        )  # fmt: skip
        for one in self.company.opinions:
            at = one.answered_at
            if at and at <= self.present and self._is_shown(one.deleted_at) and since <= self._local(at) <= self.day:
                answers.update(["good"] * (one.score >= 9) + ["bad"] * (one.score <= 6))
        return answers["good"] / answers.total()

    def _invoiced(self) -> float:
        cents = 0
        for invoice in self.company.invoices:
            for at, sign in ((invoice.issued_at, 1), (invoice.voided_at, -1)):
                if at and at <= self.present and date(2026, 1, 1) <= self._local(at) <= self.day:
                    cents += sign * invoice.net_cents
        return float(Decimal(cents) / 100)

    def _rows(self, sheet: str, since: date) -> list[tuple[date, dict[str, str]]]:
        shown = [
            value_at(row.cells, self.present)
            for row in self.company.sheet_rows
            if row.sheet == sheet and self._is_shown(row.removed_at)
        ]
        dated = [
            (datetime.strptime(cells["fecha"], "%d/%m/%Y").replace(tzinfo=MADRID).date(), cells)
            for cells in shown
            if cells
        ]
        return [(day, cells) for day, cells in dated if since <= day <= self.day]

    def _best_flyer_day(self) -> float:
        totals: Counter[date] = Counter()
        for day, cells in self._rows("flyers", self.day - timedelta(days=self.day.weekday())):
            totals[day] += int(cells["folletos"])
        return max(totals.values(), default=0)


@pytest.mark.parametrize(("run", "today"), [(0, FIRST), (1, FIRST), (2, NEXT)])
def test_what_is_published_is_what_the_company_did(runs, run, today):
    published = {row["key_result_id"]: row["value"] for row in runs.published[run]["current_progress"]}
    expected = expected_values(today)
    assert {name: published[name] for name in expected} == pytest.approx(expected, rel=1e-12)


def test_a_second_run_on_the_same_day_stores_and_states_nothing(runs):
    first, second = runs.published[0], runs.published[1]
    again = second["loads"][len(first["loads"]) :]
    assert again
    assert [row for row in again if row["inserted"] and row["stream"] not in OBSERVED] == []
    assert second["progress_history"] == first["progress_history"]


def test_a_later_day_loads_only_what_is_new_and_restates_what_was_told_late(runs):
    before, after = runs.published[1], runs.published[2]
    new_loads = after["loads"][len(before["loads"]) :]
    first_loads = before["loads"][: len(new_loads)]
    assert 0 < sum(row["inserted"] for row in new_loads) < sum(row["inserted"] for row in first_loads) / 50
    known = {tuple(row.values()) for row in after["progress_history"]}
    assert all(tuple(row.values()) in known for row in before["progress_history"])
    restated = [row for row in after["progress_history"] if row["is_restatement"]]
    assert restated
    assert {row["cause"] for row in restated} <= {"late_event", "correction", "deletion"}


def test_every_declared_key_result_is_published_for_every_day(runs):
    rows = runs.published[2]["progress_daily"]
    days = Counter(row["key_result_id"] for row in rows if row["member"] is None)
    assert set(days.values()) == {(NEXT - date(2026, 1, 1)).days}
    assert len(days) == 17


def test_the_report_names_every_key_result(runs):
    report = runs.outputs[2]
    assert "Traceback" not in report
    missing = [row["title_en"] for row in runs.published[2]["key_results"] if str(row["title_en"])[:24] not in report]
    assert missing == []


def test_a_source_that_cannot_be_reached_is_told_and_its_key_results_are_not_green(runs, tmp_path):
    home = shutil.copytree(runs.home, tmp_path / "home")
    with running(["inmobiliaria"], AFTER, home / "sandbox") as sandbox:
        connected = {**sandbox.environment(), **pseudonym_keys(["inmobiliaria"])}
        connected["SOURCES__INMOBILIARIA__ZENDESK__BASE_URL"] = "http://127.0.0.1:9"  # where nobody listens
        done = hito(home, "run", "-o", "inmobiliaria", **connected)
    rows = {row["key_result_id"]: row for row in tables(home)["current_progress"]}
    before = {row["key_result_id"]: row for row in runs.published[-1]["current_progress"]}
    satisfaction, visits = "inmobiliaria.clientes.satisfaccion", "inmobiliaria.ventas.visitas"
    assert before[satisfaction]["value"] is not None
    assert done.returncode == 1
    assert "inmobiliaria.zendesk" in done.stderr
    assert (rows[satisfaction]["status"], rows[satisfaction]["value"]) == ("unreliable", None)
    assert (rows[visits]["as_of"], rows[visits]["problem"]) == (AFTER - timedelta(days=1), None)
