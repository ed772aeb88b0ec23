"""What an organisation names of a vendor's account, in the vendor's words: refused where the account has none such.

Belongs here: that refusal, with the names that are likely meant. Does not: which names there are (each vendor's
`declared`), the name of a setting (`settings`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from kr_definitions.vocabulary import nearest
from pipelines.source import SourceConfigError

_CORRECT_IT = "Correct it in the options of organisation.yaml"
_MOST_SHOWN = 10


def require_known(
    source: str, problem: str, wanted: Iterable[str], known: Collection[str], do: str = _CORRECT_IT
) -> None:
    """Raise `SourceConfigError` for a name that is not known, with the nearest ones that are, or some of all."""
    for name in wanted:
        if name not in known:
            like = ", ".join(nearest(name, known) or sorted(known)[:_MOST_SHOWN])
            raise SourceConfigError(source, f"{problem} {name!r}", f"{do}; there is {like}")
