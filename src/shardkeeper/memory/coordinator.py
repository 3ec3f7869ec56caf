"""The coordinator port in memory, with the behaviour of the one on ZooKeeper; one contract suite judges
both."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace

from shardkeeper.domain.view import View
from shardkeeper.memory.ensemble import MemoryEnsemble, NodeRecord, ViewRecord
from shardkeeper.ports.coordinator import (
    Candidate,
    CoordinatorEvent,
    NodeInfo,
    Published,
    Refusal,
    Session,
    Snapshot,
)

_LOAD_EVERY_S = 1.0


class MemoryCoordinator:
    """One node's connection with a `MemoryEnsemble`; implements `ports.coordinator.Coordinator`.

    Events are told under the ensemble's lock, one at a time, so `notify` must only put them into a mailbox.
    """

    def __init__(self, ensemble: MemoryEnsemble) -> None:
        self._ensemble = ensemble
        self._notify: Callable[[CoordinatorEvent], None] | None = None
        self._node_id = ""
        self._info: NodeInfo | None = None
        self._left: str | None = None
        self._stopped = False
        self._state = Session.NEVER
        self._session: int | None = None
        self._requests: deque[tuple[View, int | None]] = deque()
        self._answers: deque[Published] = deque()
        self._telling = False
        self._load_written_at = float("-inf")
        self._held_since: float | None = None
        self._shown: Snapshot | None = None

    # ---- the port

    def start(self, info: NodeInfo, notify: Callable[[CoordinatorEvent], None]) -> None:
        """As the port says."""
        with self._ensemble.lock:
            if self._stopped or self._notify is not None:
                return
            self._notify, self._info, self._node_id = notify, info, info.node_id
            self._tell_soon()
            self._ensemble.connect(self)

    def update(self, info: NodeInfo) -> None:
        """As the port says."""
        with self._ensemble.lock:
            if info.incarnation != self._left:
                self._info, self._left = info, None
                self._tell_soon()

    def publish(self, view: View, expected_version: int | None) -> None:
        """As the port says."""
        with self._ensemble.lock:
            self._requests.append((view, expected_version))
            self._ensemble.later(self._ensemble.hint_delay_s(), self._answer_next)

    def leave(self) -> None:
        """As the port says."""
        with self._ensemble.lock:
            if self._info is not None:
                self._left, self._info = self._info.incarnation, None
                self._tell_soon()

    def stop(self) -> None:
        """As the port says."""
        with self._ensemble.lock:
            self._stopped = True
            self._notify = None
            self._ensemble.disconnect(self)

    # ---- what the ensemble tells

    def suspended(self) -> None:
        """The link was found to be down."""
        if self._state is Session.CONNECTED:
            self._state = Session.SUSPENDED
            self._tell_soon()

    def linked(self, session: int, *, fresh: bool) -> None:
        """The link is up."""
        self._held_since = None
        if fresh and self._state is not Session.NEVER:
            self._session, self._state = None, Session.LOST
            self._show()
        self._session, self._state = session, Session.CONNECTED
        self._tell_soon()

    def hinted(self) -> None:
        """Something changed."""
        self._tell_soon()

    # ---- telling

    def _tell_soon(self, delay_s: float | None = None) -> None:
        if delay_s is not None:
            self._ensemble.later(delay_s, self._tell)
        elif not self._telling:
            self._telling = True
            self._ensemble.later(self._ensemble.hint_delay_s(), self._tell)

    def _tell(self) -> None:
        self._telling = False
        if self._connected:
            self._settle()
        self._show()
        while self._answers and self._notify is not None:
            self._notify(self._answers.popleft())

    @property
    def _connected(self) -> bool:
        return self._state is Session.CONNECTED and self._ensemble.reaches(self) and not self._stopped

    def _show(self) -> None:
        snapshot = self._snapshot()
        if snapshot != self._shown and self._notify is not None:
            self._shown = snapshot
            self._notify(snapshot)

    def _snapshot(self) -> Snapshot:
        if not self._connected:
            seen = self._shown or Snapshot(Session.NEVER)
            return replace(seen, session=self._state, candidates=self._still_mine(seen.candidates))
        ensemble = self._ensemble
        nodes = sorted((node_id, r.info) for node_id, r in ensemble.nodes.items() if r.info and r.session)
        return Snapshot(
            session=self._state,
            session_timeout_s=ensemble.session_timeout_s,
            nodes=tuple(info for _, info in nodes),
            candidates=tuple(
                Candidate(
                    seq, r.node_id, r.incarnation, r.session == self._session and self._info is not None
                )
                for seq, r in sorted(ensemble.candidates.items())
            ),
            view=ensemble.view.view if ensemble.view else None,
            view_version=ensemble.view.version if ensemble.view else None,
            problems=tuple(self._problems()),
        )

    def _still_mine(self, candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
        if self._session is not None:
            return candidates
        return tuple(replace(candidate, mine=False) for candidate in candidates)

    def _problems(self) -> list[str]:
        found = []
        if self._held_since is not None:
            alive = self._ensemble.scheduler.monotonic() - self._held_since >= self._patience_s
            told = (
                "a second live node calls itself"
                if alive
                else "waiting for another session to end, which holds"
            )
            found.append(f"{told} {self._node_id!r}")
        found += [
            f"nodes/{name!r} cannot be read" for name, r in self._ensemble.nodes.items() if r.info is None
        ]
        if self._ensemble.view is not None and self._ensemble.view.view is None:
            found.append("the view cannot be read")
        return found

    # ---- keeping what should be there

    def _settle(self) -> None:
        """Bring our own records in order: never adopt what another session holds."""
        assert self._session is not None, "whoever is connected has a session"
        own = self._ensemble.nodes.get(self._node_id)
        mine = own is not None and own.session == self._session
        held_since, self._held_since = self._held_since, None
        if self._info is None:
            self._withdraw(mine)
        elif own is None or (not mine and self._left_behind(own, self._info)):
            self._register(self._info)
        elif mine:
            self._rewrite(own, self._info)
            self._keep_one_candidate(self._info)
        else:
            self._hold_on(held_since)

    def _left_behind(self, own: NodeRecord, info: NodeInfo) -> bool:
        return own.session is None or (own.info is not None and own.info.incarnation == info.incarnation)

    def _withdraw(self, mine: bool) -> None:
        ours = [seq for seq, record in self._ensemble.candidates.items() if record.session == self._session]
        for seq in ours:
            del self._ensemble.candidates[seq]
        if mine:
            del self._ensemble.nodes[self._node_id]
        if ours or mine:
            self._ensemble.changed()

    def _register(self, info: NodeInfo) -> None:
        self._ensemble.nodes[self._node_id] = NodeRecord(self._session, info)
        self._ensemble.changed()
        self._keep_one_candidate(info)

    def _rewrite(self, own: NodeRecord, info: NodeInfo) -> None:
        if own.info == info:
            return
        now = self._ensemble.scheduler.monotonic()
        load_only = own.info is not None and replace(own.info, load=info.load) == info
        if load_only and now < self._load_written_at + _LOAD_EVERY_S:
            # what is left may be a rounding error of the clock: asking again at once would never end
            self._tell_soon(max(0.001, self._load_written_at + _LOAD_EVERY_S - now))
            return
        own.info, self._load_written_at = info, now
        own.version += 1
        self._ensemble.changed()

    def _keep_one_candidate(self, info: NodeInfo) -> None:
        life = (info.node_id, info.incarnation)
        candidates = self._ensemble.candidates
        wrong = [
            seq
            for seq, r in candidates.items()
            if (r.session == self._session) != ((r.node_id, r.incarnation) == life)
        ]
        for seq in wrong:
            del candidates[seq]
        if not any(r.session == self._session for r in candidates.values()):
            assert self._session is not None, "whoever is connected has a session"
            self._ensemble.stand(self._session, *life)
        elif wrong:
            self._ensemble.changed()

    @property
    def _patience_s(self) -> float:
        return 1.5 * self._ensemble.session_timeout_s + 1.0

    def _hold_on(self, since: float | None) -> None:
        if since is None:
            self._tell_soon(self._patience_s)
        self._held_since = self._ensemble.scheduler.monotonic() if since is None else since

    # ---- publishing

    def _answer_next(self) -> None:
        view, expected_version = self._requests.popleft()
        self._answers.append(self._try_to_publish(view, expected_version))
        self._tell_soon()

    def _try_to_publish(self, view: View, expected_version: int | None) -> Published:
        ensemble = self._ensemble
        if self._state is not Session.CONNECTED:
            return Published(False, view, Refusal.NOT_CONNECTED, "the coordinator is away")
        if not ensemble.reaches(self):
            return Published(False, view, Refusal.UNKNOWN, "no answer")
        first = min(ensemble.candidates, default=None)
        if first is None or ensemble.candidates[first].session != self._session or self._info is None:
            return Published(False, view, Refusal.NOT_CANDIDATE, "this node is not the first candidate")
        if (ensemble.view.version if ensemble.view else None) != expected_version:
            return Published(False, view, Refusal.SUPERSEDED, "the view is no longer the one that was read")
        ensemble.view = ViewRecord(view, 0 if expected_version is None else expected_version + 1)
        ensemble.changed()
        if ensemble.loses_answer(self):
            return Published(False, view, Refusal.UNKNOWN, "no answer")
        return Published(True, view)
