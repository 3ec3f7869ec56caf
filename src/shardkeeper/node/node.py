"""A node: events from everywhere, one at a time, through the planner to the effects.

``handle`` is called by one thread only (the loop; or the simulation). Everything else talks to a node by posting
events.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from shardkeeper.domain.facts import ListenerChanged
from shardkeeper.domain.planner.actions import ReadSpecs
from shardkeeper.domain.planner.events import Event, Hinted, Moment
from shardkeeper.domain.planner.planner import Planner
from shardkeeper.node.board import Board
from shardkeeper.node.coordination import Coordination
from shardkeeper.node.duties import DutyDue, DutyRoster
from shardkeeper.node.effects import Effects
from shardkeeper.node.load import LoadGauge
from shardkeeper.node.orders import events_of
from shardkeeper.ports.clock import Clock
from shardkeeper.ports.coordinator import Published, Snapshot
from shardkeeper.ports.specs import Hint, ListenerState
from shardkeeper.ports.workers import WorkersChanged, WorkersSaid


@dataclass(frozen=True, slots=True)
class Reconsider:
    """Think about publishing a view again."""


@dataclass(frozen=True, slots=True)
class PollSpecs:
    """The slow poll: what no hint told."""


Letter = Event | Snapshot | Published | Hint | ListenerState | WorkersSaid | DutyDue | Reconsider | PollSpecs
"""Whatever may lie in a node's mailbox."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a node is made of; ``capacity`` tells how many attempts the workers can run at once."""

    planner: Planner
    effects: Effects
    coordination: Coordination
    duties: DutyRoster
    board: Board
    clock: Clock
    capacity: Callable[[], int]
    load: LoadGauge = field(default_factory=lambda: LoadGauge(busy_at=90))


class Node:
    """``later`` puts a letter on the agenda after so many seconds."""

    POLL_S = 15.0
    """Between two slow polls: LISTEN/NOTIFY is only ever a hint."""

    def __init__(self, parts: Parts, later: Callable[[float, Letter], None]) -> None:
        self._parts = parts
        self._later = later

    def handle(self, letter: Letter) -> None:
        """Do what one letter asks for."""
        match letter:
            case WorkersSaid():
                self._workers_said(letter)
            case Snapshot():
                self._plan(self._parts.coordination.seen(letter))
            case Published():
                self._plan(self._parts.coordination.published(letter))
            case Reconsider():
                self._parts.coordination.reconsider()
            case DutyDue():
                self._parts.duties.due(letter)
            case PollSpecs():
                self._parts.effects.perform([ReadSpecs()])
                self._later(self.POLL_S, letter)
            case Hint():
                self._hint(letter)
            case ListenerState():
                self._listener(letter)
            case _:
                self._plan([letter])

    def _workers_said(self, said: WorkersSaid) -> None:
        for one in said.events:
            if type(one) is WorkersChanged:
                self._parts.coordination.workers(one.problem is None, one.restarts)
        self._plan(events_of(said, self._parts.capacity()))

    def _plan(self, events: Sequence[Event]) -> None:
        parts = self._parts
        moment = Moment(parts.clock.now(), parts.clock.monotonic())
        for event in events:
            parts.effects.perform(parts.planner.handle(event, moment))
        load = parts.load.see(parts.planner.mind.holdings.live, parts.capacity(), moment.mono)
        if load is not None:
            parts.coordination.load(load)

    def _hint(self, hint: Hint) -> None:
        if hint.kind == "specs":
            self._parts.effects.perform([ReadSpecs()])
        else:
            self._plan([Hinted(orders=hint.kind == "orders", work=hint.kind == "work")])

    def _listener(self, state: ListenerState) -> None:
        """Whatever was committed before the listening began was announced to nobody: read it."""
        self._parts.board.tell(ListenerChanged(state.listening, state.problem))
        if state.listening:
            self._parts.effects.perform([ReadSpecs()])
            self._plan([Hinted(orders=True, work=True)])
