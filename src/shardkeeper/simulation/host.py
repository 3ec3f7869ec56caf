"""A machine: what outlives the processes on it, and what people and faults can do to it."""

from __future__ import annotations

from shardkeeper.memory.journal import MemoryJournal
from shardkeeper.simulation.machine_plan import MachinePlan
from shardkeeper.simulation.surroundings import Surroundings
from shardkeeper.simulation.wire import Wire


class Host:
    """``deaf``: no hint of the store arrives. ``cannot_run``: entrypoints that cannot be imported here."""

    def __init__(self, plan: MachinePlan, world: Surroundings) -> None:
        self.plan = plan
        self.world = world
        self.wire = Wire()
        self.journal = MemoryJournal()
        self.skew_s = plan.skew_s
        self.deaf = False
        self.cannot_run: set[str] = set()

    def problem_with(self, entrypoint: str, kind: str) -> str | None:
        """Why it cannot run here."""
        return f"cannot import {entrypoint}" if entrypoint in self.cannot_run else None

    def hint_delay_s(self) -> float | None:
        """When a hint arrives; None: it is lost."""
        return None if self.deaf else self.world.rng.uniform(0.0005, 0.01)
