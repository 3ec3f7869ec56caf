"""The wires between a machine and the store: cut, slow, or losing answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from shardkeeper.domain.errors import StoreUnavailable
from shardkeeper.memory.clock import VirtualClock
from shardkeeper.memory.link import Link
from shardkeeper.simulation.process import Killed, Process

MOST_NESTED = 3
"""Rounds of calls that may stand in the middle of one another at the same time."""

Note = Callable[[str, object], None]


@dataclass(slots=True)
class Wire:
    """One machine's connection with the store, whichever process uses it."""

    up: bool = True
    cuts: int = 0
    flaky: float = 0.0
    """Share of the calls that are not done, or done but not answered."""
    slow_s: float = 0.0
    """Seconds that a call may take longer than usual."""
    lose: dict[str, int] = field(default_factory=dict)
    """Names of calls, and of how many of the next ones the answer is lost."""
    late_s: dict[str, float] = field(default_factory=dict)
    """Names of calls, and by how many seconds the next answer is late."""

    def cut(self) -> None:
        """Every call fails from now on; of those under way some arrived."""
        if self.up:
            self.up = False
            self.cuts += 1

    def heal(self) -> None:
        """Whole and quick again."""
        self.up = True
        self.flaky = self.slow_s = 0.0
        self.lose.clear()
        self.late_s.clear()


class Nesting:
    """How deep rounds of calls stand in one another now: shared by all wires of a world."""

    def __init__(self) -> None:
        self.depth = 0


class LaneLink(Link):
    """What one lane's calls go over. Between two calls of one round time passes, in which others may act."""

    def __init__(
        self, wire: Wire, process: Process, world: VirtualClock, rng: Random, nesting: Nesting, note: Note
    ) -> None:
        self._wire = wire
        super().__init__()
        self._process = process
        self._world = world
        self._rng = rng
        self._nesting = nesting
        self._note = note
        self._calls = 0
        self._cuts_when_sent = 0
        self._answer_is_lost = False
        self._late_s = 0.0

    @property
    def up(self) -> bool:
        """Whether the machine's wire is whole."""
        return self._wire.up

    @up.setter
    def up(self, value: bool) -> None:
        """The wire decides."""

    def send(self) -> None:
        """A round of calls sets out."""
        self._calls = 0
        self._cuts_when_sent = self._wire.cuts

    def latency_s(self) -> float:
        """Seconds that one way takes now."""
        late_s, self._late_s = self._late_s, 0.0
        return self._rng.uniform(0.0002, 0.002) + self._rng.random() * self._wire.slow_s + late_s

    def before(self, call: str) -> None:
        if self._calls:
            self._pass_time()
            self._cuts_when_sent = self._wire.cuts
        self._calls += 1
        wire = self._wire
        self._answer_is_lost = False
        if not wire.up:
            arrived = wire.cuts == self._cuts_when_sent + 1 and self._rng.random() < 0.5
            if not arrived:
                raise StoreUnavailable
            self._answer_is_lost = True
        elif wire.flaky and self._rng.random() < wire.flaky / 2:
            raise StoreUnavailable

    def wait(self, seconds: float) -> None:
        """At the store: neither a pause of the process nor its end is noticed there."""
        if self._nesting.depth < MOST_NESTED:
            self._nesting.depth += 1
            try:
                self._world.advance(seconds)
            finally:
                self._nesting.depth -= 1

    def after(self, call: str) -> None:
        wire = self._wire
        self._late_s = wire.late_s.pop(call, 0.0)
        if wire.lose.get(call, 0) > 0:
            wire.lose[call] -= 1
            self._answer_is_lost = True
        if self._answer_is_lost or (wire.flaky and self._rng.random() < wire.flaky / 2):
            self._note("unknown commit", call)
            raise StoreUnavailable

    def _pass_time(self) -> None:
        if self._nesting.depth < MOST_NESTED:
            self._nesting.depth += 1
            try:
                self._world.advance(self.latency_s())
                while self._process.paused and self._process.alive and self._world.run_next():
                    pass
            finally:
                self._nesting.depth -= 1
        if not self._process.alive:
            raise Killed
