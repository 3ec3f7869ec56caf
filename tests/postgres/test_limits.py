"""What lies behind limits shared by nodes in the schema, beside what the contract asks of every store."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

from shardkeeper.domain.policies.rate import starts_now
from tests.postgres.migrated import Migrated
from tests.postgres.race import A, Race

STATE = "SELECT kind || ':' || name FROM shardkeeper.limit_state ORDER BY 1"


def pool(database: Migrated, name: str, size: int) -> None:
    database.sql.execute("INSERT INTO shardkeeper.pool (name, size) VALUES (%s, %s)", (name, size))


def test_the_schema_and_the_domain_count_a_rate_alike(migrated: Migrated) -> None:
    draw, now = random.Random(1), migrated.one("SELECT now()")
    for _ in range(300):
        limit = draw.choice((1, 3, 7, 1000, 1_000_000))
        period = timedelta(
            microseconds=draw.choice((1_000, 1_000_000, 86_400_000_000, draw.randint(1_000, 10**9)))
        )
        paid_until = draw.choice((None, now + period * draw.uniform(-0.5, 1.5), now + period, now))
        found = migrated.one("SELECT shardkeeper.rate_room(%s, %s, %s, %s)", (paid_until, limit, period, now))
        assert found == starts_now(paid_until, limit, period, now), (paid_until, limit, period)


def test_there_is_a_row_to_lock_for_each_pool_and_each_job_with_limits_and_no_other(
    migrated: Migrated,
) -> None:
    pool(migrated, "db", 2)
    migrated.job("free")
    migrated.job("one", pool="db")
    migrated.job("two")
    assert migrated.all(STATE) == ["job:one", "pool:db"]
    migrated.sql.execute("UPDATE shardkeeper.job_spec SET max_running = 1 WHERE name = 'two'")
    migrated.sql.execute("DELETE FROM shardkeeper.job_spec WHERE name = 'one'")
    migrated.sql.execute("UPDATE shardkeeper.pool SET name = 'database' WHERE name = 'db'")
    assert migrated.all(STATE) == ["job:two", "pool:database"]
    migrated.sql.execute("DELETE FROM shardkeeper.pool")
    assert migrated.all(STATE) == ["job:two"]


def test_pool_status_shows_what_runs_and_what_waits(migrated: Migrated) -> None:
    pool(migrated, "db", 2)
    pool(migrated, "idle", 7)
    race = Race(migrated)
    for job in ("one", "two"):
        migrated.job(job, pool="db", overlap="allow")
        for _ in range(3):
            migrated.one("SELECT shardkeeper.trigger_job(%s)", (job,))
    race.second.runs.claim(A, [each.key for each in race.second.runs.pending(A, 10)])
    rows = migrated.sql.execute("SELECT * FROM shardkeeper.pool_status ORDER BY name").fetchall()
    assert rows == [("db", 2, 2, 4), ("idle", 7, 0, 0)]


def test_authors_make_pools_and_nodes_claim_under_them_with_no_more_rights_than_theirs(
    migrated: Migrated,
) -> None:
    author, node = migrated.another(), migrated.another()
    author.execute("SET ROLE shardkeeper_author")
    author.execute("INSERT INTO shardkeeper.pool (name, size) VALUES ('db', 1)")
    migrated.job("one")
    author.execute(
        "UPDATE shardkeeper.job_spec SET pool = 'db', overlap = 'allow', rate_limit = 5 WHERE name = 'one'"
    )
    race = Race(migrated)
    run = migrated.one("SELECT shardkeeper.trigger_job('one')")
    node.execute("SET ROLE shardkeeper_node")
    claimed: list[Any] = node.execute(
        "SELECT run_id FROM shardkeeper.claim_attempts(%s, ARRAY[%s]::bigint[],"
        " ARRAY(SELECT fire_time FROM shardkeeper.job_run), ARRAY[0], ARRAY[1])",
        (A, run),
    ).fetchall()
    assert claimed == [(run,)]
    assert race.attempts(run) == ["RUNNING"]


def test_a_backlog_that_waits_for_a_pool_is_shown_little_of_and_hides_nothing(migrated: Migrated) -> None:
    """However many jobs share the pool: a node is not to ask in vain for all that waits."""
    pool(migrated, "db", 2)
    race = Race(migrated)
    for number in range(40):
        migrated.job(f"job-{number:02}", pool="db", overlap="allow", sharding_total_count=5)
        migrated.one("SELECT shardkeeper.trigger_job(%s)", (f"job-{number:02}",))
    migrated.job("free", overlap="allow")
    free = migrated.one("SELECT shardkeeper.trigger_job('free')")
    shown = [each.key.run_id for each in race.second.runs.pending(A, 1000)]
    assert free in shown
    assert 2 <= len(shown) - 1 <= 20
    held = race.second.runs.claim(A, [each.key for each in race.second.runs.pending(A, 1000)])
    assert len(held) == 3
    assert race.second.runs.pending(A, 1000) == []


def test_whoever_chooses_attempts_is_told_how_many_of_each_job_and_which_values_are_used_up(
    migrated: Migrated,
) -> None:
    pool(migrated, "db", 5)
    race = Race(migrated)
    columns: dict[str, dict[str, Any]] = {
        "free": {},
        "keyed": {"concurrency_key": "account"},
        "pooled": {"pool": "db"},
        "rated": {"rate_limit": 4, "rate_period": "1 day", "pool": "db"},
        "single": {"max_running": 1, "pool": "db"},
    }
    for job, limits in columns.items():
        migrated.job(job, overlap="allow", **limits)
        migrated.one('SELECT shardkeeper.trigger_job(%s, \'{"account": "a"}\')', (job,))
    race.second.runs.claim(A, [each.key for each in race.second.runs.pending(A, 10)])
    rows = migrated.sql.execute(
        "SELECT * FROM shardkeeper.allowances(shardkeeper.limits_of(%s)) ORDER BY 1", (list(columns),)
    ).fetchall()
    assert rows == [
        ("keyed", 1_000_000, ["a"]), ("pooled", 2, []), ("rated", 2, []), ("single", 0, []),
    ]  # fmt: skip
