"""What all commands share: help, exit codes, --watch; and some of it on real servers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from psycopg import conninfo

from shardkeeper.cli import main
from shardkeeper.cli.root import COMMANDS
from shardkeeper.node.daemon import Defect
from shardkeeper.postgres.upgrading import LOCK_KEY
from tests.cli.conftest import Desk
from tests.servers import PostgresDatabase, ZooKeeperNamespace


def run(env: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, env=env)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_of_the_table_is_there_and_has_help(name: str) -> None:
    done = CliRunner().invoke(main, [name, "--help"])
    assert (done.exit_code, done.stdout.startswith("Usage:")) == (0, True)


def test_help_lists_all_commands_and_loads_no_client_library() -> None:
    code = (
        "import sys; from shardkeeper.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "loaded = {'psycopg', 'kazoo', 'alembic', 'slack_sdk'} & set(sys.modules); assert not loaded, loaded"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(f"  {name} " in done.stdout for name in COMMANDS)


def test_wrong_usage_is_exit_code_2() -> None:
    assert CliRunner().invoke(main, ["jobs", "--nonsense"]).exit_code == 2
    assert CliRunner().invoke(main, ["nonsense"]).exit_code == 2


@pytest.mark.parametrize("command", ["jobs", "agent", "config", "doctor"])
def test_wrong_settings_are_all_told_with_exit_code_78(command: str) -> None:
    done = run({"SHARDKEEPER_WORKRS": "3", "SHARDKEEPER_LEASE": "x"}, command)
    assert (done.exit_code, done.stdout) == (78, "")
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == ["SHARDKEEPER_WORKRS", "lease"]


@pytest.mark.parametrize("url", ["postgresql://u:geheim@[::1/x", "http://u:geheim@x/y", "nonsense"])
@pytest.mark.parametrize("command", [["jobs"], ["agent"], ["db", "upgrade"], ["config"]])
def test_what_is_no_connection_string_is_a_wrong_setting_that_shows_no_password(
    command: list[str], url: str
) -> None:
    done = run({"SHARDKEEPER_DATABASE_URL": url}, *command)
    assert (done.exit_code, done.stdout, "geheim" in done.stderr) == (78, "", False)
    assert done.stderr.startswith("shardkeeper: database_url: is no connection string")


@pytest.mark.parametrize("command", ["jobs", "agent", "runs", "nodes"])
def test_a_database_that_cannot_be_reached_is_exit_code_69(command: str) -> None:
    done = run({"SHARDKEEPER_DATABASE_URL": "postgresql://u:geheim@127.0.0.1:1/x"}, command)
    assert (done.exit_code, done.stdout) == (69, "")
    assert done.stderr.startswith("shardkeeper: PostgreSQL: ")
    assert "geheim" not in done.stderr
    assert "Traceback" not in done.stderr


def test_watching_asks_again_until_it_is_interrupted(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.story.job("first")

    class Never:
        def wait(self, seconds: float) -> None:
            if len(desk.json("jobs")) == 2:
                raise KeyboardInterrupt
            desk.story.job("second")

    monkeypatch.setattr("shardkeeper.cli.options.threading.Event", Never)
    said = desk.run("jobs", "--watch")
    assert (said.exit_code, said.stdout.count("first"), said.stdout.count("second")) == (0, 2, 1)


@pytest.fixture
def env(postgres: PostgresDatabase, zookeeper: ZooKeeperNamespace) -> dict[str, str]:
    return {
        "SHARDKEEPER_DATABASE_URL": postgres.url,
        "SHARDKEEPER_ZOOKEEPER_HOSTS": zookeeper.hosts,
        "SHARDKEEPER_NAMESPACE": zookeeper.namespace,
    }


def answer(env: dict[str, str], *arguments: str, exit_code: int = 0) -> Any:
    done = run(env, *arguments, "--json")
    assert done.exit_code == exit_code, done.stderr
    return json.loads(done.stdout)


def test_on_real_servers_the_schema_comes_first_and_specs_go_round(
    env: dict[str, str], tmp_path: Path
) -> None:
    assert answer(env, "db", "current") == {"revision": None}
    assert answer(env, "doctor", exit_code=1)["checks"][0]["name"] == "schema"
    assert run(env, "db", "upgrade").exit_code == 0
    assert answer(env, "db", "current")["revision"] is not None
    (tmp_path / "jobs.yaml").write_text(
        "impls:\n  - {name: prices, kind: python, entrypoint: 'acme:Prices', sources: [{key: feed, weight: 2.5}]}\n"
        "jobs:\n  - {name: nightly, impl_spec: prices, cron: '0 3 * * *', sharding_total_count: 3, timeout: 30 s,\n"
        "     retry_backoff: 1.5, late_after: 1 min, phase_timeouts: {calculate: 10 s},\n"
        "     starts_at: 2026-01-01T00:00:00Z}\n"
    )
    assert answer(env, "apply", str(tmp_path))["inserted"] == ["prices", "nightly"]
    assert answer(env, "apply", str(tmp_path))["unchanged"] == ["prices", "nightly"]
    assert answer(env, "diff", str(tmp_path)) == []
    assert "starts_at" in run(env, "export").stdout
    assert (answer(env, "job", "nightly")["timeout"], answer(env, "jobs")[0]["name"]) == ("30 s", "nightly")
    shards = answer(env, "shards", "nightly")
    assert [(row["item"], row["owner"], row["state"]) for row in shards] == [
        (n, None, "idle") for n in range(3)
    ]


def test_on_real_servers_every_command_names_the_mend_of_a_schema_that_is_missing(
    env: dict[str, str],
) -> None:
    for command in ("jobs", "shards", "nodes", "runs", "agent"):
        done = run(env, command)
        assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
        assert "run `shardkeeper db upgrade`" in done.stderr


def test_on_real_servers_an_upgrade_that_others_are_in_the_way_of_says_who_and_gives_up_with_75(
    env: dict[str, str], postgres: PostgresDatabase
) -> None:
    with postgres.connect() as another:
        another.execute("SET application_name = 'another'")
        another.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
        done = run(env, "db", "upgrade", "--timeout", "2 s")
    assert (done.exit_code, done.stdout) == (75, "")
    first, *_, last = done.stderr.splitlines()
    assert first.startswith("shardkeeper: waits for another (pid ")
    assert last.startswith("shardkeeper: gave up after 2 s")
    assert answer(env, "db", "current") == {"revision": None}


def test_on_real_servers_a_user_without_rights_is_refused_in_one_line(
    env: dict[str, str], postgres: PostgresDatabase
) -> None:
    run(env, "db", "upgrade")
    stranger = f"stranger_{postgres.name}"
    with postgres.connect() as connection:
        connection.execute(f"CREATE ROLE {stranger} LOGIN PASSWORD 'x'".encode())
    url = conninfo.make_conninfo(postgres.url, user=stranger, password="x")
    for command in (["jobs"], ["db", "current"], ["agent"]):
        done = run(env | {"SHARDKEEPER_DATABASE_URL": url}, *command)
        assert (done.exit_code, "permission denied" in done.stderr, done.stderr.count("\n")) == (1, True, 1)


def test_on_real_servers_orders_are_carried_out_or_refused_in_one_line(env: dict[str, str]) -> None:
    run(env, "db", "upgrade")
    for order in (
        ("trigger", "nobody"),
        ("pause", "nobody"),
        ("drain", "nobody"),
        ("rerun", "1"),
        ("stop", "1"),
    ):
        done = run(env, *order)
        assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr


def test_on_real_servers_the_doctor_finds_what_a_fresh_cluster_lacks(env: dict[str, str]) -> None:
    run(env, "db", "upgrade")
    found = {check["name"]: check["state"] for check in answer(env, "doctor")["checks"]}
    assert (found["listen"], found["clock"], found["postgresql"], found["zookeeper"]) == (
        "ok",
        "ok",
        "ok",
        "ok",
    )
    assert (found["leases"], found["view"], found["allowed modules"]) == ("warning", "warning", "warning")


def test_with_zookeeper_away_nodes_answer_within_seconds_and_say_so(env: dict[str, str]) -> None:
    run(env, "db", "upgrade")
    done = run(env | {"SHARDKEEPER_ZOOKEEPER_HOSTS": "127.0.0.1:1"}, "nodes", "--json")
    assert (done.exit_code, json.loads(done.stdout), "127.0.0.1:1 did not answer" in done.stderr) == (
        0,
        [],
        True,
    )


class Broken:
    """A daemon of which a part breaks."""

    def run(self) -> None:
        raise Defect("lane specs: 'x'") from KeyError("x")


def test_an_agent_of_which_a_part_broke_ends_with_exit_code_1_and_logs_where(
    env: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run(env, "db", "upgrade")
    monkeypatch.setattr("shardkeeper.cli.agent.make_daemon", lambda settings: Broken())
    monkeypatch.setattr("shardkeeper.cli.agent.configure_log", lambda settings: None)
    handled: list[int] = []
    monkeypatch.setattr("shardkeeper.cli.agent.signal.signal", lambda number, handler: handled.append(number))
    done = run(env, "agent")
    assert (done.exit_code, done.stderr) == (1, "shardkeeper: lane specs: 'x'\n")
    (record,) = [one for one in caplog.records if one.name == "shardkeeper"]
    assert record.exc_info is not None
    assert record.exc_info[0] is KeyError
    assert handled == [signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
