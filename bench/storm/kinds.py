"""The kinds of tasks: how many there are of each, and how one must end."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg

MODULE = "storm_tasks"
RETRY_DELAY = "200 ms"
MAX_TAKEOVERS = 50
"""More than nodes are killed: an attempt that is lost is always tried again."""


@dataclass(frozen=True, slots=True)
class Kind:
    """``share``: in a thousand tasks. ``max_attempts``: tries that ended. ``completes``: False: it must end FAILED,
    each try with the worker that it kills. ``own_failures``: tries that fail by the task's own doing though it
    completes."""

    name: str
    task: str
    share: int
    max_attempts: int
    completes: bool = True
    own_failures: int = 0
    slowest_ms: int = field(default=0)

    def parameters(self, rng: random.Random) -> Mapping[str, Any]:
        return {"ms": rng.randint(1, self.slowest_ms)} if self.slowest_ms else {}


KINDS = (
    Kind("noop", "Noop", 728, 4),
    Kind("brief", "Brief", 200, 4, slowest_ms=5),
    Kind("flaky", "Flaky", 50, 2, own_failures=1),
    Kind("steps", "Steps", 20, 4),
    # few, since each takes workers with it, and supervisors space the starts of those that come after
    Kind("exits", "Exits", 1, 1, completes=False),
    Kind("poison", "Poison", 1, 3, completes=False),
)
BY_NAME = {kind.name: kind for kind in KINDS}


def insert_jobs(connection: psycopg.Connection[Any]) -> None:
    """A job on demand for each kind, with its ImplSpec."""
    for kind in KINDS:
        connection.execute(
            "insert into shardkeeper.impl_spec (name, entrypoint) values (%s, %s)",
            (kind.name, f"{MODULE}:{kind.task}"),
        )
        connection.execute(
            "insert into shardkeeper.job_spec (name, impl_spec, max_attempts, max_takeovers, retry_delay)"
            " values (%s, %s, %s, %s, %s)",
            (kind.name, kind.name, kind.max_attempts, MAX_TAKEOVERS, RETRY_DELAY),
        )


def drawn(tasks: int, rng: random.Random) -> Iterator[Kind]:
    """So many tasks, of each kind at least two, in a random order."""
    sure = [kind for kind in KINDS for _ in range(2)]
    rest = rng.choices(KINDS, weights=[kind.share for kind in KINDS], k=max(0, tasks - len(sure)))
    everything = sure + rest
    rng.shuffle(everything)
    yield from everything[:tasks]
