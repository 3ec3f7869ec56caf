"""What the tasks saw agrees with what is recorded.

What stands as COMPLETED was told as ended by the very execution whose token it has, under the claim that it has.
Nothing begins before its fire time or without a claim, each goes on from the recorded checkpoint, and two executions of
one item overlap only where the earlier one's incarnation could not know better.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from bench.faults.history import Attempt, History
from bench.faults.kinds import BY_NAME
from bench.faults.overlaps import overlaps
from bench.faults.promises.endings import DIED
from bench.faults.violation import Violation
from bench.faults.witness import Execution

PROMISE = "witnesses"
CLOCKS_S = 0.003
"""Between the wall clock and the monotonic one plus their difference, which was read once."""


def check(history: History) -> Iterator[Violation]:
    """Executions against rows."""
    rows = {(one.run, one.item, one.number): one for own in history.attempts.values() for one in own}
    for execution in history.executions:
        row, run = (
            rows.get((execution.run, execution.item, execution.attempt)),
            history.runs.get(execution.run),
        )
        if row is None or run is None:
            yield _of(execution, "is of an attempt that there is not")
            continue
        if execution.began < run.fire_time - CLOCKS_S:
            yield _of(execution, f"began {run.fire_time - execution.began:.3f} s before its fire time")
        if execution.ending == "ended" and row.status == "FAILED" and row.error_type != DIED:
            yield _of(execution, f"told its success, and is FAILED {row.error_type}")
    for row in rows.values():
        yield from _of_row(history, row)
    for attempts in history.attempts.values():
        for _, own in groupby(attempts, key=lambda one: one.item):
            yield from _of_checkpoints(history, list(own))
    for overlap in overlaps(history):
        if overlap.excuse is None:
            yield _of(
                overlap.later,
                f"began beside attempt {overlap.earlier.attempt} on {overlap.earlier.node}, which was neither paused "
                f"nor cut off, and went on for {overlap.seconds:.3f} s",
            )


def _of_row(history: History, row: Attempt) -> Iterator[Violation]:
    own = history.executions_by(row)
    name = f"item {row.item}, attempt {row.number}"
    if len(own) > row.claim_no:
        yield Violation(PROMISE, f"{name} was executed {len(own)} times under {row.claim_no} claims", row.run)
    if row.status != "COMPLETED":
        return
    told = [one for one in own if one.ending in ("ended", "compensated") and _is_of(history, row, one)]
    if not told:
        yield Violation(PROMISE, f"{name} is COMPLETED, and no execution of it has told its end", row.run)
        return
    if all(one.node != row.node or one.began < (row.claimed_at or 0.0) - CLOCKS_S for one in told):
        yield Violation(PROMISE, f"{name} is COMPLETED, and was not executed under its claim", row.run)


def _is_of(history: History, row: Attempt, execution: Execution) -> bool:
    """Whether the row has the token of the execution, in its result or in its values; a rolling back has neither."""
    if row.compensates:
        return execution.ending == "compensated"
    job = history.jobs.get(execution.job)
    if job is not None and BY_NAME[job.kind].values:
        return execution.token in history.values.get((row.run, row.item), {}).values()
    return execution.token == row.token


def _of_checkpoints(history: History, own: Sequence[Attempt]) -> Iterator[Violation]:
    """The first execution of each attempt goes on from what stands in the row of the one before."""
    done = 0
    for row in own:
        seen = history.executions_by(row)
        if row.compensates:
            return
        for place, execution in enumerate(seen):
            # what was given back keeps what it has saved since
            first = place == 0 and row.claim_no == 1
            if execution.found < done or (first and execution.found > done):
                yield _of(execution, f"went on from step {execution.found}, and step {done} was recorded")
        done = max([done, row.done or 0, *(one.found for one in seen)])


def _of(execution: Execution, what: str) -> Violation:
    name = f"of {execution.job}, item {execution.item}, attempt {execution.attempt} on {execution.node}"
    return Violation(PROMISE, f"{name} {what}", execution.run)
