"""Orders by SQL: what they insert, what they refuse, and how they get along with one another."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Thread
from typing import Any

import psycopg
import pytest

from shardkeeper.domain.built_in import BUILT_IN_NAMES
from shardkeeper.domain.errors import OrderRefused
from shardkeeper.domain.view import Member, View
from shardkeeper.ports.operator import RunFilter
from shardkeeper.postgres.leases import PostgresLeases
from shardkeeper.postgres.operator import PostgresOperator
from tests.postgres.migrated import Migrated
from tests.waiting import wait_until


def refused(migrated: Migrated, query: str, parameters: Any = ()) -> str:
    with pytest.raises(psycopg.Error) as raised:
        migrated.sql.execute(query, parameters)
    assert raised.value.sqlstate == "SKREF"
    return raised.value.diag.message_primary or ""


def test_a_trigger_inserts_the_run_and_every_item_pending(migrated: Migrated) -> None:
    migrated.job(sharding_total_count=3)
    run = migrated.one("SELECT shardkeeper.trigger_job('job', '{\"a\": 1}')")
    row = migrated.sql.execute(
        "SELECT trigger_kind, status, open_items, parameters, job_version = (SELECT version FROM shardkeeper.job_spec) "
        "FROM shardkeeper.job_run WHERE id = %s",
        (run,),
    ).fetchone()
    assert row == ("manual", "CREATED", 3, {"a": 1}, True)
    assert migrated.all("SELECT item FROM shardkeeper.shard_run WHERE status = 'PENDING' ORDER BY 1") == [
        0,
        1,
        2,
    ]


def test_what_cannot_be_ordered_is_refused_with_what_mends_it(migrated: Migrated) -> None:
    migrated.job("off", enabled=False)
    migrated.job("on")
    assert "there is no job 'none'" in refused(migrated, "SELECT shardkeeper.trigger_job('none')")
    assert "off is disabled: enable it" in refused(migrated, "SELECT shardkeeper.trigger_job('off')")
    assert "off is disabled" in refused(migrated, "SELECT shardkeeper.submit('off')")
    assert "JSON object" in refused(migrated, "SELECT shardkeeper.trigger_job('on', '[1]')")
    assert "priority" in refused(migrated, "SELECT shardkeeper.submit('on', priority => 101::smallint)")
    assert "idempotency key" in refused(migrated, "SELECT shardkeeper.submit('on', key => '')")
    assert "1970 to 9999" in refused(migrated, "SELECT shardkeeper.submit('on', at => 'infinity')")
    assert "in the past" in refused(migrated, "SELECT shardkeeper.pause_job('on', until => now())")
    assert "there is no run 7" in refused(migrated, "SELECT shardkeeper.rerun_run(7)")


def test_the_same_key_submitted_by_two_at_once_is_one_run(migrated: Migrated) -> None:
    migrated.job()
    first = migrated.another(autocommit=False)
    found = [first.execute("SELECT shardkeeper.submit('job', key => 'k')").fetchone()]
    second = migrated.another()
    thread = Thread(
        target=lambda: found.append(second.execute("SELECT shardkeeper.submit('job', key => 'k')").fetchone())
    )
    thread.start()
    pid = second.info.backend_pid
    wait_until(
        lambda: migrated.one("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = %s", (pid,))
    )
    first.commit()
    thread.join()
    assert found[0] == found[1]
    assert migrated.one("SELECT count(*) FROM shardkeeper.job_run") == 1


def test_a_submission_for_later_is_not_claimable_before(migrated: Migrated) -> None:
    migrated.job()
    migrated.sql.execute("SELECT shardkeeper.submit('job', at => now() + interval '1 hour')")
    assert migrated.one("SELECT not_before > now() + interval '59 min' FROM shardkeeper.shard_run")


def test_deleting_a_job_stops_what_nobody_has_claimed_and_lets_the_rest_end(migrated: Migrated) -> None:
    migrated.job()
    claimed = migrated.one("SELECT shardkeeper.trigger_job('job')")
    waiting = migrated.one("SELECT shardkeeper.trigger_job('job')")
    migrated.sql.execute(
        "UPDATE shardkeeper.shard_run SET status = 'RUNNING', claim_no = 1 WHERE run_id = %s", (claimed,)
    )
    migrated.sql.execute("DELETE FROM shardkeeper.job_spec")
    rows = migrated.sql.execute("SELECT id, status, reason FROM shardkeeper.job_run ORDER BY id").fetchall()
    assert rows == [(claimed, "CREATED", None), (waiting, "STOPPED", "deleted")]


def test_an_apply_that_sql_refuses_leaves_nothing_and_names_the_check(migrated: Migrated) -> None:
    operator = PostgresOperator(migrated.adapter())
    impl = {"name": "impl", "entrypoint": "tasks:Task"}
    with pytest.raises(OrderRefused, match="sharding_total_count is 1 to 10000"):
        operator.apply([impl], [{"name": "job", "impl_spec": "impl", "sharding_total_count": 0}], "ada")
    with pytest.raises(OrderRefused, match="no column colour"):
        operator.apply([impl], [{"name": "job", "impl_spec": "impl", "colour": "red"}], "ada")
    assert {row["name"] for row in operator.impls()} == BUILT_IN_NAMES


def test_an_apply_is_audited_in_the_name_of_who_gave_it(migrated: Migrated) -> None:
    operator = PostgresOperator(migrated.adapter())
    impl = {"name": "impl", "entrypoint": "tasks:Task", "sources": [{"key": "a", "weight": 2}]}
    job = {"name": "job", "impl_spec": "impl", "cron": "0 3 * * *", "labels": {"team": "x"}}
    assert operator.apply([impl], [job], "ada") == {
        "inserted": ["impl", "job"],
        "updated": [],
        "unchanged": [],
    }
    assert operator.apply([impl], [job], "bob") == {
        "inserted": [],
        "updated": [],
        "unchanged": ["impl", "job"],
    }
    del job["cron"]
    assert operator.apply([{**impl, "sources": []}], [job], "eve")["updated"] == ["impl", "job"]
    rows = migrated.sql.execute(
        "SELECT who, what FROM shardkeeper.audit WHERE subject = 'job' ORDER BY happened_at"
    )
    assert rows.fetchall() == [("ada", "insert job_spec"), ("eve", "update job_spec")]


def test_a_run_of_many_partitions_is_found_by_id_and_by_name(migrated: Migrated) -> None:
    migrated.job()
    operator = PostgresOperator(migrated.adapter())
    run = operator.trigger("job", {}, None, None, "ada")
    found = operator.run(run)
    assert found is not None
    assert operator.run(found["name"]) == found
    assert [row["id"] for row in operator.runs(RunFilter(job="job", limit=1))] == [run]
    assert operator.run("nonsense") is None
    assert operator.run(run + 1) is None


def test_the_view_that_was_mirrored_last_is_there_for_the_faces(migrated: Migrated) -> None:
    connection = migrated.adapter()
    operator = PostgresOperator(connection)
    assert operator.mirrored_view() is None
    view = View("lineage", 3, "n1-a", (Member("n1", "n1-a"),), datetime(2026, 11, 21, tzinfo=UTC))
    PostgresLeases(connection).mirror_view(view)
    assert operator.mirrored_view() == view
