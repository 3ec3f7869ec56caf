"""Without ZooKeeper fires go on in time; a PostgreSQL that crashes loses nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from shardkeeper.devservers import PostgresServer, ZooKeeperServer
from tests.acceptance.accounting import (
    SECOND,
    clock,
    fires,
    open_runs,
    wait_for_clock,
    watermark,
    whole_seconds,
)
from tests.acceptance.conftest import NODES
from tests.cluster import AgentCluster
from tests.postgres.migrated import upgrade
from tests.waiting import wait_until

PATIENCE_S = 90.0
ON_TIME = timedelta(seconds=2)
"""A fire that starts within this is on time; generous, since others keep this machine busy."""


@pytest.fixture
def cluster(
    own_postgres: PostgresServer, own_zookeeper: ZooKeeperServer, server_folder: Path
) -> Iterator[AgentCluster]:
    """Three nodes on servers of their own, which run the job "ticks", of three items, every second."""
    url = own_postgres.create_database("shardkeeper")
    upgrade(url)
    settings = {
        "SHARDKEEPER_WORKERS": "6",
        # a node that was killed must be back within a lease, for what its journal holds to be in time
        "SHARDKEEPER_SESSION_TIMEOUT": "5",
        "SHARDKEEPER_LEASE": "5",
        "SHARDKEEPER_ON_TIME_WINDOW": "6",
        "SHARDKEEPER_STATEMENT_TIMEOUT": "2",
    }
    with AgentCluster(url, own_zookeeper.hosts, "shardkeeper", server_folder / "nodes", **settings) as made:
        made.start(*NODES)
        made.wait_for_view(*NODES)
        made.impl()
        made.job(
            "ticks",
            every="1 s",
            sharding_total_count=3,
            overlap="allow",
            misfire="all",
            on_lease_loss="continue",
        )
        wait_until(lambda: len(completed(made)) >= 2, PATIENCE_S, "the first fires")
        yield made


def completed(cluster: AgentCluster) -> list[dict[str, Any]]:
    return [run for run in cluster.runs("ticks") if run["status"] == "COMPLETED"]


def inserted(cluster: AgentCluster, job: str) -> datetime:
    found: datetime = cluster.one(
        "SELECT min(in_force_from) FROM shardkeeper.job_version WHERE job_name = %s", (job,)
    )
    return found


def attempts_by_item(cluster: AgentCluster, run: int) -> list[tuple[int, int, str]]:
    rows = cluster.rows(
        "SELECT item, attempt, status FROM shardkeeper.shard_run WHERE run_id = %s ORDER BY item, attempt",
        (run,),
    )
    return [(row["item"], row["attempt"], row["status"]) for row in rows]


def answers(cluster: AgentCluster) -> bool:
    try:
        return cluster.one("SELECT true") is True
    except psycopg.OperationalError:
        return False


def test_fires_go_on_in_time_while_zookeeper_is_stopped_for_ten_seconds(
    cluster: AgentCluster, own_zookeeper: ZooKeeperServer
) -> None:
    own_zookeeper.stop()
    away = clock(cluster)
    back = away + 10 * SECOND
    wait_for_clock(cluster, back + ON_TIME)
    due = whole_seconds(away, back)
    found = [run for run in cluster.runs("ticks") if away < run["fire_time"] <= back]
    assert [run["fire_time"] for run in found] == due
    assert {run["status"] for run in found} == {"COMPLETED"}
    started = [one for one in cluster.attempts("ticks") if away < one["fire_time"] <= back]
    assert {one["attempt"] for one in started} == {1}
    assert max(one["started_at"] - one["fire_time"] for one in started) < ON_TIME
    assert {one["node_id"] for one in started} == set(NODES)

    # a node that starts meanwhile takes part by the mirrored view; one that dies is taken over
    cluster.kill("three")
    killed = clock(cluster)
    cluster.start("three")
    lived = {one["incarnation"] for one in started}

    def takes_part() -> bool:
        mine = [
            one
            for one in cluster.attempts("ticks")
            if one["node_id"] == "three" and one["status"] == "COMPLETED"
        ]
        return any(one["incarnation"] not in lived for one in mine)

    wait_until(takes_part, PATIENCE_S, "the restarted node to work without ZooKeeper")
    own_zookeeper.start()
    cluster.wait_for_view(*NODES)
    now = clock(cluster)
    wait_until(lambda: open_runs(cluster, now) == 0, PATIENCE_S, "the end of all runs")
    found = [run for run in cluster.runs("ticks") if away < run["fire_time"] <= now]
    assert sorted(fire for run in found for fire in fires(run)) == whole_seconds(away, now)
    assert {run["status"] for run in found if run["fire_time"] < killed} == {"COMPLETED"}


def test_a_crash_of_postgresql_loses_no_fire_and_no_outcome_and_doubles_none(
    cluster: AgentCluster, own_postgres: PostgresServer
) -> None:
    """Tasks that end while it is away are recorded once it is back, also by a node that was killed meanwhile."""
    cluster.job("long", sharding_total_count=3)
    gate = cluster.gate("long")
    run = cluster.one("SELECT shardkeeper.trigger_job('long', %s)", (Jsonb({"until": str(gate.path)}),))
    wait_until(
        lambda: len(cluster.witness.lines(run=run, event="began")) == 3, PATIENCE_S, "three items to run"
    )
    began = inserted(cluster, "ticks")
    node_of = {line["item"]: line["node"] for line in cluster.witness.lines(run=run, event="began")}
    assert set(node_of.values()) == set(NODES)

    own_postgres.stop_immediately()
    gate.open()
    wait_until(
        lambda: len(cluster.witness.lines(run=run, event="ended")) == 3, PATIENCE_S, "the items to end"
    )
    journals = [cluster.folder / "state" / f"{node}.journal" for node in NODES]
    wait_until(lambda: all(holds(file, run) for file in journals), PATIENCE_S, "the journals of all three")
    cluster.kill("two")
    own_postgres.start()
    cluster.start("two")
    wait_until(lambda: answers(cluster), PATIENCE_S, "PostgreSQL")

    status = "SELECT status FROM shardkeeper.job_run WHERE id = %s"
    wait_until(lambda: cluster.one(status, (run,)) not in ("CREATED", "RUNNING"), PATIENCE_S, "the run's end")
    assert cluster.one(status, (run,)) == "COMPLETED"
    assert attempts_by_item(cluster, run) == [(item, 1, "COMPLETED") for item in range(3)]
    assert len(cluster.witness.lines(run=run, event="began")) == 3

    cluster.wait_for_view(*NODES)
    end = clock(cluster)
    wait_until(lambda: watermark(cluster) > end, PATIENCE_S, "the sweep")
    wait_until(lambda: open_runs(cluster, end) == 0, PATIENCE_S, "the end of all runs")
    found = [one for one in cluster.runs("ticks") if one["fire_time"] <= end]
    assert sorted(fire for one in found for fire in fires(one)) == whole_seconds(began, end)
    assert {one["status"] for one in found} == {"COMPLETED"}
    doubled = cluster.rows(
        "SELECT run_id, item FROM shardkeeper.shard_run WHERE status = 'COMPLETED' GROUP BY 1, 2 HAVING count(*) > 1"
    )
    assert doubled == []


def holds(journal: Path, run: int) -> bool:
    """Whether an outcome of the run is kept there."""
    try:
        lines = journal.read_text().split("\n")[:-1]
    except FileNotFoundError:
        return False
    return any(json.loads(line)["outcome"]["key"]["run_id"] == run for line in lines)
