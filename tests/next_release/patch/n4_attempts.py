"""A column that has a value in every attempt that was there, none of which is written anew."""

from __future__ import annotations

from alembic import op

revision = "next_4"
down_revision = "next_3"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE shardkeeper.shard_run ADD COLUMN cost double precision NOT NULL DEFAULT 1")
