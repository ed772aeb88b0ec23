"""The code location that `workspace.yaml` names: Dagster's definitions for the home that the environment names."""

from assets.home import Home
from assets.orchestration import definitions

defs = definitions(Home.from_environment())
