"""What has ended costs what goes on nothing: calls read by index what is open, however much lies beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from tests.postgres.migrated import Migrated
from tests.postgres.race import A, B, Race, record

T = TypeVar("T")

ENDED = 30_000
"""Enough that PostgreSQL would rather not read all of it."""
MOST = 100
"""Rows that one call may read. Whole days are filled: of a partition that has few rows PostgreSQL rightly reads all."""
HISTORY = """
WITH run AS (
  INSERT INTO shardkeeper.job_run (job_name, fire_time, trigger_kind, job_version, impl_version, status, open_items,
    sharding_total_count, started_at, finished_at)
  SELECT 'job', date_trunc('day', now()) - interval '1 day' + n * interval '20 s', 'manual', v.version, i.version,
    'COMPLETED', 0, 1, now(), now()
  FROM generate_series(1, %s) n, shardkeeper.job_version v, shardkeeper.impl_version i
  WHERE v.job_name = 'job' AND i.impl_name = 'impl'
  RETURNING id, fire_time)
INSERT INTO shardkeeper.shard_run (run_id, fire_time, item, attempt, job_name, status, finished_at)
SELECT id, fire_time, 0, 1, 'job', 'COMPLETED', now() FROM run"""
JOBS = "INSERT INTO shardkeeper.job_state (job_name) SELECT 'another-' || n FROM generate_series(1, %s) n"
ROWS_READ = """
SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables
WHERE schemaname = 'shardkeeper' AND relname ~ '^(job_run|shard_run|live_run|job_state)'"""


class Reader:
    """Counts the rows that the nodes' calls read, by PostgreSQL's own account."""

    def __init__(self, race: Race) -> None:
        self._race = race
        self.read: dict[str, int] = {}

    def count(self, name: str, call: Callable[[], T]) -> T:
        before = self._so_far()
        answer = call()
        self.read[name] = max(self._so_far() - before, self.read.get(name, 0))
        return answer

    def _so_far(self) -> int:
        # else it is told of a second later
        self._race._connection.fetch("SELECT pg_stat_force_next_flush()")
        return int(self._race.database.one(ROWS_READ))


def test_no_call_of_a_node_reads_the_history(migrated: Migrated) -> None:
    migrated.job()
    migrated.job("demand", every=None)
    migrated.sql.execute(HISTORY, (ENDED,))
    migrated.sql.execute(JOBS, (ENDED,))
    migrated.sql.execute("ANALYZE")
    race = Race(migrated)
    calls, reader = race.second, Reader(race)
    # a plan is made anew for the first calls, and then kept
    for _ in range(7):
        (claimed,) = reader.count("create", race.create).claimed
        reader.count("record", lambda claimed=claimed: record(calls, claimed))  # type: ignore[misc]
        migrated.one("SELECT shardkeeper.submit('demand')")
        (pulled,) = reader.count("pull", lambda: calls.runs.pull(A, 1, []))
        reader.count("record pulled", lambda pulled=pulled: record(calls, pulled))  # type: ignore[misc]
        migrated.one("SELECT shardkeeper.trigger_job('job')")
        (pending,) = reader.count("pending", lambda: calls.runs.pending(A, 2_000))
        reader.count("claim", lambda pending=pending: calls.runs.claim(A, [pending.key]))  # type: ignore[misc]
        beat = reader.count("beat", lambda: calls.leases.beat(A))
    assert len(beat.held) == 7
    (own,) = [lease for lease in beat.leases if lease.incarnation == A]
    taken = reader.count("take over", lambda: calls.leases.take_over(B, A, own.beat))
    assert taken.lost == 7
    assert {name: rows for name, rows in reader.read.items() if rows > MOST} == {}
    assert reader.read["record"] > 0
