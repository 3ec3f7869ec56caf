"""Waiting for runs to end: many in one query, often at first and seldom later."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from shardkeeper.domain.errors import GaveUpWaiting, NotFound, StoreUnavailable
from shardkeeper.domain.runs import RunStatus
from shardkeeper.ports.operator import OperatorStore, Row

FIRST_S: Final = 0.005
LONGEST_S: Final = 0.25
GROWTH: Final = 1.4
AT_ONCE: Final = 1000
"""So many runs are looked at in one query. All must end, so it is enough to look at the first that have not."""
PER_RUN_S: Final = 0.00005
"""The least pause for each run that is looked at: looking takes the server a few microseconds each."""
OUTAGE_S: Final = 60.0
"""A store that is away for so long is given up; a shorter outage (a failover) only makes the wait longer."""


class Waiting:
    """``monotonic`` and ``pause``: seconds."""

    def __init__(
        self, store: OperatorStore, monotonic: Callable[[], float], pause: Callable[[float], object]
    ) -> None:
        self._store = store
        self._monotonic = monotonic
        self._pause = pause

    def until_ended(self, run_ids: Sequence[int], timeout_s: float | None) -> list[Row]:
        """What ``run_states`` says of each once all have ended, in their order. Raises GaveUpWaiting, NotFound for a
        run that is not there, and StoreUnavailable."""
        until = None if timeout_s is None else self._monotonic() + timeout_s
        ended: dict[int, Row] = {}
        left = list(dict.fromkeys(run_ids))
        interval_s = FIRST_S
        while True:
            looked_at = left[:AT_ONCE]
            states = {int(row["id"]): row for row in self._states(looked_at, until)}
            found = {run_id: row for run_id, row in states.items() if not RunStatus(row["status"]).is_open}
            ended |= found
            left = [run_id for run_id in left if run_id not in found]
            if not left:
                return [ended[run_id] for run_id in run_ids]
            missing = next((run_id for run_id in looked_at if run_id not in states), None)
            if missing is not None:
                raise NotFound(f"there is no run {missing} (any more)")
            if len(found) == len(looked_at):
                continue
            now = self._monotonic()
            if until is not None and now >= until:
                raise GaveUpWaiting(_gave_up(left, states, timeout_s or 0.0))
            pause_s = max(interval_s, PER_RUN_S * len(looked_at))
            self._pause(pause_s if until is None else min(pause_s, until - now))
            if not found:
                interval_s = min(interval_s * GROWTH, LONGEST_S)

    def _states(self, run_ids: Sequence[int], until: float | None) -> list[Row]:
        """Asked again and again while the store is away, up to OUTAGE_S and not after ``until``."""
        give_up = self._monotonic() + OUTAGE_S
        give_up = give_up if until is None else min(give_up, until)
        while True:
            try:
                return self._store.run_states(run_ids)
            except StoreUnavailable:
                if self._monotonic() >= give_up:
                    raise
                self._pause(LONGEST_S)


def _gave_up(left: Sequence[int], states: dict[int, Row], timeout_s: float) -> str:
    first = left[0]
    status = states[first]["status"]
    if len(left) == 1:
        return f"run {first} is still {status} after {timeout_s:g} s; it goes on"
    return (
        f"{len(left)} runs have not ended after {timeout_s:g} s, such as run {first} ({status}); they go on"
    )
