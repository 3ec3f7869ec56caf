"""The workers of a node, and the standard library's pool of processes, each with a task that does nothing."""

from __future__ import annotations

import multiprocessing
import queue
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from os import environ
from pathlib import Path
from typing import Protocol

from shardkeeper.domain.runs import AttemptKey
from shardkeeper.ports.workers import AttemptEnded, AttemptOrder, EndingStatus, Isolation, WorkersSaid
from shardkeeper.workers.pool import ProcessWorkers
from shardkeeper.workers.settings import WorkersSettings

WORKERS = 2
TASKS = Path(__file__).parents[1] / "tasks"
FIRE_TIME = datetime(2026, 1, 1, tzinfo=UTC)
PATIENCE_S = 30.0


class Pool(Protocol):
    """Runs the task as often as it is asked to."""

    def submit(self) -> None:
        """Once more."""

    def wait(self) -> int:
        """How many have ended by its next word; raises RuntimeError when one ended badly."""


class OurPool:
    """The port of the node's workers."""

    def __init__(
        self, workers: ProcessWorkers, said: queue.SimpleQueue[WorkersSaid], isolation: Isolation
    ) -> None:
        self._workers = workers
        self._said = said
        self._isolation = isolation
        self._number = 0

    def submit(self) -> None:
        self._number += 1
        key = AttemptKey(self._number, FIRE_TIME, 0, 1)
        order = AttemptOrder(
            key, 1, "python", "bench_tasks:Noop", self._isolation, _context(self._number), timeout_s=3600.0
        )
        self._workers.submit(order)

    def wait(self) -> int:
        said = self._said.get(timeout=PATIENCE_S)
        endings = [one.ending for one in said.events if isinstance(one, AttemptEnded)]
        for ending in endings:
            if ending.status is not EndingStatus.COMPLETED:
                raise RuntimeError(f"an attempt ended badly: {ending}")
        return len(endings)


class BarePool:
    """``concurrent.futures.ProcessPoolExecutor``."""

    def __init__(self, executor: ProcessPoolExecutor) -> None:
        self._executor = executor
        self._ended: queue.SimpleQueue[Future[None]] = queue.SimpleQueue()

    def submit(self) -> None:
        self._executor.submit(nothing).add_done_callback(self._ended.put)

    def wait(self) -> int:
        self._ended.get(timeout=PATIENCE_S).result()
        return 1


@contextmanager
def our_pool(isolation: Isolation) -> Iterator[OurPool]:
    """Started, and ended with the context."""
    said: queue.SimpleQueue[WorkersSaid] = queue.SimpleQueue()
    environment = {**environ, "PYTHONPATH": str(TASKS)}
    workers = ProcessWorkers(
        WorkersSettings(capacity=WORKERS, allowed_modules=("bench_tasks",), environment=environment)
    )
    workers.start(said.put)
    try:
        yield OurPool(workers, said, isolation)
    finally:
        workers.close(1.0)


@contextmanager
def bare_pool() -> Iterator[BarePool]:
    """The same."""
    # the node's workers come of a fresh interpreter too
    with ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn")) as executor:
        yield BarePool(executor)


def nothing() -> None:
    """What the bare pool runs."""


def supervisor() -> int:
    """The id of the one thread of this process that has the node's workers in hand."""
    (thread,) = (one for one in threading.enumerate() if one.name == "shardkeeper-workers")
    if thread.native_id is None:
        sys.exit("the thread of the workers has not begun")
    return thread.native_id


def _context(number: int) -> dict[str, object]:
    return {
        "job_name": "noop",
        "run_id": number,
        "run_name": "noop@2026-01-01T00:00:00Z",
        "fire_time": "2026-01-01T00:00:00+00:00",
        "item": 0,
        "sharding_total_count": 1,
        "parameters": {},
        "sources": [],
        "attempt": 1,
        "node_id": "bench",
        "checkpoint": {},
    }
