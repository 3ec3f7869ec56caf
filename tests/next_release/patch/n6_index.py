"""An index on history, built while it grows."""

from __future__ import annotations

from alembic import op

from shardkeeper.postgres.online_index import build_index

revision = "next_6"
down_revision = "next_5"
branch_labels = None
depends_on = None


def upgrade() -> None:
    build_index(op.get_context(), "shard_run", "shard_run_by_node", "(node_id, fire_time)")
