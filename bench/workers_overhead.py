"""What a worker costs: no-op python attempts per second through the port, with two workers, and the time of one alone.

`python bench/workers_overhead.py [ATTEMPTS]`. Medians of five runs; beside them the processor time that the supervisor
in the node and the workers spend on one attempt, which says more than the rate on a machine that does other things too.
"""

from __future__ import annotations

import os
import queue
import statistics
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

from shardkeeper.domain.runs import AttemptKey
from shardkeeper.ports.workers import AttemptEnded, AttemptOrder, EndingStatus, Isolation, WorkersSaid
from shardkeeper.workers.pool import ProcessWorkers
from shardkeeper.workers.settings import WorkersSettings

RUNS = 5
IN_FLIGHT = 32
FIRE_TIME = datetime(2026, 1, 1, tzinfo=UTC)
TASK = """
from shardkeeper import DistributeTask

class Nothing(DistributeTask):
    def calculate(self, context, data):
        return None
"""


class Bench:
    """Workers with one no-op task."""

    def __init__(self, folder: str) -> None:
        Path(folder, "noop_task.py").write_text(TASK)
        environment = {**os.environ, "PYTHONPATH": folder}
        self.events: queue.SimpleQueue[WorkersSaid] = queue.SimpleQueue()
        self.workers = ProcessWorkers(
            WorkersSettings(capacity=2, allowed_modules=("noop_task",), environment=environment)
        )
        self.workers.start(self.events.put)
        self._number = 0

    def run(self, attempts: int, isolation: Isolation, in_flight: int) -> float:
        """Seconds."""
        began = time.perf_counter()
        asked = done = 0
        while done < attempts:
            while asked < attempts and asked - done < in_flight:
                self._submit(isolation)
                asked += 1
            done += self._wait()
        return time.perf_counter() - began

    def _wait(self) -> int:
        """How many have ended by the next word of the workers."""
        endings = [one.ending for one in self.events.get(timeout=30).events if isinstance(one, AttemptEnded)]
        for ending in endings:
            if ending.status is not EndingStatus.COMPLETED:
                raise SystemExit(f"an attempt ended badly: {ending}")
        return len(endings)

    def _submit(self, isolation: Isolation) -> None:
        self._number += 1
        context = {
            "job_name": "noop",
            "run_id": self._number,
            "run_name": "noop@2026-01-01T00:00:00Z",
            "fire_time": "2026-01-01T00:00:00+00:00",
            "item": 0,
            "sharding_total_count": 1,
            "item_parameter": None,
            "parameters": {},
            "sources": [],
            "attempt": 1,
            "node_id": "bench",
            "checkpoint": None,
        }
        key = AttemptKey(self._number, FIRE_TIME, 0, 1)
        order = AttemptOrder(key, 1, "python", "noop_task:Nothing", isolation, context, timeout_s=3600.0)
        self.workers.submit(order)


def busy_us(pid: int) -> float:
    """Microseconds of processor time that the living threads of a process have had."""
    return sum(map(_thread_us, Path(f"/proc/{pid}/task").iterdir()))


def supervisor_us() -> float:
    """The same of the one thread of this process that has the workers in hand."""
    (thread,) = (one for one in threading.enumerate() if one.name == "shardkeeper-workers")
    return _thread_us(Path(f"/proc/self/task/{thread.native_id}"))


def _thread_us(thread: Path) -> float:
    return int((thread / "schedstat").read_text().split()[0]) / 1000


def workers_of_this_process() -> list[int]:
    """All its children, whichever thread started them."""
    found = []
    for thread in Path("/proc/self/task").iterdir():
        found += [int(pid) for pid in (thread / "children").read_text().split()]
    return found


def measure(bench: Bench, isolation: Isolation, attempts: int) -> None:
    """One line of the table. The node's share is its supervisor's: what the benchmark itself does is not counted."""
    bench.run(attempts // 10, isolation, IN_FLIGHT)
    pids = workers_of_this_process()
    before = supervisor_us(), sum(map(busy_us, pids))
    rates = [attempts / bench.run(attempts, isolation, IN_FLIGHT) for _ in range(RUNS)]
    after = supervisor_us(), sum(map(busy_us, pids))
    node_us, workers_us = ((b - a) / (RUNS * attempts) for a, b in zip(before, after, strict=True))
    alone_us = statistics.median(bench.run(1, isolation, 1) * 1e6 for _ in range(200))
    print(  # noqa: T201 - its answer
        f"{isolation:8} {statistics.median(rates):8,.0f}/s   alone {alone_us:5.0f} µs   "
        f"processor per attempt: node {node_us:4.0f} µs, worker {workers_us:4.0f} µs"
    )


def main() -> None:
    """Print the table."""
    attempts = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder)
        try:
            measure(bench, "process", attempts)
            measure(bench, "thread", attempts)
        finally:
            bench.workers.close(1.0)


if __name__ == "__main__":
    main()
