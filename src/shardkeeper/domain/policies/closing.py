"""The status a run closes with, from how its items ended."""

from __future__ import annotations

from collections.abc import Iterable

from shardkeeper.domain.runs import AttemptStatus, RunStatus

_FAILURES = frozenset({AttemptStatus.FAILED, AttemptStatus.TIMED_OUT, AttemptStatus.LOST})


def closing_status(last_attempts: Iterable[AttemptStatus]) -> RunStatus:
    """FAILED, STOPPED or COMPLETED, from the status of each item's last attempt.

    A failure for good outweighs a stop, and a stop a completion: a run is FAILED when an item failed, timed out or
    was lost, also if others were stopped, because somebody must be told; else STOPPED when an item was stopped
    (its results are not whole); else COMPLETED. ValueError while an item is open, and without items.
    """
    found = set(last_attempts)
    still_open = sorted(status for status in found if status.is_open)
    if still_open or not found:
        raise ValueError(
            f"a run cannot close with items {', '.join(still_open) or 'of which there are none'}"
        )
    if found & _FAILURES:
        return RunStatus.FAILED
    return RunStatus.STOPPED if AttemptStatus.STOPPED in found else RunStatus.COMPLETED
