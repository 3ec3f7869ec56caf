"""The client as people use it: with settings, real connections, threads, forks, and a node that does the work."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from shardkeeper import Client, ServerUnavailable
from shardkeeper.client import RunFailed, SettingsInvalid
from shardkeeper.postgres.migrations import Migrations
from tests.cluster.agents import cluster_on_shared_servers
from tests.servers import PostgresDatabase, PostgresPool

LIGHT = """
import sys, shardkeeper
heavy = {"psycopg", "pydantic", "kazoo", "shardkeeper.client"} & set(sys.modules)
assert not heavy, heavy
from shardkeeper import Client
assert "kazoo" not in sys.modules and "rich" not in sys.modules
assert Client is shardkeeper.Client and "Client" in dir(shardkeeper)
"""


def prepare(database: PostgresDatabase) -> None:
    Migrations(database.url).upgrade()
    with psycopg.connect(database.url, autocommit=True) as direct:
        direct.execute("INSERT INTO shardkeeper.impl_spec (name, entrypoint) VALUES ('impl', 'tasks:Task')")
        direct.execute("INSERT INTO shardkeeper.job_spec (name, impl_spec) VALUES ('job', 'impl')")


def test_tasks_do_not_load_the_client_and_the_client_no_zookeeper() -> None:
    subprocess.run([sys.executable, "-c", LIGHT], check=True, timeout=60)


def test_settings_are_those_of_the_command_line(
    postgres: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(postgres)
    monkeypatch.setenv("SHARDKEEPER_DATABASE_URL", postgres.url)
    with Client(by="ada") as client:
        assert client.run(client.submit("job").id).status == "CREATED"
    with pytest.raises(SettingsInvalid):
        Client("nonsense")


def test_a_server_that_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    with Client(f"postgresql:///nothing?host={tmp_path}") as client, pytest.raises(ServerUnavailable):
        client.submit("job")


def test_a_connection_that_was_ended_is_opened_again(postgres: PostgresDatabase) -> None:
    prepare(postgres)
    with Client(postgres.url) as client, psycopg.connect(postgres.url, autocommit=True) as direct:
        first = client.submit("job")
        direct.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name LIKE '%client'"
        )
        assert client.submit("job").id != first.id
        assert direct.execute("SELECT count(*) FROM shardkeeper.job_run").fetchone() == (2,)


def test_threads_and_forked_processes_may_share_a_client(postgres: PostgresDatabase) -> None:
    prepare(postgres)
    with Client(postgres.url) as client, ThreadPoolExecutor(4) as threads:
        runs = list(threads.map(lambda n: client.submit("job", {"n": n}), range(40)))
        assert len({run.id for run in runs}) == 40
        child = os.fork()
        if child == 0:
            code = 1
            try:
                client.submit("job")
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        assert client.submit("job").status == "CREATED"
        with psycopg.connect(postgres.url) as direct:
            assert direct.execute("SELECT count(*) FROM shardkeeper.job_run").fetchone() == (42,)


@pytest.mark.cluster
def test_a_node_does_what_is_submitted(
    postgres_pool: PostgresPool, zookeeper_hosts: str, servers_folder: Path
) -> None:
    with cluster_on_shared_servers(postgres_pool, zookeeper_hosts, servers_folder) as cluster:
        cluster.impl()
        cluster.job("witnessed")
        cluster.impl("ill", "ill:Ill")
        cluster.job("failing", "ill")
        cluster.start("node-1")
        cluster.wait_for_view("node-1")
        with Client(cluster.url) as client:
            assert client.submit("witnessed").wait(timeout=60).status == "COMPLETED"
            runs = client.submit_many("witnessed", [{}] * 20)
            assert {run.status for run in client.wait_all(runs, timeout=60)} == {"COMPLETED"}
            with pytest.raises(RunFailed, match="item 0: RuntimeError: no such feed"):
                client.submit("failing", {"way": "raises", "ill_item": 0}).wait(timeout=60)
