"""No item is recorded twice: one success at most, tries one after the other and not more than are allowed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from bench.faults.history import Attempt, History, Job
from bench.faults.promises.endings import TRIED
from bench.faults.violation import Violation

PROMISE = "attempts"


def check(history: History) -> Iterator[Violation]:
    """Item by item."""
    for number, attempts in history.attempts.items():
        run = history.runs.get(number)
        job = history.jobs.get(run.job) if run else None
        if job is None:
            yield Violation(PROMISE, "has attempts, and is gone", number)
            continue
        for item, own in groupby(attempts, key=lambda one: one.item):
            for problem in _problems(job, list(own)):
                yield Violation(PROMISE, f"of {job.name}, item {item}: {problem}", number)


def _problems(job: Job, own: Sequence[Attempt]) -> Iterator[str]:
    if [one.number for one in own] != list(range(1, len(own) + 1)):
        yield f"its attempts are numbered {[one.number for one in own]}"
    for undoing in (False, True):
        statuses = [one.status for one in own if one.compensates is undoing]
        if statuses.count("COMPLETED") > 1:
            yield f"{statuses.count('COMPLETED')} of its attempts are COMPLETED"
        if "COMPLETED" in statuses[:-1]:
            yield "it was tried again after it had COMPLETED"
        if open_ones := [status for status in statuses if status in ("PENDING", "RUNNING")]:
            yield f"an attempt is {open_ones[0]}"
        if (tries := sum(status in TRIED for status in statuses)) > job.max_attempts:
            yield f"it was tried {tries} times, {job.max_attempts} allowed"
        if (lost := statuses.count("LOST")) > job.max_takeovers + 1:
            yield f"it was lost {lost} times, {job.max_takeovers} allowed"
