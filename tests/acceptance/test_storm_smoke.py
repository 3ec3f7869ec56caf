"""A small one of `make storm`: tasks of all kinds while nodes and worker processes are killed."""

from __future__ import annotations

from pathlib import Path

from bench.storm.options import Options
from bench.storm.report import report
from bench.storm.storm import storm
from tests.cluster import cluster_on_shared_servers
from tests.servers import PostgresPool

OPTIONS = Options(tasks=2_000, nodes=2, node_kills=2, worker_kills=4, kill_every_s=0.3, patience_s=60.0)


def test_under_kills_of_nodes_and_workers_every_task_has_one_recorded_outcome(
    postgres_pool: PostgresPool, zookeeper_hosts: str, servers_folder: Path
) -> None:
    said: list[str] = []
    with cluster_on_shared_servers(
        postgres_pool, zookeeper_hosts, servers_folder, SHARDKEEPER_SESSION_TIMEOUT="4"
    ) as servers:
        verdict = storm(servers.url, servers.environment, servers.folder, OPTIONS, said.append)
    told = "\n".join([*said, *report(verdict)])
    assert not verdict.violations, told
    assert len(verdict.history.runs) == OPTIONS.tasks
    # it has blown: nodes and workers were killed, and whoever counts them noticed
    assert verdict.nodes_killed >= 1, told
    assert verdict.history.workers_killed >= 1, told
    # one that is killed before it has joined leaves nothing to be taken over
    assert 1 <= sum(lease.taken_over for lease in verdict.history.leases) <= verdict.nodes_killed, told
    assert verdict.deaths >= 8, told
    assert sum(verdict.restarts.values()) >= 1, told
