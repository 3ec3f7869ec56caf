"""PostgreSQL: crashed, away, without connections, with its tables locked, and the listeners of nodes."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from random import Random
from typing import Any

import psycopg
from psycopg import sql

from bench.faults.nemeses.nemesis import Nemesis
from bench.faults.nemeses.of_nodes import a_node
from bench.faults.world import World

_ALL_TAKEN = ("too many", "remaining connection slots")
"""What the server says then; the library passes no SQLSTATE on of a connection that was refused."""
_MOST = 1_000
_BACKENDS = """
select pid, client_port from pg_catalog.pg_stat_activity
 where application_name like format('shardkeeper %%s %%s', %s::text, %s::text)"""
_TABLES = ("job_run", "shard_run")
_TRIES = 10


def crash(world: World, _: Random, holds_s: float) -> str:
    """Immediate shutdown: clients learn nothing, and what was not committed is gone."""
    world.postgres.stop_immediately()
    world.hold(holds_s, world.postgres.start)
    return ""


def freeze(world: World, _: Random, holds_s: float) -> str:
    """SIGSTOP to the server and all its backends: connections stay open and silent, and the kernel answers for them."""
    world.postgres.pause()
    world.hold(holds_s, world.postgres.resume)
    return ""


def end_listener(world: World, rng: Random, holds_s: float) -> str:
    """pg_terminate_backend for the connection by which one node hears of changes."""
    name = a_node(world, rng)
    with world.connect() as connection:
        for pid, _ in backends(connection, name, "%listener%"):
            connection.execute("select pg_terminate_backend(%s)", (pid,))
    world.wait(holds_s)
    return name


def silence_listener(world: World, rng: Random, holds_s: float) -> str:
    """The same connection stays open and carries nothing any more."""
    name = a_node(world, rng)
    with world.connect() as connection:
        for _, port in backends(connection, name, "%listener%"):
            world.links[name].postgres.stall_one(port)
    world.hold(holds_s, world.links[name].postgres.mend)
    return name


def take_connections(world: World, rng: Random, holds_s: float) -> str:
    """All that the server gives to a role that is not a superuser, among them those of one node."""
    name = a_node(world, rng)
    url = nodes_url(world, name)
    with ExitStack() as taken:
        _take_all(taken, url)
        with world.connect() as connection:
            for pid, _ in backends(connection, name, "%"):
                connection.execute("select pg_terminate_backend(%s)", (pid,))
        _take_all(taken, url)
        world.wait(holds_s)
    return name


def lock_tables(world: World, _: Random, holds_s: float) -> str:
    """ACCESS EXCLUSIVE, as somebody's ALTER TABLE that takes its time."""
    names = sql.SQL(", ").join(sql.Identifier("shardkeeper", name) for name in _TABLES)
    with world.connect() as connection:
        for _try in range(_TRIES):
            # somebody may have a lock on the one and wait for the other, as we do
            with suppress(psycopg.errors.DeadlockDetected), connection.transaction():
                connection.execute(sql.SQL("lock table {} in access exclusive mode").format(names))
                world.wait(holds_s)
                return ""
    raise TimeoutError(f"the tables could not be locked in {_TRIES} tries")


def backends(connection: psycopg.Connection[Any], node: str, purpose: str) -> list[tuple[int, int]]:
    """Process id and client port of a node's connections for a purpose (LIKE)."""
    return connection.execute(_BACKENDS, (node, purpose)).fetchall()


def nodes_url(world: World, name: str) -> str:
    """The database as a node sees it, by the relay."""
    return world.fleet.own[name]["SHARDKEEPER_DATABASE_URL"]


def _take_all(taken: ExitStack, url: str) -> None:
    """Open connections until the server refuses one."""
    for _ in range(_MOST):
        try:
            taken.callback(psycopg.connect(url, autocommit=True, application_name="hog").close)
        except psycopg.OperationalError as error:
            if not any(text in str(error) for text in _ALL_TAKEN):
                raise
            return


NEMESES = (
    Nemesis("PostgreSQL restarted", crash),
    Nemesis("PostgreSQL away", crash, outages=1),
    Nemesis("PostgreSQL frozen", freeze, sessions=2),
    Nemesis("listener terminated", end_listener, seconds=1),
    Nemesis("listener silent", silence_listener, seconds=25),
    Nemesis("connections exhausted", take_connections, seconds=8),
    Nemesis("tables locked", lock_tables, seconds=8),
)
