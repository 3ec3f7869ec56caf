"""How much is measured, alike for all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """``ladder``: how many schedules fire at once, step by step; ``seconds``: for how long each step is measured,
    an even number; ``burst``: schedules due at one instant."""

    ladder: tuple[int, ...] = (30, 100, 300, 1_000, 2_000, 3_000, 5_000)
    seconds: int = 6
    burst: int = 10_000
    rounds: int = 3
    workers: int = 2


QUICK = Options(ladder=(30, 300), seconds=4, burst=1_000, rounds=1)
"""Enough to see that all of it works."""
