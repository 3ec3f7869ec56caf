"""The own lease, on a lane where nothing slow may stand in front of a beat; and taking over, on another."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shardkeeper.domain.errors import StoreUnavailable
from shardkeeper.domain.leases import Registration
from shardkeeper.domain.planner.actions import Beat, Join, Leave, MirrorView, SayDraining, TakeOver
from shardkeeper.domain.planner.events import (
    Beaten,
    BeatUnanswered,
    DrainAnswered,
    Event,
    JoinAnswered,
    Left,
    StoreAway,
    TakeoverAnswered,
)
from shardkeeper.ports.leases import LeaseStore

LeaseAction = Join | Beat | SayDraining | Leave | MirrorView
AGAIN_S = 0.25


class LeaseWork:
    """``registration`` of an incarnation; ``before_joining`` is called before each join (the journal's replay)."""

    most = 100

    def __init__(
        self,
        store: LeaseStore,
        registration: Callable[[str], Registration],
        monotonic: Callable[[], float],
        before_joining: Callable[[], None],
    ) -> None:
        self._store = store
        self._registration = registration
        self._monotonic = monotonic
        self._before_joining = before_joining

    def run(self, actions: Sequence[LeaseAction]) -> list[Event]:
        """See Work. Beats that piled up while the store was away are one."""
        events: list[Event] = []
        beaten: set[str] = set()
        for action in actions:
            if isinstance(action, Beat):
                if action.incarnation in beaten:
                    continue
                beaten.add(action.incarnation)
            events += self._do(action)
        return events

    def failed(
        self, actions: Sequence[LeaseAction], error: StoreUnavailable
    ) -> tuple[list[Event], float | None]:
        """Joins, drains and mirrors are tried again; a beat is not: the next one is due soon, and is newer."""
        events: list[Event] = [StoreAway(str(error))]
        if any(isinstance(action, Beat) for action in actions):
            events.append(BeatUnanswered())
        lasting = any(not isinstance(action, Beat) for action in actions)
        return events, AGAIN_S if lasting else None

    def _do(self, action: LeaseAction) -> list[Event]:
        sent = self._monotonic()
        match action:
            case Beat(incarnation):
                return [Beaten(incarnation, self._store.beat(incarnation), sent)]
            case Join(incarnation):
                self._before_joining()
                return [JoinAnswered(incarnation, self._store.join(self._registration(incarnation)), sent)]
            case SayDraining(incarnation, draining):
                self._store.drain(incarnation, draining)
                return [DrainAnswered(draining)]
            case Leave(incarnation):
                return [Left(self._store.leave(incarnation))]
            case MirrorView(view):
                self._store.mirror_view(view)
                return []


class TakeoverWork:
    """Taking over may move many attempts, so it has a lane of its own."""

    most = 1

    def __init__(self, store: LeaseStore) -> None:
        self._store = store

    def run(self, actions: Sequence[TakeOver]) -> list[Event]:
        """See Work."""
        return [
            TakeoverAnswered(one.dead, self._store.take_over(one.taker, one.dead, one.beat))
            for one in actions
        ]

    def failed(
        self, actions: Sequence[TakeOver], error: StoreUnavailable
    ) -> tuple[list[Event], float | None]:
        """Not tried again here: whoever is still lapsed is seen so again."""
        return [StoreAway(str(error))], None
