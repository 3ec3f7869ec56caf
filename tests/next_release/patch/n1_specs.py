"""What people may write further."""

from __future__ import annotations

from alembic import op

from tests.next_release import shipped_head

revision = "next_1"
down_revision = shipped_head()
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE shardkeeper.job_spec ADD COLUMN region text")
