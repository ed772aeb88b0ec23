"""An account's settings and secrets, through dlt: looked up when a stream is fetched, under exactly its own name.

Belongs here: finding a setting, naming one that is missing, and refusing an address that would carry secrets in the
clear. Does not: which settings a vendor needs (its module).

dlt's own resolution falls back to shorter names: a missing `sources.acme.youtube.api_key` would be answered with a bare
`API_KEY`, and so with somebody else's secret. Here only the full name counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

import dlt

from pipelines.source import Account, SourceConfigError, never_tell

PLAIN = frozenset({"api_version", "audience", "base_url", "folder", "history_version", "reads_a_run", "tokens_a_run"})
"""Settings that may be told; every other one is a secret."""


@dataclass(frozen=True)
class Settings:
    """The settings of one account: `sources.<organisation>.<source>.<key>`."""

    account: Account

    @property
    def source(self) -> str:
        """The account as errors call it."""
        return f"{self.account.organisation}.{self.account.source}"

    def get(self, key: str) -> str | None:
        """A setting or secret, None where it is not set."""
        name = self.name(key)
        value = dlt.secrets.get(name) or dlt.config.get(name)
        if value is not None and key not in PLAIN:
            never_tell(str(value))
        return None if value is None else str(value)

    def need(self, key: str) -> str:
        """A setting or secret. Raises `SourceConfigError` where it is not set."""
        value = self.get(key)
        if not value:
            raise self.missing(key)
        return value

    def require(self, *keys: str) -> None:
        """Raise `SourceConfigError` where some of these settings are not set: it names all of those."""
        if missing := [key for key in keys if not self.get(key)]:
            raise self.missing(*missing)

    def base_url(self, default: str) -> str:
        """Where the vendor is: `base_url`, without a slash at its end.

        Raises `SourceConfigError` for anything but https; on this machine itself (a sandbox) http is allowed.
        """
        url = (self.get("base_url") or default).rstrip("/")
        parts = urlsplit(url)
        if parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(parts.hostname or "")):
            return url
        raise SourceConfigError(
            self.source,
            f"{self.name('base_url')} is {parts.scheme}://{parts.hostname}, which would carry credentials in the clear",
            "Use https",
        )

    def missing(self, *keys: str) -> SourceConfigError:
        """The error that says that these settings are missing, and where they go."""
        names = " and ".join(self.name(key) for key in keys)
        variables = " and ".join(self.variable(key) for key in keys)
        plural = len(keys) > 1
        return SourceConfigError(
            self.source,
            f"{names} {'are' if plural else 'is'} not set",
            f"Set {'them' if plural else 'it'} in .dlt/secrets.toml or as the environment variable"
            f"{'s' if plural else ''} {variables}",
        )

    def name(self, key: str) -> str:
        """A setting's full name."""
        return ".".join((*self.account.sections, key))

    def variable(self, key: str) -> str:
        """The environment variable that sets it."""
        return self.name(key).upper().replace(".", "__")


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
