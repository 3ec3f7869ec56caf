"""No fire vanishes, and none runs that nobody could have known (promises 2 and 7).

Every due fire is covered exactly once: by a run, or by a MISSED or SKIPPED record that has a reason for it.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from shardkeeper.domain.naming import parse_run_name
from shardkeeper.domain.policies.misfire import DROPPED_BY
from shardkeeper.domain.runs import RunStatus, TriggerKind
from shardkeeper.domain.schedule import MICROSECOND
from shardkeeper.domain.specs import Misfire, Overlap
from shardkeeper.memory.rows import Run
from shardkeeper.memory.terms import JOB_DEFAULTS, job_json
from shardkeeper.simulation.checker.due import DueFire, due_fires, is_idle, switched_off
from shardkeeper.simulation.checker.verdict import Broken
from shardkeeper.simulation.world import World

PROMISE = "fires"
_IN_THE_WAY = re.compile(r"run [0-9]+ \((?P<name>.+)\) is in the way")
RECORDS = (RunStatus.MISSED, RunStatus.SKIPPED)


def check(world: World) -> Iterator[Broken]:
    """Judges everything up to the sweep's watermark; what is younger may still be on its way."""
    until = world.database.sweep.watermark
    due = due_fires(world.people.diary, until)
    covers: dict[str, list[Run]] = {}
    for run in world.database.runs.values():
        if run.kind in (TriggerKind.SCHEDULE, TriggerKind.MISFIRE):
            covers.setdefault(run.job_name, []).append(run)
    for name in sorted({*due, *covers}):
        yield from _check_job(world, name, due.get(name, {}), covers.get(name, []), until)
        yield from _by_policy(world, name, covers.get(name, []))


def _check_job(
    world: World, name: str, due: dict[datetime, DueFire], covers: list[Run], until: datetime
) -> Iterator[Broken]:
    instants = sorted(due)
    covered: dict[datetime, Run] = {}
    for cover in covers:
        if cover.fire_time > until:
            continue
        if cover.fire_time not in due:
            yield _broken(cover, "stands for a fire that was never due")
            continue
        last = cover.fire_until or cover.fire_time
        within = instants[bisect_left(instants, cover.fire_time) : bisect_right(instants, last)]
        if cover.missed_count is not None and len(within) != cover.missed_count:
            yield _broken(cover, f"counts {cover.missed_count} fires where {len(within)} were due")
        for fire_time in within:
            if fire_time in covered:
                yield _broken(cover, f"covers {fire_time}, as run {covered[fire_time].run_id} does")
            covered[fire_time] = cover
    for fire_time in instants:
        if fire_time not in covered:
            yield Broken(PROMISE, f"{name} was due at {fire_time}, and nothing tells of it", name)
        else:
            yield from _judge(world, due[fire_time], covered[fire_time])


def _judge(world: World, fire: DueFire, cover: Run) -> Iterator[Broken]:
    if cover.status is RunStatus.SKIPPED:
        if not fire.held and not _may_skip(world, fire, cover):
            yield _broken(cover, f"has no right to skip {fire.fire_time} ({cover.reason})")
    elif fire.held:
        yield _broken(cover, f"is {cover.status} although {fire.fire_time} lies inside a pause")
    elif cover.status is RunStatus.MISSED:
        age = cover.created_at - fire.fire_time
        if age < timedelta(seconds=world.conditions.on_time_window_s):
            yield _broken(cover, f"gave up {fire.fire_time} when it was only {age} old")
    elif cover.kind is TriggerKind.SCHEDULE and _too_late(world, fire, cover):
        yield _broken(cover, f"was created at {cover.created_at}, when it was the sweep's or nobody's to run")
    elif cover.kind is TriggerKind.MISFIRE and is_idle(world.people.diary, cover.job_name, cover.created_at):
        yield _broken(cover, f"was made up for at {cover.created_at}, when the job was switched off")
    elif cover.version.spec != job_json({"name": cover.job_name} | JOB_DEFAULTS | dict(fire.row)):
        yield _broken(cover, "does not run the version in force at its fire time")
    if cover.created_at < fire.fire_time:
        yield _broken(cover, f"was created before {fire.fire_time}")


def _by_policy(world: World, name: str, covers: list[Run]) -> Iterator[Broken]:
    """What was made up for, and what was given up, goes by the misfire policy; where people have changed that, nothing
    is said, as the newest counts."""
    edits = [edit for edit in world.people.diary.edits if edit.job_name == name and edit.row is not None]
    rows = [JOB_DEFAULTS | dict(edit.row or {}) for edit in edits]
    terms = {(str(row["misfire"]), row["catch_up_limit"]) for row in rows}
    if len(terms) != 1:
        return
    ((policy, limit),) = terms
    most = {Misfire.SKIP: 0, Misfire.ONCE: 1, Misfire.ALL: limit}[Misfire(policy)]
    made_up = Counter(
        cover.created_at for cover in covers if cover.kind is TriggerKind.MISFIRE and cover.attempts
    )
    for at, runs in made_up.items():
        if runs > most:
            yield Broken(
                PROMISE, f"{runs} runs of {name} were made up for at {at}: its policy is {policy}", name
            )
    wrong = [text for each, text in DROPPED_BY.items() if each != policy]
    for cover in covers:
        if cover.status is RunStatus.MISSED and any(text in (cover.reason or "") for text in wrong):
            yield _broken(cover, f"was given up ({cover.reason}), and its policy is {policy}")


def _may_skip(world: World, fire: DueFire, cover: Run) -> bool:
    if switched_off(world.people.diary, cover.job_name, fire.fire_time, cover.created_at):
        return True
    in_the_way = _IN_THE_WAY.fullmatch(cover.reason or "")
    if in_the_way is None:
        return False
    if cover.terms.overlap is Overlap.REPLACE:
        # it came late: the newest fire is the one that runs
        return parse_run_name(in_the_way["name"]).fire_time > fire.fire_time
    return cover.terms.overlap is Overlap.SKIP


def _too_late(world: World, fire: DueFire, cover: Run) -> bool:
    """Out of the on-time window, or the job was switched off before the run was created. Of two things in one
    microsecond nobody can say which came first."""
    age = cover.created_at - fire.fire_time
    window = min(timedelta(seconds=world.conditions.on_time_window_s), cover.terms.misfire_grace)
    before = cover.created_at - MICROSECOND
    return age >= window or switched_off(world.people.diary, cover.job_name, fire.fire_time, before)


def _broken(cover: Run, what: str) -> Broken:
    text = f"{cover.status} {cover.kind} {cover.run_id} of {cover.job_name} at {cover.fire_time} {what}"
    return Broken(PROMISE, text, cover.job_name)
