"""What failed is rolled back, and what has completed starts what follows it, on running nodes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from shardkeeper import Client, RunFailed
from tests.acceptance.test_fallen_nodes import attempts_of
from tests.cluster import AgentCluster, cluster_on_shared_servers
from tests.servers import PostgresPool
from tests.waiting import wait_until

PATIENCE_S = 60.0
NODES = ("one", "two")


@pytest.fixture(scope="module")
def cluster(
    postgres_pool: PostgresPool, zookeeper_hosts: str, servers_folder: Path
) -> Iterator[AgentCluster]:
    """Two nodes of two workers."""
    with cluster_on_shared_servers(
        postgres_pool, zookeeper_hosts, servers_folder, SHARDKEEPER_WORKERS="2"
    ) as made:
        made.start(*NODES)
        for name in ("Charging", "Adding"):
            made.impl(name.lower(), f"demanded:{name}")
        made.wait_for_view(*NODES)
        yield made


@pytest.mark.parametrize("how", ["raises", "dies"])
def test_what_failed_for_good_after_calculate_is_rolled_back_once_for_each_item(
    cluster: AgentCluster, how: str
) -> None:
    cluster.job(f"charge-{how}", "charging", sharding_total_count=2)
    with Client(cluster.url) as client:
        run = client.submit(f"charge-{how}", {"fails": how})
        with pytest.raises(RunFailed) as failed:
            run.wait(timeout=PATIENCE_S)
    assert failed.value.error is not None
    assert failed.value.error.type == ("LookupError" if how == "raises" else "WorkerDied")
    for item in (0, 1):
        tried, undone = attempts_of(cluster, run.id, item)
        assert (tried["status"], tried["compensates"]) == ("FAILED", False)
        assert (undone["status"], undone["compensates"], undone["phase"]) == ("COMPLETED", True, "compensate")
        for event in ("charged", "refunded"):
            assert len(cluster.witness.lines(run=run.id, item=item, event=event)) == 1


def test_a_small_dag_of_jobs_runs_through_with_the_results_of_what_came_before(
    cluster: AgentCluster,
) -> None:
    cluster.job("top", "adding")
    for side in ("left", "right"):
        cluster.job(side, "adding", follows='{"jobs": ["top"]}')
    cluster.job("bottom", "adding", follows='{"jobs": ["left", "right"]}')
    with Client(cluster.url) as client:
        assert client.submit("top").wait(timeout=PATIENCE_S).result == 1
    ended = "SELECT result FROM shardkeeper.job_run WHERE job_name = 'bottom' AND status = 'COMPLETED'"
    (row,) = wait_until(lambda: cluster.rows(ended), PATIENCE_S, "the end of the flow")
    assert row["result"] == 5
    flows = cluster.rows("SELECT DISTINCT flow FROM shardkeeper.job_run WHERE trigger_kind = 'follow_up'")
    assert len(flows) == 1
    shown = cluster.cli("job", "top")
    assert all(name in shown for name in ("left", "right", "bottom"))
