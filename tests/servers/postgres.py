"""One PostgreSQL server per major version and test session, one database per test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import psycopg
import pytest

from shardkeeper.devservers import PostgresInstallation, PostgresServer
from shardkeeper.devservers.postgres_server import PostgresOptions
from tests.servers.available import found_or_skip

EMBEDDED_VERSION: Final = 18
OLDEST_VERSION: Final = 15

# fsync off: no test crashes the machine
TEST_OPTIONS: Final = PostgresOptions(durable=False, max_connections=300)

# @on_both_postgres on a test that uses the fixture `postgres` (or `own_postgres`: see the README) runs it on both
on_both_postgres = pytest.mark.parametrize(
    "postgres",
    [pytest.param(OLDEST_VERSION, id="postgres15"), pytest.param(EMBEDDED_VERSION, id="postgres18")],
    indirect=True,
)


def installation(version: int) -> PostgresInstallation:
    """The installation of a major version; skips at home, fails in CI, when this machine has none."""
    if version == EMBEDDED_VERSION:
        return found_or_skip(PostgresInstallation.embedded)
    return found_or_skip(lambda: PostgresInstallation.debian(version))


@dataclass(frozen=True, slots=True)
class PostgresDatabase:
    """A database of one test: the superuser's URL, its name, and the shared server (leave that running)."""

    url: str
    name: str
    server: PostgresServer

    def connect(self) -> psycopg.Connection[tuple[object, ...]]:
        """A new autocommit connection as superuser; the caller closes it."""
        return psycopg.connect(self.url, autocommit=True)


class PostgresPool:
    """Starts each server when it is first wanted; databases are copies of templates that are prepared once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers: dict[int, PostgresServer] = {}
        self._templates: dict[tuple[int, Callable[[str], None]], str] = {}
        self._numbers = count(1)

    def server(self, version: int = EMBEDDED_VERSION) -> PostgresServer:
        """The session's server of that major version."""
        if version not in self._servers:
            server = PostgresServer(self._folder / f"postgres-{version}", installation(version), TEST_OPTIONS)
            self._servers[version] = server
            server.start()
        return self._servers[version]

    @contextmanager
    def database(
        self, version: int = EMBEDDED_VERSION, prepare: Callable[[str], None] | None = None
    ) -> Iterator[PostgresDatabase]:
        """A new database, dropped at the end. `prepare` (a module-level function that takes a URL: migrations, for
        example) is run once per server on a template, of which every further database is a copy."""
        server = self.server(version)
        name = f"test_{next(self._numbers)}"
        url = server.create_database(name, None if prepare is None else self._template(version, prepare))
        try:
            yield PostgresDatabase(url, name, server)
        finally:
            server.drop_database(name)

    def close(self) -> None:
        """Stop all servers."""
        for server in self._servers.values():
            server.close()

    def _template(self, version: int, prepare: Callable[[str], None]) -> str:
        key = (version, prepare)
        if key not in self._templates:
            name = f"template_{next(self._numbers)}"
            prepare(self.server(version).create_database(name))
            self._templates[key] = name
        return self._templates[key]
