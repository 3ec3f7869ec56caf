"""How the settings say PostgreSQL is reached, and what needs no more than that: the client, inside people's programs.

Apart from the other compositions, so that such a program loads no ZooKeeper, no spec files and no operations.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from shardkeeper.ports.operator import OperatorStore
from shardkeeper.postgres.connection import Connection, ConnectionOptions
from shardkeeper.postgres.operator import PostgresOperator
from shardkeeper.settings import sources
from shardkeeper.settings.model import Settings


@dataclass(frozen=True, slots=True)
class StoreAccess:
    """The store with what waiting needs (``monotonic`` and ``pause``: seconds); ``close`` ends its connections."""

    store: OperatorStore
    monotonic: Callable[[], float]
    pause: Callable[[float], object]
    close: Callable[[], None]


def connection_options(settings: Settings, purpose: str) -> ConnectionOptions:
    """A connection of its own for each purpose, named in pg_stat_activity by node and purpose."""
    url = settings.database_url.get_secret_value()
    return ConnectionOptions(
        url,
        application_name=f"shardkeeper {settings.node_id} {purpose}"[:63],
        # less than the statement's, so that a lock that is not to be had is told as such
        lock_timeout_s=0.4 * settings.statement_timeout,
        statement_timeout_s=settings.statement_timeout,
    )


def open_store(database_url: str | None) -> StoreAccess:
    """The store that the settings of this process's environment name, or ``database_url``. Connects to nothing yet.
    Raises SettingsInvalid with all problems."""
    settings = sources.load() if database_url is None else sources.load(database_url=database_url)
    options = connection_options(settings, "client")
    options.conninfo()  # what is no connection string is a wrong setting, too
    connection = Connection(options)
    return StoreAccess(PostgresOperator(connection), monotonic, threading.Event().wait, connection.close)
