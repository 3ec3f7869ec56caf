"""The one thread that has all worker processes in hand: it sends orders, hears outcomes, keeps time, buries the dead.

It waits for the sockets and pidfds of all workers together. Everything it knows is touched by no other thread; other
threads leave it commands. It blocks on nothing else: a worker that does not read is written to later, one that does
not listen is killed.
"""

from __future__ import annotations

import itertools
import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial

from shardkeeper.domain.runs import AttemptKey
from shardkeeper.ports.workers import (
    AttemptEnded,
    AttemptOrder,
    AttemptReturned,
    Ending,
    EntrypointChecked,
    Notify,
)
from shardkeeper.workers.crew import Crew, named
from shardkeeper.workers.deadlines import Deadlines
from shardkeeper.workers.endings import (
    ending_of,
    ending_of_death,
    failed_unbegun,
    problem_of_death,
    stopped_unbegun,
)
from shardkeeper.workers.flight import NEVER, Check, Flight, Verdict, Worker
from shardkeeper.workers.frames import BadFrame, Message, packed
from shardkeeper.workers.orders import identity, message_of
from shardkeeper.workers.reports import Reports
from shardkeeper.workers.settings import WorkersSettings

_LOG = logging.getLogger(__name__)
_MOST_DEATHS = 3
"""Workers that may die over an order before it began; then the order is to blame."""
_CLOSING_KILL_S = 1.0
_LONGEST_WAIT_S = 3600.0
_LOOK_AFTER_S = 0.002
"""After giving an order its worker's page is looked at for the beginning: most short attempts have ended by then."""


class Supervisor:
    """Use ``command`` from any thread; all other methods belong to its own."""

    def __init__(self, settings: WorkersSettings, notify: Notify) -> None:
        self._settings = settings
        self._notify = notify
        self.crew = Crew(settings, self._joined)
        self._commands: deque[Callable[[], None]] = deque()
        self._awake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poll = select.epoll()
        self._poll.register(self._awake, select.EPOLLIN)
        self._by_fd: dict[int, Callable[[int], None]] = {self._awake: self._woken}
        self._queue: deque[Flight] = deque()
        self._shared_queue: deque[Flight] = deque()
        self._idle: list[Worker] = []
        self._flights: dict[tuple[AttemptKey, int], Flight] = {}
        self._numbers = itertools.count(1)
        self._look_at = 0.0
        self._closing = False
        self._close_at = NEVER
        self._reports = Reports(notify, self._wait_until, settings.import_timeout_s)
        self._deadlines = Deadlines(settings, self._reports)
        self._handlers: dict[str, Callable[[Worker, Flight, Message], None]] = {
            "importing": self._reports.importing,
            "started": self._reports.started,
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
        while not (self._closing and not self.crew.everyone and self._shut()):
            try:
                self._turn()
            except Exception:  # noqa: BLE001 - the rim of the loop: a defect must not leave every attempt hanging
                _LOG.exception("a turn of the workers' supervisor failed")
        self.crew.close_guard()
        self._poll.close()
        os.close(self._awake)

    def _shut(self) -> bool:
        with self._gate:
            self._over = not self._commands
            return self._over

    def _turn(self) -> None:
        now = time.monotonic()
        wait_s = min(_LONGEST_WAIT_S, max(0.0, self._look_at - now))
        for fd, events in self._poll.poll(wait_s):
            handle = self._by_fd.get(fd)
            if handle is not None:
                handle(events)
        if time.monotonic() >= self._look_at:
            self._keep_time(time.monotonic())
        self._dispatch()

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
        self._look_at = min(self._look_at, at)

    # commands

    def submit(self, order: AttemptOrder) -> None:
        if self._closing:
            self._notify(AttemptReturned(order.key, order.claim_no, "workers are closing"))
            return
        flight = Flight(next(self._numbers), order)
        self._flights[order.key, order.claim_no] = flight
        self._queue_of(flight).append(flight)

    def check(self, check: Check) -> None:
        if not self._closing:
            self._queue.append(Flight(next(self._numbers), check))

    def stop(self, key: AttemptKey, claim_no: int, kill_after_s: float) -> None:
        flight = self._flights.get((key, claim_no))
        if flight is None:
            return
        if flight.worker is None:
            self._queue_of(flight).remove(flight)
            self._end(flight, stopped_unbegun("stopped before it began"))
            return
        flight.stop(time.monotonic(), kill_after_s)
        flight.worker.process.order({"t": "stop", "seq": flight.seq})
        self._wait_until(flight.next_at)

    def recycle(self) -> None:
        now = time.monotonic()
        for worker in [*self.crew.own, *([self.crew.shared] if self.crew.shared else ())]:
            self._dismiss(worker, now)

    def resize(self, capacity: int) -> None:
        self.crew.resize(capacity, time.monotonic())
        self._idle = [worker for worker in self._idle if not worker.leaving]

    def close(self, grace_s: float) -> None:
        now = time.monotonic()
        self._close_at = min(self._close_at, now + grace_s)
        self._wait_until(self._close_at)
        if self._closing:
            return
        self._closing = True
        self._return_queue("workers are closing")
        for worker in self.crew.everyone:
            self._dismiss(worker, now)

    # orders

    def _queue_of(self, flight: Flight) -> deque[Flight]:
        order = flight.order
        shared = isinstance(order, AttemptOrder) and order.isolation == "thread"
        return self._shared_queue if shared else self._queue

    def _dispatch(self) -> None:
        while self._queue and self._idle:
            self._send(self._queue.popleft(), self._idle.pop())
        shared = self.crew.shared
        while shared and shared.ready and self._shared_queue and len(shared.flights) < self.crew.capacity:
            self._send(self._shared_queue.popleft(), shared)
        if self._closing:
            return
        now = time.monotonic()
        if self._queue or self._shared_queue or self.crew.starts_missing:
            self.crew.want(len(self._queue), len(self._shared_queue), now)
            if now < self.crew.next_start_at:
                self._wait_until(self.crew.next_start_at)
        self._tell()

    def _tell(self) -> None:
        if self.crew.problem is not None and not any(worker.ready for worker in self.crew.everyone):
            self._return_queue(self.crew.problem)
        news = self.crew.state()
        if news is not None:
            self._notify(news)

    def _send(self, flight: Flight, worker: Worker) -> None:
        try:
            frame = packed(message_of(flight))
        except (TypeError, ValueError, RecursionError) as error:
            self._end(flight, failed_unbegun("BadOrder", f"the context is not JSON: {error}"))
            self._rest(worker)
            return
        flight.worker = worker
        worker.flights[flight.seq] = flight
        if isinstance(flight.order, AttemptOrder):
            worker.process.allow_frames(flight.order.result_limit_bytes)
        if not worker.shared:
            self._wait_until(time.monotonic() + _LOOK_AFTER_S)
        if not worker.process.send(frame):
            self._poll.modify(worker.process.channel, select.EPOLLIN | select.EPOLLOUT)

    def _return_queue(self, reason: str) -> None:
        for queue in (self._queue, self._shared_queue):
            while queue:
                order = queue.popleft().order
                if isinstance(order, Check):
                    self._notify(EntrypointChecked(order.entrypoint, order.kind, reason))
                else:
                    self._flights.pop((order.key, order.claim_no), None)
                    self._notify(AttemptReturned(order.key, order.claim_no, reason))

    # workers

    def _joined(self, worker: Worker) -> None:
        process = worker.process
        self._by_fd[process.channel.fileno()] = partial(self._heard, worker)
        self._by_fd[process.pidfd] = partial(self._died, worker)
        self._poll.register(process.channel, select.EPOLLIN)
        self._poll.register(process.pidfd, select.EPOLLIN)
        self._wait_until(worker.kill_at)

    def _rest(self, worker: Worker) -> None:
        """It has ended an order."""
        if worker.leaving:
            worker.leave(time.monotonic())
            self._wait_until(worker.kill_at)
        elif not worker.shared and not worker.flights:
            self._idle.append(worker)

    def _dismiss(self, worker: Worker, now: float) -> None:
        if worker in self._idle:
            self._idle.remove(worker)
        self.crew.dismiss(worker, now)
        self._wait_until(worker.kill_at)

    def _heard(self, worker: Worker, events: int) -> None:
        if events & select.EPOLLOUT and worker.process.flush():
            self._poll.modify(worker.process.channel, select.EPOLLIN)
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
            self._rest(worker)
            return
        flight = worker.flights.get(message["seq"])
        if flight is not None:
            self._handlers[what](worker, flight, message)

    def _died(self, worker: Worker, events: int) -> None:
        process = worker.process
        self._deaf(worker)
        del self._by_fd[process.pidfd]
        self._poll.unregister(process.pidfd)
        for message in process.last_messages():
            self._take(worker, message)
        expected = worker.leaving and not worker.flights
        death = process.bury(strays=not expected)
        self.crew.forget(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        if not expected:
            self.crew.restarts += 1
            _LOG.warning("%s", worker.reason or death)
            if not worker.flights:
                self.crew.failed(worker.reason or death, time.monotonic())
        self._settle(worker, death)
        process.close()

    def _settle(self, worker: Worker, death: str) -> None:
        """Every order that the dead worker held: over, or for another worker when it had not begun."""
        flights = list(worker.flights.values())
        worker.flights.clear()
        why = worker.reason if worker.shared and worker.reason else death
        if worker.shared and len(flights) > 1:
            why += f"; it held {len(flights)} attempts: {', '.join(map(named, flights[:5]))}"
        log = None if worker.shared or not flights else worker.process.last_log()
        alone = len(flights) == 1
        for flight in flights:
            self._reports.look(worker, flight)
            flight.worker = None
            to_blame = flight.begun or flight.verdict is not None or (flight.importing and alone)
            if not to_blame and flight.deaths + 1 < _MOST_DEATHS:
                self._again(flight)
            elif isinstance(flight.order, Check):
                problem = problem_of_death(flight, why)
                self._notify(EntrypointChecked(flight.order.entrypoint, flight.order.kind, problem))
            elif not to_blame:
                reason = f"{_MOST_DEATHS} workers died before it began, the last: {why}"
                self._end(flight, failed_unbegun("WorkerDied", reason))
            else:
                phase = None if worker.shared else worker.process.page.phase
                reason = worker.reason if worker.reason and flight.verdict is None else why
                self._end(flight, ending_of_death(flight, reason, phase, log))

    def _again(self, flight: Flight) -> None:
        flight.deaths += 1
        flight.importing = False
        flight.import_at = NEVER
        if self._closing:
            self._flights.pop(identity(flight), None)
            if isinstance(flight.order, AttemptOrder):
                order = flight.order
                self._notify(AttemptReturned(order.key, order.claim_no, "workers are closing"))
        else:
            self._queue_of(flight).appendleft(flight)

    def _checked(self, worker: Worker, flight: Flight, message: Message) -> None:
        assert isinstance(flight.order, Check)
        del worker.flights[flight.seq]
        self._notify(EntrypointChecked(flight.order.entrypoint, flight.order.kind, message["problem"]))
        self._rest(worker)

    def _ended(self, worker: Worker, flight: Flight, message: Message) -> None:
        ending = ending_of(flight, message)
        if "started_at" in message:
            self._reports.begun(flight, message["started_at"], ending.code_version)
        del worker.flights[flight.seq]
        self.crew.proved()
        if "retire" in message:
            _LOG.info("a worker is replaced after %s: %s", named(flight), message["retire"])
            self.crew.dismiss(worker, time.monotonic())
        self._end(flight, ending)
        self._rest(worker)

    def _end(self, flight: Flight, ending: Ending) -> None:
        whose = identity(flight)
        self._flights.pop(whose, None)
        self._notify(AttemptEnded(*whose, ending))

    def _keep_time(self, now: float) -> None:
        self._look_at = NEVER
        if now >= self._close_at:
            self._close_at = NEVER
            for flight in list(self._flights.values()):
                if flight.worker is not None:
                    flight.verdict = flight.verdict or Verdict.CLOSE
                    flight.stop(now, _CLOSING_KILL_S)
                    flight.worker.process.order({"t": "stop", "seq": flight.seq})
        self._wait_until(self._close_at)
        for worker in self.crew.everyone:
            for flight in worker.flights.values():
                self._deadlines.hurry(worker, flight, now)
                if not (flight.begun or flight.importing or worker.shared):
                    self._wait_until(now + _LOOK_AFTER_S)
                self._wait_until(flight.next_at)
            self._deadlines.end(worker, now)
            self._wait_until(worker.kill_at)
