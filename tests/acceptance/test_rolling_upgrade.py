"""The schema goes on to the next release under nodes of this one, while jobs fire and work is submitted."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from shardkeeper import Client
from shardkeeper.cli import main
from tests.acceptance.accounting import clock, fires, open_runs, wait_for_clock, whole_seconds
from tests.acceptance.test_stores_away import inserted
from tests.cluster import AgentCluster, cluster_on_shared_servers
from tests.next_release import MINOR, PATCH, release
from tests.servers import PostgresPool
from tests.waiting import wait_until

PATIENCE_S = 60.0
NODES = ("one", "two")
LATE = timedelta(seconds=5)
"""Generous, since others keep this machine busy; the upgrade itself holds up nobody for longer than half a second."""
UPGRADE_WAITS = """SELECT count(*) = 1 AS waits FROM pg_stat_activity
                   WHERE datname = current_database() AND application_name = 'shardkeeper db upgrade'
                         AND wait_event_type = 'Lock'"""


@pytest.fixture
def cluster(
    postgres_pool: PostgresPool, zookeeper_hosts: str, servers_folder: Path
) -> Iterator[AgentCluster]:
    """A database without nodes yet."""
    with cluster_on_shared_servers(postgres_pool, zookeeper_hosts, servers_folder) as made:
        yield made


class Submitter:
    """A program that goes on submitting, one by one; ``runs`` in their order."""

    def __init__(self, cluster: AgentCluster) -> None:
        self._url = cluster.url
        self.runs: list[int] = []

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Raises at the end what a submission raised."""
        over = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            work = pool.submit(self._serve, over)
            try:
                yield
            finally:
                over.set()
            work.result()

    def _serve(self, over: threading.Event) -> None:
        with Client(self._url) as client:
            while not over.wait(0.02):
                self.runs.append(client.submit("demand").id)


def completed(cluster: AgentCluster, run: int) -> bool:
    return bool(cluster.one("SELECT status = 'COMPLETED' FROM shardkeeper.job_run WHERE id = %s", (run,)))


def goes_on(cluster: AgentCluster, submitter: Submitter) -> None:
    """Wait until something that is submitted from now on, and a fire from now on, have COMPLETED."""
    count, now = len(submitter.runs), clock(cluster)
    wait_until(lambda: len(submitter.runs) > count, PATIENCE_S, "a submission")
    wait_until(lambda: completed(cluster, submitter.runs[count]), PATIENCE_S, "its end")
    fired = """SELECT count(*) FROM shardkeeper.job_run
               WHERE job_name = 'ticks' AND fire_time > %s AND status = 'COMPLETED'"""
    wait_until(lambda: cluster.one(fired, (now,)), PATIENCE_S, "a fire's end")


def reads_until_nodes_have_gone_on(cluster: AgentCluster, submitter: Submitter) -> None:
    """Somebody's report holds up the upgrade, which holds up nobody."""
    with cluster.connect(autocommit=False, application_name="a report") as report:
        report.execute("SELECT count(*) FROM shardkeeper.job_run")
        wait_until(lambda: cluster.one(UPGRADE_WAITS), PATIENCE_S, "the upgrade to wait")
        goes_on(cluster, submitter)


def upgrade(cluster: AgentCluster) -> tuple[str, str]:
    """What `shardkeeper db upgrade` prints and tells."""
    done = CliRunner().invoke(main, ["db", "upgrade"], env=dict(cluster.environment))
    assert done.exit_code == 0, done.stderr
    return done.stdout, done.stderr


def lives(cluster: AgentCluster) -> dict[str, Any]:
    rows = cluster.rows("SELECT node_id, incarnation FROM shardkeeper.lease WHERE state = 'active'")
    return {row["node_id"]: row["incarnation"] for row in rows}


def test_nodes_work_on_while_the_schema_goes_on_to_the_next_release(
    cluster: AgentCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.start(*NODES)
    cluster.impl()
    cluster.job("demand")
    cluster.wait_for_view(*NODES)
    cluster.job("ticks", every="1 s", sharding_total_count=2, overlap="allow")
    before, submitter = lives(cluster), Submitter(cluster)
    with submitter.at_work():
        goes_on(cluster, submitter)
        release(monkeypatch, "patch")
        with ThreadPoolExecutor(1) as pool:
            report = pool.submit(reads_until_nodes_have_gone_on, cluster, submitter)
            wait_until(lambda: holds(cluster, "a report"), PATIENCE_S, "the report")
            said, told = upgrade(cluster)
            report.result()
        monkeypatch.undo()
        assert said == f"The schema is at revision {PATCH}.\n"
        assert "waits for a report (pid " in told
        assert lives(cluster) == before
        cluster.rows("UPDATE shardkeeper.job_spec SET description = 'an edit' WHERE name = 'ticks'")
        goes_on(cluster, submitter)

        # one of this release may also come back to the newer schema
        assert cluster.stop("two") == [0]
        cluster.start("two")
        cluster.wait_for_view(*NODES)
        goes_on(cluster, submitter)
    end = clock(cluster)
    wait_for_clock(cluster, end + timedelta(seconds=1))
    wait_until(lambda: open_runs(cluster, end) == 0, PATIENCE_S, "the end of all runs")
    nothing_was_lost_or_doubled(cluster, submitter.runs, end)
    assert lives(cluster)["one"] == before["one"]
    # bodies of functions that the next release has replaced were called by nodes of this one
    by = {run["requested_by"] for run in cluster.runs("demand")}
    assert {each.endswith(", next release") for each in by} == {False, True}


def holds(cluster: AgentCluster, name: str) -> bool:
    """Whether a session of that name is in a transaction that has locked runs."""
    held = """SELECT count(*) > 0 FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
              WHERE l.relation = 'shardkeeper.job_run'::regclass AND a.application_name = %s"""
    return bool(cluster.one(held, (name,)))


def nothing_was_lost_or_doubled(cluster: AgentCluster, submitted: list[int], end: datetime) -> None:
    due = whole_seconds(inserted(cluster, "ticks"), end)
    found = [run for run in cluster.runs("ticks") if run["fire_time"] <= end]
    assert sorted(fire for run in found for fire in fires(run)) == due
    assert {run["status"] for run in found} == {"COMPLETED"}
    attempts = [one for one in cluster.attempts("ticks") if one["fire_time"] <= end]
    assert [(one["run_id"], one["item"], one["attempt"]) for one in attempts] == [
        (run["id"], item, 1) for run in found for item in range(2)
    ]
    assert max(one["started_at"] - one["fire_time"] for one in attempts) < LATE

    assert len(submitted) > 20
    assert [run["id"] for run in sorted(cluster.runs("demand"), key=lambda run: run["id"])] == sorted(
        submitted
    )
    recorded = [(one["run_id"], one["attempt"], one["status"]) for one in cluster.attempts("demand")]
    assert sorted(recorded) == sorted((run, 1, "COMPLETED") for run in submitted)
    began = Counter(line["run"] for line in cluster.witness.lines(job="demand", event="began"))
    assert began == dict.fromkeys(submitted, 1)


def test_a_node_of_another_minor_version_is_refused_and_told_what_mends_it(
    cluster: AgentCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    release(monkeypatch, "patch", "minor")
    assert upgrade(cluster)[0] == f"The schema is at revision {MINOR}.\n"
    monkeypatch.undo()
    cluster.start("one")
    assert cluster.exit_code("one") == 1
    assert "install the version with which `shardkeeper db upgrade` was run" in cluster.log("one")
