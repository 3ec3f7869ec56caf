"""Looking at PENDING attempts, closing those that nobody can run, and alerts that no outcome writes."""

from __future__ import annotations

from collections.abc import Sequence

from shardkeeper.domain.errors import StoreUnavailable
from shardkeeper.domain.planner.actions import Alert, CloseUnrunnable, ReadPending
from shardkeeper.domain.planner.events import Event, PendingRead
from shardkeeper.node.lanes import Done
from shardkeeper.ports.duties import AlertStore
from shardkeeper.ports.runs import RunStore

AGAIN_S = 0.5


class PendingWork:
    """``limit``: most attempts in one reading."""

    most = 50

    def __init__(self, store: RunStore, limit: int) -> None:
        self._store = store
        self._limit = limit

    def run(self, actions: Sequence[ReadPending | CloseUnrunnable]) -> Done[ReadPending | CloseUnrunnable]:
        """See Work. A reading is tried until it is answered, as the planner asks for no other before; readings that
        were gathered are one. What could not be closed is found by the next look.
        """
        readings = [action for action in actions if isinstance(action, ReadPending)][-1:]
        events: list[Event] = []
        try:
            while readings:
                rows = self._store.pending(readings[0].incarnation, self._limit)
                # the heads of queues without an owner come on top, and have no end
                full = sum(row.owned for row in rows) >= self._limit
                events.append(PendingRead(readings.pop().incarnation, tuple(rows), full))
            for action in actions:
                if isinstance(action, CloseUnrunnable):
                    self._store.no_eligible_node(action.incarnation, action.keys, action.reason)
        except StoreUnavailable as error:
            return Done(events, readings, AGAIN_S, str(error))
        return Done(events)


class AlertsWork:
    """Writes alert rows; each has its event key, so that saying it twice is saying it once."""

    most = 50

    def __init__(self, store: AlertStore) -> None:
        self._store = store

    def run(self, actions: Sequence[Alert]) -> Done[Alert]:
        """See Work. Tried again until they stand."""
        for position, action in enumerate(actions):
            try:
                self._store.raise_alert(action.event_key, action.kind, action.body)
            except StoreUnavailable as error:
                return Done(left=actions[position:], again_s=AGAIN_S, unanswered=str(error))
        return Done()
