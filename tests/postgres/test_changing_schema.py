"""The schema changes under a connection that has long been working with it."""

from __future__ import annotations

import psycopg
import pytest

from shardkeeper.domain.errors import StoreUnavailable
from shardkeeper.postgres.connection import Connection, Raw
from shardkeeper.postgres.errors import StoreTimeout
from tests.postgres.migrated import Migrated

NODES = "SELECT * FROM shardkeeper.node"
ONE_COLUMN_MORE = """
DO $$
BEGIN
    EXECUTE format('CREATE OR REPLACE VIEW shardkeeper.node AS SELECT n.*, 7 AS zone FROM (%s) n',
                   rtrim(pg_get_viewdef('shardkeeper.node'::regclass), ';'));
END
$$
"""
JOIN = "SELECT shardkeeper.join_cluster('n1', 'n1-a', 'host', 1, 1.0, '{}', '0.1.0')"


def prepared(connection: Connection) -> int:
    """How many statements its session has prepared."""
    ((count,),) = connection.fetch("SELECT count(*)::int FROM pg_prepared_statements")
    return int(count)


def test_what_was_prepared_before_a_change_answers_after_it(migrated: Migrated) -> None:
    adapter = migrated.adapter()
    migrated.sql.execute(JOIN)
    for _ in range(4):
        (before,) = adapter.rows(NODES)
    assert prepared(adapter) > 0
    migrated.sql.execute(ONE_COLUMN_MORE)
    assert adapter.rows(NODES) == [before | {"zone": 7}]


def test_what_was_prepared_answers_within_a_transaction_too(migrated: Migrated) -> None:
    adapter = migrated.adapter()
    migrated.sql.execute(JOIN)

    def ask(raw: Raw) -> int:
        with raw.transaction():
            raw.execute("SET LOCAL lock_timeout = 500")
            return len(raw.execute(NODES).fetchall()[0])

    for _ in range(4):
        before = adapter.run(ask)
    migrated.sql.execute(ONE_COLUMN_MORE)
    assert adapter.run(ask) == before + 1


@pytest.mark.parametrize(
    "words",
    [
        "tuple concurrently updated",
        "cache lookup failed for function 4711",
        "could not open relation with OID 4711",
    ],
)
def test_a_call_that_a_change_of_the_schema_has_overtaken_is_made_again(
    migrated: Migrated, words: str
) -> None:
    adapter = migrated.adapter()
    tries = 0

    def overtaken(raw: Raw) -> int:
        nonlocal tries
        tries += 1
        if tries < 3:
            raw.execute(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = '{words}'; END $$")
        return tries

    assert adapter.run(overtaken) == 3


def test_a_call_that_is_overtaken_again_and_again_is_unanswered(migrated: Migrated) -> None:
    def overtaken(raw: Raw) -> None:
        raw.execute(
            "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = 'tuple concurrently deleted'; END $$"
        )

    with pytest.raises(StoreTimeout, match="tuple concurrently deleted"):
        migrated.adapter().run(overtaken)


@pytest.mark.parametrize(
    ("state", "words", "seen"),
    [
        ("XX000", "unexpected chunk number 0", StoreUnavailable),
        ("0A000", "cached plan must not change result type", psycopg.errors.FeatureNotSupported),
        ("57014", "canceling statement due to user request", StoreTimeout),
        ("53300", "too many connections", StoreUnavailable),
    ],
)
def test_other_errors_are_told_at_once(
    migrated: Migrated, state: str, words: str, seen: type[Exception]
) -> None:
    """Also what sounds like a plan that is out of date, but was not said by the part of PostgreSQL that says so."""
    adapter = migrated.adapter()
    tries = 0

    def fails(raw: Raw) -> None:
        nonlocal tries
        tries += 1
        raw.execute(f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{state}', MESSAGE = '{words}'; END $$")

    with pytest.raises(seen, match=words):
        adapter.run(fails)
    assert tries == 1
