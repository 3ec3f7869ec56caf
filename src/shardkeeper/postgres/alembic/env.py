"""Called by Alembic for each command; the connection comes from ``migrations.py``, outside of any transaction."""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    version_table="schema_revision",
    version_table_schema="shardkeeper",
    # the locks of one revision are let go before the next
    transaction_per_migration=True,
)
# in the first revision's transaction, as is the making of the version table: both are there with it, or not at all
connection.exec_driver_sql("CREATE SCHEMA IF NOT EXISTS shardkeeper")
with context.begin_transaction():
    context.run_migrations()
