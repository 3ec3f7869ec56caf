"""Indexes on tables that nodes write to meanwhile, for revisions after the first.

CREATE INDEX shuts writers out for as long as it reads the table: minutes, of a large history. CREATE INDEX CONCURRENTLY
does not, but runs in no transaction, leaves an invalid index behind where it is interrupted, and knows no partitioned
tables. So of these each partition gets its own, which is then attached; partitions made meanwhile have theirs from the
beginning.
"""

from __future__ import annotations

from typing import Final

from alembic.runtime.migration import MigrationContext
from psycopg.errors import UndefinedTable
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ProgrammingError

from shardkeeper.postgres.upgrading import LOCK_S

_OLD_TRANSACTIONS_S: Final = 60.0
"""How long transactions that began before are waited for. That holds nobody up."""
_LONGEST_NAME: Final = 63
_PARTITIONED: Final = "SELECT relkind = 'p' FROM pg_class WHERE oid = 'shardkeeper.{table}'::regclass"
_WITHOUT: Final = """
SELECT p.relname FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhrelid
WHERE i.inhparent = 'shardkeeper.{table}'::regclass
      AND NOT EXISTS (SELECT FROM pg_index x JOIN pg_inherits own ON own.inhrelid = x.indexrelid
                      WHERE x.indrelid = p.oid AND own.inhparent = 'shardkeeper.{name}'::regclass)
ORDER BY p.relname
"""
_VALID: Final = """
SELECT x.indisvalid FROM pg_index x WHERE x.indexrelid = to_regclass('shardkeeper.{name}')
"""


def build_index(context: MigrationContext, table: str, name: str, on: str) -> None:
    """Make the index ``name`` on ``shardkeeper.table``; ``on`` is what follows in the statement:
    ``(node_id) WHERE status = 'RUNNING'``.

    Whatever the revision did before is committed by it, and what was built before an interruption is kept: so the
    revision does nothing else.
    """
    with context.autocommit_block():
        bound = context.connection
        assert bound is not None
        if not bound.exec_driver_sql(_PARTITIONED.format(table=table)).scalar_one():
            _build(bound, table, name, on)
            return
        bound.exec_driver_sql(f"CREATE INDEX IF NOT EXISTS {name} ON ONLY shardkeeper.{table} {on}")
        for leaf in bound.exec_driver_sql(_WITHOUT.format(table=table, name=name)).scalars().all():
            _build_and_attach(bound, leaf, name, on)


def _build_and_attach(bound: Connection, leaf: str, name: str, on: str) -> None:
    own = f"{leaf}_{name}"[:_LONGEST_NAME]
    try:
        _build(bound, leaf, own, on)
        bound.exec_driver_sql(f"ALTER INDEX shardkeeper.{name} ATTACH PARTITION shardkeeper.{own}")
    except ProgrammingError as error:
        # retention has dropped the day meanwhile
        if not isinstance(error.orig, UndefinedTable):
            raise


def _build(bound: Connection, table: str, name: str, on: str) -> None:
    valid = bound.exec_driver_sql(_VALID.format(name=name)).scalar_one_or_none()
    if valid:
        return
    if valid is False:
        bound.exec_driver_sql(f"DROP INDEX CONCURRENTLY shardkeeper.{name}")
    bound.exec_driver_sql(f"SET lock_timeout = '{_OLD_TRANSACTIONS_S:g} s'")
    try:
        bound.exec_driver_sql(f"CREATE INDEX CONCURRENTLY {name} ON shardkeeper.{table} {on}")
    finally:
        bound.exec_driver_sql(f"SET lock_timeout = '{LOCK_S * 1000:g} ms'")
