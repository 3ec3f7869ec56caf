"""Which fires were due, worked out from what people wrote and when it was committed, and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shardkeeper.domain.schedule import MICROSECOND, fires_of
from shardkeeper.domain.specs import JobSpec
from shardkeeper.simulation.people import Diary, Edit

MOST = 1_000_000
_TIMING = ("cron", "every", "run_at", "starts_at", "ends_at")


@dataclass(frozen=True, slots=True)
class DueFire:
    """One fire. ``row``: the job's columns in force at it. ``held``: inside a pause."""

    fire_time: datetime
    row: Mapping[str, Any]
    held: bool


def due_fires(diary: Diary, until: datetime) -> dict[str, dict[datetime, DueFire]]:
    """By job: every fire of an enabled job up to ``until``."""
    found: dict[str, dict[datetime, DueFire]] = {}
    edits: dict[str, list[Edit]] = {}
    for edit in diary.edits:
        if edit.valid:
            edits.setdefault(edit.job_name, []).append(edit)
    for name, own in edits.items():
        fires = found.setdefault(name, {})
        ends = [edit.at - MICROSECOND for edit in own[1:]] + [until]
        for edit, end in zip(own, ends, strict=True):
            if edit.row is not None and edit.row.get("enabled", True):
                _add(fires, diary, name, edit.row, edit.at, min(end, until))
    return found


def _add(
    fires: dict[datetime, DueFire],
    diary: Diary,
    name: str,
    row: Mapping[str, Any],
    since: datetime,
    until: datetime,
) -> None:
    timing: dict[str, Any] = {column: row.get(column) for column in _TIMING}
    schedule = fires_of(JobSpec(name, row["impl_spec"], **timing))
    if schedule is not None:
        for fire_time in schedule.between(since - MICROSECOND, until, MOST):
            fires[fire_time] = DueFire(fire_time, row, is_held(diary, name, fire_time))


def is_held(diary: Diary, name: str, fire_time: datetime) -> bool:
    """Whether it lies inside a pause."""
    return any(
        hold.job_name == name and hold.since <= fire_time and (hold.until is None or fire_time < hold.until)
        for hold in diary.holds
    )


def switched_off(diary: Diary, name: str, since: datetime, until: datetime) -> bool:
    """Whether people disabled, deleted or paused the job after ``since`` and up to ``until``."""
    edited = any(
        edit.job_name == name
        and edit.valid
        and since < edit.at <= until
        and (edit.row is None or not edit.row.get("enabled", True))
        for edit in diary.edits
    )
    return edited or any(hold.job_name == name and since < hold.since <= until for hold in diary.holds)


def is_idle(diary: Diary, name: str, at: datetime) -> bool:
    """Whether the job is disabled, deleted or paused at an instant."""
    edits = [edit for edit in diary.edits if edit.job_name == name and edit.valid and edit.at <= at]
    off = not edits or edits[-1].row is None or not edits[-1].row.get("enabled", True)
    return off or is_held(diary, name, at)
