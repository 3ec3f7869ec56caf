"""Many schedules that are due at one instant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.beginnings import Beginning


@dataclass(frozen=True, slots=True)
class Burst:
    """``started``: how many of the schedules began before the watch ended; ``seconds``: from the instant to the last
    of these."""

    schedules: int
    started: int
    seconds: float

    @property
    def is_whole(self) -> bool:
        return self.started == self.schedules


def judge(beginnings: Iterable[Beginning], schedules: int, at_s: int) -> Burst:
    """``at_s``: the instant, in whole seconds since the epoch; what began before it does not count."""
    first: dict[int, float] = {}
    for schedule, _, began_s in beginnings:
        if began_s >= at_s:
            first[schedule] = min(began_s, first.get(schedule, began_s))
    return Burst(schedules, len(first), max(first.values()) - at_s if first else 0.0)
