"""What workers say of attempts on their way: begun, in another phase, how far, what to keep."""

from __future__ import annotations

import time
from collections.abc import Callable

from shardkeeper.domain.runs import Phase
from shardkeeper.ports.workers import AttemptCheckpointed, AttemptProgressed, AttemptStarted, Notify
from shardkeeper.workers.flight import Check, Flight, Worker, instant
from shardkeeper.workers.frames import Message
from shardkeeper.workers.orders import identity


class Reports:
    """Keeps each flight's times and passes on what the node is to know. ``wait_until`` sets the supervisor's alarm."""

    def __init__(self, notify: Notify, wait_until: Callable[[float], None], import_timeout_s: float) -> None:
        self._notify = notify
        self._wait_until = wait_until
        self._import_timeout_s = import_timeout_s

    def importing(self, worker: Worker, flight: Flight, message: Message) -> None:
        flight.importing = True
        flight.import_at = time.monotonic() + self._import_timeout_s
        self._wait_until(flight.import_at)

    def started(self, worker: Worker, flight: Flight, message: Message) -> None:
        self.begun(flight, message["at"], message["code_version"])

    def begun(self, flight: Flight, epoch_s: float, code_version: str | None) -> None:
        if flight.begun:
            return
        flight.start(epoch_s, code_version, time.monotonic())
        self._wait_until(flight.next_at)
        self._notify(AttemptStarted(*identity(flight), instant(epoch_s), code_version))

    def look(self, worker: Worker, flight: Flight) -> None:
        """Whether it has begun without a word."""
        if worker.shared or flight.begun or isinstance(flight.order, Check):
            return
        beginning = worker.process.page.begun(flight.seq)
        if beginning is not None:
            self.begun(flight, *beginning)

    def entered(self, worker: Worker, flight: Flight, message: Message) -> None:
        self.look(worker, flight)
        flight.enter(message["phase"], time.monotonic())
        self._wait_until(flight.next_at)

    def progressed(self, worker: Worker, flight: Flight, message: Message) -> None:
        self.look(worker, flight)
        phase = Phase(message["phase"])
        self._notify(AttemptProgressed(*identity(flight), phase, message["fraction"], message["message"]))

    def checkpointed(self, worker: Worker, flight: Flight, message: Message) -> None:
        self.look(worker, flight)
        self._notify(AttemptCheckpointed(*identity(flight), message["checkpoint"]))
