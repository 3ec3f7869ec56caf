"""What a user sees of three nodes: who runs what, new code, a killed leader, stops and drains that lose nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.accounting import clock
from tests.acceptance.conftest import NODES
from tests.cluster import AgentCluster
from tests.cluster.agents import TASKS
from tests.servers import PostgresPool
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

PATIENCE_S = 60.0
SESSION_S = 3.0
PERIOD = timedelta(seconds=2)
EVEN_SECONDS = "*/2 * * * * *"


@pytest.fixture(scope="module")
def code(servers_folder: Path) -> Path:
    """A folder of tasks that a test changes."""
    folder = servers_folder / "changing-code"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def settings(code: Path) -> dict[str, str]:
    return {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(TASKS), str(code), os.environ.get("PYTHONPATH")])),
        "SHARDKEEPER_TASKS__ALLOWED_MODULES": '["witnessing", "changing_task"]',
        "SHARDKEEPER_SESSION_TIMEOUT": f"{SESSION_S:g}",
        "SHARDKEEPER_WORKERS": "6",
        "SHARDKEEPER_WORKERS_MIN": "5",  # a worker that must be started first is late by that
        "SHARDKEEPER_GRACE_PERIOD": "10",
    }


@pytest.fixture(scope="module", autouse=True)
def seven(cluster: AgentCluster) -> None:
    """A clock job of seven items every two seconds."""
    cluster.job("seven", cron=EVEN_SECONDS, sharding_total_count=7)


@pytest.fixture(autouse=True)
def three(cluster: AgentCluster, seven: None) -> None:
    """Whoever fell in the test before is back."""
    cluster.start(*(name for name in NODES if not cluster.alive(name)))
    cluster.wait_for_view(*NODES)


def until(cluster: AgentCluster, query: str, *values: Any) -> dict[str, Any]:
    """The query's first row, once there is one."""
    return wait_until(lambda: cluster.rows(query, values), PATIENCE_S, query)[0]


def fires_after(cluster: AgentCluster, job: str, instant: datetime, count: int) -> None:
    """Wait until so many of the job's fires after the instant are closed, and all before them."""
    until(
        cluster,
        "SELECT 1 FROM shardkeeper.job_run r WHERE r.job_name = %s AND r.fire_time > %s AND NOT EXISTS"
        " (SELECT FROM shardkeeper.job_run o"
        "  WHERE o.job_name = r.job_name AND o.fire_time <= r.fire_time AND o.finished_at IS NULL)"
        " HAVING count(*) >= %s",
        job,
        instant,
        count,
    )


def closed_attempts(cluster: AgentCluster, job: str, since: datetime) -> list[dict[str, Any]]:
    """The attempts of all runs due after the instant, up to the first that is open: after a death its items may be
    taken up later than those of the next fire."""
    runs = cluster.runs(job)
    open_from = min((run["fire_time"] for run in runs if run["finished_at"] is None), default=None)
    closed = {run["id"] for run in runs if open_from is None or run["fire_time"] < open_from}
    return [one for one in cluster.attempts(job) if one["run_id"] in closed and one["fire_time"] > since]


def by_fire(attempts: list[dict[str, Any]]) -> dict[datetime, list[dict[str, Any]]]:
    fires: dict[datetime, list[dict[str, Any]]] = {}
    for attempt in attempts:
        fires.setdefault(attempt["fire_time"], []).append(attempt)
    return fires


def assert_none_lost(attempts: list[dict[str, Any]], items: int) -> None:
    """Each fire has each item COMPLETED exactly once, and no fire lacks."""
    fires = by_fire(attempts)
    for fire, found in fires.items():
        done = sorted(one["item"] for one in found if one["status"] == "COMPLETED")
        assert done == list(range(items)), (fire, found)
    expected = {min(fires) + step * PERIOD for step in range(1 + (max(fires) - min(fires)) // PERIOD)}
    assert set(fires) == expected


def owners(cluster: AgentCluster) -> dict[int, str]:
    return {row["item"]: row["owner"] for row in cluster.json("shards", "seven")}


def test_every_fire_runs_each_item_once_on_three_nodes_and_shards_agrees(cluster: AgentCluster) -> None:
    since = clock(cluster)
    fires_after(cluster, "seven", since, 3)
    attempts = closed_attempts(cluster, "seven", since)
    assert_none_lost(attempts, items=7)
    owned = owners(cluster)
    assert sorted(Counter(owned.values()).values()) == [2, 2, 3]
    for fire, found in by_fire(attempts).items():
        assert {one["item"]: one["node_id"] for one in found} == owned, fire
        assert {one["attempt"] for one in found} == {1}


def test_what_is_changed_together_belongs_together_to_the_fires_after_it(cluster: AgentCluster) -> None:
    cluster.impl("told", "witnessing:Witness")
    cluster.job("told", "told", cron="* * * * * *", sharding_total_count=2)
    fires_after(cluster, "told", clock(cluster), 1)
    with cluster.connect(autocommit=False) as connection:
        connection.execute("UPDATE shardkeeper.job_spec SET sharding_total_count = 3 WHERE name = 'told'")
        connection.execute(
            "UPDATE shardkeeper.impl_spec SET parameters = '{\"region\": \"seoul\"}' WHERE name = 'told'"
        )
        connection.execute("INSERT INTO shardkeeper.source_data (impl_spec, key) VALUES ('told', 'feed')")
    change = cluster.one("SELECT max(in_force_from) FROM shardkeeper.job_version WHERE job_name = 'told'")
    fires_after(cluster, "told", change, 2)
    told = cluster.witness.lines(job="told", event="ended")
    assert {datetime.fromisoformat(line["fire_time"]) > change for line in told} == {False, True}
    for run in cluster.runs("told"):
        if run["status"] == "COMPLETED":
            lines = cluster.witness.lines(run=run["id"], event="ended")
            seen = (len(lines), lines[0]["parameters"], [key for line in lines for key in line["sources"]])
            new = run["fire_time"] > change
            assert seen == ((3, {"region": "seoul"}, ["feed"]) if new else (2, {}, [])), run
    cluster.rows("UPDATE shardkeeper.job_spec SET enabled = false WHERE name = 'told'")


def test_new_code_is_taken_up_after_sighup_without_a_restart(cluster: AgentCluster, code: Path) -> None:
    module = code / "changing_task.py"
    source = (
        "from shardkeeper import DistributeTask\n"
        "class Changing(DistributeTask):\n    def calculate(self, context, data):\n        return {!r}\n"
    )
    module.write_text(source.format("old"))
    cluster.impl("changing", "changing_task:Changing")
    cluster.job("changing", "changing")
    pids = [cluster.pid(name) for name in NODES]
    assert cluster.json("trigger", "changing", "--wait", "--timeout", "30s")["result"] == "old"
    module.write_text(source.format("quite new"))
    for pid in pids:
        os.kill(pid, signal.SIGHUP)
    # a signal takes its time on a busy machine
    runs = (cluster.json("trigger", "changing", "--wait", "--timeout", "30s") for _ in range(20))
    assert any(run["result"] == "quite new" for run in runs)
    cluster.assert_alive(*NODES)
    assert [cluster.pid(name) for name in NODES] == pids


def test_a_killed_leaders_items_run_elsewhere_within_the_session_timeout_and_a_second(
    cluster: AgentCluster,
) -> None:
    """They go on from their checkpoints; the clock job loses no fire."""
    cluster.impl("resumed", "witnessing:Resumed")
    cluster.job("resumed", "resumed", sharding_total_count=3)
    run = cluster.one("SELECT shardkeeper.trigger_job('resumed')")
    held = until(
        cluster,
        "SELECT array_agg(node_id ORDER BY item) AS nodes FROM shardkeeper.shard_run WHERE run_id = %s"
        " AND checkpoint IS NOT NULL HAVING count(*) = 3",
        run,
    )["nodes"]
    assert sorted(held) == sorted(NODES)
    victim = next(node["node_id"] for node in cluster.json("nodes") if node["leader"])
    item = held.index(victim)
    cluster.kill(victim)
    killed_at = clock(cluster)
    second = until(
        cluster,
        "SELECT * FROM shardkeeper.shard_run WHERE run_id = %s AND item = %s AND attempt = 2"
        " AND status = 'COMPLETED'",
        run,
        item,
    )
    assert second["started_at"] - killed_at <= timedelta(seconds=SESSION_S + 1)
    assert second["node_id"] != victim
    (first,) = [one for one in cluster.attempts("resumed") if (one["item"], one["attempt"]) == (item, 1)]
    assert first["status"] == "LOST"
    assert second["result"] == {"before": first["checkpoint"]}
    fires_after(cluster, "seven", killed_at, 3)
    assert_none_lost(closed_attempts(cluster, "seven", killed_at - 2 * PERIOD), items=7)
    late = [
        one["started_at"] - one["fire_time"]
        for one in closed_attempts(cluster, "seven", killed_at)
        if one["status"] == "COMPLETED"
    ]
    assert max(late) <= timedelta(seconds=SESSION_S + 1)
    assert cluster.one("SELECT shardkeeper.stop_run(%s)", (run,))


def test_sigterm_during_a_busy_schedule_loses_nothing_and_is_late_for_nothing(cluster: AgentCluster) -> None:
    cluster.impl("brief", "witnessing:Brief")
    cluster.job(
        "busy",
        "brief",
        cron=EVEN_SECONDS,
        sharding_total_count=6,
        parameters={"seconds": 1.2},
        overlap="allow",
    )
    since = clock(cluster)
    fires_after(cluster, "busy", since, 1)
    leaver = until(
        cluster,
        "SELECT node_id FROM shardkeeper.running_now WHERE job_name = 'busy' GROUP BY 1 ORDER BY count(*) DESC LIMIT 1",
    )["node_id"]
    told_at = clock(cluster)
    assert cluster.stop(leaver) == [0]
    fires_after(cluster, "busy", told_at, 4)
    cluster.rows("UPDATE shardkeeper.job_spec SET enabled = false WHERE name = 'busy'")
    for job, items in (("seven", 7), ("busy", 6)):
        attempts = closed_attempts(cluster, job, since)
        assert_none_lost(attempts, items)
        assert {one["attempt"] for one in attempts} == {1}
        assert max(one["started_at"] - one["fire_time"] for one in attempts) <= timedelta(seconds=1)
    assert cluster.one("SELECT state FROM shardkeeper.node WHERE node_id = %s", (leaver,)) == "dead"


def test_an_ordered_drain_moves_the_items_away_and_an_undrain_back(cluster: AgentCluster) -> None:
    pid = cluster.pid("two")
    cluster.cli("drain", "two")
    wait_until(lambda: set(owners(cluster).values()) == {"one", "three"}, 15, "the drain")
    assert {row["node_id"]: row["state"] for row in cluster.json("nodes")}["two"] == "draining"
    moved = clock(cluster) + PERIOD
    fires_after(cluster, "seven", moved, 1)
    assert "two" not in {one["node_id"] for one in closed_attempts(cluster, "seven", moved)}
    cluster.cli("undrain", "two")
    wait_until(lambda: set(owners(cluster).values()) == set(NODES), 15, "the end of the drain")
    assert cluster.json("node", "two")["pid"] == pid
    cluster.assert_alive(*NODES)


def test_a_second_sigterm_gives_what_runs_back_at_once(cluster: AgentCluster) -> None:
    gate = cluster.gate("gated")
    cluster.job("gated")
    run = cluster.json("trigger", "gated", "--param", f"until={gate.path}")["id"]
    holder = until(cluster, "SELECT node_id FROM shardkeeper.running_now WHERE run_id = %s", run)["node_id"]
    cluster.terminate(holder)
    until(cluster, "SELECT 1 FROM shardkeeper.lease WHERE node_id = %s AND state = 'draining'", holder)
    assert cluster.alive(holder)
    cluster.terminate(holder)
    until(
        cluster,
        "SELECT 1 FROM shardkeeper.running_now WHERE run_id = %s AND node_id <> %s",
        run,
        holder,
    )
    assert cluster.exit_code(holder, 10) == 0
    gate.open()
    ended = until(cluster, "SELECT * FROM shardkeeper.job_run WHERE id = %s AND status = 'COMPLETED'", run)
    tries = cluster.one("SELECT sum(tries) FROM shardkeeper.shard_run WHERE run_id = %s", (run,))
    assert (ended["open_items"], tries) == (0, 0)


def test_an_agent_refuses_a_database_without_schema_and_names_the_mend(
    cluster: AgentCluster, postgres_pool: PostgresPool
) -> None:
    with postgres_pool.database() as empty:
        done = subprocess.run(
            [sys.executable, "-m", "shardkeeper", "agent"],
            env={**os.environ, **cluster.environment, "SHARDKEEPER_DATABASE_URL": empty.url},
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )
    said = done.stderr
    assert (done.returncode, "shardkeeper db upgrade" in said, said.count("\n")) == (1, True, 1)
