"""One company that looks after its customers with Zendesk, Freshdesk or Jira: the same facts, the same figures.

Zendesk is what the others are compared with. Jira's history says all that Zendesk's does. Freshdesk has no history: it
is read every morning, and what it cannot know then is written out below, ticket by ticket, from the company itself.
Neither of the two keeps a record of having asked for an opinion; what their options make of that is told apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from builders import definition, organisation, own
from helpdesk_office import Office, changes

from kr_definitions.compute import compute
from kr_definitions.events import COVERED, current
from pipelines.freshdesk import FRESHDESK, FreshdeskOptions
from pipelines.jira import JIRA, JiraOptions
from pipelines.sandbox import freshdesk, jira, zendesk
from pipelines.sandbox.business import business, ventas_b2b
from pipelines.sandbox.company import Change, Company, Ticket, value_at
from pipelines.source import Connector, Options
from pipelines.zendesk import ZENDESK, ZendeskOptions

FOUNDED, LAST = date(2025, 1, 24), date(2025, 2, 16)
MORNINGS = [datetime(2025, 1, 25, 11, tzinfo=UTC) + timedelta(days=number) for number in range(23)]
NOW = MORNINGS[-1]
LATER = datetime(2030, 1, 1, tzinfo=UTC)


def on(day: int, hour: int, minute: int = 0) -> datetime:
    """An instant of February; a morning is at eleven."""
    return datetime(2025, 2, day, hour, minute, tzinfo=UTC)


def of_february(number: int, *life: tuple[datetime, str], **different: Any) -> Ticket:
    start = life[0][0]
    usual = {"channel": "web", "priority": changes((start, "normal")), "first_reply_at": None, "rating": ()}
    more = {"survey_sent_at": None, "deleted_at": None, **usual, **different}
    return Ticket(id=number, requester_id=900 + number, created_at=start, status=changes(*life), **more)


HARD = (
    # Solved, opened again and solved before the next morning.
    of_february(1, (on(3, 8), "new"), (on(3, 13), "solved"), (on(3, 15), "open"), (on(3, 18), "solved")),
    # Waiting for the customer for an hour that no morning is in; urgent for another one.
    of_february(
        2,
        *((on(4, 12), "new"), (on(4, 13), "pending"), (on(4, 14), "open"), (on(5, 9), "solved"), (on(9, 9), "closed")),
        priority=changes((on(4, 12), "low"), (on(4, 13), "urgent"), (on(4, 15), "high")),
        first_reply_at=on(4, 13),
    ),
    # Merged into another one: closed without having been solved.
    of_february(3, (on(6, 12), "new"), (on(6, 13), "open"), (on(6, 14), "closed"), first_reply_at=on(6, 12, 3)),
    # Answered twice by the customer; opened again after days.
    of_february(
        5,
        *((on(7, 12), "new"), (on(7, 13), "solved"), (on(10, 13), "open"), (on(12, 13), "solved")),
        rating=changes((on(8, 12), "bad"), (on(13, 12), "good")),
        survey_sent_at=on(8, 9),
        first_reply_at=on(7, 12, 1),
    ),
    # Deleted, and taken for spam.
    of_february(6, (on(7, 12), "new"), (on(7, 13), "solved"), deleted_at=on(11, 12), rating=changes((on(8, 9), "bad"))),
    of_february(7, (on(7, 12), "new"), deleted_at=on(12, 12)),
)
GROWN = business(ventas_b2b.PLAN)(1, FOUNDED, LAST, "America/Bogota")
COMPANY: Company = replace(GROWN, tickets=(*HARD, *GROWN.tickets))
"""A company with the ordinary days of its founding months, and what is hard to see."""

Fact = tuple[Any, ...]
COLUMNS = ("event_type", "subject_id", "occurred_at", "account_id", "channel", "priority", "status", "rating")


@dataclass(frozen=True)
class Vendor:
    """A vendor that the company may use. agents: its ids of those who answer, in the company's order."""

    connector: Connector
    options: Options
    stand_in: Any
    mornings: Sequence[datetime]
    settings: dict[str, Any]
    agents: Sequence[Any]


VENDORS = {
    # Of Zendesk's two kinds of survey, the one that is about a ticket, as the others' are.
    "zendesk": Vendor(
        ZENDESK,
        ZendeskOptions(subdomain="ejemplo"),
        zendesk,
        (MORNINGS[8], NOW),
        {"surveys_from": LATER},
        zendesk.records.AGENTS,
    ),
    "freshdesk": Vendor(
        FRESHDESK,
        FreshdeskOptions(subdomain="ejemplo", survey_sent="solved", archived_after_days=None),
        freshdesk,
        MORNINGS,
        {},
        freshdesk.records.AGENTS,
    ),
    "jira": Vendor(
        JIRA,
        JiraOptions(
            site="ejemplo",
            projects=("SUP",),
            solved=("Resolved",),
            closed=("Closed",),
            statuses={name: word for word, (_, name, _) in jira.records.STATUSES.items()},
            unsolved_resolutions=("Duplicate",),
            channels={"jira": "phone"},
            survey_sent="solved",
        ),
        jira,
        (MORNINGS[8], NOW),
        {},
        jira.records.AGENTS,
    ),
}


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, pl.LazyFrame]]:
    """The log of each vendor's organisation, after its last morning."""
    with pytest.MonkeyPatch.context() as environment:
        yield {name: told(tmp_path_factory.mktemp(name), environment, one) for name, one in VENDORS.items()}


def told(folder: Path, environment: pytest.MonkeyPatch, vendor: Vendor) -> pl.LazyFrame:
    place = (COMPANY.zone, MORNINGS[0])
    office = Office(folder, environment, vendor.connector, vendor.options, vendor.stand_in, *place)
    for morning in vendor.mornings:
        loads = office.fetch(office.served(COMPANY, morning, **vendor.settings), morning)
        assert not [load.failure for load in loads.values() if load.failure]
    office.understand(NOW)
    assert office.quarantined() == []
    return office.log()


def facts(logs: dict[str, pl.LazyFrame], name: str, *more: str) -> list[Fact]:
    """What holds, in the company's own ids: columns that every vendor has, and some more."""
    people = {str(agent): f"agent {number}" for number, agent in enumerate(VENDORS[name].agents)}
    log = current(logs[name]).filter(pl.col("event_type") != COVERED, pl.col("event_type") != "survey.sent")
    known = log.with_columns(
        account_id=pl.col("account_id").str.replace(jira.records.CUSTOMER, "", literal=True),
        actor=pl.col("actor").replace_strict(people, default=None, return_dtype=pl.String),
    )
    return sorted(known.select(*COLUMNS, *more).collect().rows(), key=str)


def alive() -> list[Ticket]:
    return [one for one in COMPANY.tickets if one.created_at <= NOW and (one.deleted_at or LATER) > NOW]


# Of Jira, everything


def test_jira_states_what_zendesk_states(logs: dict[str, pl.LazyFrame]) -> None:
    """And who did it, but for automations: Zendesk's system is nobody, Jira's is an account of its own."""
    expected = facts(logs, "zendesk", "actor")
    assert len(expected) > 250
    assert {one[0] for one in expected} == {
        "survey.answered",
        "ticket.closed",
        "ticket.created",
        "ticket.first_replied",
        "ticket.reopened",
        "ticket.solved",
        "ticket.status_entered",
    }
    assert facts(logs, "jira", "actor") == expected


# Of Freshdesk, what can be seen of a morning


def seen(since: datetime, until: datetime) -> bool:
    """Whether there was a morning while something lasted."""
    return any(since <= morning < until for morning in MORNINGS)


def first_sight(at: datetime) -> datetime:
    return next(morning for morning in MORNINGS if morning >= at)


def what_freshdesk_can_know() -> list[Fact]:
    """Zendesk's facts as Freshdesk has them: told of each ticket by hand, from what the company did."""
    return sorted((fact for one in alive() for fact in known(one)), key=str)


def known(ticket: Ticket) -> Iterator[Fact]:
    yield fact(ticket, "ticket.created", ticket.created_at, channel=ticket.channel)
    if ticket.first_reply_at and ticket.first_reply_at <= NOW:
        yield fact(ticket, "ticket.first_replied", ticket.first_reply_at, channel=ticket.channel)
    if given := [change for change in ticket.rating if change.at <= NOW]:
        yield fact(ticket, "survey.answered", given[-1].at, rating=given[-1].value)
    # There is no `new`: the ticket is open from its creation, which is known if it was seen before it was not.
    left_at = next((change.at for change in ticket.status if change.value not in ("new", "open")), LATER)
    if seen(ticket.created_at, left_at):
        yield fact(ticket, "ticket.status_entered", ticket.created_at, status="open")
    for place, change in enumerate(ticket.status):
        if change.at <= NOW:
            yield from known_of_change(ticket, place, change)


def known_of_change(ticket: Ticket, place: int, change: Change[str]) -> Iterator[Fact]:
    was = ticket.status[place - 1].value if place else None
    until = ticket.status[place + 1].at if place + 1 < len(ticket.status) else LATER
    reopened_at = next((later.at for later in ticket.status[place:] if later.value == "open"), LATER)
    kinds: list[str] = []
    if change.value == "pending" and seen(change.at, until):  # while it lasts
        kinds = ["ticket.status_entered"]
    if change.value == "open" and was in ("solved", "pending"):  # the last reopening is kept, and what is so now
        kinds = ["ticket.reopened", "ticket.status_entered"] if was == "solved" else []
    if change.value == "solved" and seen(change.at, reopened_at):  # the time is emptied when it is opened again
        kinds = ["ticket.solved", "ticket.status_entered"]
    if change.value == "closed":  # merged or not: the vendor does not tell
        kinds = ["ticket.closed", "ticket.status_entered", *(["ticket.solved"] if was != "solved" else [])]
    for kind in kinds:
        yield fact(ticket, kind, change.at, status=change.value if kind == "ticket.status_entered" else None)


def fact(ticket: Ticket, kind: str, at: datetime, **says: str | None) -> Fact:
    shown = {**dict.fromkeys(("channel", "priority", "status", "rating")), **says}
    if kind.startswith("ticket."):  # the priority that the first morning saw
        shown["priority"] = value_at(ticket.priority, first_sight(at))
    return (kind, str(ticket.id), at, str(ticket.requester_id), *shown.values())


def test_freshdesk_states_what_zendesk_states_as_far_as_a_morning_can_see_it(logs: dict[str, pl.LazyFrame]) -> None:
    assert facts(logs, "freshdesk") == what_freshdesk_can_know()


def of_types(rows: list[Fact], *kinds: str) -> list[Fact]:
    """The facts of some types, without the priority."""
    return sorted(((*one[:5], *one[6:]) for one in rows if one[0] in kinds), key=str)


def test_what_freshdesk_loses_is_no_more_than_this(logs: dict[str, pl.LazyFrame]) -> None:
    zendesks, freshdesks = facts(logs, "zendesk"), facts(logs, "freshdesk")
    whole = ("ticket.created", "ticket.first_replied", "ticket.reopened", "ticket.closed", "survey.answered")
    assert of_types(freshdesks, *whole) == of_types(zendesks, *whole)
    solved = [set(of_types(one, "ticket.solved")) for one in (zendesks, freshdesks)]
    assert {(one[1], one[2]) for one in solved[0] - solved[1]} == {("1", on(3, 13))}  # solved again before a morning
    assert {(one[1], one[2]) for one in solved[1] - solved[0]} == {("3", on(6, 14))}  # merged
    statuses = [
        {(one[1], one[2], one[5]) for one in of_types(rows, "ticket.status_entered")} for rows in (zendesks, freshdesks)
    ]
    assert {status for _, _, status in statuses[0] - statuses[1]} == {"new", "open", "pending", "solved"}
    assert {status for _, _, status in statuses[1] - statuses[0]} == {"open"}  # since the creation


# Key results


def figures(log: pl.LazyFrame, **declared: Any) -> pl.DataFrame:
    whose = organisation(zone=COMPANY.zone)
    period = {"from": FOUNDED, "until": date(2025, 12, 31)}
    found = own(compute([definition(of=whose, period=period, **declared)], whose, log, LAST))
    return found.select("as_of", "value", "numerator", "denominator").sort("as_of")


REPLIED = {"from": "ticket.created", "to": "ticket.first_replied"}
SAME: dict[str, dict[str, Any]] = {
    "answered within 5 minutes": {
        "measure": {"conversion": REPLIED, "within": "5 minutes"},
        "target": {"at_least": Decimal("0.9"), "progress": "distance"},
    },
    "answered within an hour": {
        "measure": {"conversion": REPLIED, "within": "1 hour"},
        "target": {"at_least": Decimal("0.9"), "progress": "distance"},
    },
    "median time to the first reply": {
        "measure": {"duration": REPLIED, "statistic": "median", "unit": "hours"},
        "target": {"at_most": 4},
        "unit": "hours",
    },
    "satisfaction": {
        "trailing": "30 days",
        "measure": {"share": {"of": "survey.answered", "reached": "rating = 'good'"}},
        "target": {"at_least": Decimal("0.9"), "progress": "distance"},
    },
    "requests by telephone": {"measure": {"count": "ticket.created", "where": "channel = 'phone'"}},
    "tickets solved": {
        "measure": {"conversion": {"from": "ticket.created", "to": "ticket.closed"}},
        "target": {"at_least": Decimal("0.9"), "progress": "distance"},
    },
}


@pytest.mark.parametrize("vendor", ["freshdesk", "jira"])
@pytest.mark.parametrize("declared", SAME.values(), ids=SAME)
def test_a_key_result_has_the_same_value_each_day(
    logs: dict[str, pl.LazyFrame], vendor: str, declared: dict[str, Any]
) -> None:
    """But for the last day, which the vendors have read up to the minute and Zendesk up to the minute before."""
    expected, found = (figures(logs[name], **declared) for name in ("zendesk", vendor))
    assert expected.get_column("value").n_unique() > 3
    assert found.equals(expected)


def first_solved(ticket: Ticket) -> datetime | None:
    return next((change.at for change in ticket.status if change.value == "solved" and change.at <= NOW), None)


def seen_solved(ticket: Ticket) -> datetime | None:
    """The first time of solving that a morning could see, which a closing at once is too."""
    solvings = [one[2] for one in known(ticket) if one[0] == "ticket.solved"]
    return min(solvings, default=None)


@pytest.mark.parametrize(("vendor", "when"), [("freshdesk", seen_solved), ("jira", first_solved)])
def test_surveys_are_sent_when_the_options_say_so_and_not_when_zendesk_says_that_they_were(
    logs: dict[str, pl.LazyFrame], vendor: str, when: Callable[[Ticket], datetime | None]
) -> None:
    """Zendesk keeps the asking, here a day after the solving; the others state what the account is said to do."""

    def sent(name: str) -> dict[str, datetime]:
        log = current(logs[name]).filter(pl.col("event_type") == "survey.sent")
        return dict(log.select("subject_id", "occurred_at").collect().rows())

    assert sent("zendesk") == {
        str(one.id): one.survey_sent_at for one in alive() if one.survey_sent_at and one.survey_sent_at <= NOW
    }
    assert sent(vendor) == {str(one.id): at for one in alive() if (at := when(one)) is not None}
    assert set(sent("zendesk")) < set(sent(vendor))
