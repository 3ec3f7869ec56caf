"""The worker processes that a node has, how many it wants, and when the next may be started."""

from __future__ import annotations

import logging
import os
import random
import secrets
import subprocess
from collections.abc import Callable

from shardkeeper.ports.workers import AttemptOrder, Isolation, WorkersChanged
from shardkeeper.workers.flight import NEVER, Flight, Worker
from shardkeeper.workers.process import WorkerProcess
from shardkeeper.workers.restarts import Restarts
from shardkeeper.workers.settings import WorkersSettings
from shardkeeper.workers.strays import MARK

_LOG = logging.getLogger(__name__)
_OWN_SLOTS, _SHARED_SLOTS = 256, 1024
"""How many orders a worker can hold."""
_MOST_WARM = 4
"""Workers of one attempt that are started on a hint: processors that a container may not use are shown all the same."""


class Crew:
    """Up to ``capacity`` workers of one attempt each, and one shared by all attempts of isolation ``thread``."""

    def __init__(self, settings: WorkersSettings, joined: Callable[[Worker], None]) -> None:
        """``joined`` is called with each worker that was started, before it is ready."""
        self.settings = settings
        self.capacity = max(1, settings.capacity)
        self.own: list[Worker] = []
        self.shared: Worker | None = None
        self.leavers: list[Worker] = []
        self.restarts = Restarts(settings.restart_intensity, settings.restart_period_s, random.random)
        self._wanted = min(self.capacity, settings.minimum)
        self._joined = joined
        self._mark = secrets.token_hex(8)
        self._count = 0
        self._guard: subprocess.Popen[bytes] | None = None
        self._last_told: WorkersChanged | None = None

    @property
    def everyone(self) -> list[Worker]:
        """Those leaving included."""
        return [*self.own, *self.leavers, *([self.shared] if self.shared else ())]

    @property
    def any_ready(self) -> bool:
        """Whether somebody lives who can be given something."""
        return any(worker.ready for worker in self.everyone)

    def warm(self, isolation: Isolation, now: float) -> None:
        """Attempts of this isolation may come: start the shared worker, or as many others as can start at the same
        time. A hint: what cannot be started now, or ends, is started when there is something for it."""
        if self.restarts.problem is not None or now < self.restarts.next_start_at:
            return
        most = min(self._room, len(os.sched_getaffinity(0)), _MOST_WARM)
        try:
            if isolation == "thread" and self.shared is None:
                self._begin(True, now)
            while isolation != "thread" and len(self.own) < most:
                self._begin(False, now)
        except OSError as error:
            _LOG.warning("no worker can be started ahead of work: %s", error)

    def want(self, orders: int, shared_orders: int, now: float) -> None:
        """Start what is needed for so many waiting orders, unless the last starts came to nothing a moment ago."""
        living = sum(worker.ready for worker in self.own)
        self._wanted = min(self.capacity, max(self._wanted, living + orders))
        if self.restarts.in_vain and not orders:
            # what cannot be had is not tried for again before there is something for it
            self._wanted = min(self._wanted, max(self.settings.minimum, len(self.own)))
        if self.restarts.problem is not None and self._room <= living and now >= self.restarts.next_start_at:
            self.restarts.nothing_to_try()
        given_up = self.restarts.problem is not None
        # after giving up, one is tried beyond those that live
        most = min(living + 1 if given_up else self._wanted, self._room)
        while len(self.own) < most and now >= self.restarts.next_start_at:
            self._start(False, now)
        if shared_orders and self.shared is None and not given_up and now >= self.restarts.next_start_at:
            self._start(True, now)

    @property
    def starts_missing(self) -> bool:
        """Whether there are fewer than wanted: look again at the next time for a start."""
        return len(self.own) < self._wanted or self.restarts.problem is not None

    @property
    def _room(self) -> int:
        """How many workers of one attempt there may be beside those of them that leave and are not done."""
        return self.capacity - sum(bool(one.flights) and not one.shared for one in self.leavers)

    def surplus(self, idle: list[Worker], now: float) -> list[Worker]:
        """Of the idle ones, longest idle first, those that have been so for long and are not needed warm."""
        old = [worker for worker in idle if now - worker.idle_since >= self.settings.idle_s]
        gone = old[: max(0, len(self.own) - self.settings.minimum)]
        if gone:
            self._wanted = len(self.own) - len(gone)
        shared = self.shared
        if shared is not None and shared.ready and not shared.flights:
            gone += [shared] if now - shared.idle_since >= self.settings.idle_s else []
        return gone

    def next_surplus_at(self, idle: list[Worker]) -> float:
        """When to ask for the surplus again."""
        since = [worker.idle_since for worker in idle[:1] if len(self.own) > self.settings.minimum]
        if self.shared is not None and self.shared.ready and not self.shared.flights:
            since.append(self.shared.idle_since)
        return min(since, default=NEVER) + self.settings.idle_s

    def _start(self, shared: bool, now: float) -> None:
        try:
            self._begin(shared, now)
        except OSError as error:
            reason = f"a worker process cannot be started: {error}"
            self.restarts.not_started(reason, self.any_ready, now, now)

    def _begin(self, shared: bool, now: float) -> None:
        """Raises OSError."""
        if self._guard is None:
            self._guard = self._start_guard()
        self._count += 1
        slots = max(_SHARED_SLOTS, 2 * self.capacity) if shared else _OWN_SLOTS
        process = WorkerProcess(self.settings, f"{self._mark}.{self._count}", shared, slots)
        worker = Worker(process, shared, now, now + self.settings.start_timeout_s)
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
        wanted = max(self._wanted, alive)
        told = WorkersChanged(alive, wanted, self.restarts.count, self.restarts.problem)
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
