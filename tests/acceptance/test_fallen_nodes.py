"""Nodes that are paused or killed: others take over, nothing is recorded twice, nothing stays behind."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
from psycopg.types.json import Jsonb

from tests.acceptance.accounting import SECOND, clock, wait_for_clock
from tests.acceptance.conftest import NODES
from tests.cluster import AgentCluster
from tests.waiting import wait_until

PATIENCE_S = 60.0


def trigger(cluster: AgentCluster, job: str, **parameters: Any) -> int:
    run: int = cluster.one("SELECT shardkeeper.trigger_job(%s, %s)", (job, Jsonb(parameters)))
    return run


def status_of(cluster: AgentCluster, run: int) -> str:
    status: str = cluster.one("SELECT status FROM shardkeeper.job_run WHERE id = %s", (run,))
    return status


def attempts_of(cluster: AgentCluster, run: int, item: int) -> list[dict[str, Any]]:
    return cluster.rows(
        "SELECT * FROM shardkeeper.shard_run WHERE run_id = %s AND item = %s ORDER BY attempt", (run, item)
    )


def incarnations(cluster: AgentCluster, node: str) -> dict[str, str]:
    """All lives of a node with their states."""
    rows = cluster.rows("SELECT incarnation, state FROM shardkeeper.lease WHERE node_id = %s", (node,))
    return {row["incarnation"]: row["state"] for row in rows}


def assert_each_fire_ran_once(cluster: AgentCluster, job: str, since: datetime) -> None:
    """Every second has one run, and each of its items one recorded success."""
    assert (
        cluster.rows(
            "SELECT job_name, fire_time FROM shardkeeper.job_run WHERE job_name = %s GROUP BY 1, 2 HAVING count(*) > 1",
            (job,),
        )
        == []
    )
    assert (
        cluster.rows(
            "SELECT run_id, item FROM shardkeeper.shard_run WHERE job_name = %s AND status = 'COMPLETED'"
            " GROUP BY 1, 2 HAVING count(*) > 1",
            (job,),
        )
        == []
    )
    times = [run["fire_time"] for run in cluster.runs(job) if run["fire_time"] > since]
    assert all((later - earlier).total_seconds() == 1 for earlier, later in pairwise(times))


def test_a_node_frozen_for_less_than_its_lease_goes_on_as_if_nothing_had_been(cluster: AgentCluster) -> None:
    cluster.job("briefly", sharding_total_count=3)
    gate = cluster.gate("briefly")
    run = trigger(cluster, "briefly", until=str(gate.path))
    victim = cluster.witness.wait_for(3, run=run, event="began")[0]["node"]
    (life,) = incarnations(cluster, victim).items()
    beat = "SELECT beat FROM shardkeeper.lease WHERE incarnation = %s"

    cluster.pause(victim)
    frozen = cluster.one(beat, (life[0],))
    wait_for_clock(cluster, clock(cluster) + SECOND)
    assert cluster.one(beat, (life[0],)) == frozen
    cluster.resume(victim)
    # three beats are most of a lease: whoever would take it over has had its time
    wait_until(lambda: cluster.one(beat, (life[0],)) >= frozen + 3, PATIENCE_S, "its beats")
    gate.open()
    wait_until(lambda: status_of(cluster, run) == "COMPLETED", PATIENCE_S, "the run's end")
    assert incarnations(cluster, victim) == {life[0]: "active"}
    for item in range(3):
        (only,) = attempts_of(cluster, run, item)
        assert (only["attempt"], only["claim_no"], only["status"]) == (1, 1, "COMPLETED")


def test_a_node_frozen_for_longer_than_its_lease_is_taken_over_and_its_result_is_refused(
    cluster: AgentCluster,
) -> None:
    """It goes on under a new incarnation."""
    since = clock(cluster)
    cluster.job("ticks", every="1 s", sharding_total_count=3, overlap="allow")
    cluster.job("frozen", sharding_total_count=3)
    gate = cluster.gate("frozen")
    run = trigger(cluster, "frozen", until=str(gate.path))
    victim = cluster.witness.wait_for(3, run=run, event="began")[0]
    node, item = victim["node"], victim["item"]
    (first_life,) = incarnations(cluster, node)

    cluster.pause(node)
    (again,) = cluster.witness.wait_for(1, run=run, item=item, attempt=2, event="began")
    assert again["node"] != node
    gate.open()
    wait_until(
        lambda: status_of(cluster, run) == "COMPLETED", PATIENCE_S, "the run's end without the frozen node"
    )
    # its worker went on, and has a result for it
    cluster.witness.wait_for(1, run=run, item=item, attempt=1, event="ended")
    recorded = attempts_of(cluster, run, item)
    cluster.resume(node)

    cluster.wait_for_view(*NODES)
    wait_until(lambda: "active" in incarnations(cluster, node).values(), PATIENCE_S, "its new life")
    lives = incarnations(cluster, node)
    assert len(lives) == 2
    assert lives.pop(first_life) == "dead"
    log = cluster.log(node)
    assert "outcome superseded" in log or "found dead" in log
    # what was recorded while it was frozen stands, to the last column
    assert attempts_of(cluster, run, item) == recorded
    assert [(one["attempt"], one["status"], one["node_id"], one["takeovers"]) for one in recorded] == [
        (1, "LOST", node, 0),
        (2, "COMPLETED", again["node"], 1),
    ]
    assert recorded[0]["result"] is None

    def works_again() -> bool:
        ended = [one for one in cluster.attempts("ticks") if one["status"] == "COMPLETED"]
        return any(one["incarnation"] in lives for one in ended)

    wait_until(works_again, PATIENCE_S, "an item that its new life has run")
    assert_each_fire_ran_once(cluster, "ticks", since)
    cluster.rows("DELETE FROM shardkeeper.job_spec WHERE name = 'ticks'")


def test_a_killed_node_leaves_no_process_behind_not_even_one_that_called_setsid(
    cluster: AgentCluster,
) -> None:
    cluster.impl("parent", "witnessing:Parent")
    cluster.job("parent", "parent", sharding_total_count=3)
    gate = cluster.gate("parent")
    run = trigger(cluster, "parent", until=str(gate.path))
    told = cluster.witness.wait_for(3, run=run, event="children")
    node, item = told[0]["node"], told[0]["item"]
    mine = {told[0]["pid"], *told[0]["children"]}
    others = {pid for line in told if line["node"] != node for pid in (line["pid"], *line["children"])}
    family = {child.pid for child in psutil.Process(cluster.pid(node)).children(recursive=True)} | mine
    assert all(runs(pid) for pid in family | others)

    cluster.kill(node)
    wait_until(
        lambda: not any(runs(pid) for pid in family), PATIENCE_S, "the end of the killed node's family"
    )
    (again,) = cluster.witness.wait_for(1, run=run, item=item, attempt=2, event="children")
    # of the other nodes' processes none was touched
    assert all(runs(pid) for pid in others)
    gate.open()
    wait_until(lambda: status_of(cluster, run) == "COMPLETED", PATIENCE_S, "the run's end")
    assert [(one["attempt"], one["status"], one["node_id"]) for one in attempts_of(cluster, run, item)] == [
        (1, "LOST", node),
        (2, "COMPLETED", again["node"]),
    ]
    # children that a task leaves behind end with its attempt, too
    wait_until(
        lambda: not any(runs(pid) for line in told for pid in line["children"]),
        PATIENCE_S,
        "all children's end",
    )


def runs(pid: int) -> bool:
    """Whether the process lives; one that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
