"""What a site calls its statuses, priorities and resolutions, now and as it was seen to before; what has no such name.

Belongs here: the words that the options may use, and refusing the others. Does not: what statuses mean (`tickets`).

Jira lists the statuses of workflows that are in use. One that has left them stands in histories only, without its
category: so what was seen is carried from reading to reading. Names that histories alone have are known once they have
been read: a first reading refuses them at its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from kr_definitions.vocabulary import nearest
from pipelines.jira.api import Api, Field, Item
from pipelines.jira.options import CATEGORIES, CATEGORY, JiraOptions
from pipelines.source import SourceConfigError

SERVICE_LEVEL = "com.atlassian.servicedesk:sd-sla-field"
"""The kind of the fields that are service levels."""
_MOST_TOLD = 20


@dataclass
class Words:
    """The words of a site. statuses: id -> name and category, None where it is not known any more."""

    api: Api
    options: JiraOptions
    statuses: dict[str, tuple[str, str | None]] = field(default_factory=dict)
    priorities: set[str] = field(default_factory=set)
    resolutions: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, api: Api, options: JiraOptions, noted: str | None) -> Words:
        """Those of a site, with what was noted before. What the options do not use is not asked for."""
        seen = orjson.loads(noted).get("words", {}) if noted else {}
        was = {id_: (name, category) for id_, (name, category) in seen.get("statuses", {}).items()}
        return cls(
            api,
            options,
            {**was, **api.statuses()},
            {*seen.get("priorities", ()), *(api.names("priority") if options.priorities else ())},
            {*seen.get("resolutions", ()), *(api.names("resolution") if options.unsolved_resolutions else ())},
        )

    def noted(self, place: str) -> str:
        """A mark or the cursor of a reading, with the words that it has met."""
        words = {
            "statuses": self.statuses,
            "priorities": sorted(self.priorities),
            "resolutions": sorted(self.resolutions),
        }
        return orjson.dumps({**orjson.loads(place), "words": words}).decode()

    def meet(self, name: str, changed: Mapping[str, Any]) -> None:
        """Note what a change in a history calls things. name: the field that was changed."""
        for id_, text in ((changed.get("from"), "fromString"), (changed.get("to"), "toString")):
            called = changed.get(text)
            if called and name == "status":
                self.statuses.setdefault(str(id_), (str(called), None))
            elif called and name in ("priority", "resolution"):
                (self.priorities if name == "priority" else self.resolutions).add(str(called))

    def refuse_unknown(self, *, has_read_all: bool) -> None:
        """Raise for a name that matches nothing: nothing would ever be solved, or raised, or left out by it.

        has_read_all: whether every history has been read once; until then, it may be in one of them.
        """
        options = self.options
        for name in (*options.solved, *options.closed):
            if name.startswith(CATEGORY):
                self._require("status category", name, [CATEGORY + key for key in CATEGORIES])
            elif has_read_all or not name.isdigit():
                self._require("status", name, self._statuses())
        if has_read_all:
            for kind, names, known in (
                ("status", options.statuses, self._statuses()),
                ("priority", options.priorities, self.priorities),
                ("resolution", options.unsolved_resolutions, self.resolutions),
            ):
                for name in names:
                    self._require(kind, name, known)

    def refuse_unknown_fields(self, fields: list[Field]) -> None:
        """Raise for a customer's field or a service level that the site does not have."""
        options = self.options
        if options.customer != "reporter" and options.customer not in {one.id for one in fields}:
            own = [f"{one.id} ({one.name})" for one in fields if one.id.startswith("customfield_")]
            self._refuse("field of a customer", options.customer, own)
        levels = [one.name for one in fields if one.kind == SERVICE_LEVEL]
        for name in (options.sla, options.reply_sla):
            if name is not None:
                self._require("service level", name, levels)

    def _statuses(self) -> set[str]:
        return {*self.statuses, *(name for name, _ in self.statuses.values())}

    def _require(self, kind: str, name: str, known: Iterable[str]) -> None:
        if name not in (found := set(known)):
            self._refuse(kind, name, found)

    def _refuse(self, kind: str, name: str, known: Iterable[str]) -> None:
        there = sorted(known)
        likely = nearest(name, there)
        some = ", ".join(there[:_MOST_TOLD]) or "none"
        raise SourceConfigError(
            self.api.source,
            f"the options name the {kind} '{name}', which the site does not have",
            f"Did you mean {' or '.join(likely)}?" if likely else f"There are: {some}",
        )


def changed_fields(history: Item) -> dict[str, Item]:
    """What one change did to each field; of several the last."""
    changed = (one for one in history.get("items") or () if isinstance(one, dict))
    return {str(one.get("fieldId") or one.get("field")): one for one in changed}
