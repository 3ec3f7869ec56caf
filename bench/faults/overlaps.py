"""Two executions of one item at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.faults.history import History
from bench.faults.weather import CUT_OFF, PAUSED, broken_at
from bench.faults.witness import Execution


@dataclass(frozen=True, slots=True)
class Overlap:
    """``seconds``: at least so long; one that is killed cannot say when. ``excuse``: why the earlier one could not know
    better, ``paused`` or ``cut off``; None: it should have been over."""

    earlier: Execution
    later: Execution
    seconds: float
    excuse: str | None


def overlaps(history: History) -> Iterator[Overlap]:
    """All of them, by item."""
    for own in history.executions_of.values():
        for place, later in enumerate(own):
            for earlier in own[:place]:
                seconds = min(earlier.last, later.last) - later.began
                # what was told in the same instant, or only began, has no length
                if earlier.last > later.began:
                    yield Overlap(
                        earlier, later, max(0.0, seconds), _excuse(history, earlier.node, later.began)
                    )


def _excuse(history: History, node: str, at: float) -> str | None:
    if any(broken_at(history, node, at, PAUSED)):
        return "paused"
    return "cut off" if any(broken_at(history, node, at, CUT_OFF)) else None
