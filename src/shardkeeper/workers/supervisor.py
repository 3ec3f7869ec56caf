"""The one thread that has all worker processes in hand: it sends orders, hears outcomes, keeps time, buries the dead.

It waits for the sockets and pidfds of all workers together. Everything it knows is touched by no other thread; other
threads leave it commands. It blocks on nothing else: a worker that does not read is written to later, one that does
not listen is killed. What it has to say it says once in a turn.
"""

from __future__ import annotations

import itertools
import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

from shardkeeper.domain.runs import AttemptKey
from shardkeeper.ports.workers import (
    AttemptOrder,
    EntrypointChecked,
    Isolation,
    Notify,
    WorkerEvent,
    WorkersSaid,
)
from shardkeeper.workers.burials import Burials
from shardkeeper.workers.crew import Crew, named
from shardkeeper.workers.deadlines import Deadlines
from shardkeeper.workers.desk import LOOK_AFTER_S, Desk
from shardkeeper.workers.endings import ending_of, returned, stopped_unbegun
from shardkeeper.workers.flight import NEVER, Check, Flight, Verdict, Worker
from shardkeeper.workers.frames import BadFrame, Message
from shardkeeper.workers.reports import Reports
from shardkeeper.workers.settings import WorkersSettings

_LOG = logging.getLogger(__name__)
_CLOSING_KILL_S = 1.0
_LONGEST_WAIT_S = 3600.0
_MANY, _GATHER_S = 4, 0.001
"""After a turn in which so many short attempts ended, and whose workers have more to do, the next begins so much later:
under load one word of the supervisor is for many attempts, and its workers need not wake it for each.
"""

Broken = Callable[[str, Exception], None]
"""Told which part met a defect that it cannot go on after."""


class Supervisor:
    """Use ``command`` from any thread; all other methods belong to its own."""

    def __init__(self, settings: WorkersSettings, notify: Notify, broken: Broken) -> None:
        self._notify = notify
        self._broken = broken
        self._said: list[WorkerEvent] = []
        self.crew = Crew(settings, self._joined)
        self._commands: deque[Callable[[], None]] = deque()
        self._awake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poll = select.epoll()
        self._poll.register(self._awake, select.EPOLLIN)
        self._by_fd: dict[int, Callable[[int], None]] = {self._awake: self._woken}
        self._numbers = itertools.count(1)
        self._look_at = 0.0
        self._quick: list[Worker] = []
        """Whose short attempts ended in this turn: a worker for each attempt."""
        self._closing = False
        self._close_at = NEVER
        tell = self._said.append
        self.desk = Desk(self.crew, tell, self._wait_until, self._watch)
        self._reports = Reports(tell, self._wait_until, settings.import_timeout_s)
        self._deadlines = Deadlines(settings, self._reports)
        self._burials = Burials(self.crew, self.desk, self._reports, tell)
        self._handlers: dict[str, Callable[[Worker, Flight, Message], None]] = {
            "importing": self._reports.importing,
            "started": self._reports.look_at,
            "phase": self._reports.entered,
            "progress": self._reports.progressed,
            "checkpoint": self._reports.checkpointed,
            "ended": self._ended,
            "checked": self._checked,
        }
        self._thread = threading.Thread(target=self._run, name="shardkeeper-workers", daemon=True)
        self._over = False
        self._gate = threading.Lock()

    def start(self) -> None:
        self._thread.start()

    def command(self, command: Callable[[], None]) -> bool:
        """Have it done soon. False when the supervisor is over: it will not be done."""
        with self._gate:
            if self._over:
                return False
            self._commands.append(command)
            if len(self._commands) == 1:
                os.eventfd_write(self._awake, 1)
        return True

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        try:
            while not (self._closing and not self.crew.everyone and self._shut()):
                self._turn()
        except Exception as error:  # noqa: BLE001 - the rim of the loop
            # a defect must leave no attempt hanging: the node ends, and what runs here is taken over
            _LOG.exception("the workers' supervisor has met a defect")
            self._abandon()
            self._broken("workers", error)
        self.crew.close_guard()
        self._poll.close()
        os.close(self._awake)

    def _shut(self) -> bool:
        with self._gate:
            self._over = not self._commands
            return self._over

    def _abandon(self) -> None:
        with self._gate:
            self._over = True
        for worker in self.crew.everyone:
            worker.process.kill()
            worker.process.bury(strays=True)
            worker.process.close()

    def _turn(self) -> None:
        self._quick.clear()
        now = time.monotonic()
        wait_s = min(_LONGEST_WAIT_S, max(0.0, self._look_at - now))
        for fd, events in self._poll.poll(wait_s):
            handle = self._by_fd.get(fd)
            if handle is not None:
                handle(events)
        now = time.monotonic()
        if now >= self._look_at:
            self._keep_time(now)
        self.desk.dispatch()
        if not self._closing:
            self._staff(now)
            self.desk.dispatch_ahead()
        self._speak()
        if len(self._quick) >= _MANY and all(worker.flights for worker in self._quick):
            time.sleep(_GATHER_S)

    def _speak(self) -> None:
        if self._said:
            self._notify(WorkersSaid(tuple(self._said)))
            self._said.clear()

    def _woken(self, events: int) -> None:
        os.eventfd_read(self._awake)
        for _ in range(len(self._commands)):
            # taken off only when it is done: while one is here, nobody needs to wake this thread again
            try:
                self._commands[0]()
            finally:
                self._commands.popleft()
        if self._commands:
            os.eventfd_write(self._awake, 1)

    def _wait_until(self, at: float) -> None:
        if at < self._look_at:
            self._look_at = at

    # commands

    def warm(self, isolation: Isolation) -> None:
        if not self._closing:
            self.crew.warm(isolation, time.monotonic())

    def submit(self, orders: Sequence[AttemptOrder]) -> None:
        if self._closing:
            self._said += returned(orders, "workers are closing")
            return
        for order in orders:
            self.desk.put(Flight(next(self._numbers), order))

    def check(self, check: Check) -> None:
        if self._closing:
            self._said.append(EntrypointChecked(check.entrypoint, check.kind, "workers are closing"))
        else:
            self.desk.put(Flight(next(self._numbers), check))

    def stop(self, key: AttemptKey, claim_no: int, kill_after_s: float) -> None:
        flight = self.desk.flights.get((key, claim_no))
        if flight is None:
            return
        worker = self._holder(flight)
        if worker is None:
            self.desk.queue_of(flight).remove(flight)
            self.desk.end(flight, stopped_unbegun("stopped before it began"))
            return
        flight.stop(time.monotonic(), kill_after_s)
        worker.process.order({"t": "stop", "seq": flight.seq})
        self._wait_until(flight.next_at)

    def take_back(self, key: AttemptKey, claim_no: int) -> None:
        flight = self.desk.flights.get((key, claim_no))
        if flight is not None and self._holder(flight) is None:
            self.desk.queue_of(flight).remove(flight)
            self.desk.give_back(flight, "taken back before it began")

    def _holder(self, flight: Flight) -> Worker | None:
        """The worker that has it; None: it waits for one, or was had back from the one that it was given to unbegun."""
        if flight.worker is not None and not flight.begun:
            self.desk.take_back(flight.worker)
        return flight.worker

    def recycle(self) -> None:
        now = time.monotonic()
        for worker in [*self.crew.own, *([self.crew.shared] if self.crew.shared else ())]:
            self.desk.dismiss(worker, now)

    def resize(self, capacity: int) -> None:
        now = time.monotonic()
        for worker in self.crew.resize(capacity):
            self.desk.dismiss(worker, now)
        if self.crew.shared is not None:
            # beyond the new number nothing begins
            self.desk.take_back(self.crew.shared)

    def close(self, grace_s: float) -> None:
        now = time.monotonic()
        self._close_at = min(self._close_at, now + grace_s)
        self._wait_until(self._close_at)
        if self._closing:
            return
        self._closing = True
        for worker in self.crew.everyone:
            self.desk.dismiss(worker, now)
        self.desk.return_all("workers are closing")

    # workers

    def _staff(self, now: float) -> None:
        """Start whom the waiting orders need, and tell when there are more or fewer."""
        crew, desk = self.crew, self.desk
        if desk.queue or desk.shared_queue or crew.starts_missing:
            crew.want(len(desk.queue), len(desk.shared_queue), now)
            if now < crew.restarts.next_start_at:
                self._wait_until(crew.restarts.next_start_at)
        if crew.restarts.problem is not None:
            desk.return_all(crew.restarts.problem)
        news = crew.state()
        if news is not None:
            self._said.append(news)

    def _joined(self, worker: Worker) -> None:
        process = worker.process
        self._by_fd[process.channel.fileno()] = partial(self._heard, worker)
        self._by_fd[process.pidfd] = partial(self._died, worker)
        self._poll.register(process.channel, select.EPOLLIN)
        self._poll.register(process.pidfd, select.EPOLLIN)
        self._wait_until(worker.kill_at)

    def _watch(self, worker: Worker) -> None:
        """Its queue is full."""
        outbox = worker.process.outbox
        if outbox.fileno() not in self._by_fd:
            self._by_fd[outbox.fileno()] = partial(self._flush, worker)
            self._poll.register(outbox, select.EPOLLOUT)

    def _flush(self, worker: Worker, events: int) -> None:
        if worker.process.outbox.flush():
            self._unwatch(worker)

    def _unwatch(self, worker: Worker) -> None:
        outbox = worker.process.outbox
        if self._by_fd.pop(outbox.fileno(), None) is not None:
            self._poll.unregister(outbox)

    def _heard(self, worker: Worker, events: int) -> None:
        try:
            for message in worker.process.messages():
                self._take(worker, message)
        except (BadFrame, KeyError, TypeError, ValueError) as error:
            worker.kill(f"the worker sent what is no message: {error!r:.200}")
            # nothing more is to be understood from it; its death is told by the pidfd
            self._deaf(worker)
            return
        if events & (select.EPOLLHUP | select.EPOLLERR):
            self._deaf(worker)
            if not worker.leaving:
                worker.kill_at = min(worker.kill_at, time.monotonic() + 1.0)
                self._wait_until(worker.kill_at)

    def _deaf(self, worker: Worker) -> None:
        if self._by_fd.pop(worker.process.channel.fileno(), None) is not None:
            self._poll.unregister(worker.process.channel)

    def _take(self, worker: Worker, message: Message) -> None:
        what = message["t"]
        if what == "ready":
            worker.ready = True
            worker.kill_at = NEVER
            self.crew.restarts.ready()
            self.desk.rest(worker)
            return
        flight = worker.flights.get(message["seq"])
        if flight is not None:
            self._handlers[what](worker, flight, message)

    def _died(self, worker: Worker, events: int) -> None:
        process = worker.process
        self._deaf(worker)
        self._unwatch(worker)
        del self._by_fd[process.pidfd]
        self._poll.unregister(process.pidfd)
        for message in process.last_messages():
            self._take(worker, message)
        self._burials.bury(worker, self._closing)

    def _checked(self, worker: Worker, flight: Flight, message: Message) -> None:
        assert isinstance(flight.order, Check)
        worker.release(flight)
        self._said.append(
            EntrypointChecked(flight.order.entrypoint, flight.order.kind, message.get("problem"))
        )
        self._retire(worker, flight, message, time.monotonic())
        self.desk.rest(worker)

    def _ended(self, worker: Worker, flight: Flight, message: Message) -> None:
        ending, lasted_ms = ending_of(flight, message)
        worker.release(flight)
        if flight.short:
            self._quick.append(worker)
        now = time.monotonic()
        worker.moved_at = now
        worker.silent = False
        self.desk.lasted(flight, lasted_ms / 1000.0)
        self._retire(worker, flight, message, now)
        self.desk.end(flight, ending)
        self.desk.rest(worker)
        if worker.flights:
            self._wait_until(now + LOOK_AFTER_S)

    def _retire(self, worker: Worker, flight: Flight, message: Message, now: float) -> None:
        """Where it says that it goes, since what it ran has changed it."""
        if "retire" in message:
            _LOG.info("a worker is replaced after %s: %s", named(flight), message["retire"])
            self.desk.dismiss(worker, now)

    def _keep_time(self, now: float) -> None:
        self._look_at = NEVER
        if now >= self._close_at:
            self._close_at = NEVER
            for flight in list(self.desk.flights.values()):
                if flight.worker is not None:
                    flight.verdict = flight.verdict or Verdict.CLOSE
                    flight.stop(now, _CLOSING_KILL_S)
                    flight.worker.process.order({"t": "stop", "seq": flight.seq})
        self._wait_until(self._close_at)
        for worker in self.crew.everyone:
            for flight in worker.flights.values():
                self._deadlines.hurry(worker, flight, now)
                self._wait_until(flight.next_at)
            self.desk.look(worker, now)
            self._deadlines.end(worker, now)
            self._wait_until(worker.kill_at)
        self._let_go(now)

    def _let_go(self, now: float) -> None:
        """Of those that are idle for long."""
        for worker in self.crew.surplus(self.desk.idle, now):
            self.desk.dismiss(worker, now)
        at = self.crew.next_surplus_at(self.desk.idle)
        self._wait_until(max(at, now + LOOK_AFTER_S))
