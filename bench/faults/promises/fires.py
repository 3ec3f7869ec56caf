"""No fire vanishes, and none runs twice or was never due: each is covered by one run, or by one record that has the
right to stand for it.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping

from bench.faults.due import due_fires
from bench.faults.history import History, Job, Run
from bench.faults.violation import Violation
from bench.faults.weather import bands_over

PROMISE = "fires"
IN_THE_WAY = re.compile(r"run (?P<run>[0-9]+) \(.+\) is in the way")
DROPPED_BY = {"skip": "misfire policy skip", "once": "misfire policy once", "all": "beyond catch_up_limit"}
AT_ONCE_S = 0.05
"""Two instants within one transaction."""


def check(history: History) -> Iterator[Violation]:
    """Everything up to the sweep's watermark; what is younger must be due, and may still be on its way."""
    for name in sorted({*history.jobs, *history.runs_of}):
        job = history.jobs.get(name)
        if job is None:
            yield Violation(PROMISE, f"runs of {name} stand without such a job")
            continue
        yield from _of_job(history, job)
    last = max((end for job in history.jobs.values() for end in _ends(job)), default=0.0)
    if history.swept_until < last:
        yield Violation(
            PROMISE, f"the sweep is {last - history.swept_until:.0f} s behind the end of the jobs"
        )


def covers_of(history: History, job: Job) -> Mapping[float, list[Run]]:
    """Every fire of a job that was due up to the watermark, and what stands for it."""
    due = due_fires(job, history.swept_until)
    covers: dict[float, list[Run]] = {fire: [] for fire in due}
    for run in history.runs_of.get(job.name, ()):
        for fire in _within(due, run):
            covers[fire].append(run)
    return covers


def _within(due: list[float], run: Run) -> list[float]:
    until = run.fire_until if run.fire_until is not None else run.fire_time
    return due[bisect_left(due, run.fire_time) : bisect_right(due, until)]


def _ends(job: Job) -> Iterator[float]:
    if job.versions and job.versions[-1].ends_at is not None:
        yield job.versions[-1].ends_at


def _of_job(history: History, job: Job) -> Iterator[Violation]:
    latest = max((run.fire_time for run in history.runs_of.get(job.name, ())), default=0.0)
    due = due_fires(job, max(history.swept_until, latest))
    covered: dict[float, Run] = {}
    for run in history.runs_of.get(job.name, ()):
        within = _within(due, run)
        if not within or within[0] != run.fire_time:
            yield _of(run, "stands for a fire that was never due")
        elif len(within) != (run.missed_count or 1):
            yield _of(run, f"counts {run.missed_count or 1} fires where {len(within)} were due")
        for fire in within:
            if fire in covered:
                yield _of(run, f"covers {fire:.6f}, as run {covered[fire].id} does")
            covered[fire] = run
        yield from _of_cover(history, job, run)
    for fire in due:
        if fire <= history.swept_until and fire not in covered:
            yield Violation(PROMISE, f"{job.name} was due at {fire:.6f}, and nothing tells of it")


def _of_cover(history: History, job: Job, run: Run) -> Iterator[Violation]:
    age_s = run.created_at - (run.fire_until if run.fire_until is not None else run.fire_time)
    if age_s < 0:
        yield _of(run, f"was created {-age_s:.3f} s before its fire time")
    if run.status == "SKIPPED":
        if problem := _skip_problem(history, job, run):
            yield _of(run, f"has no right to be SKIPPED: {problem}")
        return
    window_s = history.options.on_time_window_s
    if run.trigger_kind == "schedule":
        # judged to be on time, and then held up for as long as a statement may take: the sweep waits for it
        if age_s >= window_s + history.options.statement_timeout_s:
            yield _of(run, f"was created {age_s:.1f} s after its fire time, when it was the sweep's")
        return
    if age_s < window_s:
        yield _of(run, f"was given up as {run.status} when it was only {age_s:.1f} s old")
    if run.status == "MISSED" and DROPPED_BY[job.misfire] not in (run.reason or ""):
        yield _of(run, f"has no right to be MISSED: {run.reason}")
    calm = not any(bands_over(history, run.fire_time, run.fire_time + window_s))
    if calm and run.fire_time > history.all_up_at:
        yield _of(run, f"was not run on time ({run.reason or 'made up for'}) although nothing was broken")


def _skip_problem(history: History, job: Job, run: Run) -> str | None:
    """Only what was there already is in the way, and only of a job that skips."""
    found = IN_THE_WAY.fullmatch(run.reason or "")
    other = history.runs.get(int(found["run"])) if found else None
    if other is None or other.job != job.name or job.overlap != "skip":
        return f"{run.reason}, by policy {job.overlap}"
    ended = other.finished_at if other.finished_at is not None else run.created_at
    if other.created_at > run.created_at + AT_ONCE_S or ended < run.created_at - AT_ONCE_S:
        return f"{run.reason}, which was not there at the time"
    return None


def _of(run: Run, what: str) -> Violation:
    return Violation(
        PROMISE, f"({run.status} {run.trigger_kind} of {run.job} at {run.fire_time:.6f}) {what}", run.id
    )
