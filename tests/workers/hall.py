"""Real workers for tests, and an ear that waits for what they say."""

from __future__ import annotations

import itertools
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from shardkeeper.domain.runs import AttemptKey
from shardkeeper.ports.workers import (
    AttemptEnded,
    AttemptOrder,
    AttemptStarted,
    Ending,
    WorkerEvent,
    WorkersSaid,
)
from shardkeeper.workers.pool import ProcessWorkers
from shardkeeper.workers.settings import WorkersSettings

TASKS = Path(__file__).parent / "tasks"
FIRE_TIME = datetime(2026, 1, 1, tzinfo=UTC)
PATIENCE_S = 30.0
E = TypeVar("E", bound=WorkerEvent)


def settings(**changes: Any) -> WorkersSettings:
    given: dict[str, Any] = {
        "capacity": 2,
        "allowed_modules": (
            "ill_behaved",
            "exits_on_import",
            "raises_on_import",
            "spoils_on_import",
            "hangs_on_import",
            "killed_once_on_import",
            "not_there",
        ),
        "environment": {**os.environ, "PYTHONPATH": str(TASKS)},
        "timeout_grace_s": 0.3,
    }
    return WorkersSettings(**{**given, **changes})


class Hall:
    """Started workers, and all events so far."""

    def __init__(self, workers: ProcessWorkers, folder: Path) -> None:
        self.workers = workers
        self.folder = folder
        self.events: list[WorkerEvent] = []
        self._changed = threading.Condition()
        self._numbers = itertools.count(1)
        workers.start(self._hear)

    def _hear(self, said: WorkersSaid) -> None:
        with self._changed:
            self.events += said.events
            self._changed.notify_all()

    def order(
        self,
        entrypoint: str,
        parameters: Mapping[str, Any] | None = None,
        item: int = 0,
        context: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> AttemptOrder:
        run_id = next(self._numbers)
        known = {
            "job_name": "job",
            "run_id": run_id,
            "run_name": "job@2026-01-01T00:00:00Z",
            "fire_time": FIRE_TIME.isoformat(),
            "item": item,
            "sharding_total_count": item + 1,
            "parameters": {"dir": str(self.folder), **(parameters or {})},
            "sources": [],
            "attempt": 1,
            "node_id": "node-1",
            "checkpoint": None,
        }
        given: dict[str, Any] = {"kind": "python", "isolation": "process", "timeout_s": 60.0, **fields}
        if given["kind"] == "python" and ":" not in entrypoint:
            entrypoint = f"ill_behaved:{entrypoint}"
        key = AttemptKey(run_id, FIRE_TIME, item, 1)
        return AttemptOrder(key, 1, entrypoint=entrypoint, context={**known, **(context or {})}, **given)

    def submit(
        self, entrypoint: str, parameters: Mapping[str, Any] | None = None, **fields: Any
    ) -> AttemptOrder:
        order = self.order(entrypoint, parameters, **fields)
        self.workers.submit(order)
        return order

    def run(self, entrypoint: str, parameters: Mapping[str, Any] | None = None, **fields: Any) -> Ending:
        """Submit, and wait for its ending."""
        return self.ending(self.submit(entrypoint, parameters, **fields))

    def ending(self, order: AttemptOrder) -> Ending:
        return self.wait(AttemptEnded, lambda event: event.key == order.key).ending

    def started(self, order: AttemptOrder) -> AttemptStarted:
        return self.wait(AttemptStarted, lambda event: event.key == order.key)

    def wait(self, kind: type[E], fits: Callable[[E], bool] = lambda event: True) -> E:
        """The first event of the kind that fits, now or later."""
        until = time.monotonic() + PATIENCE_S
        seen = 0
        with self._changed:
            while True:
                for event in self.events[seen:]:
                    if isinstance(event, kind) and fits(event):
                        return event
                seen = len(self.events)
                if not self._changed.wait(until - time.monotonic()):
                    raise AssertionError(f"no such {kind.__name__} in {PATIENCE_S} s; {self.events[-5:]}")

    def of(self, order: AttemptOrder) -> list[WorkerEvent]:
        """All that was said of this order."""
        return [event for event in self.events if getattr(event, "key", None) == order.key]

    def ran_once(self, order: AttemptOrder) -> bool:
        """Whether it began once and ended once; that it began may be told before, or by its end alone."""
        *before, last = self.of(order)
        ended = isinstance(last, AttemptEnded) and last.ending.started_at is not None
        return ended and [type(event) for event in before] in ([], [AttemptStarted])

    def told(self, name: str) -> str:
        """What the task wrote into the file ``name``, as soon as it is there."""
        path = self.folder / name
        wait_until(lambda: path.exists() and path.read_text() != "")
        return path.read_text()


def wait_until(condition: Callable[[], bool]) -> None:
    """For what tells nobody when it comes true: files and processes of others."""
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "it did not come true"
        select.select([], [], [], 0.005)


def take_for_short(hall: Hall) -> None:
    """Whatever this machine's hiccups have made of it."""
    supervisor = hall.workers._supervisor
    assert supervisor is not None
    for _ in range(100):
        supervisor.desk._pace.lasted("ill_behaved:Turns", 0.00001)


def freeze(pid: int) -> None:
    """Returns when none of its threads runs any more."""
    os.kill(pid, signal.SIGSTOP)
    threads = Path(f"/proc/{pid}/task")
    wait_until(lambda: all(_state_of(stat) in "TX" for stat in threads.glob("*/stat")))


def thaw(pid: int) -> None:
    """It goes on."""
    os.kill(pid, signal.SIGCONT)


def alive(pids: Iterable[int]) -> list[int]:
    """Those that live (a zombie does not)."""
    found = []
    for pid in pids:
        if _state_of(Path(f"/proc/{pid}/stat")) not in "ZX":
            found.append(pid)
    return found


def _state_of(stat: Path) -> str:
    """X, dead, where it is gone."""
    try:
        return stat.read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"
