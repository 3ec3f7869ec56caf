"""Adapter: supervised worker processes."""

from __future__ import annotations
