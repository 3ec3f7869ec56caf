"""A bad version never runs, and is marked; a good one never is (promise 7)."""

from __future__ import annotations

from collections.abc import Iterator

from shardkeeper.memory.terms import JOB_DEFAULTS, job_json
from shardkeeper.simulation.checker.verdict import Broken
from shardkeeper.simulation.world import World

PROMISE = "specs"


def check(world: World) -> Iterator[Broken]:
    """Marks against what people know of what they wrote."""
    valid = {
        str(job_json({"name": edit.job_name} | JOB_DEFAULTS | dict(edit.row))): edit.valid
        for edit in world.people.diary.edits
        if edit.row is not None
    }
    for version in world.database.job_version_by_no.values():
        good = valid.get(str(version.spec), True)
        if good == (version.problem is not None):
            state = "was marked" if good else "was not marked"
            yield Broken(PROMISE, f"version {version.version} {state} ({version.problem})", version.job_name)
    for run in world.database.runs.values():
        if run.version.problem is not None:
            yield Broken(PROMISE, f"run {run.run_id} goes by an invalid version", run.job_name)
