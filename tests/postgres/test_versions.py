"""Rule 1: every change is an immutable version, stamped with the database clock at its commit."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.postgres.migrated import Migrated

VERSIONS = "SELECT version FROM shardkeeper.job_version WHERE job_name = 'job' ORDER BY in_force_from"
SPECS = "SELECT spec FROM shardkeeper.job_version WHERE job_name = 'job' ORDER BY in_force_from"
LOCK_KEY = "SELECT pg_try_advisory_lock(shardkeeper.versions_lock_key())"


def clock(migrated: Migrated) -> datetime:
    now: datetime = migrated.one("SELECT clock_timestamp()")
    return now


def test_a_commit_that_comes_late_is_stamped_late(migrated: Migrated) -> None:
    migrated.impl()
    writer = migrated.another(autocommit=False)
    writer.execute("INSERT INTO shardkeeper.job_spec (name, impl_spec) VALUES ('job', 'impl')")
    before_commit = clock(migrated)
    writer.commit()
    assert migrated.one("SELECT in_force_from FROM shardkeeper.job_version") > before_commit


def test_whoever_holds_the_lock_exclusively_makes_commits_wait_and_be_stamped_afterwards(
    migrated: Migrated,
) -> None:
    migrated.impl()
    assert migrated.one(LOCK_KEY)
    writer = migrated.another()
    writer.execute("SET lock_timeout = 50")
    with pytest.raises(Exception, match="lock timeout"):
        writer.execute("INSERT INTO shardkeeper.job_spec (name, impl_spec) VALUES ('job', 'impl')")
    assert migrated.all(VERSIONS) == []


def test_a_stamp_holds_the_lock_until_its_commit_even_where_constraints_are_made_immediate(
    migrated: Migrated,
) -> None:
    migrated.impl()
    writer = migrated.another(autocommit=False)
    writer.execute("SET CONSTRAINTS ALL IMMEDIATE")
    writer.execute("INSERT INTO shardkeeper.job_spec (name, impl_spec) VALUES ('job', 'impl')")
    assert not migrated.one(LOCK_KEY)
    writer.execute("UPDATE shardkeeper.job_spec SET owner = 'ada'")
    writer.commit()
    assert migrated.one(LOCK_KEY)
    assert [spec.get("owner") for spec in migrated.all(SPECS)] == [None, "ada"]


def test_what_a_savepoint_takes_back_makes_no_version(migrated: Migrated) -> None:
    migrated.job()
    with migrated.sql.transaction():
        migrated.sql.execute("SAVEPOINT s")
        migrated.sql.execute("UPDATE shardkeeper.job_spec SET owner = 'ada'")
        migrated.sql.execute("ROLLBACK TO SAVEPOINT s")
        migrated.sql.execute("UPDATE shardkeeper.job_spec SET description = 'x'")
    assert [spec.get("owner") for spec in migrated.all(SPECS)] == [None, None]


def test_job_spec_says_its_version_whatever_is_written_into_the_column(migrated: Migrated) -> None:
    migrated.job(version=77)
    migrated.sql.execute("UPDATE shardkeeper.job_spec SET version = 99")
    assert [migrated.one("SELECT version FROM shardkeeper.job_spec")] == migrated.all(VERSIONS)


def test_delete_and_insert_in_one_transaction_is_an_edit(migrated: Migrated) -> None:
    migrated.job()
    with migrated.sql.transaction():
        migrated.sql.execute("DELETE FROM shardkeeper.job_spec")
        migrated.job(owner="ada")
    assert [spec.get("owner") for spec in migrated.all(SPECS)] == [None, "ada"]


def test_delete_and_the_same_insert_in_one_transaction_is_nothing(migrated: Migrated) -> None:
    migrated.job()
    with migrated.sql.transaction():
        migrated.sql.execute("DELETE FROM shardkeeper.job_spec")
        migrated.job()
    assert [migrated.one("SELECT version FROM shardkeeper.job_spec")] == migrated.all(VERSIONS)


def test_numbers_are_never_used_again_not_even_after_a_delete(migrated: Migrated) -> None:
    migrated.job()
    migrated.sql.execute("DELETE FROM shardkeeper.job_spec")
    migrated.job()
    versions = migrated.all(VERSIONS)
    assert versions == sorted(set(versions))
    assert [spec is None for spec in migrated.all(SPECS)] == [False, True, False]


def test_truncate_deletes_every_job_and_says_so(migrated: Migrated) -> None:
    migrated.job()
    migrated.job("other")
    migrated.sql.execute("TRUNCATE shardkeeper.job_spec")
    assert migrated.one("SELECT count(*) FROM shardkeeper.job_version WHERE spec IS NULL") == 2


def test_a_renamed_job_is_one_that_is_gone_and_one_that_is_new(migrated: Migrated) -> None:
    migrated.job()
    migrated.sql.execute("UPDATE shardkeeper.job_spec SET name = 'new'")
    rows = migrated.sql.execute(
        "SELECT job_name, spec IS NULL FROM shardkeeper.job_version ORDER BY 1, version"
    )
    assert rows.fetchall() == [("job", False), ("job", True), ("new", False)]


def test_a_change_of_source_data_is_a_version_of_its_impl(migrated: Migrated) -> None:
    migrated.impl()
    insert = "INSERT INTO shardkeeper.source_data (impl_spec, key, weight) VALUES ('impl', 'a', 2.5)"
    migrated.sql.execute(insert)
    migrated.sql.execute("DELETE FROM shardkeeper.source_data")
    found = migrated.all(
        "SELECT sources FROM shardkeeper.impl_version WHERE impl_name = 'impl' ORDER BY in_force_from"
    )
    assert found == [[], [{"key": "a", "weight": 2.5}], []]


def test_an_impl_that_goes_with_its_sources_is_one_deletion(migrated: Migrated) -> None:
    migrated.impl()
    migrated.sql.execute("INSERT INTO shardkeeper.source_data (impl_spec, key) VALUES ('impl', 'a')")
    migrated.sql.execute("DELETE FROM shardkeeper.impl_spec")
    found = migrated.all(
        "SELECT impl IS NULL FROM shardkeeper.impl_version WHERE impl_name = 'impl' ORDER BY in_force_from"
    )
    assert found == [False, False, True]


def test_a_clock_that_steps_back_does_not_put_a_version_before_the_one_it_follows(migrated: Migrated) -> None:
    migrated.job()
    migrated.sql.execute(
        "UPDATE shardkeeper.job_version SET in_force_from = in_force_from + interval '1 hour'"
    )
    migrated.sql.execute("UPDATE shardkeeper.job_spec SET owner = 'ada'")
    assert [spec.get("owner") for spec in migrated.all(SPECS)] == [None, "ada"]


def test_a_pause_and_its_end_are_stamped_at_their_commit(migrated: Migrated) -> None:
    migrated.job()
    writer = migrated.another(autocommit=False)
    writer.execute("SELECT shardkeeper.pause_job('job', 'storm')")
    before_pause = clock(migrated)
    writer.commit()
    writer.execute("SELECT shardkeeper.resume_job('job')")
    before_resume = clock(migrated)
    writer.commit()
    row = migrated.sql.execute("SELECT since, resumed_at FROM shardkeeper.pause").fetchone()
    assert row is not None
    assert before_pause < row[0] < before_resume < row[1]


def test_editing_the_reason_of_a_pause_leaves_its_beginning(migrated: Migrated) -> None:
    migrated.job()
    migrated.sql.execute("SELECT shardkeeper.pause_job('job', 'storm')")
    since = migrated.one("SELECT since FROM shardkeeper.pause")
    migrated.sql.execute("UPDATE shardkeeper.pause SET reason = 'flood'")
    assert migrated.one("SELECT since FROM shardkeeper.pause") == since


def test_nothing_pending_is_left_behind(migrated: Migrated) -> None:
    migrated.job()
    migrated.sql.execute("UPDATE shardkeeper.job_spec SET owner = 'ada'")
    assert migrated.one("SELECT count(*) FROM shardkeeper.pending_change") == 0
    assert migrated.one("SELECT count(*) FROM shardkeeper.pending_stamp") == 0


@pytest.mark.parametrize("migrated", [pytest.param(18, id="postgres18")], indirect=True)
def test_a_statement_over_a_hundred_thousand_jobs_is_one_stamp(migrated: Migrated) -> None:
    migrated.impl()
    migrated.sql.execute(
        "INSERT INTO shardkeeper.job_spec (name, impl_spec, every) "
        "SELECT 'job-' || i, 'impl', '1 s' FROM generate_series(1, 100000) i"
    )
    assert migrated.one("SELECT count(*) FROM shardkeeper.job_version") == 100_000
    assert migrated.one("SELECT count(DISTINCT in_force_from) FROM shardkeeper.job_version") == 1
    assert migrated.one("SELECT count(*) FROM shardkeeper.job_spec WHERE version IS NULL") == 0
