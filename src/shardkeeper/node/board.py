"""Facts are stated once; log, metrics and whoever else subscribe."""

from __future__ import annotations

from collections.abc import Callable

Subscriber = Callable[[object], None]


class Board:
    """Tells every subscriber of each fact, in the order in which they subscribed."""

    def __init__(self) -> None:
        self._subscribers: list[Subscriber] = []

    def subscribe(self, subscriber: Subscriber) -> None:
        """``subscriber`` is called from the node's loop: it must be quick, and must not raise."""
        self._subscribers.append(subscriber)

    def tell(self, fact: object) -> None:
        """State one fact."""
        for subscriber in self._subscribers:
            subscriber(fact)
