"""A world on the session's server, and one on a server that the test may hurt."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shardkeeper.devservers import ZooKeeperServer
from tests.contract.coordinator_worlds import RealWorld
from tests.servers import ZooKeeperNamespace


@pytest.fixture
def world(zookeeper: ZooKeeperNamespace) -> Iterator[RealWorld]:
    made = RealWorld(zookeeper.hosts, zookeeper.namespace)
    yield made
    made.close()


@pytest.fixture
def own_world(own_zookeeper: ZooKeeperServer) -> Iterator[RealWorld]:
    made = RealWorld(own_zookeeper.hosts, "own")
    yield made
    made.close()
