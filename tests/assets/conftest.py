"""What several tests of the assets start from."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

import polars as pl
import pytest
from builders import event, log

from assets.home import Home
from pipelines import lake

LOADED = datetime(2026, 3, 11, 4, tzinfo=UTC)


@pytest.fixture
def agency(tmp_path, _loaded):
    """A home with a log of visits and sales that was read up to the end of March, and the agency's declarations."""
    root, catalogue = _loaded
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    return Home(tmp_path), catalogue


@pytest.fixture(scope="session")
def _loaded(tmp_path_factory):
    """Where that home was made, once, and the declarations: what is read only."""
    home = Home(tmp_path_factory.mktemp("loaded"))
    events = [event("visit.held", f"2026-03-{n:02}", str(n)) for n in range(1, 12)]
    events += [event("deal.won", "2026-03-05", "sale", amount="1000", currency="EUR", account_id="7")]
    stated = log(events, "2026-03-31", types=["listing.captured"], recorded_at=LOADED).collect()
    stream = {"visit.held": "meetings", "deal.won": "deals", "listing.captured": "deals"}
    of_hubspot = stated.with_columns(
        source=pl.lit("hubspot"),
        stream=pl.coalesce("covers", "event_type").replace_strict(stream),
    )
    lake.append(home.lake("inmobiliaria").log.path, of_hubspot, writer="test")
    return home.root, home.catalogue("inmobiliaria")
