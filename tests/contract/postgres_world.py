"""The real stores on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from shardkeeper.postgres.alerts import PostgresAlerts
from shardkeeper.postgres.connection import Connection, ConnectionOptions
from shardkeeper.postgres.housekeeping import PostgresHousekeeping
from shardkeeper.postgres.leases import PostgresLeases
from shardkeeper.postgres.migrations import Migrations
from shardkeeper.postgres.operator import PostgresOperator
from shardkeeper.postgres.runs import PostgresRuns
from shardkeeper.postgres.specs import PostgresSpecs
from shardkeeper.postgres.sweep import PostgresSweep
from tests.contract.store_worlds import Author, StoreWorld

STATEMENT_TIMEOUT_S = 10.0

_INSTANTS = {
    "job_version": ("in_force_from",),
    "impl_version": ("in_force_from",),
    "pause": ("since", "until", "resumed_at"),
    "sweep_state": ("watermark", "window_until"),
    "house_state": ("late_until", "cleaned_at"),
    "lease": ("joined_at", "beaten_at"),
    "duty": ("held_until", "renewed_at"),
    "limit_state": ("tat",),
    "alert": ("created_at", "due_at", "taken_until"),
    "shard_run": ("not_before", "claim_key", "created_at", "claimed_at"),
    "follow_gate": ("opened_at",),
}
_FIRES = {
    "job_run": ("fire_time", "fire_until", "finished_at"),
    "shard_run": ("fire_time",),
    "calculate_value": ("fire_time",),
    "live_run": ("fire_time",),
}
_TABLES = """
    select c.relname from pg_class c
    where c.relnamespace = 'shardkeeper'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and c.relname not in ('schema_revision', 'sweep_state', 'house_state', 'follow_guard')
"""


def upgrade(url: str) -> None:
    """Prepare a template database."""
    Migrations(url).upgrade()


class _AuthorInSql(Author):
    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self._connection.transaction():
            yield

    def put_job(self, name: str, **columns: Any) -> None:
        self._put("job_spec", {"name": name}, columns)

    def delete_job(self, name: str) -> None:
        self._connection.execute("delete from shardkeeper.job_spec where name = %s", (name,))

    def put_pool(self, name: str, size: int) -> None:
        self._put("pool", {"name": name}, {"size": size})

    def put_impl(self, name: str, **columns: Any) -> None:
        self._put("impl_spec", {"name": name}, columns)

    def put_source(self, impl_spec: str, key: str, **columns: Any) -> None:
        self._put("source_data", {"impl_spec": impl_spec, "key": key}, columns)

    def _put(self, table: str, key: Mapping[str, Any], columns: Mapping[str, Any]) -> None:
        row = {
            name: Jsonb(value) if isinstance(value, dict) else value
            for name, value in {**key, **columns}.items()
        }
        update = sql.SQL("update {} set {} where {}").format(
            sql.Identifier("shardkeeper", table),
            sql.SQL(", ").join(map(_assignment, row)),
            sql.SQL(" and ").join(map(_assignment, key)),
        )
        if self._connection.execute(update, row).rowcount == 0:
            insert = sql.SQL("insert into {} ({}) values ({})").format(
                sql.Identifier("shardkeeper", table),
                sql.SQL(", ").join(map(sql.Identifier, row)),
                sql.SQL(", ").join(map(sql.Placeholder, row)),
            )
            self._connection.execute(insert, row)


def _assignment(column: str) -> sql.Composed:
    return sql.SQL("{} = {}").format(sql.Identifier(column), sql.Placeholder(column))


class PostgresWorld(StoreWorld):
    """The adapters, on the clock of the server: what is to be long ago is moved there."""

    def __init__(self, url: str) -> None:
        self._direct = psycopg.connect(url, autocommit=True)
        self._empty()
        self._connection = Connection(ConnectionOptions(url, statement_timeout_s=STATEMENT_TIMEOUT_S))
        self.author = _AuthorInSql(self._direct)
        self.specs = PostgresSpecs(self._connection, self.on_time_window_s)
        self.runs = PostgresRuns(self._connection, self.on_time_window_s)
        self.leases = PostgresLeases(self._connection)
        self.sweep = PostgresSweep(self._connection, self.on_time_window_s)
        self.alerts = PostgresAlerts(self._connection)
        self.house = PostgresHousekeeping(self._connection)
        self.operator = PostgresOperator(self._connection)

    def _empty(self) -> None:
        """Forget what an earlier test has left: a new database would take longer than most tests."""
        with self._direct.transaction():
            self._direct.execute("set local session_replication_role = replica")
            for (table,) in self._direct.execute(_TABLES).fetchall():
                self._direct.execute(sql.SQL("delete from {}").format(sql.Identifier("shardkeeper", table)))
            self._direct.execute(
                "update shardkeeper.sweep_state set watermark = clock_timestamp(), window_until = null, cursor = ''"
            )
            self._direct.execute(
                "update shardkeeper.house_state set late_until = clock_timestamp(), cleaned_at = null, retained_to = ''"
            )

    def now(self) -> datetime:
        # not the author's connection: that may be within a transaction
        ((now,),) = self._connection.fetch("select clock_timestamp()")
        found: datetime = now
        return found

    def pass_time(self, seconds: float, *, fires_too: bool = False) -> None:
        with self._direct.transaction():
            # no triggers: these are no changes that anybody makes
            self._direct.execute("set local session_replication_role = replica")
            self._move(_INSTANTS, seconds)
            if fires_too:
                self._move(_FIRES, seconds)

    def _move(self, tables: Mapping[str, tuple[str, ...]], seconds: float) -> None:
        for table, columns in tables.items():
            moved = sql.SQL(", ").join(
                sql.SQL("{0} = {0} - {1}").format(sql.Identifier(column), sql.Placeholder("by"))
                for column in columns
            )
            statement = sql.SQL("update {} set {}").format(sql.Identifier("shardkeeper", table), moved)
            self._direct.execute(statement, {"by": timedelta(seconds=seconds)})

    def close(self) -> None:
        self._connection.close()
        self._direct.close()
