"""The built-in task ``sql`` on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import errors

from shardkeeper.tasks.parameters import WrongParameters
from shardkeeper.tasks.sql import AnswerTooLarge, ConnectionUnknown, Sql
from shardkeeper.testing import run_task
from tests.servers import PostgresDatabase
from tests.servers.postgres import on_both_postgres

SECRET = "hunter2%zz"


@pytest.fixture
def database(postgres: PostgresDatabase, allow: Callable[..., None]) -> PostgresDatabase:
    """With a table ``t (n integer primary key)`` of 1 to 5."""
    with postgres.connect() as connection:
        connection.execute("CREATE TABLE t AS SELECT n FROM generate_series(1, 5) n")
    allow(connections={"warehouse": postgres.url})
    return postgres


def run(statement: str, *arguments: Any, **parameters: Any) -> Any:
    given = {"connection": "warehouse", "statement": statement, "arguments": list(arguments), **parameters}
    return run_task(Sql, parameters=given).result


def rows(database: PostgresDatabase) -> int:
    with database.connect() as connection:
        (count,) = connection.execute("SELECT count(*) FROM t").fetchone() or (None,)
    assert isinstance(count, int)
    return count


@on_both_postgres
def test_rows_are_objects_by_column(database: PostgresDatabase) -> None:
    found = run("SELECT n, n > $1 AS big FROM t WHERE n < $2 ORDER BY n", 1, 3)
    assert found == {"rows": [{"n": 1, "big": False}, {"n": 2, "big": True}], "rowcount": 2}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1::bigint", 1),
        ("1.5::float8", 1.5),
        ("'NaN'::float8", "nan"),
        ("0.10::numeric", "0.10"),
        ("true", True),
        ("null::text", None),
        ("'é'::text", "é"),
        ("'{\"a\": [1]}'::jsonb", {"a": [1]}),
        ("date '2026-01-02'", "2026-01-02"),
        ("timestamptz '2026-01-02 03:00+02'", "2026-01-02 01:00:00+00"),
        ("interval '90 s'", "PT1M30S"),
        ("'\\x00ff'::bytea", "\\x00ff"),
        ("'12345678-1234-1234-1234-123456789012'::uuid", "12345678-1234-1234-1234-123456789012"),
        ("inet '10.0.0.1'", "10.0.0.1"),
        ("int4range(1, 3)", "[1,3)"),
        ("array[1, 2]", [1, 2]),
        ("array[date '2026-01-02']", ["2026-01-02"]),
        ("'infinity'::timestamptz", "infinity"),
    ],
)
def test_values_are_json_or_postgresqls_own_text(
    database: PostgresDatabase, expression: str, value: Any
) -> None:
    assert run(f"SELECT {expression} AS v")["rows"] == [{"v": value}]


def test_arguments_are_values_never_sql(database: PostgresDatabase) -> None:
    evil = "'; DROP TABLE t; --"
    assert run("SELECT $1::text AS v, '100%' AS p", evil)["rows"] == [{"v": evil, "p": "100%"}]
    assert run("SELECT n FROM t WHERE n = any($1)", [1, 2])["rowcount"] == 2
    assert run("SELECT $1::jsonb AS v", {"a": 1})["rows"] == [{"v": {"a": 1}}]


def test_a_statement_writes_only_where_it_is_told_to(database: PostgresDatabase) -> None:
    with pytest.raises(errors.ReadOnlySqlTransaction):
        run("DELETE FROM t")
    assert rows(database) == 5
    assert run("DELETE FROM t WHERE n > $1", 3, read_only=False) == {"rowcount": 2}
    assert rows(database) == 3
    found = run("INSERT INTO t VALUES (9) RETURNING n", read_only=False)
    assert found == {"rows": [{"n": 9}], "rowcount": 1}
    assert rows(database) == 4


@pytest.mark.parametrize(
    "statement",
    [
        "SET TRANSACTION READ WRITE",
        "DO $$ BEGIN SET TRANSACTION READ WRITE; DELETE FROM t; END $$",
        "DO $$ BEGIN PERFORM set_config('transaction_read_only', 'off', true); DELETE FROM t; END $$",
        "DO $$ BEGIN COMMIT; DELETE FROM t; END $$",
        "WITH gone AS (DELETE FROM t RETURNING n) SELECT * FROM gone",
    ],
)
def test_nothing_makes_a_read_only_statement_write(database: PostgresDatabase, statement: str) -> None:
    with pytest.raises(psycopg.Error):
        run(statement)
    assert rows(database) == 5


@pytest.mark.parametrize("arguments", [[], [1]])
def test_one_statement_alone_is_run(database: PostgresDatabase, arguments: list[int]) -> None:
    with pytest.raises(errors.SyntaxError, match="multiple commands"):
        run("SELECT 1; DROP TABLE t", *arguments, read_only=False)
    assert rows(database) == 5


def test_a_statement_without_rows_answers_with_their_number(database: PostgresDatabase) -> None:
    assert run("UPDATE t SET n = n + 10", read_only=False) == {"rowcount": 5}
    assert run("SELECT n FROM t WHERE n < 0") == {"rows": [], "rowcount": 0}
    assert run("CREATE TABLE u (n int)", read_only=False) == {"rowcount": None}


@pytest.mark.parametrize("statement", ["COPY t FROM STDIN", "COPY t TO STDOUT", "VACUUM t"])
def test_what_needs_more_than_a_statement_fails(database: PostgresDatabase, statement: str) -> None:
    with pytest.raises(psycopg.Error):
        run(statement, read_only=False)
    assert rows(database) == 5


def test_too_many_rows_and_too_many_bytes_are_rolled_back(database: PostgresDatabase) -> None:
    assert run("SELECT n FROM t", max_rows=5)["rowcount"] == 5
    with pytest.raises(AnswerTooLarge, match=r"max_rows \(4\)"):
        run("DELETE FROM t RETURNING n", max_rows=4, read_only=False)
    assert rows(database) == 5
    with pytest.raises(AnswerTooLarge, match=r"max_bytes \(1000\)"):
        run("SELECT repeat('x', 400) AS v FROM t", max_bytes=1_000)
    # however long it would go on
    with pytest.raises(AnswerTooLarge):
        run("SELECT generate_series(1, 1000000000) AS n")


def test_a_statement_ends_with_its_time(database: PostgresDatabase) -> None:
    with pytest.raises(errors.QueryCanceled, match="statement timeout"):
        run("SELECT pg_sleep(600)", timeout_s=0.2)


def test_two_columns_of_one_name_are_refused(database: PostgresDatabase) -> None:
    with pytest.raises(WrongParameters, match="the same name"):
        run("SELECT 1 AS a, 2 AS a")


def test_an_error_of_postgresql_is_passed_on(database: PostgresDatabase) -> None:
    with pytest.raises(errors.UndefinedTable, match="nowhere"):
        run("SELECT * FROM nowhere")
    with pytest.raises(errors.DivisionByZero):
        run("SELECT 1 / (n - 3) AS v FROM t")
    with pytest.raises(psycopg.Error):
        run("SELECT $1::int AS v")


# connections


def test_a_name_that_this_node_does_not_have_is_told(database: PostgresDatabase) -> None:
    with pytest.raises(ConnectionUnknown, match=r"tasks\.connections of this node has no 'other'"):
        run("SELECT 1", connection="other")


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        (f"postgresql://u:{SECRET}@127.0.0.1:1/d", ConnectionUnknown),
        (f"postgresql://u:p@127.0.0.1:1/d?password={SECRET}", ConnectionUnknown),
        ("postgresql://u:hunter2@127.0.0.1:1/d", psycopg.OperationalError),
        ("postgresql://u@127.0.0.1:1/d?password=hunter2", psycopg.OperationalError),
    ],
)
def test_an_error_never_holds_a_password(
    allow: Callable[..., None], url: str, kind: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    allow(connections={"warehouse": url})
    with pytest.raises(kind) as failed:
        run("SELECT 1")
    told = f"{failed.getrepr(style='short')} {caplog.text}"
    assert "hunter2" not in told


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"connection": None}, "connection is missing"),
        ({"statement": ""}, "statement is not a text"),
        ({"statement": "x" * 100_001}, "statement is longer than 100000"),
        ({"arguments": {"a": 1}}, "arguments is not a list"),
        ({"read_only": "no"}, "read_only is not true or false"),
        ({"timeout_s": 0}, "timeout_s is not from"),
        ({"max_rows": -1}, "max_rows is not from"),
    ],
)
def test_wrong_parameters_are_named(parameters: dict[str, Any], reason: str) -> None:
    with pytest.raises(WrongParameters, match=reason):
        run_task(Sql, parameters={"connection": "a", "statement": "SELECT 1", **parameters})
