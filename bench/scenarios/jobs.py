"""Jobs for scenarios: as many as one wants of a task that does nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

_IMPL = """insert into shardkeeper.impl_spec (name, kind, entrypoint, isolation)
          values ('noop', 'python', 'bench_tasks:Noop', %s) on conflict do nothing"""
JOBS = """insert into shardkeeper.job_spec (name, impl_spec, every, run_at, sharding_total_count)
          select %s || '-' || n, 'noop', %s, %s, %s from generate_series(1, %s) n"""


def insert_impl(connection: Any, isolation: str = "process") -> None:
    """The ImplSpec of all these jobs, ``noop``; the first call decides."""
    connection.execute(_IMPL, (isolation,))


def insert_jobs(
    connection: Any, jobs: int, every: str, items: int = 1, *, isolation: str = "process"
) -> None:
    """Jobs ``job-1`` and so on, which fire ``every`` so often, committed at once."""
    insert_impl(connection, isolation)
    connection.execute(JOBS, ("job", every, None, items, jobs))


def insert_jobs_at(connection: Any, jobs: int, instant: datetime, items: int = 1, name: str = "job") -> None:
    """The same, called after ``name``, which fire once, at that instant."""
    insert_impl(connection)
    connection.execute(JOBS, (name, None, instant, items, jobs))
