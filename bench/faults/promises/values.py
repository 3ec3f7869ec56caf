"""Values are stored once: all that one execution has calculated, of no other, and none of what did not complete."""

from __future__ import annotations

from collections.abc import Iterator

from bench.faults.history import History
from bench.faults.kinds import BY_NAME
from bench.faults.violation import Violation

PROMISE = "values"


def check(history: History) -> Iterator[Violation]:
    """Item by item."""
    completed = {
        (one.run, one.item)
        for own in history.attempts.values()
        for one in own
        if one.status == "COMPLETED" and not one.compensates
    }
    for run, item in sorted({*completed, *history.values}):
        row = history.runs.get(run)
        job = history.jobs.get(row.job) if row else None
        stored = history.values.get((run, item), {})
        count = BY_NAME[job.kind].values if job and (run, item) in completed else 0
        wanted = {f"value-{number}" for number in range(count)}
        if set(stored) != wanted:
            yield Violation(
                PROMISE, f"item {item} has the values {sorted(stored)}, not {sorted(wanted)}", run
            )
        elif len(set(stored.values())) > 1:
            yield Violation(PROMISE, f"item {item} has values of {len(set(stored.values()))} executions", run)
