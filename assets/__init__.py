"""What Dagster sees: assets, checks, publication, schedules and the command line. The only place that reads a clock."""

import os

# Before Polars and Arrow are loaded: their allocators keep what they have freed for later, 10 s and for ever. A run is
# over in a minute and holds each of its frames once, so that is memory that nobody else has meanwhile.
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:500,muzzy_decay_ms:500")
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
