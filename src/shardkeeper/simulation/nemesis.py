"""Faults, drawn one at a time, each with its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shardkeeper.ports.workers import WorkersChanged, WorkersSaid
from shardkeeper.simulation.machine import Machine
from shardkeeper.simulation.world import World

Undo = Callable[[], None]
Fault = Callable[[Machine], Undo | None]


class Nemesis:
    """Only some kinds of faults come up in one world, so that each kind is also met without the others."""

    def __init__(self, world: World, mean_pause_s: float) -> None:
        self._world = world
        self._mean_pause_s = mean_pause_s
        faults = self._faults()
        chosen = [name for name in faults if world.rng.random() < 0.4]
        self._chosen = {name: faults[name] for name in chosen}
        self.at_work = True
        self._undone: dict[int, Undo] = {}
        self._number = 0
        world.trace.add("nemesis", f"has chosen {', '.join(chosen) or 'nothing'}")

    def begin(self) -> None:
        """One fault after the other."""
        if self._chosen:
            self._next()

    def stop(self) -> None:
        """Begin no other, and end all."""
        self.at_work = False
        for number in list(self._undone):
            self._undo(number)
        self._world.heal()

    def _next(self) -> None:
        self._world.clock.call_later(self._world.rng.expovariate(1 / self._mean_pause_s), self._act)

    def _act(self) -> None:
        if not self.at_work:
            return
        world = self._world
        fault = self._chosen[world.rng.choice(list(self._chosen))]
        undo = fault(world.machines[world.rng.choice(list(world.machines))])
        if undo is not None:
            self._number += 1
            number = self._number
            self._undone[number] = undo
            world.clock.call_later(self._duration_s(), lambda: self._undo(number))
        self._next()

    def _undo(self, number: int) -> None:
        undo = self._undone.pop(number, None)
        if undo is not None:
            undo()

    def _duration_s(self) -> float:
        """Shorter and longer than session and lease."""
        return self._world.rng.choice((0.05, 0.5, 2.0, 5.0, 9.0, 20.0)) * self._world.rng.uniform(0.7, 1.3)

    def _faults(self) -> Mapping[str, Fault]:
        return {
            "crash": self._crash,
            "pause": self._pause,
            "cut from the store": self._cut_store,
            "cut from the coordinator": self._cut_coordinator,
            "cut from both": self._cut_both,
            "store away": self._store_away,
            "unknown commits": self._flaky,
            "slow calls": self._slow,
            "coordinator away": self._coordinator_away,
            "session expired": self._expire,
            "coordinator wiped": self._wipe,
            "view spoilt": self._spoil_view,
            "hints lost": self._deafen,
            "clock stepped": self._step,
            "drain and restart": self._drain,
            "drain ordered": self._order_drain,
            "not importable": self._unimport,
            "unfit": self._unfit,
            "everybody crashes": self._crash_all,
        }

    # ---- processes

    def _crash(self, machine: Machine) -> Undo:
        machine.kill()
        return machine.start

    def _crash_all(self, machine: Machine) -> Undo:
        machines = list(self._world.machines.values())
        for each in machines:
            each.kill()

        def undo() -> None:
            for each in machines:
                each.start()

        return undo

    def _pause(self, machine: Machine) -> Undo:
        machine.pause()
        return machine.resume

    def _drain(self, machine: Machine) -> Undo:
        machine.drain(self._world.rng.choice((0.1, 3.0, self._world.conditions.grace_s)))
        return machine.start

    def _unfit(self, machine: Machine) -> Undo:
        """Workers cannot be kept alive."""
        node = machine.node
        if node is None:
            return machine.start
        workers = node.workers
        self._say(machine, "workers cannot be kept alive")
        node.post(WorkersSaid((WorkersChanged(0, workers.capacity, 3, "no memory"),)))
        well = WorkersSaid((WorkersChanged(workers.capacity, workers.capacity, 3),))
        return lambda: node.post(well)  # to nobody, if that process is gone

    def _unimport(self, machine: Machine) -> Undo:
        self._say(machine, "cannot import tasks:Other")
        machine.host.cannot_run.add("tasks:Other")
        return machine.host.cannot_run.clear

    def _step(self, machine: Machine) -> Undo:
        seconds = self._world.rng.choice((-30.0, -3.0, -0.7, 0.7, 3.0, 45.0))
        machine.step_clock(seconds)
        return lambda: machine.step_clock(-seconds)

    # ---- the store

    def _cut_store(self, machine: Machine) -> Undo:
        machine.cut_store()
        return machine.heal_store

    def _store_away(self, machine: Machine) -> Undo:
        self._world.cut_store()
        return self._world.heal_store

    def _flaky(self, machine: Machine) -> Undo:
        self._say(machine, "loses calls and answers")
        machine.host.wire.flaky = self._world.rng.choice((0.05, 0.3, 0.7))
        return machine.host.wire.heal if machine.host.wire.up else lambda: None

    def _slow(self, machine: Machine) -> Undo:
        self._say(machine, "calls are slow")
        machine.host.wire.slow_s = self._world.rng.choice((0.05, 0.5, 2.0))
        return lambda: setattr(machine.host.wire, "slow_s", 0.0)

    def _deafen(self, machine: Machine) -> Undo:
        self._say(machine, "hears no hints")
        machine.host.deaf = True
        return lambda: setattr(machine.host, "deaf", False)

    # ---- the coordinator

    def _cut_coordinator(self, machine: Machine) -> Undo:
        machine.cut_coordinator()
        return machine.heal_coordinator

    def _cut_both(self, machine: Machine) -> Undo:
        machine.cut_store()
        machine.cut_coordinator()

        def undo() -> None:
            machine.heal_store()
            machine.heal_coordinator()

        return undo

    def _expire(self, machine: Machine) -> None:
        machine.expire()

    def _coordinator_away(self, machine: Machine) -> Undo:
        self._world.trace.add("nemesis", "coordinator away")
        self._world.ensemble.outage()
        return self._world.ensemble.restore

    def _wipe(self, machine: Machine) -> None:
        self._world.trace.add("nemesis", "coordinator wiped")
        self._world.ensemble.wipe()

    def _spoil_view(self, machine: Machine) -> Undo:
        self._world.trace.add("nemesis", "the view is spoilt")
        self._world.ensemble.spoil_view()
        return self._world.ensemble.delete_view

    # ---- orders

    def _order_drain(self, machine: Machine) -> Undo:
        """By people, who take it back later."""
        node_id, people = machine.host.plan.node_id, self._world.people
        people.order(f"drain {node_id}", lambda store: store.order_drain(node_id, True, "people"))
        return lambda: self._undrain(node_id)

    def _undrain(self, node_id: str) -> None:
        self._world.people.order(
            f"undrain {node_id}", lambda store: store.order_drain(node_id, False, "people")
        )

    def _say(self, machine: Machine, what: str) -> None:
        self._world.trace.add("nemesis", f"{machine.name} {what}")
