"""Typeform: the answers to an organisation's satisfaction surveys.

Belongs here: the connector. Does not: what an organisation may say of its forms (`options`), requests (`api`), what an
answer means (`responses`), who opened a form and did not send it (`started`).

Configuration, below `sources.<organisation>.<source>`: `access_token` (a personal token with the scopes forms:read and
responses:read); `base_url` where it differs from the option's region.
"""

from __future__ import annotations

from typing import Any

from pipelines.source import Account, Stream
from pipelines.typeform.options import TypeformOptions
from pipelines.typeform.responses import responses
from pipelines.typeform.started import started

__all__ = ["TYPEFORM", "Typeform", "TypeformOptions"]


class Typeform:
    """The connector."""

    kind = "typeform"
    options = TypeformOptions

    def streams(self, account: Account, options: Any) -> list[Stream]:
        """A stream for each form; and one of those who did not send it, where that is declared."""
        answered = [responses(account, options, name) for name in options.forms]
        return [*answered, *(started(account, options, name) for name, form in options.forms.items() if form.started)]


TYPEFORM = Typeform()
