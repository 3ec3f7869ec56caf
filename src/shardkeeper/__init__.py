"""Shardkeeper: a distributed job scheduler on ZooKeeper and PostgreSQL."""

from __future__ import annotations
