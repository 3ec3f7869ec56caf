from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from shardkeeper.devservers import PostgresServer, ServerFailed, ServerUnavailable, postgres_installation
from shardkeeper.devservers.ports import LOOPBACK, ReservedPort
from shardkeeper.devservers.postgres_installation import PostgresInstallation, unprivileged_user
from tests.servers import PostgresDatabase, PostgresPool, on_both_postgres
from tests.servers.postgres import TEST_OPTIONS, installation

as_root_only = pytest.mark.skipif(os.geteuid() != 0, reason="root alone starts servers as another user")


@on_both_postgres
def test_each_test_has_an_empty_database_of_its_own(postgres: PostgresDatabase) -> None:
    with postgres.connect() as connection:
        connection.execute("CREATE TABLE only_here (n int)")
        tables = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
        version = connection.info.server_version // 10000
    assert tables == (1,)
    assert version == postgres.server.version


def prepare_one_table(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE prepared AS SELECT 1 AS n")


def test_a_prepared_database_is_a_copy_that_others_do_not_see_changed(postgres_pool: PostgresPool) -> None:
    with postgres_pool.database(prepare=prepare_one_table) as first, first.connect() as connection:
        connection.execute("DELETE FROM prepared")
    with postgres_pool.database(prepare=prepare_one_table) as second, second.connect() as connection:
        assert connection.execute("SELECT n FROM prepared").fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("own_postgres", "end"),
    [
        pytest.param(18, PostgresServer.stop, id="stopped"),
        pytest.param(18, PostgresServer.stop_immediately, id="stopped immediately"),
        pytest.param(18, PostgresServer.kill, id="killed"),
        pytest.param(15, PostgresServer.kill, id="killed, PostgreSQL 15"),
    ],
    indirect=["own_postgres"],
)
def test_what_was_committed_survives(
    end: Callable[[PostgresServer], None], own_postgres: PostgresServer
) -> None:
    url = own_postgres.create_database("kept")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    with psycopg.connect(url) as bystander:
        end(own_postgres)
        assert not own_postgres.alive
        with pytest.raises(psycopg.OperationalError):
            bystander.execute("SELECT 1")
    own_postgres.start()
    assert own_postgres.url("kept") == url
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT n FROM kept").fetchone() == (7,)


def test_a_frozen_server_is_silent_and_can_go_on(own_postgres: PostgresServer) -> None:
    with psycopg.connect(own_postgres.url(), autocommit=True) as connection:
        own_postgres.pause()
        connection.pgconn.send_query(b"SELECT 1")
        link = socket.socket(fileno=os.dup(connection.pgconn.socket))
        with link:
            link.settimeout(0.3)
            with pytest.raises(TimeoutError):
                link.recv(1, socket.MSG_PEEK)
            own_postgres.resume()
            link.settimeout(10)
            assert link.recv(1, socket.MSG_PEEK)
        while connection.pgconn.get_result() is not None:
            pass


def test_the_unix_socket_leads_to_the_same_server(own_postgres: PostgresServer) -> None:
    query = "SELECT inet_client_addr() IS NULL, current_setting('data_directory')"
    with psycopg.connect(own_postgres.socket_url()) as connection:
        assert connection.execute(query).fetchone() == (True, str(own_postgres.folder / "data"))


def test_a_long_folder_name_does_not_stop_the_unix_socket(server_folder: Path) -> None:
    folder = server_folder / ("long" * 30)
    with (
        PostgresServer(folder, options=TEST_OPTIONS) as server,
        psycopg.connect(server.socket_url()) as connection,
    ):
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_nobody_gets_in_without_the_password(own_postgres: PostgresServer) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(f"postgresql://postgres:wrong@{LOOPBACK}:{own_postgres.port}/postgres")


def test_a_port_taken_by_a_stranger_is_given_up_for_another(
    server_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as stranger:
        stranger.bind((LOOPBACK, 0))
        stranger.listen()
        taken = stranger.getsockname()[1]
        honest = ReservedPort.take()
        offers = iter([ReservedPort(taken, stranger.dup().detach()), honest])
        monkeypatch.setattr(ReservedPort, "take", lambda: next(offers))
        with PostgresServer(server_folder / "postgres", options=TEST_OPTIONS) as server:
            assert server.port == honest.number


def test_data_of_another_version_are_refused(server_folder: Path) -> None:
    server = PostgresServer(server_folder, options=TEST_OPTIONS)
    (server_folder / "data").mkdir()
    (server_folder / "data" / "PG_VERSION").write_text("15\n")
    with pytest.raises(ServerFailed, match="PostgreSQL 15, not 18"):
        server.start()


def test_a_setting_that_postgres_refuses_is_shown_with_the_log(server_folder: Path) -> None:
    options = type(TEST_OPTIONS)(durable=False, settings={"no_such_setting": "1"})
    with pytest.raises(ServerFailed, match="no_such_setting"):
        PostgresServer(server_folder / "postgres", options=options).start()


@as_root_only
def test_root_is_told_when_the_folder_is_closed_to_the_user_the_server_runs_as(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(ServerUnavailable, match="may not enter"):
        PostgresServer(tmp_path / "postgres", options=TEST_OPTIONS).start()
    assert tmp_path.stat().st_mode & 0o777 == 0o700


@as_root_only
def test_programs_in_a_closed_folder_are_copied_and_the_folder_stays_closed(
    tmp_path: Path, server_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded = installation(18)
    package = embedded.programs.parents[1]
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    for each in (package, package.parent / f"{package.name}.libs"):
        shutil.copytree(
            each, home / each.name, symlinks=True, ignore=shutil.ignore_patterns("pginstall", "include")
        )
    closed = PostgresInstallation(home / embedded.programs.relative_to(package.parent), embedded.version)
    monkeypatch.setattr(postgres_installation, "_ROOTS_COPIES", server_folder / "copies")
    user = unprivileged_user()
    assert user is not None
    with PostgresServer(server_folder / "postgres", closed, TEST_OPTIONS) as server:
        assert server.installation.programs.is_relative_to(server_folder / "copies")
        copied = server.installation.programs
    assert home.stat().st_mode & 0o777 == 0o700
    assert closed.reachable_for(user).programs == copied
