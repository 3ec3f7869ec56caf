"""Jobs for scenarios: as many as one wants of a task that does nothing."""

from __future__ import annotations

from typing import Any

IMPL = """insert into shardkeeper.impl_spec (name, kind, entrypoint) values ('noop', 'python', 'bench_tasks:Noop')
          on conflict do nothing"""
JOBS = """insert into shardkeeper.job_spec (name, impl_spec, every, sharding_total_count)
          select 'job-' || n, 'noop', %s, %s from generate_series(1, %s) n"""


def insert_jobs(connection: Any, jobs: int, every: str, items: int = 1) -> None:
    """Jobs ``job-1`` and so on, which fire ``every`` so often, committed at once."""
    connection.execute(IMPL)
    connection.execute(JOBS, (every, items, jobs))
