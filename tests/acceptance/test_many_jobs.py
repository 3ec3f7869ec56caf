"""What ZooKeeper holds and does depends on nodes alone, not on jobs or fires."""

from __future__ import annotations

import pytest

from shardkeeper.devservers import ZooKeeperServer
from tests.cluster import AgentCluster
from tests.waiting import wait_until

PATIENCE_S = 60.0
JOBS = 5_000


@pytest.fixture(scope="module")
def zookeeper_hosts(zookeeper_server: ZooKeeperServer) -> str:
    """A server that is asked: not one that only Docker has."""
    return zookeeper_server.hosts


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    """More workers than items are due at once: a node that becomes busy says so to ZooKeeper, whatever made it so."""
    return {"SHARDKEEPER_WORKERS": "32"}


def monitored(server: ZooKeeperServer) -> dict[str, int]:
    """ZooKeeper's own account."""
    lines = (line.split("\t") for line in server.ask("mntr").splitlines())
    found = {parts[0]: parts[1] for parts in lines if len(parts) == 2}
    return {name: int(found[name]) for name in ("zk_znode_count", "zk_watch_count", "zk_ephemerals_count")}


def transaction(server: ZooKeeperServer) -> int:
    """The number of the last write."""
    (line,) = [line for line in server.ask("srvr").splitlines() if line.startswith("Zxid: ")]
    return int(line.removeprefix("Zxid: "), 16)


def completed(cluster: AgentCluster, pattern: str) -> int:
    count: int = cluster.one(
        "SELECT count(*) FROM shardkeeper.job_run WHERE job_name LIKE %s AND status = 'COMPLETED'", (pattern,)
    )
    return count


def load(cluster: AgentCluster, prefix: str, count: int) -> None:
    """Jobs in one statement, on a thousand schedules that do not fire during this test."""
    cluster.rows(
        "INSERT INTO shardkeeper.job_spec (name, impl_spec, every, starts_at, sharding_total_count)"
        " SELECT %(prefix)s || n, 'witness', make_interval(days => 1, secs => n %% 1000), '2999-01-01', 3"
        " FROM generate_series(1, %(count)s) n",
        {"prefix": prefix, "count": count},
    )


def wait_for_a_fire_under_all_that_is_written(cluster: AgentCluster, name: str) -> None:
    """A job written later than all others has run on all nodes: they have read everything before it."""
    cluster.job(name, every="1 s", sharding_total_count=3)
    wait_until(lambda: completed(cluster, name) > 0, PATIENCE_S, f"a run of {name}")
    cluster.rows("DELETE FROM shardkeeper.job_spec WHERE name = %s", (name,))


def test_five_thousand_jobs_cost_zookeeper_as_much_as_five_and_fires_cost_it_nothing(
    cluster: AgentCluster, zookeeper_server: ZooKeeperServer
) -> None:
    load(cluster, "few-", 5)
    wait_for_a_fire_under_all_that_is_written(cluster, "after-five")
    with_five, written = monitored(zookeeper_server), transaction(zookeeper_server)
    assert with_five["zk_ephemerals_count"] == 6  # each node and its candidate

    load(cluster, "many-", JOBS)
    for number in range(20):
        cluster.job(f"firing-{number}", every="1 s")
    wait_for_a_fire_under_all_that_is_written(cluster, "after-all")
    wait_until(lambda: completed(cluster, "firing-%") >= 60, PATIENCE_S, "sixty fires")
    assert cluster.one("SELECT count(*) FROM shardkeeper.job_spec") == JOBS + 25
    assert monitored(zookeeper_server) == with_five
    assert transaction(zookeeper_server) == written
