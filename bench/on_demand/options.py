"""How much is measured, alike for all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """``tasks``: the backlog of one drain; ``singles`` of them are submitted one by one, the rest in bulk;
    ``samples``: pick-ups of one round."""

    tasks: int = 20_000
    singles: int = 3_000
    samples: int = 200
    rounds: int = 3
    workers: int = 2
    sql: bool = False
    """Submit by SQL also where there is a client."""
    awake: bool = False
    """Measure while idle processors do not halt."""
