"""What SQL refuses by itself, and the name of the constraint that says why."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.postgres.migrated import Migrated

REFUSED: list[tuple[str, Any, str]] = [
    *[
        ("name", name, "name: a-z 0-9 first")
        for name in (
            "",
            "A",
            "a b",
            "a/b",
            "../a",
            "a\n",
            "a'",
            "-a",
            "é",
            "a\x1b[0m",
            "a" * 101,
            "a" * 10_000,
        )
    ],
    ("cron", "* * * * *", "at most one of cron, every and run_at"),
    ("every", "0", "every is 1 microsecond"),
    ("every", "-1 s", "every is 1 microsecond"),
    ("every", "1 month", "every is 1 microsecond"),
    ("every", "1 year", "every is 1 microsecond"),
    ("starts_at", "1969-12-31 00:00+00", "starts_at is in the years"),
    ("ends_at", "infinity", "ends_at is in the years"),
    ("sharding_total_count", 0, "sharding_total_count is 1 to 10000"),
    ("sharding_total_count", 10_000_000, "sharding_total_count is 1 to 10000"),
    ("sharding_item_parameters", "[]", "sharding_item_parameters is an object"),
    ("sharding_item_parameters", '{"0": 1}', "sharding_item_parameters is an object"),
    ("sharding_item_parameters", '{"a": "b"}', "sharding_item_parameters is an object"),
    ("sharding_strategy", "random", "sharding_strategy is one"),
    ("parameters", "[]", "parameters is a JSON object"),
    ("parameters", '"x"', "parameters is a JSON object"),
    ("misfire", "twice", "misfire is"),
    ("misfire_grace", "-1 s", "misfire_grace is"),
    ("catch_up_limit", 0, "catch_up_limit is"),
    ("overlap", "maybe", "overlap is"),
    ("on_lease_loss", "x", "on_lease_loss is"),
    ("max_attempts", 0, "max_attempts is"),
    ("max_takeovers", -1, "max_takeovers is"),
    ("retry_delay", "1 mon", "retry_delay is"),
    ("retry_backoff", "NaN", "retry_backoff is"),
    ("retry_backoff", 0.5, "retry_backoff is"),
    ("retry_max_delay", "-1 s", "retry_max_delay is"),
    ("timeout", "0", "timeout is more than 0"),
    ("phase_timeouts", '{"calculated": "1 s"}', "phase_timeouts"),
    ("phase_timeouts", '{"calculate": 1}', "phase_timeouts"),
    ("late_after", "0", "late_after is"),
    ("finish_within", "-1 s", "finish_within is"),
    ("priority", 101, "priority is"),
    ("max_running", 0, "max_running is"),
    ("concurrency_key", "", "concurrency_key is"),
    ("max_running_per_key", 0, "max_running_per_key is"),
    ("rate_limit", 0, "rate_limit is"),
    ("rate_period", "0", "rate_period is"),
    ("rate_period", "1 mon", "rate_period is"),
    ("follows", '{"job": ["a"]}', "follows: jobs"),
    ("follows", '{"jobs": []}', "follows: jobs"),
    ("follows", '{"jobs": [1]}', "follows: jobs"),
    ("follows", '{"jobs": ["a"], "on": "success"}', "follows: jobs"),
    ("retry_on", '{"ValueError": 1}', "retry_on is"),
    ("give_up_on", "[1]", "give_up_on is"),
    ("retention", "1 s", "retention is"),
    ("parameters_schema", "true", "parameters_schema is"),
    ("parameters_limit", 1_000_001, "parameters_limit is"),
    ("node_selector", '{"zone": 1}', "node_selector is"),
    ("alert", '{"chanel": "#x"}', "alert has only"),
    ("alert", '{"on": ["failure"]}', "alert.on lists"),
    ("alert", '{"on": "failed"}', "alert.on lists"),
    ("labels", '{"a": {}}', "labels is"),
    ("owner", "x" * 201, "owner is"),
]


def test_a_job_with_a_value_that_cannot_be_right_is_refused_by_a_check_that_says_so(
    migrated: Migrated,
) -> None:
    for column, value, constraint in REFUSED:
        with pytest.raises(psycopg.errors.CheckViolation) as refused:
            migrated.job(**{column: value})
        assert (refused.value.diag.constraint_name or "").startswith(constraint), (column, value)


def test_a_source_weighs_more_than_nothing_and_less_than_infinity(migrated: Migrated) -> None:
    migrated.impl()
    insert = "INSERT INTO shardkeeper.source_data (impl_spec, key, weight) VALUES ('impl', 'a', %s)"
    for weight in ("0", "-1", "NaN", "Infinity", "1e13"):
        with pytest.raises(psycopg.errors.CheckViolation):
            migrated.sql.execute(insert, (weight,))


def test_an_insert_needs_a_name_and_an_impl_spec_alone(migrated: Migrated) -> None:
    migrated.impl()
    migrated.sql.execute("INSERT INTO shardkeeper.job_spec (name, impl_spec) VALUES ('job', 'impl')")
    assert migrated.one("SELECT spec FROM shardkeeper.job_version") == {"name": "job", "impl_spec": "impl"}


def test_an_attempt_cannot_be_live_twice_and_an_item_cannot_succeed_twice(migrated: Migrated) -> None:
    insert = (
        "INSERT INTO shardkeeper.shard_run (run_id, fire_time, item, attempt, job_name, status) "
        "VALUES (1, '2026-11-21', 0, %s, 'job', %s)"
    )
    migrated.sql.execute(insert, (1, "FAILED"))
    migrated.sql.execute(insert, (2, "COMPLETED"))
    for status in ("PENDING", "RUNNING", "COMPLETED"):
        with pytest.raises(psycopg.errors.UniqueViolation):
            migrated.sql.execute(insert, (3, status))


@pytest.mark.parametrize(
    ("table", "column", "value", "constraint"),
    [
        ("job_run", "status", "PENDING", "status is one that is known"),
        ("job_run", "trigger_kind", "cron", "trigger_kind is one that is known"),
        ("job_run", "open_items", -1, "open_items is not negative"),
        ("shard_run", "status", "CREATED", "status is one that is known"),
        ("shard_run", "phase", "begin", "phase is initialize, calculate, validate or compensate"),
        ("idempotency_key", "key", "", "key is 1 to 200 characters"),
        ("idempotency_key", "key", "k" * 201, "key is 1 to 200 characters"),
    ],
)
def test_the_engine_s_own_columns_refuse_what_they_do_not_know(
    migrated: Migrated, table: str, column: str, value: str | int, constraint: str
) -> None:
    whole = {
        "job_run": {"job_name": "job", "fire_time": "2026-11-21", "trigger_kind": "manual", "job_version": 1},
        "shard_run": {"run_id": 1, "fire_time": "2026-11-21", "item": 0, "attempt": 1, "job_name": "job"},
        "idempotency_key": {"job_name": "job", "key": "a", "run_id": 1, "fire_time": "2026-11-21"},
    }
    row = whole[table] | {column: value}
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        migrated.sql.execute(
            f"INSERT INTO shardkeeper.{table} ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})",
            list(row.values()),
        )
    assert refused.value.diag.constraint_name == constraint


def test_a_fire_has_one_run_but_may_be_triggered_again(migrated: Migrated) -> None:
    insert = (
        "INSERT INTO shardkeeper.job_run (job_name, fire_time, trigger_kind, job_version) "
        "VALUES ('job', '2026-11-21', %s, 1)"
    )
    migrated.sql.execute(insert, ("schedule",))
    with pytest.raises(psycopg.errors.UniqueViolation):
        migrated.sql.execute(insert, ("misfire",))
    migrated.sql.execute(insert, ("manual",))
    migrated.sql.execute(insert, ("manual",))


def test_no_function_of_the_hot_path_compares_each_item_of_a_run_with_each_other(migrated: Migrated) -> None:
    """A merge join may go by the run alone: of a thousand items recorded together each is compared with each."""
    settings = migrated.all(
        "SELECT proconfig FROM pg_proc WHERE pronamespace = 'shardkeeper'::regnamespace"
        " AND 'enable_nestloop=off' = ANY (proconfig)"
    )
    assert len(settings) > 10
    assert all("enable_mergejoin=off" in one for one in settings)
