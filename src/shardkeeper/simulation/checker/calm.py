"""In calm weather fires come on time, and where they belong (promises 3, 5 and the budget's lateness)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from shardkeeper.domain.runs import RunStatus, TriggerKind
from shardkeeper.domain.sharding import owners
from shardkeeper.domain.view import LeaseView, effective_members
from shardkeeper.simulation.checker.due import is_held
from shardkeeper.simulation.checker.verdict import Broken
from shardkeeper.simulation.world import World

PROMISE = "calm"


@dataclass(frozen=True, slots=True)
class Calm:
    """A stretch of time without a fault and without an edit. ``created_within_s``: of the fire time. ``at_owners``:
    nobody is full in it, so that first attempts run where the view says."""

    since: datetime
    until: datetime
    created_within_s: float = 0.15
    at_owners: bool = False


def check(world: World, calm: Calm) -> Iterator[Broken]:
    """Each fire of the stretch became a run or a SKIPPED record at once; those held by a pause are the sweep's."""
    limit = timedelta(seconds=calm.created_within_s)
    for run in world.database.runs.values():
        if run.kind not in (TriggerKind.SCHEDULE, TriggerKind.MISFIRE):
            continue
        held = is_held(world.people.diary, run.job_name, run.fire_time)
        if held or not calm.since <= run.fire_time <= calm.until:
            continue
        late = run.created_at - run.fire_time
        if run.status is RunStatus.MISSED or run.kind is TriggerKind.MISFIRE or late > limit:
            what = f"{run.status} {run.kind} {run.run_id} of {run.job_name}, due at {run.fire_time}"
            yield Broken(PROMISE, f"{what}, was created {late} later", run.job_name)
    if calm.at_owners:
        yield from check_owners(world, calm)


def check_owners(world: World, calm: Calm) -> Iterator[Broken]:
    """First attempts ran at the owners that the view gives: for worlds in which nobody is full."""
    view = world.ensemble.view.view if world.ensemble.view else None
    members = effective_members(view, LeaseView())
    for run in world.database.runs.values():
        if run.kind is not TriggerKind.SCHEDULE or not calm.since <= run.fire_time <= calm.until:
            continue
        wanted = owners(
            run.job_name, run.sharding_total_count, run.terms.strategy, members, run.terms.node_selector
        )
        for item, rows in run.attempts.items():
            if rows[0].node_id != wanted[item]:
                what = f"item {item} of {run.job_name} at {run.fire_time} ran at {rows[0].node_id}"
                yield Broken(PROMISE, f"{what}, not at {wanted[item]}", f"run_id={run.run_id},")
