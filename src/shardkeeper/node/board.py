"""Facts are stated once; log, metrics and whoever else subscribe."""

from __future__ import annotations

from collections.abc import Callable

Subscriber = Callable[[object], None]


class Board:
    """Tells each fact to those who subscribed to its kind, in the order in which they did."""

    def __init__(self) -> None:
        self._subscribers: list[tuple[Subscriber, tuple[type, ...]]] = []
        self._by_kind: dict[type, tuple[Subscriber, ...]] = {}

    def subscribe(self, subscriber: Subscriber, *kinds: type) -> None:
        """``subscriber`` is called from the node's loop: it must be quick, and must not raise. ``kinds``: what it is
        told of; none: everything. Facts come by the thousand, and most subscribers wait for few of them.
        """
        self._subscribers.append((subscriber, kinds))
        self._by_kind.clear()

    def tell(self, fact: object) -> None:
        """State one fact."""
        kind = type(fact)
        told = self._by_kind.get(kind)
        if told is None:
            told = self._by_kind[kind] = self._subscribers_to(kind)
        for subscriber in told:
            subscriber(fact)

    def _subscribers_to(self, kind: type) -> tuple[Subscriber, ...]:
        return tuple(
            subscriber for subscriber, kinds in self._subscribers if not kinds or issubclass(kind, kinds)
        )
