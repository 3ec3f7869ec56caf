"""A table, and functions that nodes of the release before are calling meanwhile."""

from __future__ import annotations

from alembic import op

revision = "next_5"
down_revision = "next_4"
branch_labels = None
depends_on = None

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
    for statement in (TABLE, BODIES, OVERLOAD, VIEW, GRANTS):
        op.execute(statement)
