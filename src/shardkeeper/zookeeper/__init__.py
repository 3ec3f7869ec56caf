"""Adapter: ZooKeeper behind the coordinator port."""

from __future__ import annotations
