"""The way up, and who refuses to start on which schema."""

from __future__ import annotations

from threading import Thread

import psycopg
import pytest
from psycopg import sql

from shardkeeper.domain.errors import Refused, SchemaMissing, SchemaNewer, SchemaOlder, StoreUnavailable
from shardkeeper.postgres.migrations import Migrations
from shardkeeper.postgres.sqlfiles import sql_of
from tests.servers import PostgresDatabase, on_both_postgres


@on_both_postgres
def test_an_empty_database_is_brought_up_and_then_left_alone(postgres: PostgresDatabase) -> None:
    migrations = Migrations(postgres.url)
    assert migrations.current() is None
    with pytest.raises(SchemaMissing, match="shardkeeper db upgrade"):
        migrations.check()
    revision = migrations.upgrade()
    assert (migrations.current(), migrations.check(), migrations.upgrade()) == (revision,) * 3


def test_two_upgrades_at_once_are_one_after_the_other(postgres: PostgresDatabase) -> None:
    found: list[str] = []
    threads = [Thread(target=lambda: found.append(Migrations(postgres.url).upgrade())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2


def test_an_older_schema_is_refused_with_the_command_that_mends_it(
    postgres: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrations = Migrations(postgres.url)
    migrations.upgrade()
    monkeypatch.setattr(Migrations, "_known", lambda _: ["0002", "0001"])
    with pytest.raises(SchemaOlder, match="shardkeeper db upgrade"):
        migrations.check()


def test_a_newer_schema_is_worked_with_while_it_only_adds(postgres: PostgresDatabase) -> None:
    migrations = Migrations(postgres.url)
    migrations.upgrade()
    with postgres.connect() as connection:
        connection.execute("UPDATE shardkeeper.schema_revision SET version_num = '0999'")
        assert migrations.check() == "0999"
        connection.execute(
            "CREATE OR REPLACE FUNCTION shardkeeper.schema_minor() RETURNS text LANGUAGE sql IMMUTABLE RETURN '9.9'"
        )
        with pytest.raises(SchemaNewer, match=r"of 9\.9"):
            migrations.check()
        with pytest.raises(SchemaNewer):
            migrations.upgrade()


def test_a_user_that_may_not_is_told_who_may(postgres: PostgresDatabase) -> None:
    role = f"nobody_{postgres.name}"
    with postgres.connect() as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'x'").format(sql.Identifier(role)))
        try:
            url = psycopg.conninfo.make_conninfo(postgres.url, user=role, password="x")
            with pytest.raises(Refused, match="owner"):
                Migrations(url).upgrade()
        finally:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable):
        Migrations("postgresql://nobody@127.0.0.1:1/none").current()


def test_the_plain_sql_is_found_in_the_order_of_its_names() -> None:
    names = [name for name, _ in sql_of("0001")]
    assert names == sorted(names)
    assert names[0].startswith("010_")
    assert names[-1].endswith("roles.sql")
