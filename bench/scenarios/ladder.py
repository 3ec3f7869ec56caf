"""A ladder of rates: which of them is the highest that holds."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def highest(rungs: Sequence[int], holds: Callable[[int], bool]) -> int | None:
    """The highest rung that holds, found by halving: all below one that holds are taken to hold, and all above one
    that breaks to break. None where the lowest breaks."""
    low, high = 0, len(rungs)
    while low < high:
        middle = (low + high) // 2
        if holds(rungs[middle]):
            low = middle + 1
        else:
            high = middle
    return rungs[low - 1] if low else None
