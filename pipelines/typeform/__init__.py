"""Typeform: the answers to an organisation's satisfaction surveys.

Belongs here: the connector. Does not: what an organisation may say of its forms (`options`), requests (`api`), what an
answer means (`responses`).

Configuration, below `sources.<organisation>.<source>`: `access_token` (a personal token with the scopes forms:read and
responses:read); `base_url` where it differs from the option's region.
"""

from __future__ import annotations

from typing import Any

from pipelines.source import Account, Stream
from pipelines.typeform.options import TypeformOptions
from pipelines.typeform.responses import responses

__all__ = ["TYPEFORM", "Typeform", "TypeformOptions"]


class Typeform:
    """The connector."""

    kind = "typeform"
    options = TypeformOptions

    def streams(self, account: Account, options: Any) -> list[Stream]:
        """A stream for each form."""
        return [responses(account, options, name) for name in options.forms]


TYPEFORM = Typeform()
