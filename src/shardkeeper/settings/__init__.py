"""Adapter: settings from TOML, environment, files and credentials."""

from __future__ import annotations
