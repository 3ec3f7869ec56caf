"""The adapter's one thread: takes events, reads what is stale, keeps our znodes, answers, and says what it
sees."""

from __future__ import annotations

import logging
import queue
import time
from collections.abc import Callable
from dataclasses import dataclass

from kazoo.protocol.states import KazooState

from shardkeeper.domain.view import View
from shardkeeper.ports.coordinator import CoordinatorEvent, NodeInfo, Published, Refusal, Session, Snapshot
from shardkeeper.zookeeper.keeper import Keeper, Unsettled
from shardkeeper.zookeeper.link import Denied, Hint, Link, LinkChanged, LinkDown
from shardkeeper.zookeeper.options import ZooKeeperOptions
from shardkeeper.zookeeper.publication import refused

_log = logging.getLogger(__name__)

_FIRST_RETRY_S = 0.1
_LONGEST_RETRY_S = 5.0


@dataclass(frozen=True, slots=True)
class Update:
    """The port's `update`."""

    info: NodeInfo


@dataclass(frozen=True, slots=True)
class Publish:
    """The port's `publish`."""

    view: View
    expected_version: int | None


@dataclass(frozen=True, slots=True)
class Leave:
    """The port's `leave`."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The port's `stop`."""


Event = Update | Publish | Leave | Stop | LinkChanged | Hint


class Owner:
    """All state of the adapter; touched by the thread that calls `run`, by nobody else."""

    def __init__(
        self,
        options: ZooKeeperOptions,
        info: NodeInfo,
        events: queue.SimpleQueue[Event],
        tell: Callable[[CoordinatorEvent], None],
    ) -> None:
        self._options = options
        self._events = events
        self._tell = tell
        self._keeper = Keeper(options, info)
        self._link = Link(options, events.put)
        self._session = Session.NEVER
        self._requests: list[Publish] = []
        self._stopping = False
        self._up = False
        """The link is up, as far as kazoo's listener said; `_session` says connected only when all has been
        read over it."""
        self._fresh = False
        self._fatal: str | None = None
        self._trouble: str | None = None
        self._failures = 0
        self._retry_at = 0.0
        self._down_since = time.monotonic()
        self._poll_at = 0.0
        self._wake_at: float | None = None
        self._shown: Snapshot | None = None

    def run(self) -> None:
        """The thread's body; ends with `Stop`."""
        self._link.open()
        while not self._stopping:
            try:
                self._work()
                self._take()
            except Exception as error:  # noqa: BLE001 - the loop's rim: the thread must outlive whatever kazoo throws
                _log.exception("the ZooKeeper adapter reads everything anew after an unexpected error")
                self._failed(f"unexpected: {error}")
        self._link.close()

    def _take(self) -> None:
        """Wait for an event or for the time of what is due next, then handle all that is there."""
        due = (
            [self._poll_at, self._retry_at]
            if self._up
            else [self._down_since + self._session_timeout_s, self._retry_at]
        )
        due += [self._wake_at] if self._wake_at is not None else []
        now = time.monotonic()
        ahead = [at - now for at in due if at > now]
        try:
            self._handle(self._events.get(timeout=min(ahead, default=self._options.poll_s)))
            while True:
                self._handle(self._events.get_nowait())
        except queue.Empty:
            return

    def _handle(self, event: Event) -> None:
        match event:
            case LinkChanged(link, state, auth_failed):
                if link is self._link:
                    self._link_changed(state, auth_failed)
            case Hint(link, path):
                if link is self._link:
                    self._keeper.reading.is_stale(path)
            case Update(info):
                self._keeper.update(info)
            case Leave():
                self._keeper.leave()
            case Publish():
                self._requests.append(event)
            case Stop():
                self._stopping = True

    def _link_changed(self, state: KazooState, auth_failed: bool) -> None:
        self._up = self._fresh = state == KazooState.CONNECTED
        if self._up:
            self._retry_at = 0.0
            return
        self._down_since = time.monotonic()
        if state == KazooState.LOST:
            self._keeper.session_over()
        if self._session is not Session.NEVER:
            self._session = Session.LOST if state == KazooState.LOST else Session.SUSPENDED
        if auth_failed:
            self._denied("ZooKeeper does not accept our credentials")
        # said at once: what follows may connect again before anybody has seen it
        self._show()

    def _work(self) -> None:
        now = time.monotonic()
        answers: list[Published] = []
        if self._fatal is None and not self._up:
            self._look_after_a_link_that_is_down(now)
        elif self._fatal is None and now >= self._retry_at:
            self._work_on_the_tree(now, answers)
        answers += [
            refused(asked.view, Refusal.NOT_CONNECTED, "ZooKeeper is away") for asked in self._requests
        ]
        self._requests.clear()
        self._show()
        for answer in answers:
            self._tell(answer)

    def _work_on_the_tree(self, now: float, answers: list[Published]) -> None:
        try:
            if self._fresh:
                self._keeper.connected(self._link)
                self._fresh = False
            if now >= self._poll_at:
                self._keeper.reading.everything_is_stale()
                self._poll_at = now + self._options.poll_s
            self._wake_at = self._keeper.settle(self._link, now)
            self._session, self._trouble, self._failures = Session.CONNECTED, None, 0
            if self._requests:
                while self._requests:
                    asked = self._requests.pop(0)
                    answers.append(self._keeper.publish(self._link, asked.view, asked.expected_version))
                # so that whoever gets the answer has already got the version that came of it
                self._wake_at = self._keeper.settle(self._link, now)
        except (LinkDown, Unsettled) as error:
            self._failed(str(error))
        except Denied as error:
            self._denied(str(error))

    def _failed(self, why: str) -> None:
        self._trouble = why
        self._keeper.reading.everything_is_stale()
        self._retry_at = time.monotonic() + min(_FIRST_RETRY_S * 2**self._failures, _LONGEST_RETRY_S)
        self._failures = min(self._failures + 1, 10)

    def _denied(self, why: str) -> None:
        """Before the node has ever joined, the settings are wrong. Later somebody changed rights: that may
        be mended, and a node that ended for it would turn a mistake in ZooKeeper into the loss of the
        cluster."""
        if self._keeper.joined:
            self._failed(why)
        else:
            self._fatal = why
            self._link.close()

    def _look_after_a_link_that_is_down(self, now: float) -> None:
        if self._link.dead and now >= self._retry_at:
            self._link.close()
            self._link = Link(self._options, self._events.put)
            self._failed("ZooKeeper's client ended by itself")
            self._link.open()
        if now >= self._down_since + self._session_timeout_s:
            self._link.forget_progress()
            self._down_since = now

    @property
    def _session_timeout_s(self) -> float:
        return self._link.negotiated_timeout_s or self._options.session_timeout_s

    def _show(self) -> None:
        trouble = self._trouble or (None if self._up else self._link.trouble)
        snapshot = self._keeper.snapshot(self._session, self._link, time.monotonic(), self._fatal, trouble)
        if snapshot != self._shown:
            self._shown = snapshot
            self._tell(snapshot)
