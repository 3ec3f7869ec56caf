"""Submitting by SQL: in bulk by INSERT and COPY, by key at the same time as others, and how nodes are woken."""

from __future__ import annotations

from threading import Thread
from typing import Any

import psycopg
import pytest

from shardkeeper.postgres.operator import PostgresOperator
from tests.postgres.migrated import Migrated
from tests.waiting import wait_until

RUNS = "SELECT job_name, parameters, priority, idempotency_key FROM shardkeeper.job_run ORDER BY id"


def copy(connection: psycopg.Connection[Any], columns: str, rows: list[tuple[Any, ...]]) -> None:
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY shardkeeper.submission ({columns}) FROM STDIN") as into,
    ):
        for row in rows:
            into.write_row(row)


def told(listener: psycopg.Connection[Any]) -> int:
    """How many notifications of work have come."""
    return sum(notify.payload == '{"kind": "work"}' for notify in listener.notifies(timeout=0.2))


# In bulk


def test_what_is_copied_is_submitted_for_many_jobs_and_not_kept(migrated: Migrated) -> None:
    migrated.job("one", every=None, priority=5)
    migrated.job("two", every=None, sharding_total_count=2)
    rows = [("one", '{"n": 1}', 0), ("two", '{"n": 2}', -3), ("one", '{"n": 3}', 7)]
    copy(migrated.sql, "job, parameters, priority", rows)
    assert migrated.sql.execute(RUNS).fetchall() == [
        ("one", {"n": 1}, 5, None),
        ("two", {"n": 2}, -3, None),
        ("one", {"n": 3}, 7, None),
    ]
    assert migrated.one("SELECT count(*) FROM shardkeeper.shard_run WHERE claim_key IS NOT NULL") == 4
    assert migrated.one("SELECT count(*) FROM shardkeeper.submission") == 0


def test_what_is_inserted_is_submitted_once_by_key(migrated: Migrated) -> None:
    migrated.job(every=None)
    insert = "INSERT INTO shardkeeper.submission (job, key) SELECT 'job', 'k' || n % 3 FROM generate_series(1, 9) n"
    migrated.sql.execute(insert)
    migrated.sql.execute(insert)
    assert migrated.all("SELECT idempotency_key FROM shardkeeper.job_run ORDER BY 1") == ["k0", "k1", "k2"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"job": "nobody"}, "submission 2: there is no job 'nobody'"),
        ({"job": "off"}, "submission 2: off is disabled: enable it first"),
        ({"priority": 101}, "submission 2: the priority 101"),
        ({"key": ""}, "submission 2: the idempotency key"),
        ({"at": "infinity"}, "submission 2: the instant"),
        ({"parameters": "[1]"}, "submission 2: the parameters are not a JSON object"),
        (
            {"parameters": '{"text": "0123456789"}'},
            "submission 2: the parameters are 22 bytes of JSON, and job takes 20",
        ),
    ],
)
def test_a_row_that_is_refused_refuses_the_statement_and_is_named(
    migrated: Migrated, wrong: dict[str, Any], said: str
) -> None:
    migrated.job(every=None, parameters_limit=20)
    migrated.job("off", every=None, enabled=False)
    right = {"job": "job", "parameters": "{}", "key": None, "priority": 0, "at": None}
    with pytest.raises(psycopg.Error) as refused:
        copy(migrated.sql, ", ".join(right), [tuple(row.values()) for row in (right, right | wrong, right)])
    assert refused.value.sqlstate == "SKREF"
    assert (refused.value.diag.message_primary or "").startswith(said)
    assert migrated.one("SELECT count(*) FROM shardkeeper.job_run") == 0
    assert migrated.one("SELECT count(*) FROM shardkeeper.submission") == 0


def test_json_that_cannot_be_stored_is_refused_with_the_line(migrated: Migrated) -> None:
    migrated.job(every=None)
    with pytest.raises(psycopg.errors.UntranslatableCharacter) as refused:
        copy(migrated.sql, "job, parameters", [("job", "{}"), ("job", '{"a": "\\u0000"}')])
    assert "line 2" in (refused.value.diag.context or "")


def test_whoever_writes_specs_may_copy_submissions_and_read_no_table_of_its_own(migrated: Migrated) -> None:
    migrated.job(every=None)
    author = migrated.another()
    author.execute("SET ROLE shardkeeper_author")
    copy(author, "job", [("job",), ("job",)])
    assert author.execute("SELECT shardkeeper.submit_many('job', '{\"{}\"}')").fetchone() is not None
    assert migrated.one("SELECT count(*) FROM shardkeeper.job_run") == 3
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        author.execute("INSERT INTO shardkeeper.job_run (job_name, fire_time) VALUES ('job', now())")


def test_two_who_submit_the_same_keys_at_once_in_another_order_wait_and_agree(migrated: Migrated) -> None:
    migrated.job(every=None)
    query = "SELECT shardkeeper.submit_many('job', array_fill('{}'::jsonb, array[3]), %s)"
    first = migrated.another(autocommit=False)
    found = [first.execute(query, (["a", "b", "c"],)).fetchone()]
    second = migrated.another()
    thread = Thread(target=lambda: found.append(second.execute(query, (["c", "b", "a"],)).fetchone()))
    thread.start()
    pid = second.info.backend_pid
    wait_until(
        lambda: migrated.one("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s", (pid,))
    )
    first.commit()
    thread.join()
    assert found[0] is not None
    assert found[1] is not None
    assert found[0][0] == found[1][0][::-1]


# Waking nodes


def told_after(migrated: Migrated, listener: psycopg.Connection[Any], milliseconds: int) -> int:
    """What a submission tells when the last one was told of so long ago."""
    migrated.sql.execute(
        "SELECT setval('shardkeeper.work_told', (extract(epoch FROM clock_timestamp()) * 1000)::bigint - %s)",
        (milliseconds,),
    )
    migrated.sql.execute("SELECT shardkeeper.submit('job')")
    return told(listener)


def test_work_is_not_told_of_again_within_milliseconds(migrated: Migrated) -> None:
    migrated.job(every=None)
    listener = migrated.another()
    listener.execute("LISTEN shardkeeper")
    assert told_after(migrated, listener, 60_000) == 1
    # on a slow machine the milliseconds may be over before the submission reads the clock
    wait_until(lambda: told_after(migrated, listener, 0) == 0)


def test_a_clock_that_was_ahead_silences_nobody(migrated: Migrated) -> None:
    migrated.job(every=None)
    listener = migrated.another()
    listener.execute("LISTEN shardkeeper")
    assert told_after(migrated, listener, -60_000) == 1


def test_within_a_longer_transaction_work_is_told_of_once_and_whatever_others_told(
    migrated: Migrated,
) -> None:
    migrated.job(every=None)
    listener = migrated.another()
    listener.execute("LISTEN shardkeeper")
    longer = migrated.another(autocommit=False)
    longer.execute("CREATE TEMP TABLE before (n int)")
    longer.execute("INSERT INTO before VALUES (1)")
    migrated.sql.execute("SELECT shardkeeper.submit('job')")
    for _ in range(5):
        longer.execute("SELECT shardkeeper.submit('job')")
    assert told(listener) == 1
    longer.commit()
    assert told(listener) == 1


def test_what_is_to_start_later_wakes_nobody(migrated: Migrated) -> None:
    migrated.job(every=None)
    listener = migrated.another()
    listener.execute("LISTEN shardkeeper")
    migrated.sql.execute("SELECT shardkeeper.submit('job', at => now() + interval '1 hour')")
    assert told(listener) == 0


def test_a_submission_by_the_port_is_one_statement_in_the_name_of_who_gave_it(migrated: Migrated) -> None:
    migrated.job(every=None)
    operator = PostgresOperator(migrated.adapter())
    runs = [
        operator.submit("job", {}, None, 0, None, "ada"),
        *operator.submit_many("job", [{}], None, 0, None, "bob"),
    ]
    rows = migrated.sql.execute("SELECT id, requested_by FROM shardkeeper.job_run ORDER BY id").fetchall()
    assert rows == list(zip(runs, ["ada", "bob"], strict=True))
