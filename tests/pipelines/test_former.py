"""Streams that are read no more: their past counts or is withdrawn, as is said; until then, every run tells."""

from __future__ import annotations
