"""The daemon: everything that lives long, started in one order and stopped in the reverse.

The order has reasons: workers first, before any thread or connection exists that a child must not inherit; then the
lanes and the timers, so that whatever the planner asks for has somewhere to go; then the loop; the listener last,
since it only hints. The coordinator is started by the planner, once the node holds a lease. Stopping begins with the
planner's own way out (drain), so that others take over at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Protocol

from shardkeeper.domain.errors import ShardkeeperError
from shardkeeper.domain.planner.events import (
    CapacityChanged,
    DrainAsked,
    GraceOver,
    Started,
    TasksRenewed,
    TimerFired,
)
from shardkeeper.node.coordination import Coordination
from shardkeeper.node.loop import Loop
from shardkeeper.node.node import Node, PollSpecs
from shardkeeper.ports.clock import Timers
from shardkeeper.ports.coordinator import Coordinator
from shardkeeper.ports.specs import Listener
from shardkeeper.ports.workers import Workers

STOP_S = 5.0
"""How long each part has to end once the node is gone; the lanes share it."""


class Defect(ShardkeeperError):
    """A part of the daemon ended by a defect; the service manager starts the daemon anew."""


class Startable(Protocol):
    """A lane, as the daemon sees it."""

    def start(self) -> None:
        """Idempotent."""

    def stop(self, timeout_s: float) -> None:
        """Tolerates never-started and twice."""


class Service(Protocol):
    """The service manager, or silence."""

    def ready(self, status: str) -> None:
        """The daemon does its work now."""

    def stopping(self, status: str) -> None:
        """The daemon is on its way out."""


@dataclass(frozen=True, slots=True)
class Machinery:
    """All that is started and stopped."""

    node: Node
    loop: Loop
    workers: Workers
    lanes: Sequence[Startable]
    timers: Timers
    listener: Listener
    coordinator: Coordinator
    coordination: Coordination
    close_store: Callable[[], None]


class Daemon:
    """``grace_s``: how long what runs has to end after ``stop``."""

    def __init__(self, machinery: Machinery, service: Service, grace_s: float) -> None:
        self._machinery = machinery
        self._service = service
        self._grace_s = grace_s
        self._over = threading.Event()
        self._failure: BaseException | str | None = None
        self._stop_asked = False

    def run(self) -> None:
        """Live until the node is gone. Raises Defect when a part of the daemon broke, or its message when it cannot
        go on.
        """
        with ExitStack() as stack:
            self._start(stack)
            self._over.wait()
        if self._failure is not None:
            raise Defect(str(self._failure)) from (
                self._failure if isinstance(self._failure, BaseException) else None
            )

    def stop(self) -> None:
        """Asked once: drain and go. Asked again: give back what runs, at once. Safe in a signal handler's thread."""
        post = self._machinery.loop.post
        if self._stop_asked:
            post(GraceOver())
            return
        self._stop_asked = True
        self._service.stopping("draining: others take over, what runs here ends")
        post(DrainAsked(leave=True, grace_s=self._grace_s))

    def recycle(self) -> None:
        """Take up new task code: worker processes are replaced between attempts, what was declined is tried again."""
        self._machinery.workers.recycle()
        self._machinery.loop.post(TasksRenewed())

    def ended(self) -> None:
        """The planner's word: everything was handed over."""
        self._over.set()

    def broken(self, part: str, error: Exception) -> None:
        """A part met a defect: end loudly, rather than go on without it."""
        self._failure = error
        self._over.set()

    def fatal(self, reason: str) -> None:
        """Trying again cannot help."""
        self._failure = reason
        self._over.set()

    def _start(self, stack: ExitStack) -> None:
        m = self._machinery
        stack.callback(m.close_store)
        stack.callback(m.workers.close, 0.0)
        m.workers.start(m.loop.post)
        stack.callback(self._stop_lanes)
        for lane in m.lanes:
            lane.start()
        stack.callback(m.timers.stop)
        m.timers.start(lambda key: m.loop.post(TimerFired(key)))
        stack.callback(m.loop.stop, STOP_S)
        stack.callback(self._leave)
        m.loop.post(CapacityChanged(m.workers.capacity, fit=True))
        m.loop.post(Started())
        m.loop.later(Node.POLL_S, PollSpecs())
        m.loop.start(m.node)
        stack.callback(m.listener.stop)
        m.listener.start(m.loop.post)
        self._service.ready("joining the cluster")

    def _stop_lanes(self) -> None:
        """In the reverse order, with one patience for all: while PostgreSQL hangs, each of them may."""
        until = time.monotonic() + STOP_S
        for lane in reversed(self._machinery.lanes):
            lane.stop(max(0.0, until - time.monotonic()))

    def _leave(self) -> None:
        self._machinery.coordination.leave()
        self._machinery.coordinator.stop()
