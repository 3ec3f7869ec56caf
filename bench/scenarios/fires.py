"""Fires as PostgreSQL has recorded them: when each was due, when it began, when its outcome was committed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bench.figures import percentile

COMMIT_TIMES = {"track_commit_timestamp": "on"}
"""What PostgreSQL must be started with for ``read_fires``."""
FIRES = """
select extract(epoch from s.fire_time)::float8, extract(epoch from s.started_at - s.fire_time)::float8,
       extract(epoch from pg_xact_commit_timestamp(s.xmin) - s.fire_time)::float8
  from shardkeeper.shard_run s
 where s.fire_time > %s and s.fire_time <= %s and s.status = 'COMPLETED'
 order by 1, 2"""
MOST_LATE_S = 1.0
GROWTH, GROWTH_S = 1.5, 0.1
"""How much later than in the first third the median may be in the last third: so many times, and so much more."""


@dataclass(frozen=True, slots=True)
class Fire:
    """One item that completed. ``due_s``: its fire time, since the epoch; from there on, seconds until ``initialize``
    began, and until its outcome was committed."""

    due_s: float
    began_s: float
    recorded_s: float


def read_fires(connection: Any, since: datetime, until: datetime) -> list[Fire]:
    """Those that were due after ``since`` and up to ``until``, in order."""
    return [Fire(*row) for row in connection.execute(FIRES, (since, until))]


def lateness_s(fires: Iterable[Fire]) -> list[float]:
    """From the fire time to the beginning of ``initialize``."""
    return [fire.began_s for fire in fires]


def is_sustained(fires: Sequence[Fire], due: int) -> bool:
    """Whether all that were ``due`` ran, 99 of 100 within a second, and they did not get later and later. ``fires`` are
    in the order of their fire times."""
    if not fires or len(fires) < due or percentile(lateness_s(fires), 0.99) >= MOST_LATE_S:
        return False
    third = max(1, len(fires) // 3)
    first, last = (percentile(lateness_s(part), 0.5) for part in (fires[:third], fires[-third:]))
    return last <= max(first * GROWTH, first + GROWTH_S)


def rising(instants: Iterable[float], since: float, step_s: float, steps: int) -> list[int]:
    """How many of the instants had come by the end of each step after ``since``; all in seconds of one clock."""
    ranked = sorted(instants)
    found, passed = [], 0
    for step in range(1, steps + 1):
        while passed < len(ranked) and ranked[passed] <= since + step * step_s:
            passed += 1
        found.append(passed)
    return found
