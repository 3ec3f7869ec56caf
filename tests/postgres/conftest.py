"""A migrated database for each test, on both versions of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest

from tests.postgres.migrated import Migrated, upgrade
from tests.servers import PostgresPool


@pytest.fixture(params=[pytest.param(18, id="postgres18"), pytest.param(15, id="postgres15")])
def migrated(request: pytest.FixtureRequest, postgres_pool: PostgresPool) -> Iterator[Migrated]:
    """The superuser's connection to a database with the schema, and a way to open further ones."""
    with postgres_pool.database(request.param, upgrade) as database, ExitStack() as opened:
        first = opened.enter_context(psycopg.connect(database.url, autocommit=True))
        yield Migrated(database.url, first, opened)
