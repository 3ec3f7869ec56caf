"""One peer with schedules: what is installed for it, which processes it has, and what of it is not like for like.

Each is driven in the way that was found quickest for it among what its documentation names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.on_demand.peer import PGQUEUER, PROCRASTINATE
from bench.schedules.step import LATE_S


@dataclass(frozen=True, slots=True)
class SchedulePeer:
    """``module``: its driver; ``roles``: its processes, in the order in which they are started; ``settings``: of the
    driver; ``burst``: the most schedules of a burst that it starts within the patience of the watch; ``lead_s``: how
    long before the instant its processes are started, enough for these to be in place."""

    name: str
    isolation: str
    environment: str
    """Of the cache's virtual environments (bench/on_demand/venvs.py)."""
    requirements: tuple[str, ...]
    module: str
    server: Literal["postgres", "redis", "none"]
    roles: tuple[str, ...]
    settings: tuple[str, ...] = ()
    every_s: int = 1
    limit_s: float = LATE_S
    """How late 99 of 100 fires may be for a step to be kept."""
    burst: int = 10_000
    lead_s: int = 10
    notes: tuple[str, ...] = ()


_APSCHEDULER = ("apscheduler==3.11.3", "sqlalchemy==2.0.58", "psycopg[binary]==3.3.9")
_APSCHEDULER_NOTES = (
    "one process, tasks in its 10 threads",
    "no record of a run, a second scheduler would run everything twice",
    "told to run late rather than to drop what is more than a second late, as it would by default",
)

PEERS = (
    SchedulePeer(
        "APScheduler, memory",
        "thread",
        "apscheduler",
        _APSCHEDULER,
        "bench.peers.schedules.apscheduler_schedules",
        "none",
        ("memory",),
        lead_s=6,
        notes=(*_APSCHEDULER_NOTES, "schedules are lost when it ends, and so is every fire meanwhile"),
    ),
    SchedulePeer(
        "APScheduler, PostgreSQL",
        "thread",
        "apscheduler",
        _APSCHEDULER,
        "bench.peers.schedules.apscheduler_schedules",
        "postgres",
        ("sqlalchemy",),
        lead_s=25,
        notes=(*_APSCHEDULER_NOTES, "each fire updates its schedule's row, one transaction each"),
    ),
    SchedulePeer(
        "Celery beat",
        "process",
        "celery",
        ("celery[redis]==5.7.0", "redis==8.1.0"),
        "bench.peers.schedules.celery_schedules",
        "redis",
        ("worker", "beat"),
        ("--concurrency", "2", "--without-gossip", "--without-mingle", "--without-heartbeat"),
        burst=1_000,
        lead_s=8,
        notes=(
            "a burst of 1,000: of 10,000 it began 1,270 within 40 s, since beat compares all schedules at each sending",
            "one beat, a worker with two processes, results off",
            "its schedules know whole minutes, or intervals that drift: one of ours fires at whole seconds",
            "a fire that beat misses is not made up for, two beats would run everything twice",
            "its fire time is the second in which beat sent the message: lateness is at best what is shown",
            "no record of a run; Redis flushes to disk once a second, PostgreSQL at each commit",
        ),
    ),
    SchedulePeer(
        "procrastinate",
        "coroutine",
        "procrastinate_peer",
        PROCRASTINATE,
        "bench.peers.schedules.procrastinate_schedules",
        "postgres",
        ("worker",),
        ("10",),
        burst=1_000,
        lead_s=6,
        notes=(
            "a burst of 1,000: of 10,000 it began 9,663 within 40 s",
            "one worker, 10 coroutines at once in its own event loop",
            "it looks half a second after each second, by design",
            "jobs and their events are recorded, results are not",
        ),
    ),
    SchedulePeer(
        "PgQueuer",
        "coroutine",
        "pgqueuer_peer",
        PGQUEUER,
        "bench.peers.schedules.pgqueuer_schedules",
        "postgres",
        ("scheduler",),
        every_s=2,
        limit_s=LATE_S + 1.0,
        lead_s=10,
        notes=(
            "one scheduler (asyncpg), coroutines in its own event loop",
            "it looks a second after the next fire, by design, and so skips every other fire of every second",
            "here each schedule fires every two seconds, half as many fires, and may be 2 s late",
            "one row for a schedule, no record of a run",
        ),
    ),
)
