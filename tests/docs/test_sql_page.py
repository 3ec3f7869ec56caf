"""docs/reference/sql.md says what the migrated schema is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tests.docs.pages import code, page, plain, sections, table

PAGE = page("sql.md")
SECTIONS = sections(PAGE)
SPECS = ("impl_spec", "source_data", "pool", "job_spec", "submission")
SHORT_TYPES = {"timestamp with time zone": "timestamptz"}
ROLES = ("shardkeeper_reader", "shardkeeper_author")

COLUMNS = """
SELECT c.column_name::text, c.data_type::text, c.column_default::text, c.is_nullable::text
FROM information_schema.columns c
WHERE c.table_schema = 'shardkeeper' AND c.table_name = %s ORDER BY c.ordinal_position
"""
RELATIONS = """
SELECT c.relname::text FROM pg_class c
WHERE c.relnamespace = 'shardkeeper'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
"""


@pytest.fixture
def sql(documented_database: Callable[[], str]) -> Iterator[psycopg.Connection[Any]]:
    """A transaction that leaves nothing behind."""
    with psycopg.connect(documented_database()) as connection:
        yield connection
        connection.rollback()


def names(connection: psycopg.Connection[Any], query: str, *values: Any) -> set[str]:
    return {row[0] for row in connection.execute(query, values)}


@pytest.mark.parametrize("relation", SECTIONS)
def test_a_section_has_the_columns_and_types_of_its_table(
    relation: str, sql: psycopg.Connection[Any]
) -> None:
    found = [
        (name, SHORT_TYPES.get(kind, kind))
        for name, kind, _, _ in sql.execute(COLUMNS, (relation,)).fetchall()
    ]
    assert [(plain(row[0]), row[1]) for row in table(SECTIONS[relation])] == found


@pytest.mark.parametrize("relation", SPECS)
def test_the_defaults_of_what_people_write_are_the_tables(
    relation: str, sql: psycopg.Connection[Any]
) -> None:
    told = {plain(row[0]): row[2] for row in table(SECTIONS[relation])}
    for name, kind, default, nullable in sql.execute(COLUMNS, (relation,)).fetchall():
        if default is None:
            expected = {"NO": "required", "YES": "null"}[nullable]
            assert told[name] in ({"by trigger"} if name == "version" else {expected}), name
        else:
            given = f"({plain(told[name])!r}::{kind})"
            assert sql.execute(f"SELECT {given} = ({default})").fetchone() == (True,), name


def test_every_table_and_view_is_named_on_the_page(sql: psycopg.Connection[Any]) -> None:
    behind = set(re.findall(r"`(\w+)`", PAGE.split("## The engine's own tables")[1]))
    assert set(SECTIONS) | behind == names(sql, RELATIONS)
    assert not set(SECTIONS) & behind


def test_the_values_are_those_that_the_checks_allow(sql: psycopg.Connection[Any]) -> None:
    told = {
        plain(column): set(re.findall(r"`(\w+)`", values))
        for column, values in table(PAGE.split("## Values")[1])
    }
    checks = """
        SELECT pg_get_constraintdef(c.oid) FROM pg_constraint c
        WHERE c.contype = 'c' AND c.conrelid = %s::regclass AND pg_get_constraintdef(c.oid) LIKE %s
        UNION ALL
        SELECT pg_get_constraintdef(c.oid) FROM pg_constraint c JOIN pg_attribute a ON a.atttypid = c.contypid
        WHERE a.attrelid = %s::regclass AND a.attname = %s
    """
    for column, values in told.items():
        relation, _, name = column.partition(".")
        table_name = f"shardkeeper.{relation}"
        # the table's, or its column's domain's
        found = names(sql, checks, table_name, f"CHECK (({name} = ANY (%", table_name, name)
        assert len(found) == 1, column
        assert set(re.findall(r"'(\w+)'", found.pop())) == values, column


def test_the_functions_take_and_answer_what_is_told(sql: psycopg.Connection[Any]) -> None:
    signature = """
        SELECT p.proname || '(' || pg_get_function_arguments(p.oid) || ')' FROM pg_proc p
        WHERE p.pronamespace = 'shardkeeper'::regnamespace
    """
    found = {
        re.sub(r"::[a-z \[\]]+?(?=[,)])", "", one).replace("timestamp with time zone", "timestamptz")
        for one in names(sql, signature)
    }
    told = {plain(row[0]) for row in table(PAGE.split("## Functions")[1])}
    assert len(told) == 6
    assert told <= found


def test_the_statements_on_the_page_run(sql: psycopg.Connection[Any]) -> None:
    sql.execute("INSERT INTO shardkeeper.impl_spec (name, entrypoint) VALUES ('t', 'a:B')")
    sql.execute("INSERT INTO shardkeeper.job_spec (name, impl_spec) VALUES ('thumbnail', 't')")
    blocks = code(PAGE, "sql")
    assert len(blocks) == 3
    writing, *others = blocks
    for statement in writing.split(";\n")[:-2]:
        sql.execute(statement)
    # whoever orders sees what is committed alone
    sql.commit()
    for statement in (one for block in others for one in block.split(";\n") if one.strip()):
        sql.execute(statement)
    sql.commit()
    sql.execute("DELETE FROM shardkeeper.job_spec")
    sql.execute("DELETE FROM shardkeeper.impl_spec")
    sql.commit()


def test_roles_write_and_call_what_is_told(sql: psycopg.Connection[Any]) -> None:
    rows = {plain(row[0]): row for row in table(PAGE.split("## Roles")[1])}
    granted = """
        SELECT g.table_name::text FROM information_schema.role_table_grants g
        WHERE g.table_schema = 'shardkeeper' AND g.grantee = %s AND g.privilege_type = ANY (%s)
    """
    callable_ = """
        SELECT p.proname::text FROM pg_proc p
        WHERE p.pronamespace = 'shardkeeper'::regnamespace AND has_function_privilege(%s, p.oid, 'execute')
    """
    functions = set(re.findall(r"`([a-z_]+)[(`]", PAGE.split("## Functions")[1].split("## Roles")[0]))
    functions = {
        one for one in functions if names(sql, "SELECT proname::text FROM pg_proc WHERE proname = %s", one)
    }
    assert set(rows) == names(sql, "SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'shardkeeper%%'")
    for role in ROLES:
        written = names(sql, granted, role, ["INSERT", "UPDATE", "DELETE"])
        assert written == set(re.findall(r"`(\w+)`", rows[role][2])), role
        assert names(sql, RELATIONS) <= names(sql, granted, role, ["SELECT"]), role
    allowed = names(sql, callable_, "shardkeeper_author")
    assert allowed - {"run_name", "instant_text"} == functions
    assert names(sql, callable_, "shardkeeper_reader") == {"run_name", "instant_text"}
    nodes = names(sql, granted, "shardkeeper_node", ["INSERT", "UPDATE", "DELETE"])
    assert not nodes & set(SPECS)
