"""Every run comes to the end that its task and policies give it; what fails otherwise was struck by a fault."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.faults.history import Attempt, History, Job, Run
from bench.faults.kinds import BY_NAME, Kind
from bench.faults.violation import Violation
from bench.faults.weather import broken_at

PROMISE = "endings"
TRIED = ("FAILED", "TIMED_OUT")
RECORDS = ("MISSED", "SKIPPED")
DIED = "WorkerDied"
KILLS_WORKERS = frozenset({"workers killed"})


def check(history: History) -> Iterator[Violation]:
    """Run by run."""
    for run in history.runs.values():
        job = history.jobs.get(run.job)
        attempts = history.attempts.get(run.id, ())
        if job is None:
            continue
        if run.status in RECORDS:
            if attempts:
                yield _of(run, f"is {run.status} and has {len(attempts)} attempts")
            continue
        kind = BY_NAME[job.kind]
        if problem := _problem(run, job, _by_item(attempts)):
            yield _of(run, f"is {run.status}: {problem}")
        if run.status == "FAILED":
            yield from (_of(run, problem) for problem in _not_undone(job, attempts))
        for attempt in attempts:
            if attempt.status in TRIED:
                yield from _of_failure(history, run, kind, attempt)


def _by_item(attempts: Sequence[Attempt]) -> dict[int, list[Attempt]]:
    found: dict[int, list[Attempt]] = {}
    for one in attempts:
        if not one.compensates:
            found.setdefault(one.item, []).append(one)
    return found


def _problem(run: Run, job: Job, items: dict[int, list[Attempt]]) -> str | None:
    """What is wrong with how it ended."""
    if run.finished_at is None or run.open_items or run.status not in ("COMPLETED", "FAILED", "STOPPED"):
        return f"it is not closed, with {run.open_items} open items"
    if sorted(items) != list(range(run.items)):
        return f"it has attempts of the items {sorted(items)}, not of {run.items}"
    last = [own[-1].status for _, own in sorted(items.items())]
    if run.status != _closing(last):
        return f"its items ended as {', '.join(last)}"
    if run.status == "STOPPED":
        return "nobody has stopped it"
    if run.status == "COMPLETED":
        return None if BY_NAME[job.kind].completes else f"a {job.kind} cannot complete"
    for item, own in items.items():
        tries = sum(one.status in TRIED for one in own)
        if own[-1].status != "COMPLETED" and (own[-1].status == "LOST" or tries < job.max_attempts):
            return f"item {item} was given up after {tries} of {job.max_attempts} tries, {own[-1].status}"
    return None


def _not_undone(job: Job, attempts: Sequence[Attempt]) -> Iterator[str]:
    """Of a run that failed for good: items that had begun what can be rolled back, and were not."""
    for item in sorted({one.item for one in attempts if one.compensable and not one.compensates}):
        own = [one for one in attempts if one.item == item and one.compensates]
        tries = sum(one.status in TRIED for one in own)
        if not own or (own[-1].status != "COMPLETED" and tries < job.max_attempts):
            yield f"item {item} was not rolled back: {[one.status for one in own]}"


def _closing(last: Sequence[str]) -> str:
    if any(status in (*TRIED, "LOST") for status in last):
        return "FAILED"
    return "STOPPED" if "STOPPED" in last else "COMPLETED"


def _of_failure(history: History, run: Run, kind: Kind, attempt: Attempt) -> Iterator[Violation]:
    """Either the task's own doing, or its worker was killed by a fault."""
    told = f"item {attempt.item}, attempt {attempt.number}: {attempt.error_type}: {attempt.error_message}"
    if attempt.error_type == DIED:
        if not kind.kills_worker and not _was_struck(history, attempt):
            yield _of(run, f"({kind.name}) died with a worker that nobody had killed: {told}")
    elif attempt.error_type != "RuntimeError" or not _fails_by_itself(kind, attempt):
        yield _of(run, f"({kind.name}) failed by no fault: {told}")


def _fails_by_itself(kind: Kind, attempt: Attempt) -> bool:
    if attempt.compensates:
        return False
    return kind.name == "undone" or (kind.name == "flaky" and attempt.number == 1)


def _was_struck(history: History, attempt: Attempt) -> bool:
    """Whether workers were being killed at the last that was heard of it."""
    words = [one.last for one in history.executions_by(attempt)]
    at = max(words, default=attempt.claimed_at or 0.0)
    # the strike is told of a moment after it
    return any(any(broken_at(history, attempt.node, when, KILLS_WORKERS)) for when in (at, at + 1.0))


def _of(run: Run, what: str) -> Violation:
    return Violation(PROMISE, f"of {run.job} {what}", run.id)
