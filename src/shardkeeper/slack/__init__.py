"""Adapter: Slack behind the notifier port."""

from __future__ import annotations
