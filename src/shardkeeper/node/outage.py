"""Telling of the loss of PostgreSQL itself: the outbox lies in it, so this message takes the direct way (promise 8).

One node speaks for all: the one that leads, and any node that does not see ZooKeeper either. A silence of the
heartbeat URL tells the same to whoever watches it, also when no node lives any more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from shardkeeper.domain.facts import StoreFound, StoreLost
from shardkeeper.domain.notices import Notice
from shardkeeper.ports.notifier import Notifier

AFTER_S = 30.0
"""An outage shorter than this is a restart, which nobody needs to be told of by night."""


class OutageTeller:
    """Subscribes to ``heard`` on the board. ``speaks`` says whether this node is the one to speak."""

    heard = (StoreLost, StoreFound)

    def __init__(
        self,
        notifier: Notifier,
        environment: str,
        node_id: str,
        speaks: Callable[[], bool],
        after_s: float = AFTER_S,
    ) -> None:
        self._notifier = notifier
        self._environment = environment
        self._node_id = node_id
        self._speaks = speaks
        self._after_s = after_s
        self._lost: StoreLost | None = None
        self._found: StoreFound | None = None
        self._stopping = False
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def __call__(self, fact: object) -> None:
        """Hear of losses and returns; anything else does not matter here."""
        if isinstance(fact, StoreLost | StoreFound):
            with self._changed:
                self._lost = fact if isinstance(fact, StoreLost) else None
                self._found = fact if isinstance(fact, StoreFound) else None
                self._changed.notify_all()

    def start(self) -> None:
        """Idempotent."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="outage", daemon=True)
            self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Tolerates never-started and twice."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _serve(self) -> None:
        while not self._stopping:
            with self._changed:
                self._changed.wait_for(lambda: self._lost is not None or self._stopping)
                lost = self._lost
                over = self._changed.wait_for(self._is_over, self._after_s)
            if over or lost is None or not self._speaks():
                self._await_end()
                continue
            self._post(
                f"PostgreSQL has not answered node {self._node_id} for {self._after_s:g} s", lost.reason
            )
            self._await_end()
            if self._found is not None:
                self._post(f"PostgreSQL answers again after {self._found.away_s:.0f} s", None)

    def _is_over(self) -> bool:
        return self._lost is None or self._stopping

    def _await_end(self) -> None:
        with self._changed:
            self._changed.wait_for(self._is_over)

    def _post(self, title: str, reason: str | None) -> None:
        """Until it is taken, or cannot be, or the node ends."""
        while not self._stopping:
            posted = self._notifier.post(Notice(f"[{self._environment}] {title}", error=reason))
            if posted.ok or posted.retry_after_s is None:
                return
            with self._changed:
                self._changed.wait_for(lambda: self._stopping, posted.retry_after_s)
