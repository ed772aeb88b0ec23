"""The report: how every organisation's key results stand, in a terminal or a plain pipe."""

from assets.report.page import render

__all__ = ["render"]
