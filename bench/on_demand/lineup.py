"""All who take part, each with what it needs: ours on a cluster without nodes, each peer on a fresh database of the
same PostgreSQL or on a Redis of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import psycopg

from bench.cluster import Cluster
from bench.on_demand.contenders import Contender, Unavailable
from bench.on_demand.doors import open_door
from bench.on_demand.options import Options
from bench.on_demand.ours import ISOLATIONS, Ours, insert_jobs
from bench.on_demand.peer import PEERS, Peer
from bench.on_demand.peer_runs import PeerContender, Server
from bench.on_demand.redis_server import redis_server
from bench.on_demand.rows import Row


@contextmanager
def ours(running: Cluster, options: Options) -> Iterator[Sequence[Contender]]:
    """One for each isolation."""
    with running.connect() as connection, open_door(running.url, running.environment, options.sql) as door:
        insert_jobs(connection)
        yield [Ours(isolation, running, connection, door, options) for isolation in ISOLATIONS]


@contextmanager
def peers(
    running: Cluster, options: Options, wanted: Collection[str]
) -> Iterator[tuple[Sequence[Contender], Sequence[Row]]]:
    """Those whose name contains one of ``wanted`` (all where that is empty), and a row for each that cannot be had."""
    found, missing = [], []
    with ExitStack() as stack:
        for number, peer in enumerate(PEERS):
            if wanted and not any(word.lower() in peer.name.lower() for word in wanted):
                continue
            try:
                server = stack.enter_context(_server(running, number, peer))
                found.append(PeerContender(peer, server, running.folder, options))
            except Unavailable as error:
                missing.append(Row(peer.name, peer.isolation, problem=str(error)))
        yield found, missing


@contextmanager
def _server(running: Cluster, number: int, peer: Peer) -> Iterator[Server]:
    if peer.server == "redis":
        with redis_server(running.folder / f"redis-{number}") as redis:
            yield Server("redis", redis.url, redis.pid, lambda: None, (redis.version,))
        return
    url = running.postgres.create_database(f"peer_{number}")
    with psycopg.connect(url, autocommit=True) as connection:
        yield Server("postgres", url, running.postgres.pid, lambda: connection.execute("analyze"))
