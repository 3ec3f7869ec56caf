"""Shardkeeper's rows: one node, two workers, each task a run of its own.

A round submits the backlog while no node runs, one by one and then in bulk, starts the node, and waits until every run
is closed. What is read is what PostgreSQL has recorded: the first claim, and when each run closed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from bench.clock import timed
from bench.cluster import Cluster
from bench.figures import drain_rates, percentile
from bench.on_demand.contenders import Unavailable
from bench.on_demand.doors import Door
from bench.on_demand.options import Options
from bench.on_demand.rows import Round
from bench.pings import Board
from bench.processors import Shares

ISOLATIONS = ("process", "thread")
DRAIN_PATIENCE_S = 300.0
POLL_S = 0.05

TASKS = {"noop": "bench_tasks:Noop", "ping": "bench_tasks:Ping"}
LAST_RUN = "select coalesce(max(id), 0) from shardkeeper.job_run"
CLAIMED = "select exists (select from shardkeeper.shard_run where run_id > %s and claimed_at is not null)"
RUN_CLOSED = "select finished_at is not null from shardkeeper.job_run where id = %s"
LEFT = "select count(*) from shardkeeper.job_run where id > %s and finished_at is null"
FAILED = "select count(*) from shardkeeper.job_run where id > %s and status <> 'COMPLETED'"
FIRST_CLAIM = (
    "select extract(epoch from min(claimed_at))::float8 from shardkeeper.shard_run where run_id > %s"
)
CLOSED_AT = "select extract(epoch from finished_at)::float8 from shardkeeper.job_run where id > %s"
PICK_UPS = """
select extract(epoch from s.started_at - r.created_at)::float8 * 1000
  from shardkeeper.job_run r join shardkeeper.shard_run s on s.run_id = r.id and s.fire_time = r.fire_time
 where r.id > %s and s.started_at is not null"""


def insert_jobs(connection: psycopg.Connection[Any]) -> None:
    """Jobs on demand ``noop-process``, ``ping-thread``, ... with their ImplSpecs."""
    for isolation in ISOLATIONS:
        for task, entrypoint in TASKS.items():
            name = f"{task}-{isolation}"
            connection.execute(
                "insert into shardkeeper.impl_spec (name, entrypoint, isolation) values (%s, %s, %s)",
                (name, entrypoint, isolation),
            )
            connection.execute(
                "insert into shardkeeper.job_spec (name, impl_spec) values (%s, %s)", (name, name)
            )


class Ours:
    """One isolation of Shardkeeper; ``running`` has the schema with the jobs, and no node."""

    name = "Shardkeeper"

    def __init__(
        self,
        isolation: str,
        running: Cluster,
        connection: psycopg.Connection[Any],
        door: Door,
        options: Options,
    ) -> None:
        self.isolation = isolation
        self.notes = (door.name,)
        self._running = running
        self._connection = connection
        self._door = door
        self._options = options

    def round(self) -> Round:
        before, figures = self._submissions(f"noop-{self.isolation}")
        drained, cores = self._drain(before)
        return Round(figures | drained | self._pick_up(f"ping-{self.isolation}"), cores)

    def _submissions(self, job: str) -> tuple[int, dict[str, float]]:
        """Leaves the whole backlog behind; the last run that is not part of it, and the rates."""
        before: int = self._ask(LAST_RUN)
        bulk = self._options.tasks - self._options.singles
        one_by_one_s = timed(lambda: self._submit_singles(job))
        bulk_s = timed(lambda: self._door.submit_many(job, bulk))
        return before, {
            "submit_per_s": self._options.singles / one_by_one_s,
            "bulk_per_s": bulk / bulk_s,
        }

    def _submit_singles(self, job: str) -> None:
        for _ in range(self._options.singles):
            self._door.submit(job, {})

    def _drain(self, before: int) -> tuple[dict[str, float], dict[str, float]]:
        """Rates, and cores in use from the first claim on."""
        # the same planner's statistics for all: whether autovacuum has come by is chance
        self._connection.execute("analyze")
        with self._running.node("node-1"):
            self._wait(lambda: self._ask(CLAIMED, before), "a first claim")
            shares = Shares(self._running.pids).begin()
            last = self._ask(LAST_RUN)
            # a look at one row disturbs less than counting
            self._wait(lambda: self._ask(RUN_CLOSED, last), "the last run's end", before)
            self._wait(lambda: self._ask(LEFT, before) == 0, "the end of all runs", before)
            cores = shares.cores()
        if failed := self._ask(FAILED, before):
            raise Unavailable(f"{failed} runs did not complete")
        closed = [row[0] for row in self._connection.execute(CLOSED_AT, (before,))]
        rates = drain_rates(self._ask(FIRST_CLAIM, before), closed)
        return {"whole_per_s": rates.whole, "steady_per_s": rates.steady}, cores

    def _pick_up(self, job: str) -> dict[str, float]:
        with self._idle_node(job) as board:
            before = self._ask(LAST_RUN)
            samples = board.pick_ups(
                lambda: self._door.submit(job, {"board": board.path}), self._options.samples
            )
            self._wait(lambda: self._ask(LEFT, before) == 0, "the end of all pings", before)
        stored = [row[0] for row in self._connection.execute(PICK_UPS, (before,))]
        return {
            "p50_ms": percentile(samples, 0.5),
            "p99_ms": percentile(samples, 0.99),
            "p50_stored_ms": percentile(stored, 0.5),
            "p99_stored_ms": percentile(stored, 0.99),
        }

    @contextmanager
    def _idle_node(self, job: str) -> Iterator[Board]:
        with Board(self._running.folder / "board") as board, self._running.node("node-1"):
            for _ in range(5):
                self._door.submit(job, {"board": board.path})
                board.wait()
            yield board

    def _ask(self, query: str, *parameters: int) -> Any:
        row = self._connection.execute(query, parameters).fetchone()
        return row[0] if row else None

    def _wait(self, condition: Callable[[], Any], what: str, before: int | None = None) -> None:
        deadline = time.monotonic() + DRAIN_PATIENCE_S
        pause = threading.Event()
        while not condition():
            if time.monotonic() > deadline:
                left = "" if before is None else f", {self._ask(LEFT, before)} runs are left"
                raise Unavailable(f"{what} did not come within {DRAIN_PATIENCE_S:g} s{left}")
            pause.wait(POLL_S)
