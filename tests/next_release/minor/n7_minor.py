"""Another minor version: what the releases before cannot work with."""

from __future__ import annotations

from alembic import op

revision = "next_7"
down_revision = "next_6"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DROP INDEX shardkeeper.audit_log_by_age")
    op.execute(
        "CREATE OR REPLACE FUNCTION shardkeeper.schema_minor() RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE"
        " RETURN '9.9'"
    )
