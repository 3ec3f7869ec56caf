"""Which fires of the past have no run, and what each would run under."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from shardkeeper.domain.accounting import DueRun, NodesOf, run_due
from shardkeeper.domain.catalog import ImplHistory, JobHistory
from shardkeeper.domain.schedule import MICROSECOND, fires_of
from shardkeeper.domain.specs import ImplVersion, JobVersion


def fires_to_fill(
    history: JobHistory, since: datetime, until: datetime, with_run: Collection[datetime], most: int
) -> list[tuple[datetime, JobVersion]]:
    """The first ``most`` fires at or after ``since`` and before ``until`` that have no run, oldest first, each with its
    version: the one in force at the fire, and the first one for what lies before it, since a job is often younger than
    the past it is to fill. At instants without a version in force (deleted) or with one that is disabled, nothing is
    due; a pause does not matter, as whoever fills a gap wants it filled.
    """
    found: list[tuple[datetime, JobVersion]] = []
    for place, version in enumerate(history.versions):
        fires = fires_of(version.spec) if version.spec.enabled else None
        if fires is None:
            continue
        start = since if place == 0 else max(since, version.in_force_from)
        end = until if version.in_force_until is None else min(until, version.in_force_until)
        fire = fires.next_after(start - MICROSECOND)
        while fire is not None and fire < end:
            if fire not in with_run:
                found.append((fire, version))
                if len(found) == most:
                    return found
            fire = fires.next_after(fire)
    return found


def backfill_run(
    fire_time: datetime, version: JobVersion, impls: dict[str, ImplHistory], nodes_of: NodesOf
) -> DueRun | str:
    """The run, or why there can be none."""
    impl = _impl_at(impls.get(version.spec.impl_spec), fire_time)
    return run_due(version, fire_time, impl, nodes_of)


def _impl_at(history: ImplHistory | None, fire_time: datetime) -> ImplVersion | None:
    if history is None or not history.versions:
        return None
    first = history.versions[0]
    return first.version if fire_time < first.since else history.at(fire_time)
