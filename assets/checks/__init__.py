"""Checks of data before anybody can see it: the events that a load appends, the progress that a run computed."""

from assets.checks.audit import Audit, Finding, audit_events, audit_progress

__all__ = ["Audit", "Finding", "audit_events", "audit_progress"]
