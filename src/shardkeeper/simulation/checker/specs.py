"""A bad version never runs by the clock, and a good one is never marked (promise 7)."""

from __future__ import annotations

from collections.abc import Iterator

from shardkeeper.domain.runs import TriggerKind
from shardkeeper.memory.history import What
from shardkeeper.memory.terms import JOB_DEFAULTS, job_json
from shardkeeper.simulation.checker.verdict import Broken
from shardkeeper.simulation.world import World

PROMISE = "specs"
BY_THE_CLOCK = (TriggerKind.SCHEDULE, TriggerKind.MISFIRE)


def check(world: World) -> Iterator[Broken]:
    """Marks against what people know of what they wrote.

    What people trigger between the commit of a bad version and its mark goes by it: SQL cannot tell yet.
    """
    valid = {
        str(job_json({"name": edit.job_name} | JOB_DEFAULTS | dict(edit.row))): edit.valid
        for edit in world.people.diary.edits
        if edit.row is not None
    }
    for version in world.database.job_version_by_no.values():
        if version.problem is not None and valid.get(str(version.spec), True):
            yield Broken(PROMISE, f"a good version was marked: {version.problem}", version.job_name)
    marked_at = {
        entry.version: entry.at
        for entry in world.database.history.of(What.MARKED_INVALID)
        if entry.note == "job"
    }
    for run in world.database.runs.values():
        bad = not valid.get(str(run.version.spec), True)
        known = run.version.version in marked_at and run.created_at > marked_at[run.version.version]
        again = run.kind is TriggerKind.RERUN  # perhaps under the very version of the old run, as was asked
        if bad and ((known and not again) or run.kind in BY_THE_CLOCK):
            yield Broken(PROMISE, f"{run.kind} run {run.run_id} goes by an invalid version", run.job_name)
