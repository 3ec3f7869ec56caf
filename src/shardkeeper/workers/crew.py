"""The worker processes that a node has, how many it wants, and when the next may be started."""

from __future__ import annotations

import logging
import secrets
import subprocess
from collections.abc import Callable

from shardkeeper.ports.workers import AttemptOrder, WorkersChanged
from shardkeeper.workers.flight import Flight, Worker
from shardkeeper.workers.process import WorkerProcess
from shardkeeper.workers.settings import WorkersSettings
from shardkeeper.workers.strays import MARK

_LOG = logging.getLogger(__name__)
_FIRST_BACKOFF_S, _LONGEST_BACKOFF_S = 0.05, 10.0
_TROUBLE = 3
"""So many starts that came to nothing in a row are a problem of the machine, not an accident."""

_OWN_SLOTS, _SHARED_SLOTS = 32, 1024
"""How many orders a worker can hold."""


class Crew:
    """Up to ``capacity`` workers of one attempt each, and one shared by all attempts of isolation ``thread``."""

    def __init__(self, settings: WorkersSettings, joined: Callable[[Worker], None]) -> None:
        """``joined`` is called with each worker that was started, before it is ready."""
        self.settings = settings
        self.capacity = max(1, settings.capacity)
        self.own: list[Worker] = []
        self.shared: Worker | None = None
        self.leavers: list[Worker] = []
        self.restarts = 0
        self.problem: str | None = None
        self.next_start_at = 0.0
        self._wanted = min(self.capacity, settings.minimum)
        self._joined = joined
        self._failures = 0
        self._mark = secrets.token_hex(8)
        self._count = 0
        self._guard: subprocess.Popen[bytes] | None = None
        self._last_told: WorkersChanged | None = None

    @property
    def everyone(self) -> list[Worker]:
        """Those leaving included."""
        return [*self.own, *self.leavers, *([self.shared] if self.shared else ())]

    def want(self, orders: int, shared_orders: int, now: float) -> None:
        """Start what is needed for so many waiting orders, unless the last starts came to nothing a moment ago."""
        starting = sum(not worker.ready for worker in self.own)
        busy_leavers = sum(bool(worker.flights) for worker in self.leavers)
        room = self.capacity - busy_leavers
        self._wanted = min(self.capacity, max(self._wanted, len(self.own) - starting + orders))
        while len(self.own) < min(self._wanted, room) and now >= self.next_start_at:
            self._start(False, now)
        if shared_orders and self.shared is None and now >= self.next_start_at:
            self._start(True, now)

    @property
    def starts_missing(self) -> bool:
        """Whether there are fewer than wanted: look again at ``next_start_at``."""
        return len(self.own) < self._wanted

    def _start(self, shared: bool, now: float) -> None:
        try:
            if self._guard is None:
                self._guard = self._start_guard()
            self._count += 1
            slots = max(_SHARED_SLOTS, 2 * self.capacity) if shared else _OWN_SLOTS
            process = WorkerProcess(self.settings, f"{self._mark}.{self._count}", shared, slots)
        except OSError as error:
            self.failed(f"a worker process cannot be started: {error}", now)
            return
        worker = Worker(process, shared, now + self.settings.start_timeout_s)
        if shared:
            self.shared = worker
        else:
            self.own.append(worker)
        self._joined(worker)

    def _start_guard(self) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in self.settings.environment.items() if name != MARK}
        return subprocess.Popen(
            [self.settings.python, "-P", "-m", "shardkeeper.workers.guard", self._mark],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )

    def failed(self, reason: str, now: float) -> None:
        """A start came to nothing, or a worker died without having been given anything."""
        self._failures += 1
        backoff_s = min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2.0 ** min(self._failures, 20))
        self.next_start_at = now + backoff_s
        _LOG.warning("%s; next start in %.2f s", reason, backoff_s)
        if self._failures >= _TROUBLE:
            self.problem = reason

    def proved(self) -> None:
        """A worker has done its work."""
        self._failures = 0
        self.problem = None

    def dismiss(self, worker: Worker, now: float) -> None:
        """Let it go after what it is doing; another may take its place."""
        if worker is self.shared:
            self.shared = None
        elif worker in self.own:
            self.own.remove(worker)
        if worker not in self.leavers:
            self.leavers.append(worker)
        worker.leave(now)

    def forget(self, worker: Worker) -> None:
        """It is dead and buried."""
        if worker is self.shared:
            self.shared = None
        for some in (self.own, self.leavers):
            if worker in some:
                some.remove(worker)

    def resize(self, capacity: int) -> list[Worker]:
        """Those that are too many, to be dismissed: idle ones first."""
        self.capacity = max(1, capacity)
        self._wanted = min(self._wanted, self.capacity)
        surplus = max(0, len(self.own) - self.capacity)
        return sorted(self.own, key=lambda one: len(one.flights))[:surplus]

    def state(self) -> WorkersChanged | None:
        """The news, when it is any."""
        alive = sum(worker.ready for worker in self.own)
        told = WorkersChanged(alive, self._wanted, self.restarts, self.problem)
        if told == self._last_told:
            return None
        self._last_told = told
        return told

    def close_guard(self) -> None:
        """All workers are gone: the guard has a last look and goes too."""
        guard, self._guard = self._guard, None
        if guard is not None and guard.stdin is not None:
            guard.stdin.close()
            guard.wait()


def named(flight: Flight) -> str:
    """For people."""
    order = flight.order
    if not isinstance(order, AttemptOrder):
        return f"the check of {order.entrypoint}"
    job = order.context.get("job_name", "?")
    return f"{job} item {order.key.item} of run {order.key.run_id}"
