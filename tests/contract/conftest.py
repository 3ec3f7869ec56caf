"""The stores that the contract tests judge: the twin in memory, and the real one on both versions of PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import cache

import pytest

from tests.contract.postgres_world import PostgresWorld, upgrade
from tests.contract.store_worlds import MemoryWorld, StoreWorld
from tests.contract.story import Story
from tests.servers import PostgresPool

STORES = [
    pytest.param(None, id="memory"),
    pytest.param(18, id="postgres18", marks=pytest.mark.postgres),
    pytest.param(15, id="postgres15", marks=pytest.mark.postgres),
]


@pytest.fixture(scope="session")
def store_urls(postgres_pool: PostgresPool) -> Iterator[Callable[[int], str]]:
    """The URL of a migrated database on a major version of PostgreSQL, one for all tests."""
    with ExitStack() as databases:

        @cache
        def url(version: int) -> str:
            return databases.enter_context(postgres_pool.database(version, upgrade)).url

        yield url


@pytest.fixture(params=STORES)
def store_world(request: pytest.FixtureRequest) -> Iterator[StoreWorld]:
    """A store with nothing in it. The parameter is PostgreSQL's major version; None is the twin."""
    if request.param is None:
        yield MemoryWorld()
        return
    url = request.getfixturevalue("store_urls")(request.param)
    with closing(PostgresWorld(url)) as world:
        yield world


@pytest.fixture
def story(store_world: StoreWorld) -> Story:
    return Story(store_world)
