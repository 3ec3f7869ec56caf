"""Shardkeeper's schedules: jobs of one item on one node, which take their place while the node runs."""

from __future__ import annotations

import math
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.beginnings import FOLDER
from bench.cluster import TASKS, Cluster, cluster
from bench.on_demand.contenders import Unavailable
from bench.schedules.burst import Burst
from bench.schedules.options import Options
from bench.schedules.step import LATE_S, Step
from bench.schedules.watch import watch_burst, watch_window

ROOT = Path(__file__).parents[2]
NODES = 1
LEAD_S, POLL_S, PATIENCE_S = 8, 0.1, 30.0

IMPL = "insert into shardkeeper.impl_spec (name, entrypoint) values ('tell', 'schedule_tasks:Tell')"
EVERY_SECOND = """
insert into shardkeeper.job_spec (name, impl_spec, every)
select 'fires-' || n, 'tell', '1 s' from generate_series(%s::int, %s::int - 1) n"""
AT_ONCE = """
insert into shardkeeper.job_spec (name, impl_spec, run_at)
select 'due-' || n, 'tell', to_timestamp(%s) from generate_series(0, %s::int - 1) n"""
DELETE = "delete from shardkeeper.job_spec"
OPEN = "select count(*) from shardkeeper.job_run where finished_at is null"


class Ours:
    """One node with two workers, ZooKeeper and PostgreSQL of its own."""

    name = "Shardkeeper"
    isolation = "process"
    every_s = 1
    limit_s = LATE_S

    def __init__(self, options: Options) -> None:
        self._options = options
        self.notes = (
            f"one node, {options.workers} workers, ZooKeeper beside it",
            "each fire is a run with its attempt, outcome and times recorded and fenced",
            "a second node takes over, a missed fire is accounted for",
        )

    @contextmanager
    def open(self) -> Iterator[OurTurn]:
        settings = {
            "SHARDKEEPER_TASKS__ALLOWED_MODULES": '["schedule_tasks"]',
            "PYTHONPATH": os.pathsep.join((str(TASKS), str(ROOT))),
        }
        with tempfile.TemporaryDirectory(prefix="shardkeeper-bench-", dir="/var/tmp") as folder:
            told = {FOLDER: folder}
            with (
                cluster(NODES, self._options.workers, settings=settings | told) as running,
                running.connect() as link,
            ):
                link.execute(IMPL)
                yield OurTurn(running, link, Path(folder), self._options.seconds)


class OurTurn:
    """``folder``: where the tasks tell when they began."""

    def __init__(self, running: Cluster, connection: Any, folder: Path, seconds: int) -> None:
        self._running = running
        self._connection = connection
        self._folder = folder
        self._seconds = seconds
        self._jobs = 0

    def step(self, schedules: int) -> Step:
        self._connection.execute(EVERY_SECOND, (self._jobs, schedules))
        self._jobs = schedules
        return watch_window(self._folder, self._running.pids, schedules, self._seconds)

    def burst(self, schedules: int) -> Burst:
        self._connection.execute(DELETE)
        self._wait_until_idle()
        at_s = math.ceil(time.time()) + LEAD_S
        self._connection.execute(AT_ONCE, (at_s, schedules))
        return watch_burst(self._folder, schedules, at_s)

    def _wait_until_idle(self) -> None:
        deadline = time.monotonic() + PATIENCE_S
        pause = threading.Event()
        while left := self._connection.execute(OPEN).fetchone()[0]:
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"{left} runs were still open {PATIENCE_S:g} s after their jobs were deleted"
                )
            pause.wait(POLL_S)
