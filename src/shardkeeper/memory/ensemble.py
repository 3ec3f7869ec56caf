"""A ZooKeeper ensemble inside one process: sessions, what they own, links that break. For simulations,
tests and a lone node.

Nothing here reads a clock: time comes from the `Scheduler`, so a simulation drives it, a test turns it by
hand, and a lone node gives it a real one. Whoever drives it may use several threads; the lock makes each
step whole.

What it can suffer, one call each: `cut`/`heal` (one client's link), `freeze`/`thaw` (a paused process: the
link dies without its knowing), `kill`, `expire` (the server ends a session), `outage`/`restore` (all
servers; sessions survive, as was measured), `wipe` (all data lost), `lose_next_answer`, and the `spoil_*`
and `delete_*` of a careless hand.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from shardkeeper.domain.view import View
from shardkeeper.ports.coordinator import NodeInfo


class Scheduler(Protocol):
    """Time as an input."""

    def call_later(self, delay_s: float, call: Callable[[], None]) -> object:
        """Call once, `delay_s` seconds from now, from any thread."""

    def monotonic(self) -> float:
        """Seconds that only grow."""


class Client(Protocol):
    """What the ensemble tells its clients; called under its lock."""

    def suspended(self) -> None:
        """The link was found to be down."""

    def linked(self, session: int, *, fresh: bool) -> None:
        """The link is up; `fresh`: under a new session, the one before is over."""

    def hinted(self) -> None:
        """Something in the tree changed."""


@dataclass(slots=True)
class NodeRecord:
    """`/nodes/<node_id>`; `info` None: unreadable, `session` None: made by hand."""

    session: int | None
    info: NodeInfo | None
    version: int = 0


@dataclass(slots=True)
class CandidateRecord:
    """`/candidates/<seq>`."""

    session: int
    node_id: str
    incarnation: str


@dataclass(slots=True)
class ViewRecord:
    """`/view`; `view` None: unreadable."""

    view: View | None
    version: int = 0


@dataclass(slots=True)
class _Connection:
    session: int | None = None
    reachable: bool = True
    breaks: int = 0
    """Counts cuts and heals: a timer that was set for an earlier one does nothing."""


class MemoryEnsemble:
    """The servers. `hint_delay_s` gives the delay of each hint to a client, `notice_delay_s` how long a
    client takes to see that its link is down (both seconds; seeded randomness goes in here)."""

    def __init__(
        self,
        scheduler: Scheduler,
        session_timeout_s: float = 6.0,
        hint_delay_s: Callable[[], float] = lambda: 0.0,
        notice_delay_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.scheduler = scheduler
        self.session_timeout_s = session_timeout_s
        self.hint_delay_s = hint_delay_s
        self._notice_delay_s = notice_delay_s
        self.lock = threading.RLock()
        self.nodes: dict[str, NodeRecord] = {}
        self.candidates: dict[int, CandidateRecord] = {}
        self.view: ViewRecord | None = None
        self.writes = 0
        """How many changes the tree has seen."""
        self._next_candidate = 0
        self._next_session = 1
        self._connections: dict[Client, _Connection] = {}
        self._sessions: set[int] = set()
        self._lossy: set[Client] = set()
        self._down = False

    # ---- what clients ask

    def connect(self, client: Client) -> None:
        """Begin to connect; `linked` tells when it is done."""
        with self.lock:
            self._connections.setdefault(client, _Connection())
            self._link_soon(client)

    def disconnect(self, client: Client) -> None:
        """End the session, where the ensemble can be reached; otherwise it lasts until it expires."""
        with self.lock:
            connection = self._connections.pop(client, None)
            if connection is None or connection.session is None:
                return
            if self._passable(connection):
                self._end_session(connection.session)
            else:
                self._expire_later(connection.session)

    def reaches(self, client: Client) -> bool:
        """Whether a call would arrive, and under a session that is not over."""
        connection = self._connections.get(client)
        return connection is not None and self._passable(connection) and connection.session in self._sessions

    def loses_answer(self, client: Client) -> bool:
        """Whether the answer to the call just made is lost (once)."""
        lossy = client in self._lossy
        self._lossy.discard(client)
        return lossy

    def stand(self, session: int, node_id: str, incarnation: str) -> None:
        """Add a candidate at the end of the row."""
        self.candidates[self._next_candidate] = CandidateRecord(session, node_id, incarnation)
        self._next_candidate += 1
        self.changed()

    def changed(self) -> None:
        """The tree changed: hint it to all who can be reached."""
        self.writes += 1
        for client in list(self._connections):
            if self.reaches(client):
                client.hinted()

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        """Call under the lock, after a delay."""

        def whole() -> None:
            with self.lock:
                call()

        self.scheduler.call_later(delay_s, whole)

    # ---- what it can suffer

    def cut(self, client: Client) -> None:
        """Cut one client's link; the session expires after its timeout, if the link is not healed before."""
        self._cut(client, noticed=True)

    def freeze(self, client: Client) -> None:
        """Pause the client's process: as `cut`, but it does not notice."""
        self._cut(client, noticed=False)

    def heal(self, client: Client) -> None:
        """Mend the link; under a new session, when the old one expired meanwhile."""
        with self.lock:
            connection = self._connections.get(client)
            if connection is not None and not connection.reachable:
                connection.reachable = True
                connection.breaks += 1
                self._link_soon(client)

    thaw = heal

    def kill(self, client: Client) -> None:
        """Kill the client's process: it never speaks again, its session lasts until it expires."""
        with self.lock:
            connection = self._connections.pop(client, None)
            if connection is not None and connection.session is not None:
                self._expire_later(connection.session)

    def expire(self, client: Client) -> None:
        """End the client's session on the servers, as they may at any time."""
        with self.lock:
            connection = self._connections[client]
            if connection.session is not None:
                self._end_session(connection.session)
                self._link_soon(client)

    def outage(self) -> None:
        """All servers away: every link breaks; no session expires meanwhile."""
        with self.lock:
            self._down = True
            for client, connection in self._connections.items():
                connection.breaks += 1
                self._notice_later(client, connection)

    def restore(self) -> None:
        """All servers back; sessions that survived have their whole timeout before them."""
        with self.lock:
            self._down = False
            holders = {connection.session: connection for connection in self._connections.values()}
            for session in self._sessions:
                holder = holders.get(session)
                if holder is None or not holder.reachable:
                    self._expire_later(session, holder)
            for client in list(self._connections):
                self._link_soon(client)

    def wipe(self) -> None:
        """Lose all data, sessions included."""
        with self.lock:
            self.nodes.clear()
            self.candidates.clear()
            self.view = None
            self._sessions.clear()
            self._next_candidate = 0
            for client in list(self._connections):
                self._link_soon(client)

    def lose_next_answer(self, client: Client) -> None:
        """The client's next publication is done, but nobody tells it."""
        with self.lock:
            self._lossy.add(client)

    def spoil_view(self) -> None:
        """Fill `/view` with something unreadable."""
        with self.lock:
            self.view = ViewRecord(None, self.view.version + 1 if self.view else 0)
            self.changed()

    def spoil_node(self, node_id: str) -> None:
        """Fill `/nodes/<node_id>` with something unreadable; by hand, when there is none."""
        with self.lock:
            record = self.nodes.setdefault(node_id, NodeRecord(None, None))
            record.info = None
            self.changed()

    def delete_view(self) -> None:
        """Delete `/view`."""
        with self.lock:
            self.view = None
            self.changed()

    def delete_node(self, node_id: str) -> None:
        """Delete `/nodes/<node_id>`."""
        with self.lock:
            del self.nodes[node_id]
            self.changed()

    def delete_candidates(self) -> None:
        """Delete everybody's candidate."""
        with self.lock:
            self.candidates.clear()
            self.changed()

    # ---- sessions

    def _cut(self, client: Client, *, noticed: bool) -> None:
        with self.lock:
            connection = self._connections.get(client)
            if connection is None or not connection.reachable:
                return
            connection.reachable = False
            connection.breaks += 1
            if noticed:
                self._notice_later(client, connection)
            if connection.session is not None:
                self._expire_later(connection.session, connection)

    def _notice_later(self, client: Client, connection: _Connection) -> None:
        breaks = connection.breaks

        def notice() -> None:
            if self._connections.get(client) is connection and connection.breaks == breaks:
                client.suspended()

        self.later(self._notice_delay_s(), notice)

    def _link_soon(self, client: Client) -> None:
        self.later(self.hint_delay_s(), lambda: self._link(client))

    def _passable(self, connection: _Connection) -> bool:
        return connection.reachable and not self._down

    def _link(self, client: Client) -> None:
        connection = self._connections.get(client)
        if connection is None or not self._passable(connection):
            return
        # an outage that is over before it was noticed is not noticed at all
        connection.breaks += 1
        fresh = connection.session not in self._sessions
        if fresh:
            connection.session = self._next_session
            self._next_session += 1
            self._sessions.add(connection.session)
        assert connection.session is not None, "a known session is a number"
        client.linked(connection.session, fresh=fresh)

    def _expire_later(self, session: int, connection: _Connection | None = None) -> None:
        """`connection`: whose heal calls it off; None when nobody can."""
        breaks = connection.breaks if connection else 0

        def expire() -> None:
            healed = connection is not None and connection.breaks != breaks
            if not healed and not self._down:
                self._end_session(session)

        self.later(self.session_timeout_s, expire)

    def _end_session(self, session: int) -> None:
        self._sessions.discard(session)
        nodes = [node_id for node_id, record in self.nodes.items() if record.session == session]
        for node_id in nodes:
            del self.nodes[node_id]
        candidates = [seq for seq, record in self.candidates.items() if record.session == session]
        for seq in candidates:
            del self.candidates[seq]
        if nodes or candidates:
            self.changed()
