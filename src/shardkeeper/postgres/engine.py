"""The database as the stores see it: each thread that calls has a connection of its own.

The node's lanes are threads, so a lane that waits for a lock never holds up another, and the number of connections is
that of the lanes. psycopg is used directly: calls are functions of ``sql/`` or named queries, and a layer between would
only hide the pipeline and the transaction status. (SQLAlchemy is there for Alembic alone.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Lock, local
from typing import Any, TypeVar

from psycopg.rows import dict_row

from shardkeeper.postgres.connection import Connection, ConnectionOptions, Raw

T = TypeVar("T")
Row = dict[str, Any]
Parameters = Mapping[str, Any] | Sequence[Any] | None


class Database:
    """See the module. ``close`` closes the connections of all threads; whoever calls afterwards opens a new one."""

    def __init__(self, options: ConnectionOptions) -> None:
        self.options = options
        self._own = local()
        self._lock = Lock()
        self._all: list[Connection] = []

    def connection(self) -> Connection:
        """The calling thread's."""
        found: Connection | None = getattr(self._own, "connection", None)
        if found is None:
            found = self._own.connection = Connection(self.options)
            with self._lock:
                self._all.append(found)
        return found

    def run(self, work: Callable[[Raw], T]) -> T:
        """``Connection.run`` on the calling thread's connection."""
        return self.connection().run(work)

    def rows(self, query: str, parameters: Parameters = None) -> list[Row]:
        """One autocommitted statement; its rows as dictionaries."""

        def ask(raw: Raw) -> list[Row]:
            with raw.cursor(row_factory=dict_row) as cursor:
                return cursor.execute(query, parameters).fetchall()  # type: ignore[arg-type]

        return self.run(ask)

    def value(self, query: str, parameters: Parameters = None) -> Any:
        """One autocommitted statement; the first column of its first row, None without rows."""

        def ask(raw: Raw) -> Any:
            row = raw.execute(query, parameters).fetchone()  # type: ignore[arg-type]
            return None if row is None else row[0]

        return self.run(ask)

    def execute(self, query: str, parameters: Parameters = None) -> int:
        """One autocommitted statement; how many rows it touched."""
        return self.run(lambda raw: raw.execute(query, parameters).rowcount)  # type: ignore[arg-type]

    def close(self) -> None:
        with self._lock:
            connections, self._all = self._all, []
        for connection in connections:
            connection.close()
        self._own = local()
