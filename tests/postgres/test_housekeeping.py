"""Partitions made ahead, rows moved out of DEFAULT, retention that never drops what is open."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from shardkeeper.ports.duties import Housekeeping
from shardkeeper.ports.leases import Registration
from shardkeeper.postgres.housekeeping import PostgresHousekeeping
from shardkeeper.postgres.leases import PostgresLeases
from tests.postgres.migrated import Migrated

DAY_S = 86_400
ME = "n1-a"


def keep_house(migrated: Migrated, retention_s: float = 30 * DAY_S) -> Housekeeping:
    connection = migrated.adapter()
    PostgresLeases(connection).join(Registration("n1", ME, "host", 1, 1.0, {}, "0.1.0"))
    kept = PostgresHousekeeping(connection).keep_house(ME, retention_s)
    assert kept is not None
    return kept


def days(migrated: Migrated, parent: str = "job_run") -> list[date]:
    return migrated.all(
        "SELECT shardkeeper.partition_day(c.relname::text) AS day FROM pg_inherits i "
        "JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = %s::regclass "
        "AND c.relname !~ 'default' ORDER BY 1",
        (f"shardkeeper.{parent}",),
    )


def today() -> date:
    return datetime.now(UTC).date()


def run_at(migrated: Migrated, fire_time: datetime, status: str) -> None:
    attempt = {"RUNNING": "RUNNING", "COMPLETED": "COMPLETED"}[status]
    run = migrated.one(
        "INSERT INTO shardkeeper.job_run (job_name, fire_time, trigger_kind, job_version, status, created_at) "
        "VALUES ('job', %s, 'manual', 1, %s, %s) RETURNING id",
        (fire_time, status, fire_time),
    )
    migrated.sql.execute(
        "INSERT INTO shardkeeper.shard_run (run_id, fire_time, item, attempt, job_name, status, claim_no) "
        "VALUES (%s, %s, 0, 1, 'job', %s, 1)",
        (run, fire_time, attempt),
    )
    migrated.sql.execute(
        "INSERT INTO shardkeeper.calculate_value (run_id, fire_time, item, key, value) VALUES (%s, %s, 0, 'a', '1')",
        (run, fire_time),
    )


def test_a_new_schema_has_partitions_for_a_week_ahead(migrated: Migrated) -> None:
    for parent in ("job_run", "shard_run", "calculate_value"):
        assert days(migrated, parent)[-1] >= today() + timedelta(days=7)


def test_days_that_are_missing_are_made_and_a_second_pass_has_nothing_to_do(migrated: Migrated) -> None:
    for parent in ("job_run", "shard_run", "calculate_value"):
        migrated.sql.execute(f"DROP TABLE shardkeeper.{parent}_{today() + timedelta(days=5):%Y%m%d}")
    assert keep_house(migrated).partitions_made == 3
    assert keep_house(migrated).partitions_made == 0
    assert today() + timedelta(days=5) in days(migrated)


def test_rows_in_default_move_into_a_partition_of_their_day(migrated: Migrated) -> None:
    old = datetime.now(UTC) - timedelta(days=10)
    run_at(migrated, old, "COMPLETED")
    assert migrated.one("SELECT count(*) FROM shardkeeper.job_run_default") == 1
    kept = keep_house(migrated)
    assert (kept.partitions_made, kept.rows_moved) == (3, 3)
    for parent in ("job_run", "shard_run", "calculate_value"):
        assert migrated.one(f"SELECT count(*) FROM shardkeeper.{parent}_{old:%Y%m%d}") == 1
        assert migrated.one(f"SELECT count(*) FROM shardkeeper.{parent}_default") == 0


def test_retention_drops_days_in_which_everything_has_ended(migrated: Migrated) -> None:
    run_at(migrated, datetime.now(UTC) - timedelta(days=3), "COMPLETED")
    kept = keep_house(migrated, retention_s=1.5 * DAY_S)
    assert kept.partitions_dropped >= 3
    assert days(migrated)[0] >= today() - timedelta(days=2)
    assert migrated.one("SELECT count(*) FROM shardkeeper.job_run") == 0


def test_retention_never_drops_a_run_that_is_open(migrated: Migrated) -> None:
    migrated.job()
    run_at(migrated, datetime.now(UTC) - timedelta(days=3), "RUNNING")
    run_at(migrated, datetime.now(UTC) - timedelta(days=20), "RUNNING")
    keep_house(migrated, retention_s=1.5 * DAY_S)
    assert migrated.one("SELECT count(*) FROM shardkeeper.job_run") == 2
    assert migrated.one("SELECT count(*) FROM shardkeeper.shard_run") == 2


def test_a_run_that_is_created_while_its_day_is_being_dropped_keeps_it(migrated: Migrated) -> None:
    old = datetime.now(UTC) - timedelta(days=3)
    run_at(migrated, old, "RUNNING")
    assert migrated.one("SELECT shardkeeper.drop_day(%s)", (old.date(),)) == 0
    assert migrated.one("SELECT count(*) FROM shardkeeper.job_run") == 1


def test_a_locked_table_is_left_for_the_next_pass(migrated: Migrated) -> None:
    run_at(migrated, datetime.now(UTC) - timedelta(days=3), "COMPLETED")
    reader = migrated.another(autocommit=False)
    reader.execute("SELECT count(*) FROM shardkeeper.job_run")
    assert keep_house(migrated, retention_s=1.5 * DAY_S).partitions_dropped == 0
    reader.rollback()
    assert keep_house(migrated, retention_s=1.5 * DAY_S).partitions_dropped > 0


def test_old_versions_go_when_nothing_can_ask_for_them_and_the_one_in_force_stays(migrated: Migrated) -> None:
    migrated.job()
    for owner in ("ada", "bob"):
        migrated.sql.execute("UPDATE shardkeeper.job_spec SET owner = %s", (owner,))
    migrated.sql.execute(
        "UPDATE shardkeeper.job_version SET in_force_from = in_force_from - interval '40 days'"
    )
    keep_house(migrated)
    assert migrated.all("SELECT spec ->> 'owner' FROM shardkeeper.job_version") == ["bob"]


def test_the_last_valid_version_stays_behind_one_that_is_marked_invalid(migrated: Migrated) -> None:
    migrated.job()
    migrated.sql.execute("UPDATE shardkeeper.job_spec SET owner = 'ada'")
    migrated.sql.execute(
        "UPDATE shardkeeper.job_version SET in_force_from = in_force_from - interval '40 days'"
    )
    migrated.sql.execute(
        "INSERT INTO shardkeeper.spec_problem (version, of_impl, name, problem) "
        "SELECT max(version), false, 'job', 'bad' FROM shardkeeper.job_version"
    )
    keep_house(migrated)
    assert migrated.one("SELECT count(*) FROM shardkeeper.job_version") == 2


def test_a_run_of_a_deleted_job_that_slipped_in_is_stopped(migrated: Migrated) -> None:
    migrated.job()
    run = migrated.one("SELECT shardkeeper.trigger_job('job')")
    migrated.sql.execute("SET session_replication_role = replica")  # as if its creation had been under way
    migrated.sql.execute("DELETE FROM shardkeeper.job_spec")
    migrated.sql.execute("SET session_replication_role = origin")
    keep_house(migrated)
    row = migrated.sql.execute(
        "SELECT status, reason FROM shardkeeper.job_run WHERE id = %s", (run,)
    ).fetchone()
    assert row == ("STOPPED", "deleted")


def test_a_run_that_starts_late_or_takes_too_long_is_told_of_once_for_each(migrated: Migrated) -> None:
    migrated.job(late_after="1 s", finish_within="2 s")
    version = migrated.one("SELECT version FROM shardkeeper.job_spec")
    migrated.sql.execute(
        "INSERT INTO shardkeeper.job_run "
        "(job_name, fire_time, trigger_kind, job_version, status, started_at, finished_at) VALUES "
        "('job', now() - interval '5 s', 'schedule', %s, 'COMPLETED', now() - interval '3 s', now() + interval '1 s')",
        (version,),
    )
    keep_house(migrated)
    keep_house(migrated)
    told = migrated.all("SELECT body ->> 'which' FROM shardkeeper.alert WHERE kind = 'late' ORDER BY 1")
    assert told == ["finish_within", "late_after"]


def short_job(migrated: Migrated) -> None:
    """A job whose runs are kept for a day, and a sweep that is past everything."""
    migrated.job("short", retention="1 day")
    migrated.sql.execute("UPDATE shardkeeper.sweep_state SET watermark = clock_timestamp()")


def old_runs(migrated: Migrated, count: int, days_ago: float = 2.0) -> None:
    """Submissions of ``short``, closed since, each with its key, an attempt and a value."""
    migrated.sql.execute(
        """
        WITH made AS (
            INSERT INTO shardkeeper.job_run (job_name, fire_time, trigger_kind, job_version, status, finished_at,
                                             idempotency_key)
            SELECT 'short', clock_timestamp() - make_interval(secs => %s), 'submit', 1, 'COMPLETED',
                   clock_timestamp() - make_interval(secs => %s), 'key-' || n
            FROM generate_series(1, %s) n RETURNING id, fire_time, idempotency_key),
        attempts AS (
            INSERT INTO shardkeeper.shard_run (run_id, fire_time, item, attempt, job_name, status)
            SELECT id, fire_time, 0, 1, 'short', 'COMPLETED' FROM made),
        kept AS (
            INSERT INTO shardkeeper.calculate_value (run_id, fire_time, item, key, value)
            SELECT id, fire_time, 0, 'a', '1' FROM made)
        INSERT INTO shardkeeper.idempotency_key (job_name, key, run_id, fire_time)
        SELECT 'short', idempotency_key, id, fire_time FROM made
        """,
        (days_ago * DAY_S, days_ago * DAY_S, count),
    )


def left(migrated: Migrated) -> list[int]:
    tables = ("job_run", "shard_run", "calculate_value", "idempotency_key")
    return [migrated.one(f"SELECT count(*)::int FROM shardkeeper.{table} WHERE true") for table in tables]


def test_runs_that_are_kept_for_less_go_with_all_that_is_of_them(migrated: Migrated) -> None:
    short_job(migrated)
    old_runs(migrated, 3)
    keep_house(migrated)
    assert left(migrated) == [0, 0, 0, 0]


def test_they_go_in_batches_and_the_next_call_goes_on(migrated: Migrated) -> None:
    short_job(migrated)
    old_runs(migrated, 5)
    forget = "SELECT shardkeeper.forget_by_job(clock_timestamp() - interval '30 days', 2)"
    # when it has been at the last job it ends its round, and begins another
    assert [migrated.one(forget) for _ in range(5)] == [2, 0, 2, 0, 1]
    assert left(migrated) == [0, 0, 0, 0]


def test_a_key_that_another_run_has_meanwhile_stays(migrated: Migrated) -> None:
    short_job(migrated)
    old_runs(migrated, 1)
    migrated.sql.execute("UPDATE shardkeeper.idempotency_key SET run_id = run_id + 1000000")
    keep_house(migrated)
    assert left(migrated) == [0, 0, 0, 1]


def test_a_longer_retention_of_one_job_keeps_the_days_it_asks_for(migrated: Migrated) -> None:
    migrated.job("long", retention="10 days")
    run_at(migrated, datetime.now(UTC) - timedelta(days=3), "COMPLETED")
    assert keep_house(migrated, retention_s=1.5 * DAY_S).partitions_dropped == 0
    migrated.sql.execute("UPDATE shardkeeper.job_spec SET retention = NULL")
    assert keep_house(migrated, retention_s=1.5 * DAY_S).partitions_dropped >= 3
