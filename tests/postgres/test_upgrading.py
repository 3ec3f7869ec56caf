"""`db upgrade` beside whoever works on the schema: it waits briefly, lets the others pass, and says for whom."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from sqlalchemy.engine import Connection

from shardkeeper.domain.errors import GaveUpWaiting, Refused, SchemaNewer, SchemaOlder
from shardkeeper.postgres.migrations import Migrations
from shardkeeper.postgres.upgrading import LOCK_KEY, LOCK_S, Upgrading
from tests.next_release import MINOR, PATCH, release, shipped_head
from tests.postgres.migrated import Migrated
from tests.waiting import wait_until

HELD = "LOCK TABLE shardkeeper.job_run IN ACCESS SHARE MODE"
UPGRADE_WAITS = """SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND application_name = 'shardkeeper db upgrade'
                         AND wait_event_type = 'Lock'"""


def test_the_next_release_s_schema_comes_up_step_by_step(
    migrated: Migrated, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = Migrations(migrated.url), Migrations(migrated.url)
    release(monkeypatch, "patch")
    with pytest.raises(SchemaOlder, match="shardkeeper db upgrade"):
        theirs.check()
    assert (theirs.upgrade(), theirs.upgrade()) == (PATCH, PATCH)
    monkeypatch.undo()
    assert (ours.check(), ours.upgrade()) == (PATCH, PATCH)
    release(monkeypatch, "patch", "minor")
    assert theirs.upgrade() == MINOR
    monkeypatch.undo()
    for refused in (ours.check, ours.upgrade):
        with pytest.raises(SchemaNewer, match="install the version"):
            refused()


def test_nodes_at_work_are_named_before_the_schema_goes_on_to_another_minor_version(
    migrated: Migrated, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrated.sql.execute("SELECT shardkeeper.join_cluster('n1', 'n1-a', 'host', 1, 1.0, '{}', '0.1.0')")
    release(monkeypatch, "patch")
    assert Migrations(migrated.url).upgrade() == PATCH
    release(monkeypatch, "patch", "minor")
    with pytest.raises(Refused, match=r"n1 \(0\.1\.0\) work on the schema of 0\.1 .* stop them first"):
        Migrations(migrated.url).upgrade()
    assert Migrations(migrated.url).current() == PATCH
    migrated.sql.execute("SELECT shardkeeper.leave_cluster('n1-a')")
    assert Migrations(migrated.url).upgrade() == MINOR


def holder(migrated: Migrated) -> psycopg.Connection[Any]:
    """Somebody whose report reads runs, in a transaction that goes on."""
    report = migrated.another(autocommit=False, application_name="a report")
    report.execute(HELD)
    return report


def test_while_somebody_reads_on_others_pass_and_the_upgrade_says_for_whom_it_waits(
    migrated: Migrated, monkeypatch: pytest.MonkeyPatch
) -> None:
    release(monkeypatch, "patch")
    report = holder(migrated)
    told: list[str] = []
    later = migrated.another(options="-c lock_timeout=5000")
    with ThreadPoolExecutor(1) as pool:
        upgrade = pool.submit(Migrations(migrated.url).upgrade, 60.0, told.append)
        try:
            wait_until(lambda: migrated.one(UPGRADE_WAITS) == 1, what="the upgrade to wait")
            # whoever comes now stands behind the upgrade in the queue for the table
            later.execute("SELECT count(*) FROM shardkeeper.job_run")
            wait_until(lambda: told, what="a word of the upgrade")
        finally:
            report.rollback()
        assert upgrade.result(60) == PATCH
    assert all(line.startswith("waits for a report (pid ") for line in told)
    assert str(report.info.backend_pid) in told[0]


def test_an_upgrade_that_cannot_have_its_locks_in_time_gives_up_and_leaves_whole_revisions(
    migrated: Migrated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two revisions are of tables that nobody reads; the third is of runs."""
    release(monkeypatch, "patch")
    report = holder(migrated)
    migrations = Migrations(migrated.url)
    with pytest.raises(GaveUpWaiting, match=r"waited for a report \(pid \d+.*--timeout"):
        migrations.upgrade(0.0, pytest.fail)
    assert migrations.current() == "next_2"
    assert (
        migrated.all("SELECT attname FROM pg_attribute WHERE attname IN ('region', 'note')") == ["region"] * 2
    )
    report.rollback()
    assert migrations.upgrade() == PATCH


def test_in_a_circle_of_locks_the_upgrade_gives_way(migrated: Migrated) -> None:
    assert migrated.one("SELECT extract(epoch FROM current_setting('deadlock_timeout')::interval)") > LOCK_S
    other = migrated.another(autocommit=False, application_name="a node")
    other.execute("LOCK TABLE shardkeeper.shard_run IN ROW EXCLUSIVE MODE")
    told: list[str] = []

    def change_both(bound: Connection) -> None:
        for table in ("job_run", "shard_run"):
            bound.exec_driver_sql(f"LOCK TABLE shardkeeper.{table} IN ACCESS EXCLUSIVE MODE")

    with ThreadPoolExecutor(1) as pool:
        upgrade = pool.submit(Upgrading(migrated.url, 60.0, told.append).run, change_both)
        try:
            wait_until(lambda: migrated.one(UPGRADE_WAITS) == 1, what="the upgrade to wait")
            other.execute("LOCK TABLE shardkeeper.job_run IN ROW EXCLUSIVE MODE")
        finally:
            other.rollback()
        upgrade.result(60)
    assert told


def test_one_upgrade_waits_for_another_and_says_so(migrated: Migrated) -> None:
    another = migrated.another(application_name="shardkeeper db upgrade")
    another.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
    told: list[str] = []
    with ThreadPoolExecutor(1) as pool:
        upgrade = pool.submit(Migrations(migrated.url).upgrade, 60.0, told.append)
        try:
            wait_until(lambda: told, what="a word of the upgrade")
            assert not upgrade.done()
        finally:
            another.close()
        assert upgrade.result(60) == shipped_head()
    assert told[0].startswith("waits for shardkeeper db upgrade (pid ")


def test_an_index_on_history_is_there_for_every_day_also_after_an_interruption(
    migrated: Migrated, monkeypatch: pytest.MonkeyPatch
) -> None:
    (day, *_) = migrated.all(
        "SELECT inhrelid::regclass::text FROM pg_inherits i"
        " WHERE inhparent = 'shardkeeper.shard_run'::regclass ORDER BY 1"
    )
    own = f"{day.removeprefix('shardkeeper.')}_shard_run_by_node"
    migrated.sql.execute(f"CREATE INDEX {own} ON {day} (node_id, fire_time)")
    migrated.sql.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", (f"shardkeeper.{own}",)
    )
    release(monkeypatch, "patch")
    Migrations(migrated.url).upgrade()
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'shardkeeper.shard_run_by_node'::regclass"
    assert migrated.one(valid) is True
    without = """SELECT count(*) FROM pg_inherits i WHERE i.inhparent = 'shardkeeper.shard_run'::regclass
                 AND NOT EXISTS (SELECT FROM pg_indexes x WHERE x.indexdef LIKE '%%(node_id, fire_time)%%'
                                 AND x.schemaname || '.' || x.tablename = i.inhrelid::regclass::text)"""
    assert migrated.one(without) == 0
    migrated.one("SELECT made FROM shardkeeper.make_partitions(current_date + 20, current_date + 20)")
    assert (migrated.one(without), migrated.one(valid)) == (0, True)


def test_only_waiting_uses_up_the_patience(migrated: Migrated) -> None:
    """A first try takes longer than all the patience there is, by its own work, and is then held up for a moment."""
    tries = 0

    def slow(bound: Connection) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            bound.exec_driver_sql("SELECT pg_sleep(1.2)")
            bound.exec_driver_sql("DO $$ BEGIN RAISE lock_not_available; END $$")

    told: list[str] = []
    Upgrading(migrated.url, 1.0, told.append).run(slow)
    assert (tries, len(told)) == (2, 1)
