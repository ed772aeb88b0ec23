"""Jira Cloud, with Service Management: issues that are tickets, with their history, and customers' satisfaction.

Belongs here: the streams of a site. Does not: what the options may say (`options`), requests (`api`), which issues are
read (`reading`), what they mean (`tickets`, `surveys`).

Configuration, below `sources.<organisation>.<source>`: `email` and `api_token` of a user who may browse the projects
(and, for satisfaction and service levels, is an agent of them); `base_url` where it differs from the site's.
"""

from __future__ import annotations

from typing import Any

from pipelines.jira.options import JiraOptions
from pipelines.jira.surveys import satisfaction
from pipelines.jira.tickets import tickets
from pipelines.source import Account, Stream

__all__ = ["JIRA", "Jira", "JiraOptions"]


class Jira:
    """The connector."""

    kind = "jira"
    options = JiraOptions

    def streams(self, account: Account, options: Any) -> list[Stream]:
        """Tickets, and customers' satisfaction unless it is left out."""
        return [tickets(account, options), *([satisfaction(account, options)] if options.surveys else [])]


JIRA = Jira()
