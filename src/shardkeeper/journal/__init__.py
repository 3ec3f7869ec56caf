"""Adapter: the local file in which outcomes wait while PostgreSQL is away."""

from __future__ import annotations
