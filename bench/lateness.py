"""How late one-item jobs start that fire each second on three nodes, and what it costs.

Lateness is from the fire time to the beginning of ``initialize``, by the clock of this one machine. The first seconds
are left out.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bench.cluster import cluster

WARM_UP_S = 5
MEASURED = """
select percentile_cont(0.5) within group (order by late), percentile_cont(0.99) within group (order by late),
       max(late), count(*)
  from (select extract(epoch from s.started_at - s.fire_time) * 1000 as late from shardkeeper.shard_run s
         where s.fire_time > %(since)s and s.fire_time <= %(until)s and s.status = 'COMPLETED') l
"""


@dataclass(frozen=True)
class Lateness:
    """Milliseconds; ``fires`` completed of ``due``; processor shares in cores, by kind of process."""

    jobs: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    fires: int
    due: int
    cores: dict[str, float]

    def line(self) -> str:
        shares = ", ".join(f"{kind} {share:.2f}" for kind, share in self.cores.items())
        return (
            f"{self.jobs:>5} jobs/s  p50 {self.p50_ms:7.1f} ms  p99 {self.p99_ms:7.1f} ms  "
            f"worst {self.worst_ms:7.1f} ms  {self.fires} of {self.due} fires  cores: {shares}"
        )


def measure(jobs: int, seconds: int, nodes: int = 3, workers: int = 2) -> Lateness:
    """``jobs`` one-item jobs each second for ``seconds``, on a fresh cluster."""
    with cluster(nodes, workers) as running, running.connect() as connection:
        _insert(connection, jobs)
        pause = threading.Event()
        pause.wait(WARM_UP_S)
        before = running.processor_seconds()
        since = _second(connection)
        pause.wait(seconds)
        after = running.processor_seconds()
        until = _second(connection)
        pause.wait(3)
        cores = {kind: (after[kind] - before[kind]) / seconds for kind in before}
        return _read(connection, jobs, since, until, cores)


def _second(connection: Any) -> datetime:
    found: datetime = connection.execute("select date_trunc('second', clock_timestamp())").fetchone()[0]
    return found


def _insert(connection: Any, jobs: int) -> None:
    connection.execute(
        "insert into shardkeeper.impl_spec (name, kind, entrypoint) values ('noop', 'python', 'bench_tasks:Noop')"
    )
    connection.execute(
        "insert into shardkeeper.job_spec (name, impl_spec, every) "
        "select 'job-' || n, 'noop', '1 s' from generate_series(1, %s) n",
        [jobs],
    )


def _read(connection: Any, jobs: int, since: datetime, until: datetime, cores: dict[str, float]) -> Lateness:
    bounds = {"since": since, "until": until}
    p50, p99, worst, fires = connection.execute(MEASURED, bounds).fetchone()
    seconds = int((until - since).total_seconds())
    return Lateness(jobs, float(p50 or 0), float(p99 or 0), float(worst or 0), fires, jobs * seconds, cores)
