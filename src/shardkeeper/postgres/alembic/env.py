"""Called by Alembic for each command; the connection comes from ``migrations.py``, in a transaction of its own."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    version_table="schema_revision",
    version_table_schema="shardkeeper",
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
