"""Rows per second that PostgreSQL takes through the protocol's own calls: create with claim, then outcome, in batches.

    python bench/store.py postgresql://... [--jobs 2000] [--rounds 5] [--batches 1,10,100]

The database must have the schema, and is filled with jobs `bench-…` of one item each; use one made for it. Prints the
median of the rounds, with the CPU time of this process beside the wall time.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from statistics import median
from uuid import uuid4

from shardkeeper.domain.attempts import Claimed, CreateRun
from shardkeeper.domain.leases import Registration
from shardkeeper.domain.outcomes import Outcome
from shardkeeper.domain.runs import AttemptStatus, Phase
from shardkeeper.postgres.connection import Connection, ConnectionOptions
from shardkeeper.postgres.leases import PostgresLeases
from shardkeeper.postgres.runs import PostgresRuns

IMPL = """INSERT INTO shardkeeper.impl_spec (name, entrypoint) VALUES ('bench', 'bench:Nothing')
          ON CONFLICT DO NOTHING RETURNING name"""
JOBS = """INSERT INTO shardkeeper.job_spec (name, impl_spec, every)
          SELECT 'bench-' || lpad(i::text, 6, '0'), 'bench', '1 hour' FROM generate_series(1, %s::int) i
          ON CONFLICT DO NOTHING RETURNING name"""
VERSIONS = """SELECT DISTINCT ON (v.job_name) v.job_name, v.version,
              (SELECT max(i.version) FROM shardkeeper.impl_version i
              WHERE i.impl_name = 'bench') FROM shardkeeper.job_version v WHERE v.job_name LIKE 'bench-%%'
              ORDER BY v.job_name, v.version DESC LIMIT %s::int"""


def prepared(connection: Connection, jobs: int) -> list[tuple[str, int, int]]:
    """(job, version, impl version) of as many jobs."""
    connection.fetch(IMPL)
    connection.fetch(JOBS, (jobs,))
    return [(name, version, impl) for name, version, impl in connection.fetch(VERSIONS, (jobs,))]


def parts(items: Sequence[CreateRun] | Sequence[Outcome], size: int) -> Iterator[Sequence]:  # type: ignore[type-arg]
    return (items[start : start + size] for start in range(0, len(items), size))


def completed(attempt: Claimed) -> Outcome:
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


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def one_round(
    runs: PostgresRuns, incarnation: str, jobs: list[tuple[str, int, int]], size: int
) -> list[float]:
    """Wall and CPU seconds of creating, and of recording, one fire of each job."""
    fire_time = datetime.now(UTC)
    requests = [CreateRun(name, fire_time, version, impl, 1, (0,)) for name, version, impl in jobs]
    claimed: list[Claimed] = []

    def create() -> None:
        for part in parts(requests, size):
            claimed.extend(each for answer in runs.create(incarnation, part) for each in answer.claimed)

    def record() -> None:
        for part in parts([completed(each) for each in claimed], size):
            runs.record(incarnation, part)

    times = [*timed(create), *timed(record)]
    if len(claimed) != len(jobs):
        sys.exit(f"only {len(claimed)} of {len(jobs)} fires were created")
    return times


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url")
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", default="1,10,100")
    wanted = parser.parse_args()
    measure(wanted.url, wanted.jobs, wanted.rounds, tuple(map(int, wanted.batches.split(","))))


def measure(url: str, job_count: int = 2000, rounds: int = 5, batches: Sequence[int] = (1, 10, 100)) -> None:
    """Print a line for each size of batch: calls per second, median of the rounds."""
    connection = Connection(ConnectionOptions(url))
    jobs = prepared(connection, job_count)
    incarnation = uuid4().hex
    PostgresLeases(connection).join(
        Registration(f"bench-{incarnation[:8]}", incarnation, "bench", 1, 1.0, {}, "bench")
    )
    runs = PostgresRuns(connection, on_time_window_s=3600)
    sys.stdout.write(
        f"{'batch':>6} {'create+claim/s':>15} {'outcome/s':>10} {'fires/s':>8} {'client CPU':>10}\n"
    )
    for size in batches:
        few = jobs if size > 1 else jobs[:300]
        found = [one_round(runs, incarnation, few, size) for _ in range(rounds + 1)][1:]
        created, created_cpu, recorded, recorded_cpu = (median(column) for column in zip(*found, strict=True))
        share = (created_cpu + recorded_cpu) / (created + recorded)
        sys.stdout.write(
            f"{size:>6} {len(few) / created:>15,.0f} {len(few) / recorded:>10,.0f} "
            f"{len(few) / (created + recorded):>8,.0f} {share:>10.0%}\n"
        )
    connection.close()


if __name__ == "__main__":
    main()
