"""The node's side of the coordinator: what it says of itself, which views it publishes, and which it goes by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from shardkeeper.domain.facts import CoordinatorSeen, ViewPublished, ViewRefused
from shardkeeper.domain.leadership import Facts, Publish, SeenNode, Wait, decide
from shardkeeper.domain.planner.events import Event, ViewSeen
from shardkeeper.domain.view import View
from shardkeeper.node.board import Board
from shardkeeper.ports.clock import Clock
from shardkeeper.ports.coordinator import (
    Coordinator,
    CoordinatorEvent,
    Load,
    NodeInfo,
    NodeState,
    Published,
    Snapshot,
)

Fatal = Callable[[str], None]

SHORTEST_WAIT_S = 0.01
"""What is left of a wait may be a rounding error of the clock: asking again at once would spin."""

THINK_AGAIN_S = 1.0
"""After a publication: others need not say anything that would make this node look again."""
REFUSED_AGAIN_S = 5.0
RESTARTS_SAID_EVERY_S = 10.0
"""However often workers die: ZooKeeper is written to no more for it."""


class Coordination:
    """Turns snapshots into views for the planner, and publishes when this node leads.

    ``notify`` receives what the coordinator tells; ``later`` asks for ``reconsider`` after so many seconds; ``fatal``
    is told when trying again cannot help.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        info: NodeInfo,
        clock: Clock,
        board: Board,
        new_lineage: Callable[[], str],
        notify: Callable[[CoordinatorEvent], None],
        later: Callable[[float], None],
        fatal: Fatal,
    ) -> None:
        self._coordinator = coordinator
        self._info = info
        self._clock = clock
        self._board = board
        self._new_lineage = new_lineage
        self._notify = notify
        self._later = later
        self._fatal = fatal
        self._entered = False
        self._draining = False
        self._fit = True
        self._restarts, self._restarts_due = 0, False
        self._restarts_said_at = float("-inf")
        self._skewed = False
        self._snapshot: Snapshot | None = None
        self._going_by: View | None = None
        self._published: View | None = None
        self._candidacy: int | None = None
        self._publishing = False
        self._no_view_since: float | None = None

    @property
    def snapshot(self) -> Snapshot | None:
        """What was seen last."""
        return self._snapshot

    def speaks(self) -> bool:
        """Whether this node is the one to speak for the cluster: it leads, or it cannot see who does."""
        return self._snapshot is None or not self._snapshot.connected or self._snapshot.leading

    def enter(self, incarnation: str) -> None:
        """This incarnation holds a lease: take part under it, as a new candidate."""
        self._published = None
        self._draining = False
        info = replace(self._info, incarnation=incarnation, state=self._state())
        if self._entered:
            self._say(info)
            return
        self._info, self._entered = info, True
        self._coordinator.start(info, self._notify)

    def leave(self) -> None:
        """Take this node out of the cluster for good."""
        if self._entered:
            self._coordinator.leave()

    def draining(self, draining: bool) -> None:
        """Be left out of the next view, or be in it again."""
        self._draining = draining
        self._say(replace(self._info, state=self._state()))

    def workers(self, fit: bool, restarts: int) -> None:
        """Say whether workers can be kept alive, and how many have died; that alone is said only now and then."""
        self._restarts = restarts
        if fit != self._fit:
            self._fit = fit
            self._say_restarts()
        elif restarts != self._info.restarts and not self._restarts_due:
            # the last one of many is told too, though nothing may come after it
            self._restarts_due = True
            self._later(max(0.0, self._restarts_said_at + RESTARTS_SAID_EVERY_S - self._clock.monotonic()))

    def skewed(self, skewed: bool) -> None:
        """Say whether this node's clock is wrong: it creates nothing then, and must own nothing."""
        self._skewed = skewed
        self._say(replace(self._info, state=self._state()))

    def _state(self) -> NodeState:
        if self._draining:
            return NodeState.DRAINING
        return NodeState.ACTIVE if self._fit and not self._skewed else NodeState.UNFIT

    def load(self, load: Load) -> None:
        """Say how full the workers are."""
        self._say(replace(self._info, load=load))

    def seen(self, snapshot: Snapshot) -> list[Event]:
        """One more reading of the coordinator."""
        before, self._snapshot = self._snapshot, snapshot
        if snapshot.fatal is not None:
            self._fatal(snapshot.fatal)
            return []
        candidacy = next((one.seq for one in snapshot.candidates if one.mine), None)
        if candidacy != self._candidacy:
            # a session that was lost took the candidate with it: whoever leads anew publishes anew
            self._candidacy, self._published = candidacy, None
        if before is None or (before.session, before.problems) != (snapshot.session, snapshot.problems):
            self._board.tell(CoordinatorSeen(snapshot.session, snapshot.problems))
        self._watch_for_view(snapshot)
        self.reconsider()
        return self._go_by(snapshot.view)

    def published(self, answer: Published) -> list[Event]:
        """What became of a view that this node wanted published. What was seen meanwhile, or was refused, is thought
        over again a little later, as no other snapshot need come.
        """
        self._publishing = False
        self._later(THINK_AGAIN_S if answer.ok else REFUSED_AGAIN_S)
        if answer.ok:
            self._published = answer.view
            self._board.tell(ViewPublished(answer.view.epoch, tuple(m.node_id for m in answer.view.members)))
            return self._go_by(answer.view)
        self._board.tell(ViewRefused(answer.view.epoch, answer.reason or "", answer.detail))
        return []

    def reconsider(self) -> None:
        """Say what has waited to be said; publish a view if it is this node's turn."""
        now = self._clock.monotonic()
        if self._restarts_due and now >= self._restarts_said_at + RESTARTS_SAID_EVERY_S - SHORTEST_WAIT_S:
            self._say_restarts()
        snapshot = self._snapshot
        if snapshot is None or self._publishing or not self._entered:
            return
        decision = decide(self._facts(snapshot), self._new_lineage(), self._clock.now())
        if isinstance(decision, Publish):
            self._publishing = True
            self._coordinator.publish(decision.view, snapshot.view_version)
        elif isinstance(decision, Wait) and decision.for_s is not None:
            self._later(max(SHORTEST_WAIT_S, decision.for_s))

    def _say_restarts(self) -> None:
        self._restarts_due, self._restarts_said_at = False, self._clock.monotonic()
        self._say(replace(self._info, state=self._state(), restarts=self._restarts))

    def _say(self, info: NodeInfo) -> None:
        if info == self._info:
            return
        self._info = info
        if self._entered:
            self._coordinator.update(info)

    def _go_by(self, view: View | None) -> list[Event]:
        if view is None or view == self._going_by:
            return []
        self._going_by = view
        self._say(replace(self._info, applied_epoch=view.epoch))
        return [ViewSeen(view)]

    def _watch_for_view(self, snapshot: Snapshot) -> None:
        if snapshot.view is not None or not snapshot.connected:
            self._no_view_since = None
        elif self._no_view_since is None:
            self._no_view_since = self._clock.monotonic()

    def _facts(self, snapshot: Snapshot) -> Facts:
        since = self._no_view_since
        return Facts(
            leading=snapshot.leading,
            incarnation=self._info.incarnation,
            has_published=self._published is not None,
            nodes=tuple(_seen(node) for node in snapshot.nodes),
            stored=snapshot.view,
            last_seen=self._going_by,
            without_view_s=0.0 if since is None else self._clock.monotonic() - since,
            session_timeout_s=snapshot.session_timeout_s or 0.0,
        )


def _seen(node: NodeInfo) -> SeenNode:
    return SeenNode(
        node.node_id,
        node.incarnation,
        node.weight,
        node.labels,
        takes_work=node.state is NodeState.ACTIVE,
        applied_epoch=node.applied_epoch,
    )
