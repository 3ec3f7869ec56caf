"""A look at the tree from outside: read once, nothing written, never for long.

Whoever looks is no node: it has a session like any client, but no znode, and is never a candidate.
"""

from __future__ import annotations

import queue
import threading
import time

from kazoo.protocol.states import KazooState

from shardkeeper.domain.errors import ShardkeeperError, Unreachable
from shardkeeper.ports.coordinator import Candidate, Session, Snapshot
from shardkeeper.zookeeper.link import Denied, Hint, Link, LinkChanged, LinkDown
from shardkeeper.zookeeper.options import ZooKeeperOptions
from shardkeeper.zookeeper.reading import Paths, Reading, TreeMissing


class ZooKeeperObserver:
    """``deadline_s``: how long ``observe`` may take, whatever the servers do."""

    def __init__(self, options: ZooKeeperOptions, deadline_s: float = 3.0) -> None:
        self._options = options
        self._deadline_s = deadline_s

    def observe(self) -> Snapshot:
        """All that is in the tree now; empty where nobody ever joined. Raises Unreachable."""
        until = time.monotonic() + self._deadline_s
        answers: queue.SimpleQueue[Snapshot | ShardkeeperError] = queue.SimpleQueue()
        # kazoo may need longer than we can wait, to connect as to close: what it does goes on without us
        threading.Thread(target=self._look, args=(until, answers), name="observer", daemon=True).start()
        try:
            answer = answers.get(timeout=self._deadline_s + 0.5)
        except queue.Empty:
            answer = self._silent(None)
        if isinstance(answer, Snapshot):
            return answer
        raise answer

    def _look(self, until: float, answers: queue.SimpleQueue[Snapshot | ShardkeeperError]) -> None:
        events: queue.SimpleQueue[LinkChanged | Hint] = queue.SimpleQueue()
        link = Link(self._options, events.put)
        link.open()
        try:
            self._connected(link, events, until)
            answers.put(self._read(link))
        except (LinkDown, Denied) as error:
            answers.put(Unreachable(f"{error} ({self._options.servers})"))
        except Unreachable as error:
            answers.put(error)
        finally:
            link.close()

    def _connected(self, link: Link, events: queue.SimpleQueue[LinkChanged | Hint], until: float) -> None:
        while (left := until - time.monotonic()) > 0:
            try:
                event = events.get(timeout=left)
            except queue.Empty:
                break
            if isinstance(event, LinkChanged) and event.auth_failed:
                raise Unreachable(
                    f"ZooKeeper at {self._options.servers} refuses our credentials: zookeeper.auth"
                )
            if isinstance(event, LinkChanged) and event.state == KazooState.CONNECTED:
                return
        raise self._silent(link.trouble)

    def _read(self, link: Link) -> Snapshot:
        reading = Reading(Paths(self._options.root))
        reading.everything_is_stale()
        try:
            reading.refresh(link)
        except TreeMissing as error:
            return Snapshot(Session.CONNECTED, link.negotiated_timeout_s, problems=(str(error),))
        candidates = tuple(
            Candidate(int(name), znode.node_id, znode.incarnation, mine=False)
            for name, znode in sorted(reading.candidates.items())
            if znode.owner
        )
        return Snapshot(
            session=Session.CONNECTED,
            session_timeout_s=link.negotiated_timeout_s,
            nodes=tuple(znode.info for _, znode in sorted(reading.nodes.items()) if znode.info is not None),
            candidates=candidates,
            view=reading.view,
            view_version=reading.view_version,
            problems=tuple(reading.problems()),
        )

    def _silent(self, trouble: str | None) -> Unreachable:
        why = f" ({trouble})" if trouble else ""
        return Unreachable(
            f"ZooKeeper at {self._options.servers} did not answer within {self._deadline_s:g} s{why}"
        )
