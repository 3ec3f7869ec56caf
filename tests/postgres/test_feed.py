"""Rule 2: hints name what changed, and the slow poll misses nothing, whatever commits late."""

from __future__ import annotations

import json
from typing import Any

import psycopg

from shardkeeper.ports.specs import InvalidMark
from shardkeeper.postgres.specs import PostgresSpecs
from tests.postgres.migrated import Migrated


def heard(listener: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    """What has been notified by now: PostgreSQL delivers before it answers the next statement."""
    listener.execute("SELECT 1")
    return [json.loads(each.payload) for each in listener.notifies(timeout=0)]


def listening(migrated: Migrated) -> psycopg.Connection[Any]:
    listener = migrated.another()
    listener.execute("LISTEN shardkeeper")
    return listener


def test_a_transaction_notifies_once_with_the_names_it_changed(migrated: Migrated) -> None:
    migrated.impl()
    listener = listening(migrated)
    with migrated.sql.transaction():
        migrated.job("b")
        migrated.job("a")
        migrated.sql.execute("UPDATE shardkeeper.impl_spec SET description = 'x' WHERE name = 'impl'")
    (hint,) = heard(listener)
    assert (hint["kind"], sorted(hint["jobs"]), hint["impls"]) == ("specs", ["a", "b"], ["impl"])


def test_what_changes_nothing_or_is_rolled_back_notifies_nobody(migrated: Migrated) -> None:
    migrated.job()
    listener = listening(migrated)
    migrated.sql.execute("UPDATE shardkeeper.job_spec SET owner = owner")
    with migrated.sql.transaction(force_rollback=True):
        migrated.sql.execute("UPDATE shardkeeper.job_spec SET owner = 'ada'")
    assert heard(listener) == []


def test_names_that_would_not_fit_are_left_out(migrated: Migrated) -> None:
    migrated.impl()
    listener = listening(migrated)
    migrated.sql.execute(
        "INSERT INTO shardkeeper.job_spec (name, impl_spec) SELECT rpad('a', 95, 'x') || i, 'impl' "
        "FROM generate_series(1, 100) i"
    )
    migrated.sql.execute("DELETE FROM shardkeeper.job_spec")
    assert heard(listener) == [{"kind": "specs"}, {"kind": "specs"}]


def test_a_pause_names_its_job_and_orders_are_told(migrated: Migrated) -> None:
    migrated.job()
    listener = listening(migrated)
    migrated.sql.execute("SELECT shardkeeper.pause_job('job')")
    run = migrated.one("SELECT shardkeeper.trigger_job('job')")
    migrated.sql.execute("SELECT shardkeeper.stop_run(%s)", (run,))
    assert [hint["kind"] for hint in heard(listener)] == ["specs", "work", "orders"]


def test_a_lower_number_that_commits_later_is_not_missed(migrated: Migrated) -> None:
    migrated.job("early")
    migrated.job("late")
    specs = PostgresSpecs(migrated.adapter())
    slow = migrated.another(autocommit=False)
    slow.execute("UPDATE shardkeeper.job_spec SET owner = 'ada' WHERE name = 'late'")
    slow.execute("SET CONSTRAINTS ALL IMMEDIATE")  # it has its number from here on
    migrated.sql.execute("UPDATE shardkeeper.job_spec SET owner = 'bob' WHERE name = 'early'")
    token = specs.load().token
    slow.commit()
    numbers = dict(migrated.sql.execute("SELECT name, version FROM shardkeeper.job_spec").fetchall())
    assert numbers["late"] < numbers["early"]
    assert "late" in specs.changes(token).jobs_named


def test_a_poll_after_a_quiet_time_names_nothing(migrated: Migrated) -> None:
    migrated.job()
    specs = PostgresSpecs(migrated.adapter())
    answer = specs.changes(specs.load().token)
    assert (answer.jobs_named, answer.impls_named) == (frozenset(), frozenset())


def test_marks_of_nodes_come_with_the_poll_and_notify_nobody(migrated: Migrated) -> None:
    migrated.job()
    specs = PostgresSpecs(migrated.adapter())
    token = specs.load().token
    listener = listening(migrated)
    specs.mark_invalid(
        [InvalidMark("job", migrated.one("SELECT version FROM shardkeeper.job_spec"), "never fires")]
    )
    assert heard(listener) == []
    assert "job" in specs.changes(token).jobs_named


def test_a_token_of_a_later_time_than_the_databases_reads_everything(migrated: Migrated) -> None:
    migrated.job()
    specs = PostgresSpecs(migrated.adapter())
    for token in ("99999999999", "garbage", ""):
        assert "job" in specs.changes(token).jobs_named


def test_what_lies_between_two_snapshots_is_named_once_more_and_then_no_more(migrated: Migrated) -> None:
    migrated.job()
    specs = PostgresSpecs(migrated.adapter())
    token = specs.load().token
    migrated.sql.execute("UPDATE shardkeeper.job_spec SET owner = 'ada'")
    first = specs.changes(token)
    second = specs.changes(first.token)
    assert (first.jobs_named, second.jobs_named) == (frozenset({"job"}), frozenset())
