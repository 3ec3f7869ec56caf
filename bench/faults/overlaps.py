"""Two executions of one item at the same time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bench.faults.history import History
from bench.faults.weather import CUT_OFF, PAUSED, broken_at
from bench.faults.witness import Execution


@dataclass(frozen=True, slots=True)
class Overlap:
    """``seconds``: at least so long; one that is killed cannot say when. ``excuse``: why the one that had lost the item
    could not know better, ``paused`` or ``cut off``; None: it should have been over."""

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
                    yield Overlap(earlier, later, max(0.0, seconds), _excuse(history, earlier, later))


def _excuse(history: History, earlier: Execution, later: Execution) -> str | None:
    """What its node may say for whoever had lost the item. That is mostly who began earlier; but a node that comes to
    itself may begin what it had claimed long ago."""
    stale = [one for one in (earlier, later) if one.attempt == min(earlier.attempt, later.attempt)]
    for excuse, kinds in (("paused", PAUSED), ("cut off", CUT_OFF)):
        if any(any(broken_at(history, one.node, later.began, kinds)) for one in stale):
            return excuse
    return None
