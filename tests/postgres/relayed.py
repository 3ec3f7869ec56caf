"""The way to a database through a relay that tests cut and freeze."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import conninfo

from bench.faults.relay import Relay
from tests.postgres.migrated import Migrated


@contextmanager
def relayed(database: Migrated) -> Iterator[tuple[Relay, str]]:
    """The relay, and the URL of the database behind it."""
    given = conninfo.conninfo_to_dict(database.url)
    with Relay(f"{given['host']}:{given.get('port') or 5432}") as relay:
        host, _, port = relay.hosts.rpartition(":")
        yield relay, conninfo.make_conninfo(database.url, host=host, port=port)
