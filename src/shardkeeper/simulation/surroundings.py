"""What everything in a simulated world shares."""

from __future__ import annotations

from random import Random

from shardkeeper.memory.clock import VirtualClock
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.ensemble import MemoryEnsemble
from shardkeeper.memory.rules import Rules
from shardkeeper.simulation.conditions import Conditions
from shardkeeper.simulation.tasks import Tasks, Weather, Witnesses
from shardkeeper.simulation.trace import Trace
from shardkeeper.simulation.wire import Nesting

MOST_EVENTS = 60_000
"""In one world: many times what a storm of the usual size takes with all that follows."""


class Defect(Exception):
    """A part of a node raised what it never should."""


class Surroundings:
    """One clock, one source of randomness, both stores, and the evidence."""

    def __init__(self, seed: int, conditions: Conditions, rules: Rules | None = None) -> None:
        self.seed = seed
        self.conditions = conditions
        self.rng = Random(seed)
        self.clock = VirtualClock()
        self.trace = Trace(self.clock)
        self.nesting = Nesting()
        self.database = MemoryDatabase(
            self.clock,
            rules=rules,
            on_time_window_s=conditions.on_time_window_s,
            duty_s=conditions.duty_s,
        )
        self.ensemble = MemoryEnsemble(
            self.clock,
            conditions.session_timeout_s,
            hint_delay_s=lambda: self.rng.uniform(0.0005, 0.005),
            notice_delay_s=lambda: self.rng.uniform(0.01, 2.0),
        )
        self.witnesses = Witnesses(self.clock.now)
        self.tasks = Tasks(self.rng, Weather())
        self.events = 0
        self.defects: list[str] = []

    def count_event(self) -> None:
        """A node handles one letter."""
        self.events += 1
        if self.events > MOST_EVENTS:
            raise Defect("the cluster does not come to rest")

    def defect(self, who: str, error: Exception) -> None:
        """A lane broke, or a node gave up: the daemon would have ended."""
        raise Defect(f"{who}: {error!r}") from error
