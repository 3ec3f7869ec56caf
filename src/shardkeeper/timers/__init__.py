"""Adapter: APScheduler behind the timer port."""

from __future__ import annotations
