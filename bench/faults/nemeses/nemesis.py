"""What breaks something, holds it broken for a while, and mends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from bench.faults.options import Options
from bench.faults.world import World

Strike = Callable[[World, Random, float], str]
"""Break, hold for so many seconds, mend, also where it is interrupted. What is struck is drawn from the generator; its
name comes back, "" where it is all of them."""


@dataclass(frozen=True, slots=True)
class Nemesis:
    """``name``: also the kind of its bands. How long it holds is the sum of three: ``seconds``, which the options
    scale; ``sessions``, in ZooKeeper session time-outs; ``outages``, in outages as the options have them. ``needs``:
    what a world may be without, such as "clock"."""

    name: str
    strike: Strike
    seconds: float = 0.0
    sessions: float = 0.0
    outages: float = 0.0
    needs: str | None = None

    def holds_s(self, options: Options) -> float:
        """How long."""
        return (
            self.seconds * options.scale
            + self.sessions * options.session_timeout_s
            + self.outages * options.outage_s
        )
