"""Authors who change one ImplSpec at the same time: the version in force holds what both of them wrote (rule 1)."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from psycopg import errors as pg

from tests.postgres.migrated import Migrated
from tests.waiting import wait_until

WAITS = """SELECT count(*) FROM pg_stat_activity
           WHERE datname = current_database() AND application_name = 'second' AND wait_event_type = 'Lock'"""
NEWEST = "SELECT {} FROM shardkeeper.impl_version v WHERE v.impl_name = 'impl' ORDER BY v.in_force_from DESC LIMIT 1"
KEYS = NEWEST.format(
    "(SELECT jsonb_agg(s ->> 'key' ORDER BY s ->> 'key') FROM jsonb_array_elements(v.sources) s)"
)
SOURCE = "INSERT INTO shardkeeper.source_data (impl_spec, key) VALUES ('impl', %s)"
ENTRYPOINT = "UPDATE shardkeeper.impl_spec SET entrypoint = 'tasks:New'"


def stamped(migrated: Migrated, query: str, values: tuple[str, ...] = ()) -> psycopg.Connection[Any]:
    """A transaction that has made its version, and is not committed."""
    writer = migrated.another(autocommit=False)
    writer.execute(query.encode(), values)
    writer.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return writer


def meanwhile(migrated: Migrated, call: Callable[[psycopg.Connection[Any]], object]) -> Future[object]:
    """Start ``call`` in a thread, and return when it waits for a lock."""
    connection = migrated.another(application_name="second")
    answer = migrated.opened.enter_context(ThreadPoolExecutor(1)).submit(call, connection)
    wait_until(lambda: answer.done() or migrated.one(WAITS), what="the second author's wait")
    assert not answer.done()
    return answer


def test_two_who_add_sources_at_once_make_a_version_with_both(migrated: Migrated) -> None:
    migrated.impl()
    first = stamped(migrated, SOURCE, ("x",))
    second = meanwhile(migrated, lambda connection: connection.execute(SOURCE, ("y",)))
    first.commit()
    second.result()
    assert migrated.one(KEYS) == ["x", "y"]


def test_an_edit_of_the_impl_and_one_of_its_sources_at_once_make_a_version_with_both(
    migrated: Migrated,
) -> None:
    migrated.impl()
    first = stamped(migrated, SOURCE, ("x",))
    second = meanwhile(migrated, lambda connection: connection.execute(ENTRYPOINT))
    first.commit()
    second.result()
    assert migrated.one(NEWEST.format("v.impl ->> 'entrypoint'")) == "tasks:New"
    assert migrated.one(KEYS) == ["x"]


def test_who_reads_from_an_older_snapshot_is_refused_and_stamps_nothing(migrated: Migrated) -> None:
    migrated.impl()
    author = migrated.another(autocommit=False)
    author.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    author.execute("SELECT 1")
    migrated.sql.execute(SOURCE, ("x",))
    author.execute(SOURCE, ("y",))
    with pytest.raises(pg.SerializationFailure):
        author.commit()
    assert migrated.one(KEYS) == ["x"]
