"""The own lease, on a lane where nothing slow may stand in front of a beat; and taking over, on another."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shardkeeper.domain.errors import StoreUnavailable
from shardkeeper.domain.leases import Registration
from shardkeeper.domain.planner.actions import Beat, Join, Leave, MirrorView, Replay, SayDraining, TakeOver
from shardkeeper.domain.planner.events import (
    Beaten,
    BeatUnanswered,
    DrainAnswered,
    Event,
    JoinAnswered,
    Left,
    TakeoverAnswered,
)
from shardkeeper.node.lanes import Done
from shardkeeper.ports.leases import LeaseStore

LeaseAction = Replay | Join | Beat | SayDraining | Leave | MirrorView
AGAIN_S = 0.25


class LeaseWork:
    """``registration`` of an incarnation; ``replay`` of the journal is called when it is asked for, and before each
    join: to replay only once is its business."""

    most = 100

    def __init__(
        self,
        store: LeaseStore,
        registration: Callable[[str], Registration],
        monotonic: Callable[[], float],
        replay: Callable[[], None],
        beaten: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._registration = registration
        self._monotonic = monotonic
        self._replay = replay
        self._beaten = beaten

    def run(self, actions: Sequence[LeaseAction]) -> Done[LeaseAction]:
        """See Work. All are tried again but a beat: the next one is newer."""
        todo = in_order(actions)
        events: list[Event] = []
        while todo:
            try:
                events += self._do(todo[0])
            except StoreUnavailable as error:
                if any(isinstance(one, Beat) for one in todo):
                    events.append(BeatUnanswered(str(error)))
                left = [one for one in todo if not isinstance(one, Beat)]
                return Done(events, left, AGAIN_S, str(error))
            del todo[0]
        return Done(events)

    def _do(self, action: LeaseAction) -> list[Event]:
        sent = self._monotonic()
        match action:
            case Beat(incarnation):
                answer = self._store.beat(incarnation)
                self._beaten()
                return [Beaten(incarnation, answer, sent)]
            case Replay():
                self._replay()
                return []
            case Join(incarnation):
                self._replay()
                return [JoinAnswered(incarnation, self._store.join(self._registration(incarnation)), sent)]
            case SayDraining(incarnation, draining):
                self._store.drain(incarnation, draining)
                return [DrainAnswered(incarnation, draining)]
            case Leave(incarnation):
                return [Left(incarnation, self._store.leave(incarnation))]
            case MirrorView(view):
                self._store.mirror_view(view)
                return []


class TakeoverWork:
    """Taking over may move many attempts, so it has a lane of its own."""

    most = 1

    def __init__(self, store: LeaseStore) -> None:
        self._store = store

    def run(self, actions: Sequence[TakeOver]) -> Done[TakeOver]:
        """See Work. Not tried again here: whoever is still lapsed is seen so again."""
        return Done(
            [
                TakeoverAnswered(one.dead, self._store.take_over(one.taker, one.dead, one.beat))
                for one in actions
            ]
        )


def in_order(actions: Sequence[LeaseAction]) -> list[LeaseAction]:
    """Mirrored views last, and only the newest: they lock a row that others want. A beat that is asked for right after
    another is one with it; between them nothing else may have been asked, or the answer would not tell of it.
    """
    found: list[LeaseAction] = []
    mirrored: list[LeaseAction] = []
    for one in actions:
        if isinstance(one, MirrorView):
            mirrored = [one]
        elif not (isinstance(one, Beat) and found and found[-1] == one):
            found.append(one)
    return [*found, *mirrored]
