"""Adapter: spec files in YAML, judged by a JSON Schema."""

from __future__ import annotations
