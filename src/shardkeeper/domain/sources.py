"""Dealing an ImplSpec's sources to the sharding items of a job, so that each item gets about the same weight."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heapreplace

from shardkeeper.domain.specs import SourceData


def deal(sources: Iterable[SourceData], total: int) -> tuple[tuple[SourceData, ...], ...]:
    """The enabled sources of each of ``total`` items, by key within an item; items may go without any.

    Heaviest first (among equals by key), each to the item with the least weight so far, among these to the lowest
    ("longest processing time first"; Graham, 1969). So:

    * no two items differ by more than the weight of the heaviest source;
    * no item has more than the mean plus the heaviest weight times (1 - 1/total), nor more than 4/3 of what the
      best dealing possible would give its fullest item.

    The answer depends on keys, weights and ``total`` alone, not on the order given. Keys are unique.
    """
    enabled = [source for source in sources if source.enabled]
    hands: list[list[SourceData]] = [[] for _ in range(total)]
    lightest = [(0.0, item) for item in range(total)]
    heapify(lightest)
    for source in sorted(enabled, key=lambda one: (-one.weight, one.key)):
        weight, item = lightest[0]
        hands[item].append(source)
        heapreplace(lightest, (weight + source.weight, item))
    return tuple(tuple(sorted(hand, key=lambda one: one.key)) for hand in hands)
