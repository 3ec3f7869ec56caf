"""What a revision may do while nodes of the release before work on the schema."""

from __future__ import annotations

from alembic import op

from tests.next_release import shipped_head

revision = "next_patch"
down_revision = shipped_head()
branch_labels = None
depends_on = None

COLUMNS = """
ALTER TABLE shardkeeper.job_spec ADD COLUMN region text;
ALTER TABLE shardkeeper.job_version ADD COLUMN region text;
ALTER TABLE shardkeeper.job_run ADD COLUMN note text;
ALTER TABLE shardkeeper.shard_run ADD COLUMN cost double precision NOT NULL DEFAULT 1;
ALTER TABLE shardkeeper.lease ADD COLUMN zone text NOT NULL DEFAULT '';
"""
TABLE = "CREATE TABLE shardkeeper.region (name text PRIMARY KEY);"
# every function in PL/pgSQL gets another body, under the nodes that call it; and one a body that shows
BODIES = """
DO $do$
DECLARE
    found text;
BEGIN
    FOR found IN
        SELECT replace(pg_get_functiondef(p.oid), 'AS $function$', 'AS $function$ -- next release' || chr(10))
        FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
        WHERE p.pronamespace = 'shardkeeper'::regnamespace AND l.lanname = 'plpgsql'
    LOOP
        EXECUTE found;
    END LOOP;
END
$do$;
CREATE OR REPLACE FUNCTION shardkeeper.actor() RETURNS text LANGUAGE sql STABLE
RETURN coalesce(nullif(current_setting('shardkeeper.actor', true), ''), session_user) || ', next release';
"""
OVERLOAD = """
CREATE FUNCTION shardkeeper.stop_run(run_id bigint, why text) RETURNS boolean LANGUAGE sql
    RETURN shardkeeper.stop_run(run_id);
"""
VIEW = """
DO $do$
BEGIN
    EXECUTE format('CREATE OR REPLACE VIEW shardkeeper.node AS SELECT n.*, NULL::text AS zone FROM (%s) n',
                   rtrim(pg_get_viewdef('shardkeeper.node'::regclass), ';'));
END
$do$;
"""
GRANTS = "SELECT shardkeeper.grant_roles();"


def upgrade() -> None:
    for statement in (COLUMNS, TABLE, BODIES, OVERLOAD, VIEW, GRANTS):
        op.execute(statement)
