"""Fires per second that PostgreSQL takes through the protocol's own calls, with no node around them: create with claim,
then outcome, in batches, on one connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import TypeVar
from uuid import uuid4

from bench.clock import timed
from bench.cluster import cluster
from bench.processors import Shares
from bench.scenarios.jobs import insert_jobs
from bench.suite.scenario import Figure, Round, Scenario
from shardkeeper.domain.attempts import Claimed, CreateRun
from shardkeeper.domain.leases import Registration
from shardkeeper.domain.outcomes import Outcome
from shardkeeper.domain.runs import AttemptStatus, Phase
from shardkeeper.postgres.connection import Connection, ConnectionOptions
from shardkeeper.postgres.leases import PostgresLeases
from shardkeeper.postgres.runs import PostgresRuns

T = TypeVar("T")

BATCHES = {1: 300, 10: 2_000, 100: 2_000, 500: 2_000}
"""How many fires are made of each size of batch."""
PASSES = 3
VERSIONS = """
select j.job_name, j.version, (select max(version) from shardkeeper.impl_version where impl_name = 'noop')
  from shardkeeper.job_version j where j.job_name like 'job-%' order by j.job_name"""


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls as a node would make them. ``jobs``: name, version and version of the ImplSpec of each."""

    runs: PostgresRuns
    incarnation: str
    jobs: Sequence[tuple[str, int, int]]

    def rates(self, size: int) -> tuple[float, float]:
        """Fires per second that are created with their claims, and that are recorded: one fire of as many jobs as
        BATCHES has for this size."""
        now = datetime.now(UTC)
        jobs = self.jobs[: BATCHES[size]]
        requests = [CreateRun(name, now, version, impl, 1, (0,)) for name, version, impl in jobs]
        claimed: list[Claimed] = []
        create_s = timed(lambda: claimed.extend(self._create(requests, size)))
        if len(claimed) != len(jobs):
            raise RuntimeError(f"only {len(claimed)} of {len(jobs)} fires were created")
        outcomes = list(map(_completed, claimed))
        record_s = timed(lambda: [self.runs.record(self.incarnation, part) for part in parts(outcomes, size)])
        return len(jobs) / create_s, len(jobs) / record_s

    def _create(self, requests: Sequence[CreateRun], size: int) -> list[Claimed]:
        answers = [one for part in parts(requests, size) for one in self.runs.create(self.incarnation, part)]
        return [each for answer in answers for each in answer.claimed]


def measure() -> Round:
    """Each size of batch: a pass that warms up, then some more, of which the median counts."""
    with cluster(nodes=0, workers=1) as running:
        with running.connect() as connection:
            insert_jobs(connection, max(BATCHES.values()), "1 hour")
            versions = connection.execute(VERSIONS).fetchall()
        with closing(Connection(ConnectionOptions(running.url))) as own:
            caller = Caller(PostgresRuns(own, on_time_window_s=3600), _joined(own), versions)
            shares = Shares({"postgres": (running.postgres.pid,)}, others=True).begin()
            figures = {name: rate for size in BATCHES for name, rate in _figures(caller.rates, size).items()}
            return Round(figures, shares.cores())


def _figures(rates: Callable[[int], tuple[float, float]], size: int) -> dict[str, float]:
    passes = [rates(size) for _ in range(PASSES + 1)][1:]
    created, recorded = (median(column) for column in zip(*passes, strict=True))
    return {
        f"create_{size}": created,
        f"record_{size}": recorded,
        f"fires_{size}": both(created, recorded),
    }


def both(created: float, recorded: float) -> float:
    """Fires per second that are created and recorded one after the other, from the rate of each."""
    return 1 / (1 / created + 1 / recorded)


def parts(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in batches of this size; the last may be smaller."""
    return (items[start : start + size] for start in range(0, len(items), size))


def _joined(connection: Connection) -> str:
    incarnation = uuid4().hex
    PostgresLeases(connection).join(Registration("bench", incarnation, "bench", 1, 1.0, {}, "bench"))
    return incarnation


def _completed(attempt: Claimed) -> Outcome:
    now = datetime.now(UTC)
    return Outcome(
        attempt.key,
        attempt.claim_no,
        AttemptStatus.COMPLETED,
        Phase.VALIDATE,
        now,
        now,
        0.1,
        0.2,
        0.1,
        result=1,
    )


def _of_batch(size: int) -> tuple[Figure, ...]:
    return (
        Figure(f"create_{size}", f"batches of {size}: created and claimed", "/s"),
        Figure(f"record_{size}", f"batches of {size}: recorded", "/s"),
        Figure(f"fires_{size}", f"batches of {size}: both", "/s"),
    )


SCENARIO = Scenario(
    "calls",
    "The protocol's calls by themselves",
    f"one connection makes the calls of a node, and no node runs: creates one fire of each of up to "
    f"{max(BATCHES.values()):,} one-item jobs and claims it, then records its outcome, in batches of "
    f"{', '.join(map(str, BATCHES))}. What a node gathers while a call is under way is its next batch. Each size is "
    f"gone through {PASSES} times after warming up, of which the median counts.",
    tuple(figure for size in BATCHES for figure in _of_batch(size)),
    measure,
)
