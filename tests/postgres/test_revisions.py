"""Every revision after the first only adds, within its minor version, and shuts nobody out for long."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from shardkeeper.postgres import migrations
from shardkeeper.postgres.upgrading import Upgrading
from tests.next_release import MINOR, PATCH, release, shipped_head
from tests.postgres.additive import narrowed, read_catalog
from tests.postgres.migrated import Migrated
from tests.servers import PostgresDatabase, on_both_postgres

# Judges locks while they are held. CREATE INDEX has SHARE on what it reads until its transaction ends; on a partitioned
# table alone it reads nothing. ALTER TABLE has ACCESS EXCLUSIVE: who has one table and waits for another stands in a
# circle with nodes that came the other way
GUARD = """
CREATE TABLE public.there AS SELECT c.oid, c.relkind FROM pg_class c
WHERE c.relnamespace = 'shardkeeper'::regnamespace AND c.relkind IN ('r', 'p');
CREATE FUNCTION public.judge_locks() RETURNS event_trigger LANGUAGE plpgsql AS $$
DECLARE
    shut regclass[];
BEGIN
    SELECT array_agg(l.relation::regclass) INTO shut FROM pg_locks l JOIN public.there t ON t.oid = l.relation
    WHERE l.pid = pg_backend_pid() AND l.mode = 'ShareLock' AND t.relkind = 'r';
    IF shut IS NOT NULL THEN
        RAISE EXCEPTION 'nobody can write to % until the index is built: use build_index', shut;
    END IF;
    SELECT array_agg(DISTINCT coalesce(pg_partition_root(l.relation), l.relation)::regclass) INTO shut
    FROM pg_locks l JOIN public.there t ON t.oid = l.relation
    WHERE l.pid = pg_backend_pid() AND l.mode = 'AccessExclusiveLock';
    IF cardinality(shut) > 1 THEN
        RAISE EXCEPTION 'each of % excludes everybody until the end: one in a revision', shut;
    END IF;
END
$$;
CREATE EVENT TRIGGER judge_locks ON ddl_command_end EXECUTE FUNCTION public.judge_locks();
"""
NO_GUARD = """
DROP EVENT TRIGGER judge_locks;
DROP FUNCTION public.judge_locks();
DROP TABLE public.there;
"""


def revisions() -> list[str]:
    """Of the release that this process is of, oldest first."""
    scripts = ScriptDirectory.from_config(migrations._config()).walk_revisions()
    return [script.revision for script in scripts][::-1]


def bring_up(url: str, revision: str) -> None:
    def work(bound: Connection) -> None:
        config = migrations._config()
        config.attributes["connection"] = bound
        command.upgrade(config, revision)

    Upgrading(url, 0.0, pytest.fail).run(work)


def minor(sql: psycopg.Connection[Any]) -> Any:
    row = sql.execute("SELECT shardkeeper.schema_minor()").fetchone()
    assert row is not None
    return row[0]


def judged(url: str) -> dict[str, list[str]]:
    """What each revision after the first takes away; of one that begins another minor version nothing is asked."""
    first, *later = revisions()
    bring_up(url, first)
    found = {}
    with psycopg.connect(url, autocommit=True) as sql:
        for revision in later:
            before, of = read_catalog(sql), minor(sql)
            sql.execute(GUARD)
            bring_up(url, revision)
            sql.execute(NO_GUARD)
            if minor(sql) == of:
                found[revision] = narrowed(before, read_catalog(sql))
    return found


def test_the_shipped_revisions_only_add(postgres: PostgresDatabase) -> None:
    assert judged(postgres.url) == {revision: [] for revision in revisions()[1:]}


@on_both_postgres
def test_the_next_release_s_revisions_pass_the_same_judge(
    postgres: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = revisions()
    assert shipped[-1] == shipped_head()
    release(monkeypatch, "patch", "minor")
    assert revisions() == [*shipped, *(f"next_{number}" for number in range(1, 6)), PATCH, MINOR]
    assert judged(postgres.url) == {revision: [] for revision in revisions()[1:-1]}


TAKES_AWAY = {
    "ALTER TABLE shardkeeper.shard_run DROP COLUMN progress_message CASCADE": "shard_run.progress_message is gone",
    "ALTER TABLE shardkeeper.alert ALTER COLUMN tries TYPE bigint": "alert.tries is bigint, was integer",
    "ALTER TABLE shardkeeper.pause ALTER COLUMN reason SET NOT NULL": "pause.reason may not be null any more",
    "ALTER TABLE shardkeeper.job_spec ADD COLUMN region text NOT NULL": "job_spec.region has to be given",
    "ALTER TABLE shardkeeper.shard_run ADD COLUMN seen_at timestamptz DEFAULT clock_timestamp()": "shard_run_",
    "ALTER TABLE shardkeeper.pool ADD CHECK (size > 1)": "pool: rule 'pool_size_check' may refuse",
    'ALTER TABLE shardkeeper.lease DROP CONSTRAINT "labels is a JSON object"': "lease: rule 'labels is a JSON",
    "CREATE UNIQUE INDEX once ON shardkeeper.pause (job_name)": "pause: rule 'once' may refuse what was allowed",
    "DROP INDEX shardkeeper.shard_run_pool": "shard_run: index shard_run_pool is gone",
    "DROP TRIGGER updated ON shardkeeper.job_spec": "job_spec: trigger updated is gone",
    "DROP VIEW shardkeeper.audit": "audit is gone",
    "ALTER TYPE shardkeeper.claimed_attempt ADD ATTRIBUTE region text": "claimed_attempt.region: a type that",
    "ALTER DOMAIN shardkeeper.phase ADD CHECK (value <> 'x')": "domain phase allows something else",
    "DROP FUNCTION shardkeeper.order_drain": "order_drain(text, boolean) is gone",
    "ALTER FUNCTION shardkeeper.stop_run(bigint) SECURITY INVOKER": "stop_run(bigint) runs with the rights of its",
    "CREATE FUNCTION shardkeeper.resume_job(job text, why text DEFAULT '') RETURNS boolean RETURN true": "resume_job(",
    "REVOKE UPDATE ON shardkeeper.job_run FROM shardkeeper_node": "shardkeeper_node may UPDATE job_run no more",
    "REVOKE EXECUTE ON FUNCTION shardkeeper.stop_run FROM shardkeeper_author": "shardkeeper_author may EXECUTE",
    "REVOKE USAGE ON SCHEMA shardkeeper FROM shardkeeper_reader": "shardkeeper_reader may USAGE the schema no more",
}
ALLOWED = (
    "ALTER TABLE shardkeeper.job_run ADD COLUMN region text CHECK (region <> '')",
    "ALTER TABLE shardkeeper.shard_run ADD COLUMN cost integer NOT NULL DEFAULT 1",
    "CREATE OR REPLACE FUNCTION shardkeeper.partition_name(parent text, day date) RETURNS text RETURN 'x'",
    "CREATE FUNCTION shardkeeper.resume_job(job text, why text) RETURNS boolean RETURN true",
    "GRANT INSERT ON shardkeeper.pool TO shardkeeper_reader",
    "SELECT shardkeeper.grant_roles()",
)


def test_the_judge_sees_what_a_statement_takes_away_from_the_real_schema(migrated: Migrated) -> None:
    before = read_catalog(migrated.sql)
    found = {}
    for statement in (*TAKES_AWAY, *ALLOWED):
        with migrated.sql.transaction(force_rollback=True):
            migrated.sql.execute(statement)
            found[statement] = narrowed(before, read_catalog(migrated.sql))
    assert {statement: told for statement, told in found.items() if statement in ALLOWED and told} == {}
    missed = {
        statement: told
        for statement, told in found.items()
        if statement in TAKES_AWAY
        if not any(line.startswith(TAKES_AWAY[statement]) for line in told)
    }
    assert missed == {}


def test_locks_that_shut_others_out_for_long_are_refused(migrated: Migrated) -> None:
    migrated.sql.execute(GUARD)
    with pytest.raises(psycopg.errors.RaiseException, match="use build_index"):
        migrated.sql.execute("CREATE INDEX ON shardkeeper.shard_run (node_id)")
    migrated.sql.execute("CREATE INDEX CONCURRENTLY ON shardkeeper.lease (host)")
    migrated.sql.execute("CREATE INDEX ON ONLY shardkeeper.shard_run (node_id)")
    migrated.sql.autocommit = False
    migrated.sql.execute("ALTER TABLE shardkeeper.shard_run ADD COLUMN a text")
    with pytest.raises(psycopg.errors.RaiseException, match="one in a revision"):
        migrated.sql.execute("ALTER TABLE shardkeeper.lease ADD COLUMN a text")
    migrated.sql.rollback()
    migrated.sql.execute("ALTER TABLE shardkeeper.shard_run ADD COLUMN a text")
