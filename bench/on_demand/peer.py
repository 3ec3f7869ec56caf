"""One peer: what is installed for it, how it is driven, and what of its row is not like for like.

Each is driven in the way that was found quickest for it among what its documentation and its own benchmark name:
sizes of batches, consumers, tasks at once, one or two processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Peer:
    """``arguments``: of its driver (bench/peers/driver.py); ``processes``: of workers, started side by side."""

    name: str
    isolation: str
    requirements: tuple[str, ...]
    module: str
    server: Literal["postgres", "redis"]
    arguments: tuple[str, ...] = ()
    processes: int = 1
    bulk: bool = True
    """Whether it has a way to submit many at once."""
    notes: tuple[str, ...] = ()


PGQUEUER = ("pgqueuer==1.6.0", "asyncpg==0.32.0", "psycopg[binary]==3.3.9", "uvloop==0.23.0")
PROCRASTINATE = ("procrastinate==3.10.0", "psycopg[binary,pool]==3.3.9")
_PGQUEUER_NOTES = (
    "no-op coroutines in the worker's own event loop, a task cannot be killed or outlive its loop",
    "no run or attempt row, no result: finished jobs leave the queue for a log of status changes",
)
_REDIS_NOTE = "Redis flushes to disk once a second, PostgreSQL at each commit"

PEERS = (
    Peer(
        "PgQueuer, psycopg",
        "coroutine",
        PGQUEUER,
        "bench.peers.pgqueuer_peer",
        "postgres",
        ("--client", "psycopg", "--consumers", "5", "--batch", "100"),
        notes=("one process of 5 consumers, batches of 100 (by default 10)", *_PGQUEUER_NOTES),
    ),
    Peer(
        "PgQueuer, asyncpg",
        "coroutine",
        PGQUEUER,
        "bench.peers.pgqueuer_peer",
        "postgres",
        ("--client", "asyncpg", "--consumers", "1", "--batch", "100"),
        processes=2,
        notes=("two processes of one consumer, batches of 100 (by default 10)", *_PGQUEUER_NOTES),
    ),
    Peer(
        "procrastinate",
        "coroutine",
        PROCRASTINATE,
        "bench.peers.procrastinate_peer",
        "postgres",
        ("--concurrency", "10"),
        notes=(
            "no-op coroutines in the worker's own event loop",
            "status and events are recorded, results are not",
        ),
    ),
    Peer(
        "dramatiq",
        "thread",
        ("dramatiq[redis]==2.2.1",),
        "bench.peers.dramatiq_peer",
        "redis",
        ("--concurrency", "8"),
        processes=2,
        bulk=False,
        notes=(
            "two processes of 8 threads (its command line's way), no way to submit in bulk",
            "nothing is recorded of a task that ended",
            _REDIS_NOTE,
        ),
    ),
    Peer(
        "arq",
        "coroutine",
        ("arq==0.28.0", "redis[hiredis]==5.3.1"),
        "bench.peers.arq_peer",
        "redis",
        ("--concurrency", "100"),
        notes=(
            "no-op coroutines in the worker's own event loop; polls every 10 ms here (by default every 500)",
            "in bulk: 100 calls at once",
            "results expire after an hour",
            _REDIS_NOTE,
        ),
    ),
)
