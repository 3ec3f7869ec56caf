"""Hints from the store in memory, as LISTEN gives them: they come when the link is whole, and are lost
when it is not."""

from __future__ import annotations

from collections.abc import Callable

from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.link import Link
from shardkeeper.ports.specs import Hint, ListenerState

Later = Callable[[Callable[[], None]], object]


def at_once(todo: Callable[[], None]) -> None:
    """Deliver within the call that made the change."""
    todo()


class MemoryListener:
    """One node's ear. ``later`` decides when a hint arrives (a simulation delays or drops it)."""

    def __init__(self, database: MemoryDatabase, link: Link, later: Later = at_once) -> None:
        self._database = database
        self._link = link
        self._later = later
        self._notify: Callable[[Hint | ListenerState], None] | None = None

    def start(self, notify: Callable[[Hint | ListenerState], None]) -> None:
        if self._notify is None:
            self._notify = notify
            self._database.listeners.append(self._heard)
            self._later(lambda: self._tell(ListenerState(self._link.up)))

    def relisten(self) -> None:
        """The link has changed: say whether hints can arrive now."""
        self._later(lambda: self._tell(ListenerState(self._link.up)))

    def stop(self) -> None:
        if self._notify is not None:
            self._notify = None
            self._database.listeners.remove(self._heard)

    def _heard(self, hint: Hint) -> None:
        if self._link.up:
            self._later(lambda: self._tell(hint))

    def _tell(self, news: Hint | ListenerState) -> None:
        if self._notify is not None:
            self._notify(news)
