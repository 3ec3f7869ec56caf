"""The adapter of the Workers port: supervised worker processes of our own."""

from __future__ import annotations

import threading
from functools import partial

from shardkeeper.domain.runs import AttemptKey
from shardkeeper.ports.workers import (
    AttemptOrder,
    EntrypointChecked,
    Isolation,
    Notify,
    WorkersSaid,
)
from shardkeeper.workers.endings import returned
from shardkeeper.workers.flight import Check
from shardkeeper.workers.settings import WorkersSettings
from shardkeeper.workers.supervisor import Broken, Supervisor


class ProcessWorkers:
    """See ``ports.workers.Workers``. Linux only (pidfd, memfd, epoll)."""

    def __init__(self, settings: WorkersSettings, broken: Broken = lambda part, error: None) -> None:
        """``broken`` is told of a defect after which nothing runs here any more: the node must end."""
        self._settings = settings
        self._broken = broken
        self._capacity = max(1, settings.capacity)
        self._supervisor: Supervisor | None = None
        self._notify: Notify | None = None
        self._lock = threading.Lock()

    @property
    def capacity(self) -> int:
        return self._capacity

    def start(self, notify: Notify) -> None:
        with self._lock:
            if self._supervisor is None:
                self._notify = notify
                self._supervisor = Supervisor(self._settings, notify, self._broken)
                self._supervisor.start()

    def warm(self, isolation: Isolation) -> None:
        if self._supervisor is not None:
            self._supervisor.command(partial(self._supervisor.warm, isolation))

    def submit(self, *orders: AttemptOrder) -> None:
        """Raises RuntimeError when never started."""
        supervisor, notify = self._supervisor, self._notify
        if supervisor is None or notify is None:
            raise RuntimeError("workers were not started")
        if not supervisor.command(partial(supervisor.submit, orders)):
            notify(WorkersSaid(returned(orders, "workers are closed")))

    def check(self, entrypoint: str, kind: str) -> None:
        supervisor, notify = self._supervisor, self._notify
        if supervisor is None or notify is None:
            raise RuntimeError("workers were not started")
        if not supervisor.command(partial(supervisor.check, Check(entrypoint, kind))):
            notify(WorkersSaid((EntrypointChecked(entrypoint, kind, "workers are closed"),)))

    def stop(self, key: AttemptKey, claim_no: int, kill_after_s: float) -> None:
        if self._supervisor is not None:
            self._supervisor.command(partial(self._supervisor.stop, key, claim_no, kill_after_s))

    def take_back(self, key: AttemptKey, claim_no: int) -> None:
        if self._supervisor is not None:
            self._supervisor.command(partial(self._supervisor.take_back, key, claim_no))

    def recycle(self) -> None:
        if self._supervisor is not None:
            self._supervisor.command(self._supervisor.recycle)

    def resize(self, capacity: int) -> None:
        self._capacity = max(1, capacity)
        if self._supervisor is not None:
            self._supervisor.command(partial(self._supervisor.resize, self._capacity))

    def close(self, grace_s: float) -> None:
        if self._supervisor is not None:
            self._supervisor.command(partial(self._supervisor.close, grace_s))
            self._supervisor.join()
