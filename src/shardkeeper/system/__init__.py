"""Adapter: the operating system's clocks, signals and readiness socket."""

from __future__ import annotations
