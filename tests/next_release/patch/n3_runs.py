"""A column that is null in every run that was there."""

from __future__ import annotations

from alembic import op

revision = "next_3"
down_revision = "next_2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE shardkeeper.job_run ADD COLUMN note text")
