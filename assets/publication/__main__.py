"""`python -m assets.publication > docs/tables.md`: the documentation of the published tables."""

import sys

from assets.publication import documentation

sys.stdout.write(documentation())
