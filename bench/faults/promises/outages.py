"""Without ZooKeeper nothing that is scheduled is late; when PostgreSQL is back, all that fell into its absence is
accounted for soon, and what ended meanwhile is recorded.
"""

from __future__ import annotations

from collections.abc import Iterator

from bench.faults.bands import Band
from bench.faults.history import History, Run
from bench.faults.lateness import begins_of, waited_for_others
from bench.faults.promises.fires import covers_of
from bench.faults.violation import Violation
from bench.faults.weather import bands_over

PROMISE = "outages"
LATE_AFTER_S = 1.0
ACCOUNTED_WITHIN_S = 10.0


def check(history: History) -> Iterator[Violation]:
    """Each outage by itself."""
    for band in history.bands:
        if band.kind == "ZooKeeper away":
            yield from _zookeeper(history, band)
        if band.kind == "PostgreSQL away":
            yield from _accounted(history, band)
            yield from _recorded(history, band)


def _zookeeper(history: History, band: Band) -> Iterator[Violation]:
    """No fire of it is late, where nothing else was broken beside it."""
    waited = waited_for_others(history)
    for runs in history.runs_of.values():
        for run in runs:
            within = band.began <= run.fire_time <= band.healed
            if not within or run.status == "SKIPPED" or _others(history, band, run.fire_time):
                continue
            if run.trigger_kind != "schedule":
                yield _of(
                    run, f"was not run on time without ZooKeeper: {run.status} {run.reason or ''}".rstrip()
                )
            elif run.id not in waited:
                yield from _late(history, run)


def _late(history: History, run: Run) -> Iterator[Violation]:
    for item, began in begins_of(history, run).items():
        if began is None:
            yield _of(run, f"item {item} never began without ZooKeeper")
        elif began - run.fire_time > LATE_AFTER_S:
            yield _of(run, f"item {item} began {began - run.fire_time:.3f} s late without ZooKeeper")


def _others(history: History, band: Band, at: float) -> bool:
    return any(one is not band for one in bands_over(history, at, at))


def _accounted(history: History, band: Band) -> Iterator[Violation]:
    """Every fire that was due while PostgreSQL was away has what stands for it."""
    for job in history.jobs.values():
        created = {
            fire: min(run.created_at for run in covers)
            for fire, covers in covers_of(history, job).items()
            if covers and band.began <= fire <= band.healed
        }
        late = [at for at in created.values() if at > band.healed + ACCOUNTED_WITHIN_S]
        if late:
            what = f"{len(late)} fires of {job.name} in the absence of PostgreSQL were accounted for only"
            yield Violation(PROMISE, f"{what} {max(late) - band.healed:.1f} s after its return")


def _recorded(history: History, band: Band) -> Iterator[Violation]:
    """What told its success while PostgreSQL was away stands as COMPLETED, unless it was lost before that."""
    rows = {(one.run, one.item, one.number): one for own in history.attempts.values() for one in own}
    for execution in history.executions:
        if execution.ending != "ended" or not band.began <= execution.last <= band.healed:
            continue
        row = rows.get((execution.run, execution.item, execution.attempt))
        if row is None or (row.status == "LOST" and (row.finished_at or 0.0) < band.began):
            continue
        if row.status != "COMPLETED":
            what = f"item {execution.item}, attempt {execution.attempt} ended in the absence of PostgreSQL"
            yield Violation(
                PROMISE, f"{what}, and is {row.status} {row.error_type or ''}".rstrip(), execution.run
            )


def _of(run: Run, what: str) -> Violation:
    return Violation(PROMISE, f"of {run.job} at {run.fire_time:.6f} {what}", run.id)
