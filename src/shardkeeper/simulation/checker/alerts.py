"""One alert row per event: for each run that failed for good, each MISSED record, each invalid version (promise 8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from shardkeeper.domain.runs import RunStatus
from shardkeeper.memory.alerting import FAILED, INVALID, MISSED
from shardkeeper.simulation.checker.verdict import Broken
from shardkeeper.simulation.world import World

PROMISE = "alerts"
_KIND_OF = {RunStatus.FAILED: FAILED, RunStatus.MISSED: MISSED}


def check(world: World) -> Iterator[Broken]:
    """All jobs here ask for all alerts, at the first failure."""
    database = world.database
    told = Counter(
        (alert.kind, alert.body["run_id"])
        for alert in database.alerts.values()
        if alert.kind in (FAILED, MISSED)
    )
    wanted = Counter(
        (_KIND_OF[run.status], run.run_id) for run in database.runs.values() if run.status in _KIND_OF
    )
    for (kind, run_id), times in sorted((told - wanted).items()):
        yield Broken(PROMISE, f"{times} {kind} alerts too many of run {run_id}", f"run_id={run_id},")
    for (kind, run_id), times in sorted((wanted - told).items()):
        yield Broken(PROMISE, f"{times} {kind} alerts missing of run {run_id}", f"run_id={run_id},")
    marked = sum(version.problem is not None for version in database.job_version_by_no.values())
    invalid = sum(alert.kind == INVALID for alert in database.alerts.values())
    if marked != invalid:
        yield Broken(PROMISE, f"{marked} invalid versions, {invalid} alerts of them")
