"""Adapter: real PostgreSQL and ZooKeeper servers as local processes, for `shardkeeper dev` and the tests.

`PostgresServer`, `ZooKeeperServer` and `ZooKeeperEnsemble` start on loopback ports of their own, in a folder of
their own, and are context managers: leaving them stops what they started. A server also ends when the process that
started it ends, however it ends.
"""

from __future__ import annotations

from shardkeeper.devservers.errors import ServerFailed, ServerUnavailable
from shardkeeper.devservers.postgres_installation import PostgresInstallation
from shardkeeper.devservers.postgres_server import PostgresServer
from shardkeeper.devservers.zookeeper_ensemble import ZooKeeperEnsemble
from shardkeeper.devservers.zookeeper_installation import ZooKeeperInstallation
from shardkeeper.devservers.zookeeper_server import ZooKeeperServer

__all__ = [
    "PostgresInstallation",
    "PostgresServer",
    "ServerFailed",
    "ServerUnavailable",
    "ZooKeeperEnsemble",
    "ZooKeeperInstallation",
    "ZooKeeperServer",
]
