"""A world in memory whose calls fail one by one, as a test says."""

from __future__ import annotations

from collections import Counter

from shardkeeper.domain.errors import StoreUnavailable
from shardkeeper.memory.link import Link
from shardkeeper.memory.store import MemoryStore
from tests.contract.store_worlds import MemoryWorld
from tests.contract.story import Story


class FailingLink(Link):
    """``failing``: methods that are not answered and do nothing; ``unheard``: those done and not answered, once."""

    def __init__(self) -> None:
        super().__init__()
        self.failing: set[str] = set()
        self.unheard: set[str] = set()
        self.calls: Counter[str] = Counter()
        self.order: list[str] = []

    def before(self, call: str) -> None:
        self.calls[call] += 1
        self.order.append(call)
        if call in self.failing:
            raise StoreUnavailable(f"{call} failed")

    def after(self, call: str) -> None:
        if call in self.unheard:
            self.unheard.remove(call)
            raise StoreUnavailable(f"{call} was not heard of")


def failing_story() -> tuple[Story, MemoryStore, FailingLink]:
    """A story, its store, and the link between them, with nothing counted yet."""
    world = MemoryWorld()
    story = Story(world)
    store = world.runs
    assert isinstance(store, MemoryStore)
    link = FailingLink()
    store.link = link
    return story, store, link
