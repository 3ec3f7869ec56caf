"""The rows of all peers, each on a fresh database of the same PostgreSQL, or on a Redis of its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

from bench.cluster import Cluster
from bench.on_demand.options import Options
from bench.on_demand.peer import PEERS, Peer
from bench.on_demand.peer_runs import Server, measure_peer
from bench.on_demand.redis_server import redis_server
from bench.on_demand.rows import Row
from bench.on_demand.venvs import PeerUnavailable


def measure_peers(
    running: Cluster, options: Options, wanted: Collection[str], say: Callable[[str], None]
) -> list[Row]:
    """Those whose name contains one of ``wanted``; all where that is empty."""
    return [
        _measured(running, number, peer, options, say)
        for number, peer in enumerate(PEERS)
        if not wanted or any(word.lower() in peer.name.lower() for word in wanted)
    ]


def _measured(running: Cluster, number: int, peer: Peer, options: Options, say: Callable[[str], None]) -> Row:
    try:
        with _server(running, number, peer) as server:
            return measure_peer(peer, server, running.folder, options, say)
    except PeerUnavailable as error:
        return Row(peer.name, peer.isolation, problem=str(error))


@contextmanager
def _server(running: Cluster, number: int, peer: Peer) -> Iterator[Server]:
    if peer.server == "redis":
        with redis_server(running.folder / f"redis-{number}") as redis:
            yield Server("redis", redis.url, redis.pid)
        return
    name = f"peer_{number}"
    url = running.postgres.create_database(name)
    try:
        yield Server("postgres", url, running.postgres.pid)
    finally:
        running.postgres.drop_database(name)
