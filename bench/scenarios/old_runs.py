"""A history by the million: runs that ended, written straight into the tables.

Each day's partition is filled before it is attached, in the transaction that makes it: so its indexes are sorted at
once, and with `wal_level` minimal nothing of it goes through the log. Whatever makes a commit safe is off meanwhile,
and on again before anything is measured.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from bench.cluster import Cluster

DAYS = 10
JOBS = 10_000
WRITERS = 2
UNSAFE = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "'64GB'",
    "autovacuum": "off",
    "maintenance_work_mem": "'512MB'",
    "max_parallel_maintenance_workers": "0",
}
DAY = timedelta(days=1)

MAKE = """create table shardkeeper.{leaf} (like shardkeeper.{parent} including defaults including constraints)
          with ({options})"""
BOUNDS = """alter table shardkeeper.{leaf} add constraint bounds
            check (fire_time is not null and fire_time >= '{first}' and fire_time < '{last}')"""
ATTACH = """alter table shardkeeper.{parent} attach partition shardkeeper.{leaf}
            for values from ('{first}') to ('{last}')"""
UNBIND = "alter table shardkeeper.{leaf} drop constraint bounds"
RUNS = {
    "job_run": """
insert into shardkeeper.{leaf} (id, job_name, fire_time, trigger_kind, status, job_version, impl_version, created_at,
                                started_at, finished_at)
select n, 'old-' || n % {jobs}, t, 'schedule', 'COMPLETED', n % {jobs}, 1, t, t, t""",
    "shard_run": """
insert into shardkeeper.{leaf} (run_id, fire_time, item, attempt, job_name, status, node_id, incarnation, phase,
                                not_before, claim_no, created_at, claimed_at, started_at, finished_at, initialize_ms,
                                calculate_ms, validate_ms)
select n, t, 0, 1, 'old-' || n % {jobs}, 'COMPLETED', 'node-' || n % 3, '8d1c8e51c2f34a7f9e8d7c6b5a493827',
       'validate', t, 1, t, t, t, t, 0.1, 0.2, 0.1""",
}
AT = """
  from generate_series({low}, {high}) n cross join lateral (select timestamptz '{begin}' + n * interval '{step}') at (t)
 where t >= '{first}' and t < '{last}'"""


def fill(running: Cluster, runs: int) -> None:
    """``runs`` completed runs of one item, evenly over the last DAYS days up to a minute ago; their statistics are
    made, all is on disk. No node runs yet: PostgreSQL is restarted."""
    until = datetime.now(UTC) - timedelta(minutes=1)
    begin = until - DAYS * DAY
    days = [(begin + place * DAY).date() for place in range(DAYS + 1)]
    with _unsafe(running):
        with ThreadPoolExecutor(WRITERS) as writers:
            parts = [(parent, day) for day in days for parent in RUNS]
            for part in [writers.submit(_write, running, *part, begin, runs) for part in parts]:
                part.result()
        with running.connect() as connection:
            connection.execute("select setval('shardkeeper.run_id', %s)", (runs + 1,))
    os.sync()


@contextmanager
def _unsafe(running: Cluster) -> Iterator[None]:
    with running.connect() as connection:
        for name, value in UNSAFE.items():
            connection.execute(f"alter system set {name} = {value}")
    _restart(running)
    yield
    with running.connect() as connection:
        connection.execute("alter system reset all")
    _restart(running)


def _restart(running: Cluster) -> None:
    running.postgres.stop()
    running.postgres.start()


def _write(running: Cluster, parent: str, day: date, begin: datetime, runs: int) -> None:
    """One day of one table."""
    first = datetime.combine(day, time(), UTC)
    step = DAYS * DAY / runs
    low = max(1, (first - begin) // step)
    facts = {
        "parent": parent,
        "leaf": f"{parent}_{day:%Y%m%d}",
        "first": first.isoformat(),
        "last": (first + DAY).isoformat(),
        "begin": begin.isoformat(),
        "step": f"{step / timedelta(microseconds=1):.0f} microseconds",
        "low": low,
        # one more, since a step is a whole number of microseconds
        "high": min(runs, (first + DAY - begin) // step + 1),
        "jobs": JOBS,
    }
    with running.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        (options,) = connection.execute("select shardkeeper.partition_options(%s)", (parent,)).fetchone() or (
            "",
        )
        with connection.transaction():
            _say(connection, "drop table if exists shardkeeper.{leaf}", facts)
            _say(connection, MAKE, {**facts, "options": options})
            _say(connection, RUNS[parent] + AT, facts)
            for statement in (BOUNDS, ATTACH, UNBIND):
                _say(connection, statement, facts)
        _say(connection, "vacuum (analyze) shardkeeper.{leaf}", facts)


def _say(connection: Any, statement: str, facts: dict[str, object]) -> None:
    connection.execute(statement.format_map(facts))
