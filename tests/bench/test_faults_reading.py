"""A history is read from a real PostgreSQL, in which nobody has run anything yet."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from bench.faults.jobs import end_jobs, insert_jobs
from bench.faults.judge import judge
from bench.faults.options import Options
from bench.faults.reading import on_its_way, read_history, swept_until
from bench.faults.stream import Stream
from tests.postgres.migrated import upgrade
from tests.servers import PostgresDatabase, PostgresPool

OPTIONS = Options(jobs=40)


@pytest.fixture
def database(postgres_pool: PostgresPool) -> Iterator[PostgresDatabase]:
    with postgres_pool.database(18, upgrade) as made:
        yield made


def test_what_was_inserted_and_submitted_is_read_and_judged(
    database: PostgresDatabase, tmp_path: Path
) -> None:
    stream = Stream(database.url, per_s=0.001, seed=1)
    stream.add("noop", 3)
    with psycopg.connect(database.url, autocommit=True) as connection:
        insert_jobs(connection, random.Random(1), OPTIONS)
        with stream:
            stream.end()
        last_fire = end_jobs(connection)
        assert set(on_its_way(connection, last_fire)) >= {"3 open runs", "3 open attempts"}
        begun = swept_until(connection)
    given = read_history(database.url, tmp_path / "none", [], 0.0, begun, [], stream, OPTIONS)
    timed = [job for job in given.jobs.values() if len(job.versions) == 2]
    assert len(timed) == 40
    assert {job.versions[-1].ends_at for job in timed} == {last_fire}
    assert all(one.cron or one.every_us for job in timed for one in job.versions)
    assert [run.trigger_kind for run in given.runs.values()] == ["submit"] * 3
    assert [promise.answers[0] for promise in given.promises] == sorted(given.runs)
    assert [own[0].status for own in given.attempts.values()] == ["PENDING"] * 3
    assert {violation.promise for violation in judge(given)} == {"rest", "endings", "attempts", "fires"}
