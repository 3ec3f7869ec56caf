"""Which order goes to which worker, and when it is taken back.

An idle worker gets an order; a busy one gets more only while all that it holds takes next to no time, and loses them
again as soon as one of them takes longer. So short attempts cost no waiting for each other's answers, and no attempt
waits behind a long one while another worker is free.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from shardkeeper.domain.runs import AttemptKey
from shardkeeper.ports.workers import (
    AttemptEnded,
    AttemptOrder,
    AttemptReturned,
    Ending,
    EntrypointChecked,
    WorkerEvent,
)
from shardkeeper.workers.crew import Crew
from shardkeeper.workers.endings import failed_unbegun
from shardkeeper.workers.flight import Check, Flight, Worker
from shardkeeper.workers.mail import packets_of
from shardkeeper.workers.orders import identity, message_of
from shardkeeper.workers.pace import Pace

LOOK_AFTER_S = 0.002
"""After giving an order its worker's page is looked at for the beginning: most short attempts have ended by then."""
_STUCK_S = 0.004
"""A worker that has ended nothing for so long does not need the orders that it has not begun."""
_SILENT_S = 1.0
"""The same of one that has begun nothing either, and may only be waiting for its turn on the processor."""


class Desk:
    """``tell`` passes an event on; ``wait_until`` sets the supervisor's alarm; ``watch`` has it flush an outbox."""

    def __init__(
        self,
        crew: Crew,
        tell: Callable[[WorkerEvent], None],
        wait_until: Callable[[float], None],
        watch: Callable[[Worker], None],
    ) -> None:
        self._crew = crew
        self._tell = tell
        self._wait_until = wait_until
        self._watch = watch
        self._pace = Pace()
        self.flights: dict[tuple[AttemptKey, int], Flight] = {}
        self.queue: deque[Flight] = deque()
        self.shared_queue: deque[Flight] = deque()
        self.idle: list[Worker] = []
        """The one that ended last comes last and is taken first, so that the others may go."""

    def put(self, flight: Flight) -> None:
        """A new order."""
        if isinstance(flight.order, AttemptOrder):
            self.flights[identity(flight)] = flight
        self.queue_of(flight).append(flight)

    def queue_of(self, flight: Flight) -> deque[Flight]:
        """Where it waits while it has no worker. Checks never go to the shared worker."""
        order = flight.order
        shared = isinstance(order, AttemptOrder) and order.isolation == "thread"
        return self.shared_queue if shared else self.queue

    def end(self, flight: Flight, ending: Ending) -> None:
        """It has its ending."""
        whose = identity(flight)
        self.flights.pop(whose, None)
        self._tell(AttemptEnded(*whose, ending))

    def give_back(self, flight: Flight, reason: str) -> None:
        """It will not run here."""
        order = flight.order
        if isinstance(order, Check):
            self._tell(EntrypointChecked(order.entrypoint, order.kind, reason))
        else:
            self.flights.pop(identity(flight), None)
            self._tell(AttemptReturned(order.key, order.claim_no, reason))

    def return_all(self, reason: str) -> None:
        """Whatever waits."""
        for queue in (self.queue, self.shared_queue):
            while queue:
                self.give_back(queue.popleft(), reason)

    def lasted(self, flight: Flight, seconds: float) -> None:
        """Its phases took so long, or take so long already."""
        self._pace.lasted(flight.order.entrypoint, seconds)

    # giving

    def dispatch(self) -> None:
        """Give what waits to whoever is free for it."""
        while self.queue and self.idle:
            self._send([self.queue.popleft()], self.idle.pop())
        shared = self._crew.shared
        if shared is not None and shared.ready:
            self._dispatch_shared(shared)

    def dispatch_ahead(self) -> None:
        """Give short ones to workers that are busy with short ones, to each its share."""
        most = 1 + self._ahead(self.queue)
        if most == 1:
            return
        quick = [worker for worker in self._crew.own if worker.ready and _all_short(worker)]
        if not quick:
            return
        held = sum(len(worker.flights) for worker in quick)
        share = min(most, -(-(held + len(self.queue)) // len(quick)))
        for worker in quick:
            while several := self._next(self.queue, share - len(worker.flights)):
                self._send(several, worker)

    def _dispatch_shared(self, shared: Worker) -> None:
        queue, capacity = self.shared_queue, self._crew.capacity
        # again, where some of them could not be sent
        while (room := min(len(queue), len(shared.free), capacity - len(shared.flights))) > 0:
            if any(map(_is_unread_large, shared.flights.values())):
                return
            self._send([queue.popleft() for _ in range(room)], shared)
        # where long ones hold all places, the others wait here; after a shrinkage more hold them than there are
        long = [one for one in shared.flights.values() if not one.short]
        if len(long) >= capacity or any(map(_is_unread_large, long)):
            return
        while several := self._next(
            queue, min(len(shared.free), capacity + self._ahead(queue) - len(shared.flights))
        ):
            self._send(several, shared)

    def _next(self, queue: deque[Flight], most: int) -> list[Flight]:
        """Of what comes next, neighbours that may lie behind what a worker runs; at most so many."""
        if not self._ahead(queue):
            return []
        entrypoint = queue[0].order.entrypoint
        taken: list[Flight] = []
        while queue and len(taken) < most and _may_lie_behind(queue[0], entrypoint):
            taken.append(queue.popleft())
        return taken

    def _ahead(self, queue: deque[Flight]) -> int:
        """How many of what comes next may lie behind what a worker runs."""
        return self._pace.ahead(queue[0].order.entrypoint) if queue else 0

    def _send(self, flights: list[Flight], worker: Worker) -> None:
        """Give these to a worker that has room for them."""
        if not flights:
            return
        now = time.monotonic()
        packets: list[bytes] = []
        places = self._crew.capacity if worker.shared else 1
        for place, flight in enumerate(flights, 1):
            found = self._packets_of(flight, worker, now)
            if flight.large and len(worker.flights) > places:
                # it could not be taken back, so it does not go ahead
                worker.release(flight)
                self._put_back(flights[place - 1 :])
                break
            packets += found
            if flight.large:
                # nor could what lies behind it
                self._put_back(flights[place:])
                break
        if not packets:
            self.rest(worker)
            return
        self._wait_until(now + LOOK_AFTER_S)
        if not worker.process.outbox.send(packets):
            self._watch(worker)

    def _put_back(self, flights: list[Flight]) -> None:
        for flight in reversed(flights):
            self.queue_of(flight).appendleft(flight)

    def _packets_of(self, flight: Flight, worker: Worker, now: float) -> list[bytes]:
        """What is sent to the worker, which holds the order from now on; nothing where it has ended by that."""
        flight.slot = worker.free.pop()
        flight.short = self._pace.is_short(flight.order.entrypoint)
        try:
            packets = self._encoded(flight, worker)
            if len(packets) > 1:
                flight.large, flight.short = True, False
                packets = self._encoded(flight, worker)
        except (TypeError, ValueError, RecursionError) as error:
            worker.free.append(flight.slot)
            self.end(flight, failed_unbegun("BadOrder", f"the context is not JSON: {error}"))
            return []
        worker.hold(flight, now)
        if isinstance(flight.order, AttemptOrder):
            worker.process.allow_frames(flight.order.result_limit_bytes)
        return packets

    def _encoded(self, flight: Flight, worker: Worker) -> list[bytes]:
        message = message_of(flight)
        if worker.shared:
            message["width"] = self._crew.capacity
            message["short"] = flight.short
        return packets_of(message)

    def rest(self, worker: Worker) -> None:
        """It has ended an order."""
        if worker.leaving:
            worker.leave(time.monotonic())
            self._wait_until(worker.kill_at)
        elif not worker.flights:
            worker.idle_since = time.monotonic()
            self._wait_until(worker.idle_since + self._crew.settings.idle_s)
            if not worker.shared and worker not in self.idle:
                self.idle.append(worker)

    # taking back

    def dismiss(self, worker: Worker, now: float) -> None:
        """It ends when it has ended what it has begun; the rest is for others."""
        self.take_back(worker)
        if worker in self.idle:
            self.idle.remove(worker)
        self._crew.dismiss(worker, now)
        self._wait_until(worker.kill_at)

    def take_back(self, worker: Worker) -> None:
        """What it has not taken from its queue waits again, before all others."""
        if not worker.ready or not worker.flights:
            return
        if any(map(_is_unread_large, worker.flights.values())):
            return
        for seq in reversed(worker.process.outbox.take_back()):
            flight = worker.flights.get(seq)
            if flight is not None:
                worker.release(flight)
                self.queue_of(flight).appendleft(flight)
        self.rest(worker)

    def look(self, worker: Worker, now: float) -> None:
        """Orders that lie behind one that takes its time."""
        flights = list(worker.flights.values())
        if worker.shared:
            self._tell_long_ones(flights, now)
        begun = sum(flight.begun for flight in flights)
        if begun == len(flights):
            return
        if worker.shared:
            room = self._crew.capacity - begun
            if room > 0:
                self._wait_until(now + LOOK_AFTER_S)
                # while it ends one after the other, its leader reads what lies there
                if begun and now - worker.moved_at >= LOOK_AFTER_S:
                    orders = min(room, len(flights) - begun)
                    worker.process.order({"t": "widen", "orders": orders, "width": self._crew.capacity})
            return
        head = flights[0]
        if len(flights) > 1 or not head.importing:
            self._wait_until(now + LOOK_AFTER_S)
        busy = head.begun or head.importing
        since_s = now - worker.moved_at
        if len(flights) > 1 and busy and since_s > _STUCK_S:
            self.lasted(head, since_s)
            head.short = False
            self.take_back(worker)
        elif len(flights) > 1 and since_s > _SILENT_S:
            worker.silent = True
            self.take_back(worker)

    def _tell_long_ones(self, flights: list[Flight], now: float) -> None:
        """Of the shared worker's: those that were taken for short ones hold their places as long ones do."""
        for flight in flights:
            if flight.short and flight.begun:
                flight.short = now - flight.seen_at < _STUCK_S
                if flight.short:
                    self._wait_until(flight.seen_at + _STUCK_S)


def _may_lie_behind(flight: Flight, entrypoint: str) -> bool:
    """Whether it is such a one, and, for all that is known, no larger than a packet."""
    return flight.order.entrypoint == entrypoint and not flight.large


def _is_unread_large(flight: Flight) -> bool:
    """Whether it is of several packets, and some may still lie in its worker's queue."""
    if not flight.large or flight.begun or flight.importing:
        return False
    worker = flight.worker
    return worker is not None and worker.process.page.begun(flight.slot, flight.seq) is None


def _all_short(worker: Worker) -> bool:
    if worker.leaving or worker.silent or not worker.flights:
        return False
    return all(one.short for one in worker.flights.values())
