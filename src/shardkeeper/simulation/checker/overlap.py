"""One live run of a job (rule 10): of the runs that compete for a job's place, none begins before the other has ended.

Which runs compete, which wait and who comes next is worked out from kinds, policies and fire times, not from the
store's ``live_run`` rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from shardkeeper.domain.runs import TriggerKind
from shardkeeper.domain.specs import Overlap
from shardkeeper.memory.history import Entry, What
from shardkeeper.memory.rows import Run
from shardkeeper.simulation.checker.verdict import Broken
from shardkeeper.simulation.world import World

PROMISE = "overlap"
_COMPETING = (TriggerKind.SCHEDULE, TriggerKind.MISFIRE, TriggerKind.BACKFILL)


@dataclass(slots=True)
class _Place:
    """Of one job: who has it, who wants it, what has begun under it, and since when nobody was let in who waits."""

    holder: int | None = None
    waiting: dict[int, Run] = field(default_factory=dict)
    begun: set[int] = field(default_factory=set)
    empty_since: datetime | None = None


def check(world: World) -> Iterator[Broken]:
    """Goes once through the history."""
    stopped = {entry.run_id: entry.at for entry in world.database.history.of(What.STOP_ORDERED)}
    places: dict[str, _Place] = defaultdict(_Place)
    kinds = (What.RUN_WAITING, What.LIVE, What.CLAIMED, What.RUN_CLOSED)
    for entry in world.database.history.of(*kinds):
        for name, place in places.items():
            if place.empty_since is not None and entry.at > place.empty_since:
                yield Broken(PROMISE, f"{name} had runs waiting at {place.empty_since}, and none was let in")
                place.empty_since = None
        run = world.database.runs.get(entry.run_id or 0)
        if run is not None:
            wrong = _step(places[run.job_name], run, entry, stopped)
            if wrong is not None:
                what = f"run {run.run_id} ({run.kind}, {run.terms.overlap}) of {run.job_name} {wrong}"
                yield Broken(PROMISE, what, f"run_id={run.run_id},")


def _step(place: _Place, run: Run, entry: Entry, stopped: dict[int | None, datetime]) -> str | None:
    competes = run.kind in _COMPETING and run.terms.overlap is not Overlap.ALLOW
    match entry.what:
        case What.RUN_WAITING | What.LIVE if not competes:
            return "takes part in what is not its business: its kind and policy neither take a place nor wait"
        case What.RUN_WAITING:
            place.waiting[run.run_id] = run
            return _may_wait(place, run, entry, stopped)
        case What.LIVE:
            return _let_in(place, run)
        case What.CLAIMED if competes:
            others = place.begun - {run.run_id}
            place.begun.add(run.run_id)
            return f"began at {entry.at} beside {sorted(others)}" if others else None
        case What.RUN_CLOSED:
            place.begun.discard(run.run_id)
            place.waiting.pop(run.run_id, None)
            if place.holder == run.run_id:
                place.holder = None
                place.empty_since = entry.at if place.waiting else None
    return None


def _may_wait(place: _Place, run: Run, entry: Entry, stopped: dict[int | None, datetime]) -> str | None:
    if run.kind is not TriggerKind.SCHEDULE or run.terms.overlap is Overlap.QUEUE:
        return None
    if run.terms.overlap is Overlap.SKIP:
        return f"waits for run {place.holder}, and should have been skipped"
    if stopped.get(place.holder, entry.at) > entry.at or place.holder not in stopped:
        return f"waits for run {place.holder}, which it should have stopped"
    return None


def _let_in(place: _Place, run: Run) -> str | None:
    first = min(place.waiting.values(), key=lambda one: (one.fire_time, one.run_id), default=run)
    before, place.holder, place.empty_since = place.holder, run.run_id, None
    place.waiting.pop(run.run_id, None)
    if before is not None:
        return f"was let in beside run {before}"
    return None if first is run else f"was let in before the older run {first.run_id}"
