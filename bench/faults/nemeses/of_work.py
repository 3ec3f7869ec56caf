"""Work that harms whoever runs it."""

from __future__ import annotations

from random import Random

from bench.faults.nemeses.nemesis import Nemesis
from bench.faults.world import World

_KIND = "poison"
_TASKS = 5


def submit_poison(world: World, _: Random, holds_s: float) -> str:
    """Some tasks that kill every worker that touches them."""
    world.stream.add(_KIND, _TASKS)
    world.wait(holds_s)
    return ""


NEMESES = (Nemesis("poison submitted", submit_poison, seconds=4),)
