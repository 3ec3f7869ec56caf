"""Items and nodes brought together by deferred acceptance (Gale and Shapley, 1962), with loads to be met exactly.

An item proposes to the node it scores best with; a node with more than its load lets go of what it scores worst
with; what was let go proposes to its next best. Both sides go by the same scores, so no pair is left that would
rather have each other: the stable matching, the same whatever the order of proposals.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush, heapreplace

from shardkeeper.domain.strategies.scores import Scores


class Matching:
    """One matching under way. Among equal scores the lower position and the lower item are preferred."""

    def __init__(self, scores: Scores, loads: Sequence[int]) -> None:
        """``loads``: how many items each node must end with; they add up to the number of items."""
        self._scores = scores
        self._loads = loads
        self._first = scores.best()
        # per node what it holds, worst first: (-score, -item)
        self._held: list[list[tuple[float, int]]] = []
        self._free: list[int] = []
        # per item that was let go once: whom it has not asked yet, the next one last
        self._unasked: dict[int, list[int]] = {}

    def settled(self) -> list[list[int]]:
        """The items of each node, as many as its load says."""
        self._propose_first()
        while self._free:
            self._propose_on(self._free.pop())
        return [[-negative for _, negative in held] for held in self._held]

    def _propose_first(self) -> None:
        wanted: list[list[int]] = [[] for _ in self._loads]
        for item, node in enumerate(self._first):
            wanted[node].append(item)
        for node, items in enumerate(wanted):
            held = [(-self._scores.of(node, item), -item) for item in items]
            heapify(held)
            while len(held) > self._loads[node]:
                self._free.append(-heappop(held)[1])
            self._held.append(held)

    def _propose_on(self, item: int) -> None:
        """Offer an item that was let go to its next nodes until one takes it."""
        unasked = self._unasked.get(item)
        if unasked is None:
            unasked = self._unasked[item] = self._after_the_first(item)
        while True:
            node = unasked.pop()
            held = self._held[node]
            offer = (-self._scores.of(node, item), -item)
            if len(held) < self._loads[node]:
                heappush(held, offer)
                return
            if offer > held[0]:
                self._free.append(-heapreplace(held, offer)[1])
                return

    def _after_the_first(self, item: int) -> list[int]:
        ranked = sorted((score, node) for node, score in enumerate(self._scores.of_item(item)))
        return [node for _, node in reversed(ranked) if node != self._first[item]]
