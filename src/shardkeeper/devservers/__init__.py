"""Adapter: real PostgreSQL and ZooKeeper servers as local processes, for `shardkeeper dev` and the tests."""

from __future__ import annotations
