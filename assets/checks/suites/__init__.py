"""The two suites: what must hold of the events that a load appends, and of the progress that a run computed.

Belongs here: every rule, as data. Does not: how a rule is run (`expectations`), or what becomes of it (`audit`).

Rules look at frames that `frames` prepares. An expectation ignores nulls, so each column that must be set has a rule of
its own; a rule with a `where` that no row meets has checked nothing, and is reported so.
"""

from assets.checks.suites.of_events import batch_of_events
from assets.checks.suites.of_progress import computed_progress

__all__ = ["batch_of_events", "computed_progress"]
