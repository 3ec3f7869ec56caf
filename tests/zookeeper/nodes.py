"""Nodes on a real ZooKeeper, as the contract suite has them, with options of the test's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kazoo.client import KazooClient

from shardkeeper.ports.coordinator import NodeInfo
from shardkeeper.zookeeper.coordinator import ZooKeeperCoordinator
from shardkeeper.zookeeper.options import ZooKeeperOptions
from tests.contract.coordinator_worlds import RealWorld, Seat


def seat_with(world: RealWorld, node_id: str, options: ZooKeeperOptions) -> Seat:
    """Start a node that connects as `options` say, without a relay in between."""
    info = NodeInfo(node_id, f"{node_id}-1")
    seat = Seat(world, info, ZooKeeperCoordinator(options), world.changed)
    world.seats.append(seat)
    seat.coordinator.start(info, seat.notify)
    return seat


@contextmanager
def admin_of(hosts: str, auth: list[tuple[str, str]] | None = None) -> Iterator[KazooClient]:
    """Somebody with a client of his own."""
    client = KazooClient(hosts=hosts, timeout=10, auth_data=auth or [])
    client.start(timeout=15)
    try:
        yield client
    finally:
        client.stop()
        client.close()


def tree_of(client: KazooClient, path: str) -> set[str]:
    """All paths at and under `path`."""
    found = {path}
    for name in client.get_children(path):
        found |= tree_of(client, f"{path}/{name}")
    return found
