"""Real servers for tests: thin pools over `shardkeeper.devservers`; the fixtures are in tests/conftest.py, README.md
beside this file tells how to use them."""

from __future__ import annotations

from tests.servers.postgres import PostgresDatabase, PostgresPool, on_both_postgres
from tests.servers.zookeeper import ZooKeeperNamespace

__all__ = ["PostgresDatabase", "PostgresPool", "ZooKeeperNamespace", "on_both_postgres"]
