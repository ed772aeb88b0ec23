"""World to event log: sources, the raw zone, the log, and the sandbox that stands in for the vendors."""
