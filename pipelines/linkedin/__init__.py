"""LinkedIn: an organisation's followers, who came and went and what was seen on which day, and what it has posted.

Belongs here: what an organisation may say of its page, and which streams it gets. Does not: requests (`api`), figures
of days (`days`), what posts mean (`posts`).
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from pipelines.linkedin import days
from pipelines.linkedin.posts import posts
from pipelines.source import Account, Options, Stream

__all__ = ["LINKEDIN", "LinkedIn", "LinkedInOptions"]


class LinkedInOptions(Options):
    """What `organisation.yaml` says of a page.

    organization: its number, as in https://www.linkedin.com/company/<number>/admin. reread_days: of how many days the
    posts are looked at again by each run, so that those that were deleted are missed.

    A whole one::

        organization: "40123456"
        reread_days: 30
    """

    organization: str = Field(pattern=r"^[1-9][0-9]{0,18}$")
    reread_days: int = Field(30, ge=0, le=365)


class LinkedIn:
    """The connector."""

    kind = "linkedin"
    options = LinkedInOptions

    def streams(self, account: Account, options: Any) -> list[Stream]:
        """The number of followers, what LinkedIn tells of days, and posts."""
        page = options.organization
        return [*days.streams(account, page), posts(account, page, options.reread_days)]


LINKEDIN = LinkedIn()
