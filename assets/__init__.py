"""What Dagster sees: assets, checks, publication, schedules and the command line. The only place that reads a clock."""
