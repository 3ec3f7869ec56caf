"""SIGKILL for nodes and worker processes of a fleet, every now and then, until it is told to end or has had enough."""

from __future__ import annotations

import random
import threading
from contextlib import suppress
from typing import Self

import psutil

from bench.fleet import Fleet
from bench.storm.options import Options

_SHORTEST, _LONGEST = 0.5, 1.5
"""Of the time between two kills."""
_NODE_SHARE = 0.15
_DOWN_S = (0.5, 3.0)


class Chaos:
    """A thread with a random number generator of its own. At least one node is left alone at any time."""

    def __init__(self, fleet: Fleet, options: Options) -> None:
        self.nodes_killed = 0
        self.workers_killed = 0
        self._fleet = fleet
        self._options = options
        self._rng = random.Random(f"chaos {options.seed}")
        self._over = threading.Event()
        self._down: dict[str, float] = {}
        self._now = 0.0
        self._thread = threading.Thread(target=self._run, name="chaos")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """Kill nobody any more; returns when all nodes have been started again. Harmless when it has ended."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while self._enough_left():
            pause_s = self._options.kill_every_s * self._rng.uniform(_SHORTEST, _LONGEST)
            if self._over.wait(pause_s):
                break
            self._now += pause_s
            self._raise()
            self._strike()
        for name in self._down:
            self._fleet.start(name)

    def _enough_left(self) -> bool:
        options = self._options
        return (
            self.nodes_killed < options.node_kills
            or self.workers_killed < options.worker_kills
            or bool(self._down)
        )

    def _raise(self) -> None:
        """Start those again that were down for long enough."""
        for name in [name for name, until in self._down.items() if until <= self._now]:
            del self._down[name]
            self._fleet.start(name)

    def _strike(self) -> None:
        living = self._fleet.running
        nodes_left = self.nodes_killed < self._options.node_kills
        workers_left = self.workers_killed < self._options.worker_kills
        a_node = nodes_left and len(living) > 1 and (not workers_left or self._rng.random() < _NODE_SHARE)
        if a_node:
            name = self._rng.choice(living)
            self._fleet.kill(name)
            self.nodes_killed += 1
            self._down[name] = self._now + self._rng.uniform(*_DOWN_S)
        elif workers_left and living:
            self._kill_worker(self._rng.choice(living))

    def _kill_worker(self, node: str) -> None:
        workers = self._fleet.workers(node)
        if workers:
            with suppress(psutil.NoSuchProcess):
                self._rng.choice(workers).kill()
                self.workers_killed += 1
