"""How properties are searched for exceptions: the same examples on every run, many more of them in a soak."""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None, database=None)
settings.register_profile("soak", deadline=None, database=None, max_examples=2000)
settings.load_profile("soak" if os.environ.get("HITO_SOAK") else "ci")
