"""Events for later, on the monotonic clock."""

from __future__ import annotations

import heapq
from itertools import count
from typing import Generic, TypeVar

E = TypeVar("E")


class Agenda(Generic[E]):
    """A heap of events by the second at which they are due; events of the same instant keep their order."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, E]] = []
        self._numbers = count()

    def put(self, at_mono: float, event: E) -> None:
        """Due at ``at_mono`` seconds of the monotonic clock."""
        heapq.heappush(self._heap, (at_mono, next(self._numbers), event))

    def due(self, mono: float) -> E | None:
        """Take the next event that is due; None when none is."""
        if self._heap and self._heap[0][0] <= mono:
            return heapq.heappop(self._heap)[2]
        return None

    def wait_s(self, mono: float, longest_s: float) -> float:
        """Seconds until the next one is due, at most ``longest_s``."""
        if not self._heap:
            return longest_s
        return min(longest_s, max(0.0, self._heap[0][0] - mono))
