"""A node cut off from PostgreSQL kills what must not overlap (``on_lease_loss = stop``) at the end of its lease."""

from __future__ import annotations

from collections.abc import Iterator

from bench.faults.history import History
from bench.faults.overlaps import overlaps
from bench.faults.violation import Violation
from bench.faults.witness import Execution

PROMISE = "lease_loss"
ENDS_LEASES = frozenset(
    {
        "disk full",
        "link to PostgreSQL cut",
        "link to PostgreSQL half open",
        "PostgreSQL away",
        "PostgreSQL frozen",
    }
)
KILLED_WITHIN_S = 1.0
"""Of the end of the lease, on a machine that has other things to do."""
MENDED_BEFORE_S = 1.0
"""The nemesis notices that much later than the nodes that it works again."""


def check(history: History) -> Iterator[Violation]:
    """Whatever was alive when its node had no lease, or overlapped while its node ran and only could not reach
    PostgreSQL."""
    for execution in history.executions:
        if not _must_stop(history, execution):
            continue
        for band in history.bands:
            lapsed_at = band.began + history.lease_s + KILLED_WITHIN_S
            strikes = band.kind in ENDS_LEASES and band.target in (execution.node, "")
            if (
                strikes
                and execution.last > lapsed_at
                and execution.began < band.healed - MENDED_BEFORE_S
                and band.healed - MENDED_BEFORE_S > lapsed_at
            ):
                late_s = execution.last - lapsed_at + KILLED_WITHIN_S
                yield _of(execution, f"lived on for {late_s:.3f} s after the lease of its node had ended")
    for overlap in overlaps(history):
        if overlap.excuse == "cut off" and _must_stop(history, overlap.earlier):
            yield _of(
                overlap.earlier, f"overlapped with attempt {overlap.later.attempt} on {overlap.later.node}"
            )


def _must_stop(history: History, execution: Execution) -> bool:
    job = history.jobs.get(execution.job)
    return job is not None and job.on_lease_loss == "stop"


def _of(execution: Execution, what: str) -> Violation:
    name = f"of {execution.job}, item {execution.item}, attempt {execution.attempt} on {execution.node}"
    return Violation(PROMISE, f"{name} {what}", execution.run)
