"""What nodes share is never exceeded, at no instant: pools, attempts of a job or of a value, starts in a period
(rule 16).

An attempt counts by what people had written when it was claimed, for as long as it is RUNNING.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shardkeeper.memory.history import Entry, What
from shardkeeper.simulation.checker.verdict import Broken
from shardkeeper.simulation.job_drawing import POOL, POOL_SIZE
from shardkeeper.simulation.people import Diary
from shardkeeper.simulation.world import World

PROMISE = "limits"
LIMITS = ("pool", "max_running", "concurrency_key", "rate_limit")
ENDS = (What.ENDED, What.GIVEN_BACK, What.LOST)
Limit = tuple[str, ...]


def row_at(diary: Diary, name: str, at: datetime) -> Mapping[str, Any]:
    """The job's columns at an instant; empty where there is none."""
    rows = [edit.row for edit in diary.edits if edit.job_name == name and edit.at <= at]
    return (rows[-1] if rows else None) or {}


def is_limited(row: Mapping[str, Any]) -> bool:
    """Whether any limit holds for a job with these columns."""
    return any(row.get(column) is not None for column in LIMITS)


@dataclass(slots=True)
class _Starts:
    """Of one job under one rate."""

    rate: tuple[int, timedelta]
    at: list[datetime] = field(default_factory=list)


def check(world: World) -> Iterator[Broken]:
    """Goes once through the history."""
    running: Counter[Limit] = Counter()
    counted: dict[tuple[int, int], dict[Limit, int]] = {}
    starts: dict[str, _Starts] = {}
    for entry in world.database.history.of(What.CLAIMED, *ENDS):
        key = (entry.run_id or 0, entry.item or 0)
        if entry.what in ENDS:
            running.subtract(counted.pop(key, {}).keys())
            continue
        row = row_at(world.people.diary, entry.job_name or "", entry.at)
        sizes = _sizes(world, row, entry) if is_limited(row) else {}
        counted[key] = sizes
        running.update(sizes.keys())
        for limit, size in sizes.items():
            if running[limit] > size:
                what = f"{running[limit]} attempts run at {entry.at} under the limit {limit} of {size}"
                yield Broken(PROMISE, what, f"run_id={entry.run_id},")
        if row.get("rate_limit") is not None:
            yield from _too_often(starts, row, entry)


def _sizes(world: World, row: Mapping[str, Any], entry: Entry) -> dict[Limit, int]:
    """The limits that the attempt counts for; one that counts for its job alone has a size that nothing exceeds."""
    job = entry.job_name or ""
    most = row.get("max_running")
    sizes: dict[Limit, int] = {("job", job): 1_000_000 if most is None else most}
    if row.get("pool") == POOL:
        sizes["pool", POOL] = POOL_SIZE
    column = row.get("concurrency_key")
    value = world.database.runs[entry.run_id or 0].parameters.get(column) if column is not None else None
    if value is not None:
        sizes["value", job, value] = row.get("max_running_per_key", 1)
    return sizes


def _too_often(starts: dict[str, _Starts], row: Mapping[str, Any], entry: Entry) -> Iterator[Broken]:
    """In any span there are as many starts as the rate gives for it, and one burst of a period."""
    most, period = rate = (row["rate_limit"], row.get("rate_period", timedelta(seconds=1)))
    job = entry.job_name or ""
    own = starts.get(job)
    if own is None or own.rate != rate:
        own = starts[job] = _Starts(rate)
    own.at.append(entry.at)
    for number, first in enumerate(reversed(own.at), 1):
        if number > most * (1 + (entry.at - first) / period) + 0.01:
            what = (
                f"{job} was started {number} times from {first} to {entry.at}: {most} in {period} are allowed"
            )
            yield Broken(PROMISE, what, job)
            return
        if number > 10 * most:
            return
