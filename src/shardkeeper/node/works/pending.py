"""Looking at PENDING attempts, closing those that nobody can run, and alerts that no outcome writes."""

from __future__ import annotations

from collections.abc import Sequence

from shardkeeper.domain.errors import StoreUnavailable
from shardkeeper.domain.planner.actions import Alert, CloseUnrunnable, ReadPending
from shardkeeper.domain.planner.events import Event, PendingRead, StoreAway
from shardkeeper.ports.duties import AlertStore
from shardkeeper.ports.runs import RunStore

AGAIN_S = 1.0


class PendingWork:
    """``limit``: most attempts in one reading."""

    most = 50

    def __init__(self, store: RunStore, limit: int) -> None:
        self._store = store
        self._limit = limit

    def run(self, actions: Sequence[ReadPending | CloseUnrunnable]) -> list[Event]:
        """See Work."""
        events: list[Event] = []
        for action in actions:
            if isinstance(action, CloseUnrunnable):
                self._store.no_eligible_node(action.incarnation, action.keys, action.reason)
            else:
                rows = self._store.pending(action.incarnation, self._limit)
                events.append(PendingRead(tuple(rows)))
        return events

    def failed(
        self, actions: Sequence[ReadPending | CloseUnrunnable], error: StoreUnavailable
    ) -> tuple[list[Event], float | None]:
        """Not tried again: the next look finds the same."""
        return [StoreAway(str(error))], None


class AlertsWork:
    """Writes alert rows; each has its event key, so that saying it twice is saying it once."""

    most = 50

    def __init__(self, store: AlertStore) -> None:
        self._store = store

    def run(self, actions: Sequence[Alert]) -> list[Event]:
        """See Work."""
        for action in actions:
            self._store.raise_alert(action.event_key, action.kind, action.body)
        return []

    def failed(self, actions: Sequence[Alert], error: StoreUnavailable) -> tuple[list[Event], float | None]:
        """Tried again until it stands."""
        return [StoreAway(str(error))], AGAIN_S
