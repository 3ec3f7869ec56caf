"""Jobs that fire once a year, half a year from now: they are held and timed, and do not run while one measures."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from bench.scenarios.jobs import insert_impl

SCHEDULES = 1_000
"""Distinct ones among as many jobs or more."""
MARKER = "marker"
JOBS = """insert into shardkeeper.job_spec (name, impl_spec, cron, sharding_total_count)
          select 'rare-' || n, 'noop', ((n %% %s) %% 60) || ' ' || ((n %% %s) / 60) || %s, %s
            from generate_series(%s::int, %s::int) n"""
EACH_SECOND = """insert into shardkeeper.job_spec (name, impl_spec, every, misfire, overlap)
                 values (%s, 'noop', '1 s', 'skip', 'allow')"""
READ = """select min(created_at) from shardkeeper.job_run
           where job_name = %s and trigger_kind = 'schedule' and created_at > %s"""


def insert_rare_jobs(connection: Any, first: int, last: int, items: int = 1) -> None:
    """Jobs ``rare-<first>`` to ``rare-<last>``, committed at once."""
    insert_impl(connection)
    day = far_day(datetime.now(UTC).date())
    connection.execute(JOBS, (SCHEDULES, SCHEDULES, f" {day.day} {day.month} *", items, first, last))
    connection.execute("analyze")


def far_day(today: date) -> date:
    """Half a year away, on a day that each month has."""
    return (today + timedelta(days=182)).replace(day=15)


def insert_marker(connection: Any) -> None:
    """A job that fires each second: a node fires nothing before it holds all that it has read, and then at once what
    fell due meanwhile, so the first run that it creates tells when that was."""
    insert_impl(connection)
    connection.execute(EACH_SECOND, (MARKER,))


def first_run_after(connection: Any, since: datetime) -> datetime | None:
    """When the marker's first run was created that is later than ``since``; None while there is none."""
    found: datetime | None = connection.execute(READ, (MARKER, since)).fetchone()[0]
    return found
