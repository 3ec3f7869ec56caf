"""The same, in the versions of what they wrote."""

from __future__ import annotations

from alembic import op

revision = "next_2"
down_revision = "next_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE shardkeeper.job_version ADD COLUMN region text")
