"""What workers say of attempts on their way: begun, in another phase, how far, what to keep."""

from __future__ import annotations

import time
from collections.abc import Callable

from shardkeeper.domain.runs import Phase
from shardkeeper.ports.workers import (
    AttemptCheckpointed,
    AttemptOrder,
    AttemptOwes,
    AttemptProgressed,
    AttemptStarted,
    WorkerEvent,
)
from shardkeeper.workers.flight import NEVER, Check, Flight, Worker, instant
from shardkeeper.workers.frames import Message
from shardkeeper.workers.orders import identity

_FIRST = {False: Phase.INITIALIZE, True: Phase.COMPENSATE}


class Reports:
    """Keeps each flight's times and passes on what the node is to know. ``wait_until`` sets the supervisor's alarm."""

    def __init__(
        self,
        tell: Callable[[WorkerEvent], None],
        wait_until: Callable[[float], None],
        import_timeout_s: float,
    ) -> None:
        self._tell = tell
        self._wait_until = wait_until
        self._import_timeout_s = import_timeout_s

    def importing(self, worker: Worker, flight: Flight, message: Message) -> None:
        flight.importing = True
        flight.import_at = time.monotonic() + self._import_timeout_s
        self._wait_until(flight.import_at)

    def begun(self, flight: Flight, epoch_s: float, code_version: str | None, compensable: bool) -> None:
        if flight.begun:
            return
        assert isinstance(flight.order, AttemptOrder)
        flight.start(epoch_s, code_version, compensable, time.monotonic())
        if flight.whole_at < NEVER:
            self._wait_until(flight.whole_at)
        phase = _FIRST[flight.order.compensates]
        self._tell(AttemptStarted(*identity(flight), instant(epoch_s), code_version, compensable, phase))

    def look(self, worker: Worker, flight: Flight) -> None:
        """Whether it has begun, which its worker's page tells."""
        if flight.begun or isinstance(flight.order, Check):
            return
        beginning = worker.process.page.begun(flight.slot, flight.seq)
        if beginning is not None:
            self.begun(flight, *beginning)

    def look_at(self, worker: Worker, flight: Flight, message: Message) -> None:
        """It says that there is something to see."""
        self.look(worker, flight)

    def entered(self, worker: Worker, flight: Flight, message: Message) -> None:
        self.look(worker, flight)
        flight.enter(message["phase"], time.monotonic())
        self._wait_until(flight.next_at)
        if flight.compensable and flight.phase == Phase.CALCULATE:
            self._tell(AttemptOwes(*identity(flight)))

    def progressed(self, worker: Worker, flight: Flight, message: Message) -> None:
        self.look(worker, flight)
        phase = Phase(message["phase"])
        self._tell(AttemptProgressed(*identity(flight), phase, message["fraction"], message["message"]))

    def checkpointed(self, worker: Worker, flight: Flight, message: Message) -> None:
        self.look(worker, flight)
        self._tell(AttemptCheckpointed(*identity(flight), message["checkpoint"]))
