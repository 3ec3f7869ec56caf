"""Accounting for fires that nobody created a run for in time: what a sweep of one job comes to (rule 9).

Every fire of the window ends in one of three ways: a run, inside a MISSED record, or inside a SKIPPED record. Fires
at which the version in force was disabled leave nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from shardkeeper.domain.catalog import ImplHistory, JobHistory
from shardkeeper.domain.policies.misfire import Gap, account, gaps_without_runs
from shardkeeper.domain.runs import RunStatus
from shardkeeper.domain.schedule import MICROSECOND, Schedule, fires_of
from shardkeeper.domain.specs import ImplVersion, JobSpec, JobVersion, Pause

NO_IMPL = "no valid version of ImplSpec {impl} was in force"
NO_NODE = "no eligible node"


@dataclass(frozen=True, slots=True)
class DueRun:
    """A run to create for a fire that was missed. ``nodes``: for each_node, the node of each item."""

    job_name: str
    fire_time: datetime
    job_version: int
    impl_version: int
    sharding_total_count: int
    nodes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class FireRange:
    """Fires that do not run, from ``fire_time`` to ``fire_until`` (both included), ``count`` of them."""

    job_name: str
    job_version: int
    status: RunStatus
    fire_time: datetime
    fire_until: datetime
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class Window:
    """After ``after``, up to and including ``until``; ``now`` is when it is decided (the store's clock)."""

    after: datetime
    until: datetime
    now: datetime


NodesOf = Callable[[JobSpec], tuple[str, ...] | None]


def may_fire(spec: JobSpec, after: datetime, until: datetime) -> bool:
    """Whether the spec has a fire after the one instant and up to the other, whatever else may hold it."""
    fires = fires_of(spec) if spec.enabled else None
    return fires is not None and fires.count_between(after, until) > 0


def account_for(
    name: str,
    history: JobHistory,
    impls: dict[str, ImplHistory],
    with_run: Iterable[datetime],
    window: Window,
    nodes_of: NodesOf,
) -> tuple[list[DueRun], list[FireRange]]:
    """What becomes of the job's fires in the window.

    ``with_run``: fire times that already have a run or lie in a record. ``nodes_of``: the eligible nodes of an
    each_node job.
    """
    ran = tuple(with_run)
    held: list[FireRange] = []
    gaps: list[tuple[JobVersion, Gap]] = []
    for version in history.versions:
        fires = fires_of(version.spec) if version.spec.enabled else None
        if fires is None:
            continue
        for after, until, pause in _stretches(version, history.pauses, window):
            found = gaps_without_runs(fires, after, until, ran)
            if pause is not None:
                held += [_range(version, RunStatus.SKIPPED, gap, _paused(pause)) for gap in found]
            else:
                gaps += [(version, gap) for gap in found]
    if not gaps:
        return [], held
    idle = _why_idle(history, window.now)
    if idle is not None:
        return [], held + [_range(version, RunStatus.SKIPPED, gap, idle) for version, gap in gaps]
    runs, missed = _by_policy(name, history, impls, [gap for _, gap in gaps], window, nodes_of)
    return runs, held + missed


def _by_policy(
    name: str,
    history: JobHistory,
    impls: dict[str, ImplHistory],
    gaps: Sequence[Gap],
    window: Window,
    nodes_of: NodesOf,
) -> tuple[list[DueRun], list[FireRange]]:
    newest = history.versions[-1].spec
    decided = account(
        gaps,
        newest.misfire,
        newest.misfire_grace,
        newest.catch_up_limit,
        window.now,
        later_is_due=_is_due_after(history, window),
    )
    runs: list[DueRun] = []
    records = [
        FireRange(
            name,
            _version_at(history, missed.fire_time).version,
            RunStatus.MISSED,
            missed.fire_time,
            missed.fire_until,
            missed.count,
            missed.reason,
        )
        for missed in decided.missed
    ]
    for fire_time in decided.runs:
        version = _version_at(history, fire_time)
        impl = impls.get(version.spec.impl_spec)
        made = run_due(version, fire_time, impl.at(fire_time) if impl else None, nodes_of)
        if isinstance(made, DueRun):
            runs.append(made)
        else:
            records.append(FireRange(name, version.version, RunStatus.MISSED, fire_time, fire_time, 1, made))
    return runs, records


def _is_due_after(history: JobHistory, window: Window) -> bool:
    """Whether a fire is due by now that the window ends before: it runs on time, or is the next sweep's."""
    newest = history.versions[-1]
    fires = fires_of(newest.spec)
    after = max(window.until, newest.in_force_from - MICROSECOND)
    latest = fires.latest_until(window.now) if fires else None
    return latest is not None and latest > after and not history.paused_at(latest)


def run_due(
    version: JobVersion, fire_time: datetime, impl: ImplVersion | None, nodes_of: NodesOf
) -> DueRun | str:
    """The run of a fire under these versions, or why there can be none."""
    spec = version.spec
    if impl is None:
        return NO_IMPL.format(impl=spec.impl_spec)
    nodes = nodes_of(spec)
    if nodes == ():
        return NO_NODE
    total = spec.sharding_total_count if nodes is None else len(nodes)
    return DueRun(spec.name, fire_time, version.version, impl.version, total, nodes)


def _stretches(
    version: JobVersion, pauses: Sequence[Pause], window: Window
) -> list[tuple[datetime, datetime, Pause | None]]:
    """The version's part of the window, cut at the pauses: (after, until, the pause it lies in)."""
    start = max(window.after, version.in_force_from - MICROSECOND)
    end = window.until
    if version.in_force_until is not None:
        end = min(end, version.in_force_until - MICROSECOND)
    found: list[tuple[datetime, datetime, Pause | None]] = []
    for pause in sorted(pauses, key=lambda one: one.since):
        since = max(start, pause.since - MICROSECOND)
        until = end if pause.until is None else min(end, pause.until - MICROSECOND)
        if until <= since:
            continue
        found += [(start, since, None), (since, until, pause)]
        start = until
    found.append((start, end, None))
    return [stretch for stretch in found if stretch[0] < stretch[1]]


def _why_idle(history: JobHistory, now: datetime) -> str | None:
    """Why nothing of the job may be created any more, however the fires were missed."""
    last = history.last
    if last is None:
        return "the job was deleted before the fire was created"
    if not last.spec.enabled:
        return "the job was disabled before the fire was created"
    if history.paused_at(now):
        return "the job was paused before the fire was created"
    return None


def _range(version: JobVersion, status: RunStatus, gap: Gap, reason: str) -> FireRange:
    first, last = gap.fires.next_after(gap.after), gap.fires.latest_until(gap.until)
    assert first is not None, "a gap has fires"
    assert last is not None, "a gap has fires"
    count = _count(gap.fires, gap)
    return FireRange(version.spec.name, version.version, status, first, last, count, reason)


def _count(fires: Schedule, gap: Gap) -> int:
    return fires.count_between(gap.after, gap.until)


def _paused(pause: Pause) -> str:
    return f"paused: {pause.reason}" if pause.reason else "paused"


def _version_at(history: JobHistory, instant: datetime) -> JobVersion:
    version = history.at(instant)
    assert version is not None, "a fire lies in the interval of the version it is of"
    return version
