"""Real agents as processes, on real PostgreSQL and ZooKeeper: what a user sees of three nodes."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from shardkeeper.postgres.migrations import Migrations
from tests.node.agents import COMMAND, SESSION_S, TASKS, Agents
from tests.servers import PostgresPool
from tests.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

THREE = ("n1", "n2", "n3")
PERIOD = timedelta(seconds=2)


def migrated(url: str) -> None:
    Migrations(url).upgrade()


@pytest.fixture(scope="module")
def cluster(postgres_pool: PostgresPool, zookeeper_hosts: str, servers_folder: Path) -> Iterator[Agents]:
    """Three nodes, a clock job of seven items every two seconds, and ImplSpecs for the tests."""
    folder = servers_folder / f"agents-{uuid4().hex[:8]}"
    folder.mkdir()
    with postgres_pool.database(prepare=migrated) as database:
        agents = Agents(
            database.url, zookeeper_hosts, f"agents-{uuid4().hex[:8]}", folder, f"{TASKS}:{folder}"
        )
        try:
            agents.start(*THREE)
            agents.sql(
                "INSERT INTO impl_spec (name, kind, entrypoint) VALUES ('echo', 'python', 'agent_tasks:Echo'),"
                " ('brief', 'python', 'agent_tasks:Brief'), ('held', 'python', 'agent_tasks:Held'),"
                " ('gated', 'python', 'agent_tasks:Gated'), ('changing', 'python', 'changing_task:Changing')",
                "INSERT INTO job_spec (name, impl_spec, cron, sharding_total_count) VALUES"
                " ('seven', 'echo', '*/2 * * * * *', 7)",
            )
            yield agents
        finally:
            agents.close()


def by_fire(attempts: list[dict[str, Any]]) -> dict[datetime, list[dict[str, Any]]]:
    fires: dict[datetime, list[dict[str, Any]]] = {}
    for attempt in attempts:
        fires.setdefault(attempt["fire_time"], []).append(attempt)
    return fires


def fires_after(cluster: Agents, job: str, instant: datetime, count: int) -> None:
    """Wait until so many of the job's fires after the instant are closed."""
    cluster.until(
        """SELECT 1 FROM job_run WHERE job_name = %s AND fire_time > %s AND finished_at IS NOT NULL
           HAVING count(*) >= %s""",
        [job, instant, count],
    )


def now(cluster: Agents) -> datetime:
    found: datetime = cluster.ask("SELECT clock_timestamp() AS now")[0]["now"]
    return found


def assert_none_lost(attempts: list[dict[str, Any]], since: datetime, items: int) -> None:
    """Each fire from ``since`` on has each item COMPLETED exactly once, and no fire lacks."""
    fires = {fire: found for fire, found in by_fire(attempts).items() if fire > since}
    for fire, found in fires.items():
        done = sorted(one["item"] for one in found if one["status"] == "COMPLETED")
        assert done == list(range(items)), (fire, found)
    expected = {min(fires) + step * PERIOD for step in range(1 + (max(fires) - min(fires)) // PERIOD)}
    assert set(fires) == expected


def test_every_fire_runs_each_item_once_on_three_nodes_and_shards_agrees(cluster: Agents) -> None:
    cluster.start(*THREE)
    since = now(cluster)
    fires_after(cluster, "seven", since, 3)
    attempts = [one for one in cluster.attempts("seven") if one["fire_time"] > since]
    assert_none_lost(attempts, since, items=7)
    owners = {row["item"]: row["owner"] for row in cluster.json("shards", "seven")}
    assert sorted(Counter(owners.values()).values()) == [2, 2, 3]
    for fire, found in by_fire(attempts).items():
        assert {one["item"]: one["node_id"] for one in found} == owners, fire
        assert {one["attempt"] for one in found} == {1}


def test_a_change_of_cron_takes_effect_without_a_restart(cluster: Agents) -> None:
    cluster.sql("INSERT INTO job_spec (name, impl_spec, cron) VALUES ('recast', 'echo', '*/2 * * * * *')")
    fires_after(cluster, "recast", now(cluster), 1)
    cluster.sql("UPDATE job_spec SET cron = '1-59/2 * * * * *' WHERE name = 'recast'")
    (change,) = cluster.ask("SELECT max(in_force_from) AS at FROM job_version WHERE job_name = 'recast'")
    fires_after(cluster, "recast", change["at"], 2)
    fires = by_fire(cluster.attempts("recast"))
    assert {fire.second % 2 for fire in fires if fire > change["at"]} == {1}
    assert {fire.second % 2 for fire in fires if fire <= change["at"]} == {0}


def test_changes_of_items_parameters_and_sources_belong_to_the_fires_after_them(cluster: Agents) -> None:
    cluster.sql(
        "INSERT INTO impl_spec (name, kind, entrypoint) VALUES ('told', 'python', 'agent_tasks:Echo')",
        "INSERT INTO job_spec (name, impl_spec, cron, sharding_total_count) VALUES ('told', 'told', '* * * * * *', 2)",
    )
    fires_after(cluster, "told", now(cluster), 1)
    cluster.sql(
        "BEGIN; UPDATE job_spec SET sharding_total_count = 3 WHERE name = 'told';"
        " UPDATE impl_spec SET parameters = '{\"region\": \"seoul\"}' WHERE name = 'told';"
        " INSERT INTO source_data (impl_spec, key) VALUES ('told', 'feed'); COMMIT"
    )
    (change,) = cluster.ask("SELECT max(in_force_from) AS at FROM job_version WHERE job_name = 'told'")
    fires_after(cluster, "told", change["at"], 2)
    fires = by_fire(cluster.attempts("told"))
    for fire, found in fires.items():
        keys = [key for one in found for key in one["result"]["sources"]]
        seen = (len(found), found[0]["result"]["parameters"], keys)
        assert seen == ((3, {"region": "seoul"}, ["feed"]) if fire > change["at"] else (2, {}, [])), fire


def test_a_disabled_and_a_deleted_job_fire_no_more(cluster: Agents) -> None:
    cluster.sql(
        "INSERT INTO job_spec (name, impl_spec, cron) VALUES ('off', 'echo', '* * * * * *'),"
        " ('gone', 'echo', '* * * * * *')"
    )
    for job in ("off", "gone"):
        fires_after(cluster, job, now(cluster), 1)
    cluster.sql(
        "UPDATE job_spec SET enabled = false WHERE name = 'off'; DELETE FROM job_spec WHERE name = 'gone'"
    )
    changes = {
        row["job_name"]: row["at"]
        for row in cluster.ask(
            "SELECT job_name, max(in_force_from) AS at FROM job_version WHERE job_name IN ('off', 'gone') GROUP BY 1"
        )
    }
    fires_after(cluster, "seven", now(cluster), 2)
    runs = cluster.ask("SELECT job_name, fire_time, status FROM job_run WHERE job_name IN ('off', 'gone')")
    assert len(runs) >= 2
    late = [run for run in runs if run["fire_time"] > changes[run["job_name"]] and run["status"] != "SKIPPED"]
    assert late == []


def test_new_code_is_taken_up_after_sighup_without_a_restart(cluster: Agents) -> None:
    module = Path(cluster.python_path.split(":")[1]) / "changing_task.py"
    source = (
        "from shardkeeper import DistributeTask\n"
        "class Changing(DistributeTask):\n    def calculate(self, context, data):\n        return {!r}\n"
    )
    module.write_text(source.format("old"))
    cluster.sql("INSERT INTO job_spec (name, impl_spec) VALUES ('changing', 'changing')")
    assert cluster.json("trigger", "changing", "--wait", "--timeout", "30s")["result"] == "old"
    module.write_text(source.format("quite new"))
    for node_id in cluster.running():
        cluster.nodes[node_id].process.send_signal(1)
    # a signal takes its time on a busy machine
    runs = (cluster.json("trigger", "changing", "--wait", "--timeout", "30s") for _ in range(20))
    assert any(run["result"] == "quite new" for run in runs)
    assert cluster.running() == list(THREE)


def test_a_killed_nodes_items_run_elsewhere_within_the_session_timeout_and_a_second(cluster: Agents) -> None:
    cluster.start(*THREE)
    cluster.sql("INSERT INTO job_spec (name, impl_spec, sharding_total_count) VALUES ('held', 'held', 3)")
    (row,) = cluster.ask("SELECT trigger_job('held') AS id")
    run_id = row["id"]
    held = cluster.until(
        "SELECT array_agg(node_id ORDER BY item) AS nodes FROM shard_run WHERE run_id = %s"
        " AND checkpoint IS NOT NULL HAVING count(*) = 3",
        [run_id],
    )[0]["nodes"]
    assert sorted(held) == list(THREE)
    victim = next(node["node_id"] for node in cluster.json("nodes") if node["leader"])
    item = held.index(victim)
    (before,) = cluster.ask(
        "SELECT checkpoint FROM shard_run WHERE run_id = %s AND item = %s", [run_id, item]
    )
    cluster.nodes[victim].kill()
    killed_at = now(cluster)
    (second,) = cluster.until(
        "SELECT * FROM shard_run WHERE run_id = %s AND item = %s AND attempt = 2 AND status = 'COMPLETED'",
        [run_id, item],
    )
    assert second["started_at"] - killed_at <= timedelta(seconds=SESSION_S + 1)
    assert second["node_id"] != victim
    assert second["result"] == {"before": before["checkpoint"]}
    first = cluster.ask("SELECT status, item FROM shard_run WHERE run_id = %s AND attempt = 1", [run_id])
    assert {one["item"]: one["status"] for one in first}[item] == "LOST"
    gone = lambda: not any(map(psutil.pid_exists, before["checkpoint"]["pids"]))  # noqa: E731
    wait_until(gone, 10, "the end of the killed node's worker and its child")
    fires_after(cluster, "seven", killed_at, 3)
    attempts = cluster.attempts("seven")
    assert_none_lost(attempts, killed_at - 2 * PERIOD, items=7)
    late = [
        one["started_at"] - one["fire_time"]
        for one in attempts
        if one["fire_time"] > killed_at and one["status"] == "COMPLETED"
    ]
    assert max(late) <= timedelta(seconds=SESSION_S + 1)
    assert cluster.ask("SELECT stop_run(%s) AS stopped", [run_id])[0]["stopped"]


def test_sigterm_during_a_busy_schedule_loses_nothing_and_is_late_for_nothing(cluster: Agents) -> None:
    cluster.start(*THREE)
    cluster.sql(
        "INSERT INTO job_spec (name, impl_spec, cron, sharding_total_count, parameters, overlap) VALUES"
        " ('busy', 'brief', '*/2 * * * * *', 6, '{\"seconds\": 1.2}', 'allow')"
    )
    since = now(cluster)
    fires_after(cluster, "busy", since, 1)
    leaver = cluster.until(
        "SELECT node_id FROM running_now WHERE job_name = 'busy' GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"
    )[0]["node_id"]
    told_at = now(cluster)
    assert cluster.nodes[leaver].terminate() == 0
    fires_after(cluster, "busy", told_at, 4)
    cluster.sql("UPDATE job_spec SET enabled = false WHERE name = 'busy'")
    for job, items in (("seven", 7), ("busy", 6)):
        attempts = [one for one in cluster.attempts(job) if one["fire_time"] > since]
        assert_none_lost(attempts, since, items)
        assert {one["attempt"] for one in attempts} == {1}
        assert max(one["started_at"] - one["fire_time"] for one in attempts) <= timedelta(seconds=1)
    assert cluster.ask("SELECT state FROM node WHERE node_id = %s", [leaver]) == [{"state": "dead"}]


def test_an_ordered_drain_moves_the_items_away_and_an_undrain_back(cluster: Agents) -> None:
    cluster.start(*THREE)

    def owners() -> set[str]:
        return {row["owner"] for row in cluster.json("shards", "seven")}

    pid = cluster.nodes["n2"].process.pid
    cluster.cli("drain", "n2")
    wait_until(lambda: owners() == {"n1", "n3"}, 15, "the drain")
    assert {row["node_id"]: row["state"] for row in cluster.json("nodes")}["n2"] == "draining"
    since = now(cluster)
    fires_after(cluster, "seven", since + PERIOD, 1)
    assert "n2" not in {
        one["node_id"] for one in cluster.attempts("seven") if one["fire_time"] > since + PERIOD
    }
    cluster.cli("undrain", "n2")
    wait_until(lambda: owners() == set(THREE), 15, "the end of the drain")
    assert (cluster.json("node", "n2")["pid"], cluster.running()) == (pid, list(THREE))


def test_a_second_sigterm_gives_what_runs_back_at_once(cluster: Agents, tmp_path: Path) -> None:
    cluster.start(*THREE)
    gate = tmp_path / "gate"
    cluster.sql("INSERT INTO job_spec (name, impl_spec) VALUES ('gated', 'gated')")
    run_id = cluster.json("trigger", "gated", "--param", f"gate={gate}")["id"]
    holder = cluster.until("SELECT node_id FROM running_now WHERE run_id = %s", [run_id])[0]["node_id"]
    process = cluster.nodes[holder].process
    process.terminate()
    cluster.until("SELECT 1 FROM lease WHERE node_id = %s AND state = 'draining'", [holder])
    assert process.poll() is None
    process.terminate()
    elsewhere = cluster.until(
        "SELECT node_id, attempt FROM running_now WHERE run_id = %s AND node_id <> %s", [run_id, holder]
    )
    assert process.wait(10) == 0
    gate.touch()
    (ended,) = cluster.until("SELECT * FROM job_run WHERE id = %s AND status = 'COMPLETED'", [run_id])
    assert elsewhere[0]["node_id"] != holder
    tries = cluster.ask("SELECT sum(tries) AS tries FROM shard_run WHERE run_id = %s", [run_id])
    assert (ended["open_items"], tries[0]["tries"]) == (0, 0)


def agent(environment: dict[str, str]) -> tuple[int, str]:
    done = subprocess.run(
        [*COMMAND, "agent"], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stderr


def test_an_agent_refuses_a_database_without_schema_and_names_the_mend(
    cluster: Agents, postgres_pool: PostgresPool
) -> None:
    with postgres_pool.database() as empty:
        code, said = agent(cluster.environment | {"SHARDKEEPER_DATABASE_URL": empty.url})
    assert (code, "shardkeeper db upgrade" in said, said.count("\n")) == (1, True, 1)
