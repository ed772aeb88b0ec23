"""What an organisation says of its Jira site: which issues are tickets, and what their statuses mean.

Belongs here: the shape of a Jira source's `options` in `organisation.yaml`, and Jira's usual words. Does not: reading
Jira (`api`, `reading`) or making facts (`tickets`, `surveys`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from pipelines.source import Options
from pipelines.ticketing import SurveySent

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
ProjectKey = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]+$")]

CATEGORY, CATEGORIES = "category:", ("new", "indeterminate", "done")
"""Before a status category's key, and the keys."""

PRIORITIES = {"Highest": "urgent", "High": "high", "Medium": "normal", "Low": "low", "Lowest": "low"}
CHANNELS = {"portal": "web", "anonymousportal": "web"}
"""Jira's words, where ours are others."""


class JiraOptions(Options):
    """What `organisation.yaml` says of a Jira Cloud site, with Service Management or without.

    site: as in https://<site>.atlassian.net. projects: keys of the projects whose issues are tickets; issue_types,
    request_types: only those of these types, where they are named. customer: the field that holds whose a ticket is:
    `reporter`, or the id of a field of organisations, options or texts (`customfield_10002`), of which the first
    counts. category: the field whose value is a ticket's category: issuetype, project, or none.

    solved, closed: names or ids of the statuses that mean so, or `category:<key>` for all of a status category.
    unsolved_resolutions: a ticket that ends with one of these was not solved (a duplicate). statuses, priorities,
    channels: Jira's word -> ours. sla, reply_sla: names of the service levels whose keeping is said of each solving and
    of the first reply; one more request for each ticket that has come so far. surveys: whether customers' satisfaction
    is read. survey_sent: when the project asks for it; Jira keeps no record of having asked, so without it nothing says
    that a survey was sent. most_gone: the share of the known issues that may vanish at once before it is doubted.

    What the site does not have is refused with the nearest names: a status may also be given by its id, and a priority,
    a resolution or a status of `statuses` that is in histories only is known once they have been read.

    A whole one::

        site: acme
        projects: [SUP]
        issue_types: [Service Request, Incident]
        request_types: []
        customer: reporter
        category: issuetype
        solved: [Resolved]
        closed: [Closed, "category:done"]
        unsolved_resolutions: [Duplicate]
        statuses: {Waiting for support: open, Waiting for customer: pending, Resolved: solved, Closed: closed}
        priorities: {Blocker: urgent}
        channels: {jira: phone}
        sla: Time to resolution
        reply_sla: Time to first response
        surveys: true
        survey_sent: solved
        most_gone: 0.1
    """

    site: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    projects: tuple[ProjectKey, ...] = Field(min_length=1)
    issue_types: tuple[Name, ...] = ()
    request_types: tuple[Name, ...] = ()
    customer: Annotated[str, StringConstraints(pattern=r"^(reporter|customfield_\d+)$")] = "reporter"
    category: Literal["issuetype", "project"] | None = None
    solved: tuple[Name, ...] = Field(default=(f"{CATEGORY}done",), min_length=1)
    closed: tuple[Name, ...] = ()
    unsolved_resolutions: tuple[Name, ...] = ()
    statuses: dict[str, str] = Field(default_factory=dict)
    priorities: dict[str, str] = Field(default_factory=dict)
    channels: dict[str, str] = Field(default_factory=dict)
    sla: Name | None = None
    reply_sla: Name | None = None
    surveys: bool = True
    survey_sent: SurveySent | None = None
    most_gone: float = Field(default=0.1, gt=0, le=1)

    @property
    def needs_fields(self) -> bool:
        """Whether they name fields of the site's own."""
        return bool(self.customer != "reporter" or self.sla or self.reply_sla or self.request_types)

    @property
    def scope(self) -> str:
        """The issues that are tickets, in Jira's query language."""
        named = {"project": self.projects, "issuetype": self.issue_types, '"Request Type"': self.request_types}
        return " AND ".join(f"{field} in ({', '.join(map(quoted, names))})" for field, names in named.items() if names)

    def url(self) -> str:
        """Where an issue is shown, up to its id: by its id, as a key changes when an issue moves."""
        return f"https://{self.site}.atlassian.net/issues/?jql=id%3D"


def quoted(text: str) -> str:
    """A text in Jira's query language."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
