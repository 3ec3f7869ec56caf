"""What the tests of the schema work with."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import psycopg

from shardkeeper.postgres.connection import Connection, ConnectionOptions
from shardkeeper.postgres.migrations import Migrations


def upgrade(url: str) -> None:
    """Prepare a template database."""
    Migrations(url).upgrade()


@dataclass(frozen=True, slots=True)
class Migrated:
    """``sql`` is autocommitting."""

    url: str
    sql: psycopg.Connection[Any]
    opened: ExitStack

    def another(self, autocommit: bool = True, **parameters: str) -> psycopg.Connection[Any]:
        """A further connection, closed with the test."""
        return self.opened.enter_context(psycopg.connect(self.url, autocommit=autocommit, **parameters))  # type: ignore[arg-type]

    def adapter(self) -> Connection:
        """The adapters' connection."""
        connection = Connection(ConnectionOptions(self.url))
        self.opened.callback(connection.close)
        return connection

    def impl(self, name: str = "impl") -> None:
        self.sql.execute(
            "INSERT INTO shardkeeper.impl_spec (name, entrypoint) VALUES (%s, 'tasks:Task')", (name,)
        )

    def job(self, name: str = "job", **columns: Any) -> None:
        """Insert a job that runs every ten seconds by the ImplSpec ``impl``, made where it is missing."""
        self.sql.execute(
            "INSERT INTO shardkeeper.impl_spec (name, entrypoint) VALUES ('impl', 'tasks:Task') ON CONFLICT DO NOTHING"
        )
        row = {"name": name, "impl_spec": "impl", "every": "10 s"} | columns
        names, marks = ", ".join(row), ", ".join(f"%({column})s" for column in row)
        self.sql.execute(f"INSERT INTO shardkeeper.job_spec ({names}) VALUES ({marks})", row)

    def one(self, query: str, parameters: Any = ()) -> Any:
        """The first column of the first row."""
        row = self.sql.execute(query, parameters).fetchone()
        return None if row is None else row[0]

    def all(self, query: str, parameters: Any = ()) -> list[Any]:
        """The first column of each row."""
        return [row[0] for row in self.sql.execute(query, parameters)]
