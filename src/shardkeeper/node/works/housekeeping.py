"""Housekeeping: partitions ahead, retention, dead leases."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from shardkeeper.domain.facts import DutyDone
from shardkeeper.node.duties import Round
from shardkeeper.node.lanes import Done
from shardkeeper.ports.duties import Housekeeping, HousekeepingStore


class HousekeepingWork:
    """``retention_s``: how long closed runs are kept, in seconds."""

    most = 100

    def __init__(self, store: HousekeepingStore, retention_s: float, tell: Callable[[object], None]) -> None:
        self._store = store
        self._retention_s = retention_s
        self._tell = tell

    def run(self, actions: Sequence[Round]) -> Done[Round]:
        """See Work. After a failure the next round does it."""
        done = self._store.keep_house(actions[-1].incarnation, self._retention_s)
        if done is not None and done != Housekeeping(0, 0, 0, 0):
            self._tell(
                DutyDone(
                    "housekeeping",
                    f"{done.partitions_made} partitions made, {done.partitions_dropped} dropped, "
                    f"{done.rows_moved} rows moved, {done.rows_deleted} deleted",
                )
            )
        return Done()
