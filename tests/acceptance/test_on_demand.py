"""Work on demand on running nodes: submitted by SQL, supervised, retried, stopped, looked at by the command line."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from psycopg.types.json import Jsonb

from tests.acceptance.accounting import clock
from tests.acceptance.test_fallen_nodes import attempts_of, status_of
from tests.cluster import AgentCluster, cluster_on_shared_servers
from tests.servers import PostgresPool
from tests.waiting import wait_until

PATIENCE_S = 60.0
NODES = ("one", "two")
WORKER = "shardkeeper.workers.child"
OPEN_RUNS = "SELECT count(*) FROM shardkeeper.job_run WHERE job_name = %s AND finished_at IS NULL"
IMPLS = ("Steps", "Short", "Poison", "Progressing", "Changing")


@pytest.fixture(scope="module")
def cluster(
    postgres_pool: PostgresPool, zookeeper_hosts: str, servers_folder: Path
) -> Iterator[AgentCluster]:
    """Two nodes of two workers, and an ImplSpec for each task of `demanded`."""
    with cluster_on_shared_servers(
        postgres_pool, zookeeper_hosts, servers_folder, SHARDKEEPER_WORKERS="2"
    ) as made:
        made.start(*NODES)
        made.impl()
        for name in IMPLS:
            made.impl(name.lower(), f"demanded:{name}")
        made.wait_for_view(*NODES)
        yield made


def submit(
    cluster: AgentCluster, job: str, priority: int = 0, at: datetime | None = None, **parameters: Any
) -> int:
    run: int = cluster.one(
        "SELECT shardkeeper.submit(%s, %s, priority => %s::smallint, at => %s)",
        (job, Jsonb(parameters), priority, at),
    )
    return run


def submit_many(cluster: AgentCluster, job: str, count: int, **parameters: Any) -> list[int]:
    rows = cluster.rows(
        "SELECT shardkeeper.submit(%s, %s) AS run FROM generate_series(1, %s)",
        (job, Jsonb(parameters), count),
    )
    return [row["run"] for row in rows]


def wait_for_end(cluster: AgentCluster, *runs: int) -> list[str]:
    """The statuses of the runs, once all have ended."""

    def all_ended() -> list[str]:
        found = cluster.rows(
            "SELECT id, status FROM shardkeeper.job_run WHERE id = ANY(%s) AND finished_at IS NOT NULL",
            (list(runs),),
        )
        by_run = {row["id"]: row["status"] for row in found}
        return [by_run[run] for run in runs] if len(by_run) == len(runs) else []

    return wait_until(all_ended, PATIENCE_S, f"the end of {len(runs)} runs")


def tries(cluster: AgentCluster, run: int) -> list[tuple[str, str | None]]:
    return [(one["status"], one["error_type"]) for one in attempts_of(cluster, run, 0)]


def began(cluster: AgentCluster, run: int, **wanted: Any) -> dict[str, Any]:
    """The line of the run's first attempt that began."""
    return cluster.witness.wait_for(1, run=run, event="began", **wanted)[0]


def steps_of(cluster: AgentCluster, run: int) -> dict[int, list[int]]:
    """The steps that each attempt took."""
    taken: dict[int, list[int]] = {}
    for line in cluster.witness.lines(run=run, event="step"):
        taken.setdefault(line["attempt"], []).append(line["step"])
    return taken


def at_step_seven(cluster: AgentCluster, run: int) -> dict[str, Any]:
    """The line in which the run's first attempt says that it holds, once the store has its last checkpoint."""
    (line,) = cluster.witness.wait_for(1, run=run, event="step", step=7)
    wait_until(
        lambda: attempts_of(cluster, run, 0)[0]["checkpoint"] == {"done": 6}, PATIENCE_S, "six steps kept"
    )
    return line


def test_a_task_whose_node_is_killed_at_step_seven_goes_on_there_on_another_node(
    cluster: AgentCluster,
) -> None:
    cluster.job("steps-fallen", "steps")
    run = submit(cluster, "steps-fallen", holds_at=7)
    victim = at_step_seven(cluster, run)["node"]

    cluster.kill(victim)
    assert wait_for_end(cluster, run) == ["COMPLETED"]
    assert steps_of(cluster, run) == {1: [*range(1, 8)], 2: [*range(7, 11)]}
    first, second = attempts_of(cluster, run, 0)
    assert (first["status"], first["node_id"]) == ("LOST", victim)
    assert (second["status"], second["node_id"]) == ("COMPLETED", *(set(NODES) - {victim}))
    assert (second["tries"], second["takeovers"], second["checkpoint"]) == (0, 1, None)

    cluster.start(victim)
    cluster.wait_for_view(*NODES)


def test_a_task_whose_worker_is_killed_at_step_seven_goes_on_there(cluster: AgentCluster) -> None:
    cluster.job("steps-killed", "steps", max_attempts=2, retry_delay="0 s")
    run = submit(cluster, "steps-killed", holds_at=7)
    os.kill(at_step_seven(cluster, run)["pid"], signal.SIGKILL)

    assert wait_for_end(cluster, run) == ["COMPLETED"]
    assert steps_of(cluster, run) == {1: [*range(1, 8)], 2: [*range(7, 11)]}
    assert tries(cluster, run) == [("FAILED", "WorkerDied"), ("COMPLETED", None)]


def test_workers_go_from_two_to_eight_to_one_under_load_and_nothing_is_lost_or_doubled(
    cluster: AgentCluster,
) -> None:
    cluster.job("short", "short")
    runs: list[int] = []

    def loaded_and(workers: int) -> bool:
        """Whether the node has so many workers; work is never allowed to run out before."""
        if cluster.one(OPEN_RUNS, ("short",)) < 100:
            runs.extend(submit_many(cluster, "short", 100, seconds=0.02))
        return workers_of(cluster, "one") == workers

    wait_until(lambda: loaded_and(2), PATIENCE_S, "two workers")
    cluster.cli("node", "one", "--workers", "8")
    wait_until(lambda: loaded_and(8), PATIENCE_S, "eight workers")
    cluster.cli("node", "one", "--workers", "1")
    wait_until(lambda: loaded_and(1), PATIENCE_S, "one worker")

    assert set(wait_for_end(cluster, *runs)) == {"COMPLETED"}
    cluster.cli("node", "one", "--workers", "2")
    for event in ("began", "ended"):
        told = Counter(line["run"] for line in cluster.witness.lines(job="short", event=event))
        assert told == dict.fromkeys(runs, 1)
    recorded = [(one["run_id"], one["attempt"], one["status"]) for one in cluster.attempts("short")]
    assert sorted(recorded) == sorted((run, 1, "COMPLETED") for run in runs)


def workers_of(cluster: AgentCluster, node: str) -> int:
    """Its worker processes."""
    return sum(map(is_worker, psutil.Process(cluster.pid(node)).children()))


def is_worker(process: psutil.Process) -> bool:
    try:
        return WORKER in process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


def test_a_poison_task_ends_among_the_dead_letters_and_harms_no_other_and_can_be_resubmitted(
    cluster: AgentCluster,
) -> None:
    cluster.job("mail", "poison", max_attempts=3, retry_delay="0 s")
    before = submit_many(cluster, "mail", 10, deadly=False)
    poison = submit(cluster, "mail", deadly=True)
    after = submit_many(cluster, "mail", 10, deadly=False)

    assert wait_for_end(cluster, poison, *before, *after) == ["FAILED", *["COMPLETED"] * 20]
    assert tries(cluster, poison) == [("FAILED", "WorkerDied")] * 3
    assert len(cluster.witness.lines(run=poison)) == 3
    assert all(tries(cluster, run) == [("COMPLETED", None)] for run in before + after)
    letters = cluster.json("runs", "--status", "FAILED", "--job", "mail")
    assert [letter["id"] for letter in letters] == [poison]

    (again,) = cluster.json("rerun", str(poison), "--param", "deadly=false")
    assert wait_for_end(cluster, again["id"]) == ["COMPLETED"]
    rerun = cluster.json("run", str(again["id"]))
    assert (rerun["rerun_of"], rerun["result"], rerun["parameters"]) == (
        poison,
        "harmless",
        {"deadly": False},
    )


def test_a_task_is_not_begun_before_its_time(cluster: AgentCluster) -> None:
    cluster.job("delayed")
    at = clock(cluster) + timedelta(seconds=1)
    later = submit(cluster, "delayed", at=at)
    now = submit(cluster, "delayed")
    assert wait_for_end(cluster, now, later) == ["COMPLETED"] * 2
    # both by PostgreSQL's clock
    assert [attempts_of(cluster, run, 0)[0]["claimed_at"] >= at for run in (now, later)] == [False, True]


def test_of_those_that_wait_the_higher_priority_begins_first(cluster: AgentCluster) -> None:
    """One at a time: `max_running` makes one busy worker of the cluster's four."""
    cluster.job("ranked", max_running=1)
    gate = cluster.gate("ranked")
    first = submit(cluster, "ranked", until=str(gate.path))
    began(cluster, first)
    low = submit(cluster, "ranked")
    high = submit(cluster, "ranked", priority=50)
    gate.open()
    assert wait_for_end(cluster, first, low, high) == ["COMPLETED"] * 3
    assert [line["run"] for line in cluster.witness.lines(job="ranked", event="began")] == [first, high, low]


def test_a_pool_of_two_lets_two_run_at_once_across_jobs_and_nodes(cluster: AgentCluster) -> None:
    cluster.rows("INSERT INTO shardkeeper.pool (name, size) VALUES ('licences', 2)")
    runs = []
    for job in ("reader", "writer"):
        cluster.job(job, "short", pool="licences")
        runs += submit_many(cluster, job, 12, seconds=0.05)
    assert set(wait_for_end(cluster, *runs)) == {"COMPLETED"}

    told = [line for line in cluster.witness.lines() if line["job"] in ("reader", "writer")]
    running = [0]
    for line in told:
        running.append(running[-1] + (1 if line["event"] == "began" else -1))
    assert (max(running), running[-1]) == (2, 0)
    assert {line["job"] for line in told} == {"reader", "writer"}


def test_progress_is_seen_while_a_task_runs_and_a_stop_ends_it(cluster: AgentCluster) -> None:
    cluster.job("pages", "progressing")
    run = submit(cluster, "pages", until=str(cluster.gate("pages").path))

    def shown() -> tuple[Any, ...]:
        (attempt,) = cluster.json("run", str(run))["shard_runs"]
        return attempt["status"], attempt["progress"], attempt["progress_message"]

    wait_until(
        lambda: shown() == ("RUNNING", 0.25, "a quarter of the pages"), PATIENCE_S, "progress of the run"
    )
    cluster.cli("stop", str(run))
    assert wait_for_end(cluster, run) == ["STOPPED"]
    assert [status for status, _ in tries(cluster, run)] == ["STOPPED"]
    cluster.cli("stop", str(run))
    assert status_of(cluster, run) == "STOPPED"


def test_a_task_may_come_back_later_at_no_cost_or_cancel_itself(cluster: AgentCluster) -> None:
    cluster.job("changing", "changing")
    later = submit(cluster, "changing", raises="later")
    cancelled = submit(cluster, "changing", raises="cancel")
    assert wait_for_end(cluster, later, cancelled) == ["COMPLETED", "STOPPED"]

    assert len(cluster.witness.lines(run=later, event="began")) == 2
    last = attempts_of(cluster, later, 0)[-1]
    assert (last["status"], last["tries"]) == ("COMPLETED", 0)
    (attempt,) = attempts_of(cluster, cancelled, 0)
    assert attempt["status"] == "STOPPED"
    assert "nobody wants it any more" in attempt["error_message"]


def test_a_task_that_takes_too_long_is_ended_and_tried_again(cluster: AgentCluster) -> None:
    cluster.job("slow", "changing", timeout="1 s", max_attempts=2, retry_delay="0 s")
    run = submit(cluster, "slow", raises="never")
    assert wait_for_end(cluster, run) == ["COMPLETED"]
    assert tries(cluster, run) == [("TIMED_OUT", "TimedOut"), ("COMPLETED", None)]
