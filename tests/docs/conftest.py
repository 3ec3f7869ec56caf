"""The pages under judgement, and what they are held against."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import cache
from pathlib import Path

import pytest

from tests.cli.conftest import Desk
from tests.contract.postgres_world import PostgresWorld, upgrade
from tests.contract.story import Story
from tests.docs.desks import desk_over
from tests.servers import PostgresPool


@pytest.fixture(scope="session")
def documented_database(postgres_pool: PostgresPool) -> Iterator[Callable[[], str]]:
    """The URL of a migrated database; one for all tests, so they only read it, or roll back."""
    with ExitStack() as databases:

        @cache
        def url() -> str:
            return databases.enter_context(postgres_pool.database(18, upgrade)).url

        yield url


@pytest.fixture
def real_desk(documented_database: Callable[[], str], tmp_path: Path) -> Iterator[Desk]:
    """The command line over PostgreSQL, with a view of two nodes."""
    with closing(PostgresWorld(documented_database())) as world:
        yield desk_over(Story(world))
