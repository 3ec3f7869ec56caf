"""Which fires were due, and what accounts for them; all by PostgreSQL's clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from tests.cluster import AgentCluster
from tests.waiting import wait_until

PATIENCE_S = 90.0
SECOND = timedelta(seconds=1)


def clock(cluster: AgentCluster) -> datetime:
    now: datetime = cluster.one("SELECT clock_timestamp()")
    return now


def wait_for_clock(cluster: AgentCluster, instant: datetime) -> None:
    wait_until(lambda: clock(cluster) > instant, PATIENCE_S, f"PostgreSQL's clock to pass {instant}")


def fires(record: dict[str, Any], step: timedelta = SECOND) -> list[datetime]:
    """The instants that a run or a record accounts for."""
    last = record["fire_until"] or record["fire_time"]
    count = round((last - record["fire_time"]) / step) + 1
    return [record["fire_time"] + number * step for number in range(count)]


def watermark(cluster: AgentCluster) -> datetime:
    found: datetime = cluster.one("SELECT watermark FROM shardkeeper.sweep_state")
    return found


def whole_seconds(after: datetime, until: datetime) -> list[datetime]:
    """Instants of `every 1 s` in (after, until]."""
    first = after.replace(microsecond=0) + SECOND
    return [first + number * SECOND for number in range(int((until - first) / SECOND) + 1)]


def open_runs(cluster: AgentCluster, until: datetime) -> int:
    count: int = cluster.one(
        "SELECT count(*) FROM shardkeeper.job_run WHERE fire_time <= %s AND finished_at IS NULL", (until,)
    )
    return count
