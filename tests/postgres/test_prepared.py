"""Statements that are called past psycopg's cursors: their answers, their errors, and a sound connection afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from shardkeeper.domain.errors import StoreUnavailable
from shardkeeper.postgres.connection import Connection, ConnectionOptions
from shardkeeper.postgres.prepared import Prepared
from tests.postgres.migrated import Migrated
from tests.postgres.relayed import relayed

ECHO = Prepared("echo", "SELECT coalesce($1::text, 'null') || coalesce($2::text, 'null')")
DIVIDE = Prepared("divide", "SELECT $1::int / $2::int")


def opened(database: Migrated, **options: Any) -> Connection:
    connection = Connection(replace(ConnectionOptions(database.url), **options))
    database.opened.callback(connection.close)
    return connection


def asked(connection: Connection, statement: Prepared, *values: str | None) -> str:
    given: Sequence[str | None] = values
    return connection.run(lambda raw: statement.value(raw, given))


def test_texts_go_there_and_come_back_null_and_empty_and_of_any_script(migrated: Migrated) -> None:
    connection = opened(migrated)
    for _ in range(3):
        assert asked(connection, ECHO, "ключ 鍵 🗝 '\"\\", None) == "ключ 鍵 🗝 '\"\\null"
        assert asked(connection, ECHO, "", "b") == "b"
    assert migrated.one("SELECT 1") == 1


def test_more_than_the_sockets_hold_goes_both_ways(migrated: Migrated) -> None:
    large = "x" * 20_000_000
    assert asked(opened(migrated), ECHO, large, large) == large + large


def test_in_another_encoding_the_texts_are_the_same(migrated: Migrated) -> None:
    url = psycopg.conninfo.make_conninfo(migrated.url, client_encoding="latin1")
    assert asked(opened(migrated, url=url), ECHO, "Grüße", None) == "Grüßenull"


def test_a_text_with_nul_is_refused_and_not_cut_off(migrated: Migrated) -> None:
    connection = opened(migrated)
    with pytest.raises(psycopg.DataError, match="NUL"):
        asked(connection, ECHO, "be\0fore", "")
    assert asked(connection, ECHO, "a", "b") == "ab"


def test_an_error_says_what_postgresql_says_and_the_connection_goes_on(migrated: Migrated) -> None:
    connection = opened(migrated)
    for _ in range(2):
        with pytest.raises(psycopg.errors.DivisionByZero) as raised:
            asked(connection, DIVIDE, "1", "0")
        assert raised.value.diag.message_primary == "division by zero"
        assert asked(connection, DIVIDE, "6", "3") == "2"
    assert connection.fetch("SELECT 1") == [(1,)]


def test_what_fails_at_the_commit_has_failed(migrated: Migrated) -> None:
    """Its row has come by then."""
    migrated.sql.execute("""
        CREATE TABLE late (n integer);
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'at the commit' USING ERRCODE = 'integrity_constraint_violation'; END $$;
        CREATE CONSTRAINT TRIGGER late AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION refuse()""")
    connection = opened(migrated)
    insert = Prepared("insert", "INSERT INTO late VALUES ($1::int) RETURNING n")
    with pytest.raises(psycopg.IntegrityError, match="at the commit"):
        asked(connection, insert, "1")
    assert migrated.one("SELECT count(*) FROM late") == 0
    assert asked(connection, ECHO, "a", "b") == "ab"


def test_what_a_pooler_has_forgotten_is_prepared_again(migrated: Migrated) -> None:
    connection = opened(migrated)
    assert asked(connection, ECHO, "a", "b") == "ab"
    connection.execute("DISCARD ALL")
    assert asked(connection, ECHO, "a", "b") == "ab"


def test_after_a_loss_it_is_prepared_on_the_new_connection(migrated: Migrated) -> None:
    connection = opened(migrated)
    before = asked(connection, Prepared("backend", "SELECT pg_backend_pid()"))
    with pytest.raises(StoreUnavailable):
        asked(connection, Prepared("end", "SELECT pg_terminate_backend(pg_backend_pid())"))
    assert asked(connection, Prepared("backend", "SELECT pg_backend_pid()")) != before


def test_a_server_that_says_nothing_is_given_up(migrated: Migrated) -> None:
    with relayed(migrated) as (relay, url):
        connection = opened(migrated, url=url, lock_timeout_s=0.1, statement_timeout_s=0.2, silence_s=1)
        assert asked(connection, ECHO, "a", "b") == "ab"
        relay.stall()
        with pytest.raises(StoreUnavailable, match=r"has not answered for 1\.2 s"):
            asked(connection, ECHO, "a", "b")
        relay.mend()
        assert asked(connection, ECHO, "a", "b") == "ab"
