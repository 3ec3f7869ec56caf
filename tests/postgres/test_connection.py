"""What PostgreSQL answers instead of doing a call: made again where that helps, else told as unavailable, and the next
call finds a sound connection."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import psycopg
import pytest
from psycopg import sql

from shardkeeper.domain.errors import StoreUnavailable
from shardkeeper.domain.outcomes import Recording
from shardkeeper.postgres.connection import Connection, ConnectionOptions, Raw, StoreTimeout
from shardkeeper.postgres.runs import PostgresRuns
from tests.descriptors import descriptors_left
from tests.postgres.migrated import Migrated
from tests.postgres.race import WINDOW_S, A, Race, ended
from tests.postgres.relayed import relayed
from tests.waiting import wait_until

PATIENCE_S = 20.0


@pytest.fixture
def numbers(migrated: Migrated) -> Migrated:
    """With two rows to be counted up."""
    migrated.sql.execute("CREATE TABLE number AS SELECT id, 0 AS n FROM generate_series(1, 2) id")
    return migrated


def opened(database: Migrated, **options: Any) -> Connection:
    connection = Connection(replace(ConnectionOptions(database.url), **options))
    database.opened.callback(connection.close)
    return connection


def raising(sqlstate: str) -> str:
    """A statement that PostgreSQL answers with this error."""
    return f"DO $$ BEGIN RAISE EXCEPTION 'as told' USING ERRCODE = '{sqlstate}'; END $$"


def test_of_two_calls_that_lock_crosswise_both_are_done(numbers: Migrated) -> None:
    hurried = psycopg.conninfo.make_conninfo(numbers.url, options="-c deadlock_timeout=10ms")
    both_hold_one = Barrier(2)
    tries: list[int] = []

    def count_up(first: int, second: int) -> Callable[[Raw], None]:
        def work(raw: Raw) -> None:
            again = first in tries
            tries.append(first)
            with raw.transaction():
                raw.execute("UPDATE number SET n = n + 1 WHERE id = %s", (first,))
                if not again:
                    both_hold_one.wait(PATIENCE_S)
                raw.execute("UPDATE number SET n = n + 1 WHERE id = %s", (second,))

        return work

    with ThreadPoolExecutor(2) as threads:
        for call in [
            threads.submit(opened(numbers, url=hurried).run, count_up(first, 3 - first)) for first in (1, 2)
        ]:
            call.result(PATIENCE_S)
    assert numbers.all("SELECT n FROM number") == [2, 2]
    assert len(tries) == 3


def test_what_could_not_be_serialized_is_done_again(numbers: Migrated) -> None:
    tries: list[int] = []

    def work(raw: Raw) -> None:
        with raw.transaction():
            raw.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            raw.execute("SELECT FROM number")
            if not tries:
                numbers.sql.execute("UPDATE number SET n = n + 10")
            tries.append(1)
            raw.execute("UPDATE number SET n = n + 1")

    opened(numbers).run(work)
    assert (len(tries), numbers.all("SELECT n FROM number")) == (2, [11, 11])


def test_what_deadlocks_each_time_is_given_up_as_not_done(migrated: Migrated) -> None:
    tries: list[int] = []

    def work(raw: Raw) -> None:
        tries.append(1)
        raw.execute(raising("40P01"))

    with pytest.raises(StoreTimeout):
        opened(migrated).run(work)
    assert 2 < len(tries) < 20


TROUBLES = {
    "53100": "disk full",
    "53200": "out of memory",
    "53300": "too many connections",
    "57P01": "shutting down",
    "57P03": "starting up",
    "58030": "a read that failed",
    "08006": "a lost connection",
    "25006": "read-only",
    "25P03": "a transaction that was idle for too long",
    "XX000": "an internal error",
    "XX001": "damaged data",
}


def test_what_a_server_in_trouble_says_is_no_verdict_on_the_call(migrated: Migrated) -> None:
    connection = opened(migrated)
    for sqlstate in TROUBLES:
        with pytest.raises(StoreUnavailable, match="as told"):
            connection.execute(raising(sqlstate))
        assert connection.fetch("SELECT 1") == [(1,)]


def test_a_server_that_has_become_read_only_is_left_for_a_new_connection(numbers: Migrated) -> None:
    """After a failover the old one may answer on; where the address leads to the new one, so does a new connection."""
    connection = opened(numbers)
    connection.execute("SET default_transaction_read_only = on")
    with pytest.raises(StoreUnavailable, match="read-only"):
        connection.execute("UPDATE number SET n = 5")
    connection.execute("UPDATE number SET n = 6")
    assert numbers.all("SELECT n FROM number") == [6, 6]


def test_a_server_that_is_silent_over_a_link_that_lives_is_unavailable_within_bounds(
    migrated: Migrated,
) -> None:
    """The relay's kernel goes on answering for the bytes that arrive."""
    with relayed(migrated) as (relay, url):
        connection = opened(migrated, url=url, lock_timeout_s=0.1, statement_timeout_s=0.2, silence_s=1)
        assert connection.fetch("SELECT 1") == [(1,)]
        relay.stall()
        with pytest.raises(StoreUnavailable, match=r"has not answered for 1\.2 s"):
            connection.fetch("SELECT 1")
        relay.mend()
        assert connection.fetch("SELECT 1") == [(1,)]


def test_a_statement_that_the_url_gives_more_time_has_it(migrated: Migrated) -> None:
    url = psycopg.conninfo.make_conninfo(migrated.url, options="-c statement_timeout=5000")
    connection = opened(migrated, url=url, statement_timeout_s=0.1, silence_s=0)
    assert connection.fetch("SELECT 1 FROM pg_sleep(0.3)") == [(1,)]


def test_a_call_whose_backend_is_terminated_is_unavailable_and_the_next_is_done(migrated: Migrated) -> None:
    connection = opened(migrated)
    with pytest.raises(StoreUnavailable):
        connection.fetch("SELECT pg_terminate_backend(pg_backend_pid())")
    assert connection.fetch("SELECT 1") == [(1,)]


def test_without_a_connection_to_be_had_a_call_is_unavailable_until_there_is_one(migrated: Migrated) -> None:
    role = f"crowded_{migrated.one('SELECT current_database()')}"
    migrated.sql.execute(
        sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'x' CONNECTION LIMIT 1").format(sql.Identifier(role))
    )
    try:
        url = psycopg.conninfo.make_conninfo(migrated.url, user=role, password="x")
        connection = opened(migrated, url=url)
        with psycopg.connect(url), pytest.raises(StoreUnavailable, match="too many connections"):
            connection.fetch("SELECT 1")
        # the server counts the one before until it has noticed its end
        wait_until(lambda: _answers(connection), PATIENCE_S, "a free connection")
        connection.close()
    finally:
        migrated.sql.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (role,)
        )
        migrated.sql.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def test_without_descriptors_a_call_is_unavailable_whichever_is_the_one_that_lacks(
    migrated: Migrated,
) -> None:
    connection = opened(migrated)
    lacking = 0
    while not _answers_with(connection, descriptors=lacking):
        lacking += 1
        assert lacking < 10
    assert lacking > 1
    assert connection.fetch("SELECT 1") == [(1,)]


def _answers_with(connection: Connection, descriptors: int) -> bool:
    with descriptors_left(descriptors):
        return _answers(connection)


def _answers(connection: Connection) -> bool:
    try:
        return connection.fetch("SELECT 1") == [(1,)]
    except StoreUnavailable:
        return False


def test_an_outcome_that_meets_a_full_disk_is_not_refused_and_is_recorded_later(migrated: Migrated) -> None:
    race = _with_an_attempt(migrated)
    migrated.sql.execute(
        f"CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN {_DISK_FULL}; END $f$;"
        "CREATE TRIGGER disk_full BEFORE UPDATE ON shardkeeper.shard_run FOR EACH ROW EXECUTE FUNCTION disk_full()"
    )
    (claimed,) = race.create().claimed
    with pytest.raises(StoreUnavailable, match="No space left"):
        race.second.runs.record(A, [ended(claimed)])
    migrated.sql.execute("DROP FUNCTION disk_full CASCADE")
    (answer,) = race.second.runs.record(A, [ended(claimed)])
    assert answer.recording is Recording.RECORDED


_DISK_FULL = "RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'"


def test_an_outcome_behind_a_table_that_is_locked_is_given_up_soon_and_recorded_later(
    migrated: Migrated,
) -> None:
    race = _with_an_attempt(migrated)
    (claimed,) = race.create().claimed
    runs = PostgresRuns(opened(migrated, lock_timeout_s=0.05), WINDOW_S)
    with migrated.another(autocommit=False) as locker:
        locker.execute("LOCK TABLE shardkeeper.shard_run IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StoreTimeout):
            runs.record(A, [ended(claimed)])
    (answer,) = runs.record(A, [ended(claimed)])
    assert answer.recording is Recording.RECORDED


def _with_an_attempt(migrated: Migrated) -> Race:
    migrated.job()
    return Race(migrated)
