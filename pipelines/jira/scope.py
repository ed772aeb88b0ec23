"""Which issues are tickets: asked for in Jira's query language, and judged of an issue as it is.

Belongs here: both ways of saying it. Does not: what the options may say (`options`), walking issues (`reading`).

The search knows of changes late, and archived issues not at all. So whether one that it does not find has left is
judged by its own fields.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipelines.jira.api import Api, Field, Item
from pipelines.jira.options import JiraOptions

REQUEST_TYPE = "com.atlassian.servicedesk:vp-origin"
"""The kind of the field that holds a request's type."""


@dataclass(frozen=True)
class Scope:
    """The issues that are tickets; with `answered`, the field of an answer's date, those that have an answer.

    projects: their ids, as a key changes when a project is given another. request_type: the field that holds it.
    """

    options: JiraOptions
    projects: frozenset[str]
    request_type: str | None = None
    answered: str | None = None

    @property
    def query(self) -> str:
        """In Jira's query language."""
        answered = [] if self.answered is None else [f"{in_query(self.answered)} is not EMPTY"]
        return " AND ".join([self.options.scope, *answered])

    @property
    def fields(self) -> tuple[str, ...]:
        """What an issue is judged by."""
        named = ("project", "issuetype", self.request_type, self.answered)
        return tuple(one for one in named if one is not None)

    def has(self, issue: Item) -> bool:
        """Whether an issue is one of them, as it is now."""
        found = issue.get("fields") or {}
        return (
            str(of(found.get("project"), "id")) in self.projects
            and self.is_of_type(found.get("issuetype"))
            and self._is_of_request_type(found)
            and (self.answered is None or found.get(self.answered) is not None)
        )

    def is_of_type(self, kind: Any) -> bool:
        """Whether issues of a type are tickets. Jira takes a name in any letters, and an id."""
        names = {one.casefold() for one in self.options.issue_types}
        return not names or bool(names & {str(of(kind, name)).casefold() for name in ("id", "name")})

    def _is_of_request_type(self, found: Item) -> bool:
        """Whether a request is of a type that is named, alone or with its project: `Get help (SUP)`."""
        if self.request_type is None:
            return True
        name = str(of(of(found.get(self.request_type), "requestType"), "name")).casefold()
        return any(
            one.casefold() == name or one.casefold().startswith(f"{name} (") for one in self.options.request_types
        )


def scope(api: Api, options: JiraOptions, fields: list[Field], answered: str | None = None) -> Scope:
    """The scope that the options name. fields: the site's, where a field of theirs is needed."""
    projects = frozenset(api.project_id(key) for key in options.projects)
    request_type = next((one.id for one in fields if one.kind == REQUEST_TYPE), None) if options.request_types else None
    return Scope(options, projects, request_type, answered)


def in_query(field: str) -> str:
    """What a field of the site's own is called in Jira's query language."""
    return f"cf[{field.removeprefix('customfield_')}]"


def of(thing: Any, name: str) -> Any:
    """A part of what may not be there."""
    return thing.get(name) if isinstance(thing, dict) else None
