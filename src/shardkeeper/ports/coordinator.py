"""The coordinator port: who is alive, who may publish, and the view that is in force.

Behind it is ZooKeeper (`zookeeper/`) or its twin in memory (`memory/coordinator.py`). The port is made so
that nothing can block or surprise its user: every method returns at once, and everything that is learnt
arrives as one event, a whole `Snapshot` of what is now seen, or the `Published` answer to a `publish`.
Snapshots are states, not differences: one that was missed is made good by the next.

What is stored is this tree and nothing more: `/nodes/<node_id>`, `/candidates/<seq>`, `/view`. Its size
depends on the number of nodes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from shardkeeper.domain.view import View


class NodeState(StrEnum):
    """Whether a node takes work: `active` does, `draining` is on its way out, `unfit` stays but takes none."""

    ACTIVE = "active"
    DRAINING = "draining"
    UNFIT = "unfit"


class Load(StrEnum):
    """How full a node's workers are, as it says itself."""

    IDLE = "idle"
    BUSY = "busy"


class Session(StrEnum):
    """The state of this node's session with the coordinator.

    `suspended` says only that the link is down: the session may live on, or be over without our knowing.
    `lost` is known to be over; whatever it owned is gone. `never` has not connected since `start`.
    """

    NEVER = "never"
    CONNECTED = "connected"
    SUSPENDED = "suspended"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """What one incarnation says of itself (the content of `/nodes/<node_id>`, written by that node alone)."""

    node_id: str
    incarnation: str
    host: str = ""
    pid: int = 0
    version: str = ""
    weight: float = 1.0
    labels: Mapping[str, str] = field(default_factory=dict)
    state: NodeState = NodeState.ACTIVE
    load: Load = Load.IDLE
    applied_epoch: int = 0
    addresses: Mapping[str, str] = field(default_factory=dict)
    code_version: str = ""
    restarts: int = 0
    """Workers that died unexpectedly since its start; told now and then."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One candidate for leadership; the lowest `seq` leads. `mine` says that it belongs to this session and
    incarnation."""

    seq: int
    node_id: str
    incarnation: str
    mine: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that this node sees of the cluster, read as a whole.

    While `session` is not `connected`, everything below it is what was seen last: good enough to go on with
    (the last view stays in force when the coordinator is away), never proof that somebody is dead.

    `view` is None with a `view_version` when something unreadable lies in its place (see `problems`), and
    None without one when nothing does. `view_version` is what `publish` wants as `expected_version`.

    `session_timeout_s` is what was negotiated (seconds), None before the first connection. `fatal` is set
    when trying again cannot help (wrong credentials); the adapter has then given up, and the daemon is to
    end with that message.
    """

    session: Session
    session_timeout_s: float | None = None
    nodes: tuple[NodeInfo, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    view: View | None = None
    view_version: int | None = None
    problems: tuple[str, ...] = ()
    fatal: str | None = None

    @property
    def connected(self) -> bool:
        """Whether what is shown was read over a live link."""
        return self.session is Session.CONNECTED

    @property
    def leading(self) -> bool:
        """Whether publishing is worth a try: connected, and the first candidate is this session's own."""
        return self.connected and bool(self.candidates) and self.candidates[0].mine


class Refusal(StrEnum):
    """Why a view was not published."""

    NOT_CONNECTED = "not_connected"
    NOT_CANDIDATE = "not_candidate"
    SUPERSEDED = "superseded"
    TOO_LARGE = "too_large"
    DENIED = "denied"
    UNKNOWN = "unknown"
    """Nobody knows whether it was written (the link broke, or the time ran out): the next snapshot tells."""


@dataclass(frozen=True, slots=True)
class Published:
    """The answer to one `publish`: `reason` is None when `ok`; `detail` is for people."""

    ok: bool
    view: View
    reason: Refusal | None = None
    detail: str = ""


CoordinatorEvent = Snapshot | Published
"""What arrives at `notify`."""


class Coordinator(Protocol):
    """One node's connection with the coordinator. No method blocks, none raises because a server is away."""

    def start(self, info: NodeInfo, notify: Callable[[CoordinatorEvent], None]) -> None:
        """Begin to connect, for ever, and to keep `info` registered; idempotent.

        `notify` is called from the adapter's own thread (one event at a time, in order) and must only put
        the event into a mailbox. A node_id still held by an earlier incarnation is waited out, never
        adopted; held by one that does not go away, it is a problem in the snapshot.
        """

    def update(self, info: NodeInfo) -> None:
        """Say something new of this node; the last word wins. Changes of load alone are written at most
        once a second.

        Another `incarnation` under the same node_id leaves the cluster and joins it anew, as a candidate at
        the end of the row.
        """

    def publish(self, view: View, expected_version: int | None) -> None:
        """Ask to publish `view` where the stored one has version `expected_version` (None: where there is
        none).

        Done only while the candidate of this very session still exists, checked in the same transaction;
        answered by one `Published` event, also when it cannot be tried.
        """

    def leave(self) -> None:
        """Take this incarnation's registration and candidacy away for good; snapshots go on arriving until
        `stop`."""

    def stop(self) -> None:
        """End the session and the adapter's threads; idempotent, and harmless when never started. No event
        arrives after it."""
