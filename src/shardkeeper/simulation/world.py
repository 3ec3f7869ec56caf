"""A whole cluster: machines, both stores, people; and the passing of time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count

from shardkeeper.memory.rules import Rules
from shardkeeper.simulation.conditions import Conditions
from shardkeeper.simulation.host import Host
from shardkeeper.simulation.machine import Machine
from shardkeeper.simulation.machine_plan import MachinePlan
from shardkeeper.simulation.people import People
from shardkeeper.simulation.surroundings import Surroundings


class World(Surroundings):
    """``plans``: the machines; none of them runs anything yet."""

    def __init__(
        self,
        seed: int,
        plans: Iterable[MachinePlan],
        conditions: Conditions | None = None,
        rules: Rules | None = None,
    ) -> None:
        super().__init__(seed, conditions or Conditions(), rules)
        numbers = count(1)
        self.machines = {plan.name: Machine(Host(plan, self), lambda: next(numbers)) for plan in plans}
        self.people = People(self)

    @classmethod
    def of(cls, *names: str, seed: int = 1, conditions: Conditions | None = None) -> World:
        """Machines of these names, all alike."""
        return cls(seed, [MachinePlan(name, name, capacity=8) for name in names], conditions)

    @property
    def seconds(self) -> float:
        """Since the world began."""
        return self.clock.monotonic()

    def start_all(self) -> None:
        """A process on every machine."""
        for machine in self.machines.values():
            machine.start()

    def run(self, seconds: float) -> None:
        """Let so much time pass."""
        self.clock.advance(seconds)

    def run_until(self, true: Callable[[], bool], within_s: float) -> bool:
        """Let time pass until something is true, at most so many seconds; whether it became true."""
        end = self.seconds + within_s
        while not true():
            if self.seconds >= end:
                return False
            self.clock.advance(0.25)
        return True

    def cut_store(self) -> None:
        """The store is away, for everybody."""
        for machine in self.machines.values():
            machine.cut_store()

    def heal_store(self) -> None:
        """The store is back, for everybody."""
        for machine in self.machines.values():
            machine.heal_store()

    def heal(self) -> None:
        """End every fault, and start what does not run."""
        self.ensemble.restore()
        for machine in self.machines.values():
            machine.heal()
