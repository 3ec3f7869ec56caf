"""The client over a story: in memory, and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

import pytest

from shardkeeper.client import Client
from shardkeeper.node.compose_database import StoreAccess
from tests.contract.postgres_world import PostgresWorld, upgrade
from tests.contract.store_worlds import MemoryWorld, StoreWorld
from tests.contract.story import Story
from tests.servers import PostgresPool


@dataclass
class Office:
    """A client, and the nodes that do what it submits. Time passes only while it waits."""

    story: Story
    while_waiting: Callable[[], object] = lambda: None
    pauses: list[float] = field(default_factory=list)
    mono: float = 0.0

    def client(self) -> Client:
        return Client.over(self.access, by="ada")

    def access(self) -> StoreAccess:
        return StoreAccess(self.story.world.operator, lambda: self.mono, self._pause, lambda: None)

    def _pause(self, seconds: float) -> None:
        self.mono += seconds
        self.pauses.append(seconds)
        self.while_waiting()


@pytest.fixture(scope="module")
def store_url(postgres_pool: PostgresPool) -> Iterator[str]:
    with postgres_pool.database(18, upgrade) as database:
        yield database.url


@pytest.fixture(
    params=[None, pytest.param("postgres", marks=pytest.mark.postgres)], ids=["memory", "postgres"]
)
def office(request: pytest.FixtureRequest) -> Iterator[Office]:
    url = None if request.param is None else request.getfixturevalue("store_url")
    world: StoreWorld = MemoryWorld() if url is None else PostgresWorld(url)
    with closing(world):
        story = Story(world)
        story.job("thumbnail", every=None)
        yield Office(story)


@pytest.fixture
def client(office: Office) -> Client:
    return office.client()
