"""Each role may do its work and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from shardkeeper.ports.leases import Registration
from shardkeeper.postgres.connection import Connection, ConnectionOptions
from shardkeeper.postgres.housekeeping import PostgresHousekeeping
from shardkeeper.postgres.leases import PostgresLeases
from shardkeeper.postgres.specs import PostgresSpecs
from tests.postgres.migrated import Migrated, upgrade
from tests.servers import PostgresPool

NODE = Registration("n1", "n1-a", "host", 1, 1.0, {}, "0.1.0")


@pytest.fixture(scope="module", params=[pytest.param(18, id="postgres18"), pytest.param(15, id="postgres15")])
def untouched(request: pytest.FixtureRequest, postgres_pool: PostgresPool) -> Iterator[Migrated]:
    """One database with a job that runs, for all tests that change nothing."""
    with postgres_pool.database(request.param, upgrade) as database, ExitStack() as opened:
        first = opened.enter_context(psycopg.connect(database.url, autocommit=True))
        migrated = Migrated(database.url, first, opened)
        migrated.job()
        migrated.sql.execute("SELECT shardkeeper.trigger_job('job')")
        migrated.sql.execute("UPDATE shardkeeper.shard_run SET status = 'RUNNING'")
        yield migrated


def refused(untouched: Migrated, role: str, statement: str) -> None:
    """Nobody else's privileges are left behind, and nothing is."""
    with ExitStack() as opened:
        connection = as_role(Migrated(untouched.url, untouched.sql, opened), role)
        with pytest.raises(InsufficientPrivilege):
            connection.execute(statement)


def as_role(migrated: Migrated, role: str) -> psycopg.Connection[Any]:
    connection = migrated.another()
    connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
    return connection


def test_an_author_writes_specs_and_orders(migrated: Migrated) -> None:
    author = as_role(migrated, "shardkeeper_author")
    author.execute("INSERT INTO shardkeeper.impl_spec (name, entrypoint) VALUES ('impl', 'a:B')")
    author.execute("INSERT INTO shardkeeper.source_data (impl_spec, key) VALUES ('impl', 'a')")
    author.execute(
        "INSERT INTO shardkeeper.job_spec (name, impl_spec, parameters_schema)"
        " VALUES ('job', 'impl', '{\"type\": \"object\"}')"
    )
    author.execute("INSERT INTO shardkeeper.submission (job) VALUES ('job')")
    author.execute(
        "SELECT shardkeeper.pause_job('job'), shardkeeper.resume_job('job'), shardkeeper.order_drain('n1', true)"
    )
    row = author.execute("SELECT shardkeeper.trigger_job('job'), shardkeeper.submit('job')").fetchone()
    assert row is not None
    assert author.execute("SELECT shardkeeper.stop_run(%s)", (row[0],)).fetchone() == (True,)
    author.execute("SELECT shardkeeper.rerun_run(%s)", (row[0],))
    author.execute("SELECT shardkeeper.backfill_past('job', now() - interval '1 h', now())")
    author.execute("DELETE FROM shardkeeper.job_spec")
    assert migrated.one("SELECT count(*) FROM shardkeeper.job_version") == 2


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO shardkeeper.job_version (version, job_name) VALUES (9, 'a')",
        "UPDATE shardkeeper.job_version SET in_force_from = now()",
        "DELETE FROM shardkeeper.shard_run",
        "UPDATE shardkeeper.job_run SET status = 'COMPLETED'",
        "INSERT INTO shardkeeper.pause (job_name) VALUES ('job')",
        "INSERT INTO shardkeeper.pending_stamp (xid) VALUES (pg_current_xact_id())",
        "DELETE FROM shardkeeper.audit_log",
        "DELETE FROM shardkeeper.lease",
        "SELECT shardkeeper.drop_day(current_date)",
        "SELECT shardkeeper.close_pending('{}', '{}', 'STOPPED', '')",
        "SELECT shardkeeper.grant_roles()",
        "DROP TABLE shardkeeper.job_spec",
    ],
)
@pytest.mark.parametrize("role", ["shardkeeper_author", "shardkeeper_reader"])
def test_neither_author_nor_reader_may_touch_what_nodes_write(
    untouched: Migrated, role: str, statement: str
) -> None:
    refused(untouched, role, statement)


@pytest.mark.parametrize(
    "view", ["job_status", "running_now", "node", "lateness_hourly", "alert", "audit", "pause"]
)
def test_a_reader_sees_the_views(untouched: Migrated, view: str) -> None:
    as_role(untouched, "shardkeeper_reader").execute(
        sql.SQL("SELECT * FROM {}").format(sql.Identifier("shardkeeper", view))
    )


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE shardkeeper.job_spec SET enabled = false",
        "INSERT INTO shardkeeper.impl_spec (name, entrypoint) VALUES ('x', 'os:system')",
        "SELECT shardkeeper.trigger_job('job')",
    ],
)
def test_a_reader_orders_nothing(untouched: Migrated, statement: str) -> None:
    refused(untouched, "shardkeeper_reader", statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE shardkeeper.job_spec SET enabled = false",
        "INSERT INTO shardkeeper.impl_spec (name, entrypoint) VALUES ('x', 'os:system')",
        "DELETE FROM shardkeeper.job_version",
        "DELETE FROM shardkeeper.audit_log",
        "DROP TABLE shardkeeper.job_run",
    ],
)
def test_a_node_changes_no_spec_and_no_history_of_specs(untouched: Migrated, statement: str) -> None:
    refused(untouched, "shardkeeper_node", statement)


def test_a_node_can_do_all_of_its_work(migrated: Migrated) -> None:
    migrated.job()
    url = psycopg.conninfo.make_conninfo(migrated.url, options="-c role=shardkeeper_node")
    connection = Connection(ConnectionOptions(url))
    migrated.opened.callback(connection.close)
    assert connection.fetch("SELECT current_user") == [("shardkeeper_node",)]
    leases = PostgresLeases(connection)
    assert leases.join(NODE).joined
    assert leases.beat("n1-a").alive
    assert PostgresSpecs(connection).load().jobs_named == {"job"}
    house = PostgresHousekeeping(connection).keep_house("n1-a", 86_400)
    assert house is not None
    assert house.partitions_dropped > 0


def test_granting_again_changes_nothing(migrated: Migrated) -> None:
    assert migrated.one("SELECT shardkeeper.grant_roles()") == []
    assert migrated.one("SELECT shardkeeper.make_roles()") == []
