"""The coordinator port on ZooKeeper: one thread that owns everything, and a queue in front of it.

Whoever calls the port, kazoo's listeners and its watches all only put an event into the queue. The thread
takes what is there, reads what is stale, brings our own znodes in order, answers requests to publish, and
says what it now sees. No step relies on the one before having worked: after any trouble everything is read
anew.
"""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable

from shardkeeper.domain.view import View
from shardkeeper.ports.coordinator import CoordinatorEvent, NodeInfo
from shardkeeper.zookeeper.options import ZooKeeperOptions
from shardkeeper.zookeeper.owner import Event, Leave, Owner, Publish, Stop, Update

_NODE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


class ZooKeeperCoordinator:
    """A node's connection with ZooKeeper; implements `ports.coordinator.Coordinator`.

    One object lives once: after `stop` it does not start again.
    """

    def __init__(self, options: ZooKeeperOptions) -> None:
        self._options = options
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._guard = threading.RLock()
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._notify: Callable[[CoordinatorEvent], None] | None = None

    def start(self, info: NodeInfo, notify: Callable[[CoordinatorEvent], None]) -> None:
        """As the port says; raises ValueError for a node_id that cannot name a znode."""
        if not _NODE_ID.fullmatch(info.node_id):
            raise ValueError(
                f"node_id {info.node_id!r}: letters, digits, '.', '_' and '-' are allowed, 200 at most"
            )
        with self._guard:
            if self._thread is not None or self._stopped:
                return
            self._notify = notify
            owner = Owner(self._options, info, self._events, self._tell)
            self._thread = threading.Thread(target=owner.run, name="zookeeper", daemon=True)
            self._thread.start()

    def update(self, info: NodeInfo) -> None:
        """As the port says."""
        self._events.put(Update(info))

    def publish(self, view: View, expected_version: int | None) -> None:
        """As the port says."""
        self._events.put(Publish(view, expected_version))

    def leave(self) -> None:
        """As the port says."""
        self._events.put(Leave())

    def stop(self) -> None:
        """As the port says; waits for the session's end as long as `stop_timeout_s`, where the server still
        answers."""
        with self._guard:
            self._stopped = True
            self._notify = None
            thread = self._thread
        self._events.put(Stop())
        if thread is not None and thread is not threading.current_thread():
            # a server that does not answer keeps kazoo's thread for as long as a session; our caller shall
            # not wait for that
            thread.join(self._options.stop_timeout_s)

    def _tell(self, event: CoordinatorEvent) -> None:
        with self._guard:
            if self._notify is not None:
                self._notify(event)
