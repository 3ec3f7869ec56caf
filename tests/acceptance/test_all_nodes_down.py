"""What was due while every node was down is accounted for by policy, and truly."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

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
from tests.waiting import wait_until

PATIENCE_S = 90.0
POLICIES = ("once", "all", "skip")
LIMIT = 4
"""catch_up_limit of the job "capped"."""


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    """The sweep begins once fires are older than the on-time window and a statement's time-out: 6 s."""
    return {
        "SHARDKEEPER_SESSION_TIMEOUT": "3",
        "SHARDKEEPER_ON_TIME_WINDOW": "4",
        "SHARDKEEPER_STATEMENT_TIMEOUT": "2",
    }


@pytest.fixture(scope="module")
def outage(cluster: AgentCluster) -> tuple[datetime, datetime]:
    """All nodes are killed, and started again once 14 fires were due. From the last instant at which one may have
    acted to the first at which one could; everything is accounted for when it is given."""
    for policy in POLICIES:
        cluster.job(policy, every="1 s", misfire=policy, overlap="allow")
    cluster.job("capped", every="1 s", misfire="all", catch_up_limit=LIMIT, overlap="allow")
    cluster.job("edited", every="1 s", misfire="all", overlap="allow")
    cluster.job("deleted", every="1 s", misfire="all", overlap="allow")
    wait_until(lambda: all(len(cluster.runs(job)) >= 2 for job in POLICIES), PATIENCE_S, "the first fires")
    cluster.kill(*NODES)
    down = clock(cluster)
    wait_for_clock(cluster, down + 5 * SECOND)
    cluster.job("newcomer", every="1 s", misfire="all", overlap="allow")
    cluster.rows("UPDATE shardkeeper.job_spec SET every = '2 s' WHERE name = 'edited'")
    cluster.rows("DELETE FROM shardkeeper.job_spec WHERE name = 'deleted'")
    wait_for_clock(cluster, down + 14 * SECOND)
    up = clock(cluster)
    cluster.start(*NODES)
    cluster.wait_for_view(*NODES)
    end = clock(cluster)
    wait_until(lambda: watermark(cluster) > end, PATIENCE_S, "the sweep to catch up")
    wait_until(lambda: open_runs(cluster, end) == 0, PATIENCE_S, "the end of all runs of the outage")
    assert cluster.stop(*NODES) == [0, 0, 0]
    return down, up


def in_force_from(cluster: AgentCluster, job: str) -> list[datetime]:
    return [
        row["in_force_from"]
        for row in cluster.rows(
            "SELECT in_force_from FROM shardkeeper.job_version WHERE job_name = %s ORDER BY in_force_from",
            (job,),
        )
    ]


@pytest.mark.parametrize("job", [*POLICIES, "capped", "newcomer"])
def test_every_fire_is_in_exactly_one_run_or_record_and_the_counts_add_up(
    cluster: AgentCluster, outage: tuple[datetime, datetime], job: str
) -> None:
    until = watermark(cluster)
    records = [run for run in cluster.runs(job) if run["fire_time"] <= until]
    for record in records:
        if record["status"] == "MISSED":
            assert record["missed_count"] == len(fires(record))
    accounted = sorted(fire for record in records for fire in fires(record))
    # an instant equal to the insertion's, to the microsecond, would be due too
    assert accounted == whole_seconds(in_force_from(cluster, job)[0], until)


def test_once_runs_the_latest_fire_and_the_others_become_missed_records(
    cluster: AgentCluster, outage: tuple[datetime, datetime]
) -> None:
    missed, misfires = of_the_outage(cluster, "once", outage)
    assert sum(record["missed_count"] for record in missed) >= 5
    # the latest due fire of a job that fires each second is one that is still created on time
    assert misfires == []
    latest = max(run["fire_time"] for run in cluster.runs("once") if run["trigger_kind"] == "schedule")
    assert latest > missed[-1]["fire_until"]


def test_all_runs_every_fire(cluster: AgentCluster, outage: tuple[datetime, datetime]) -> None:
    missed, misfires = of_the_outage(cluster, "all", outage)
    assert missed == []
    assert len(misfires) >= 5
    assert {run["status"] for run in misfires} == {"COMPLETED"}


def test_all_stops_at_the_catch_up_limit_and_drops_the_oldest_into_a_record(
    cluster: AgentCluster, outage: tuple[datetime, datetime]
) -> None:
    missed, misfires = of_the_outage(cluster, "capped", outage)
    assert misfires
    assert missed
    assert min(run["fire_time"] for run in misfires) > missed[0]["fire_until"]
    for record in missed:
        following = [run for run in misfires if run["fire_time"] > record["fire_until"]]
        assert len(following) >= LIMIT


def test_skip_runs_none_of_them(cluster: AgentCluster, outage: tuple[datetime, datetime]) -> None:
    missed, misfires = of_the_outage(cluster, "skip", outage)
    assert misfires == []
    assert sum(record["missed_count"] for record in missed) >= 5


def test_a_job_inserted_meanwhile_runs_nothing_from_before_its_insertion(
    cluster: AgentCluster, outage: tuple[datetime, datetime]
) -> None:
    (inserted,) = in_force_from(cluster, "newcomer")
    runs = cluster.runs("newcomer")
    assert min(run["fire_time"] for run in runs) > inserted
    # what was due after its insertion is made up for by its policy, though no node knew of the job then
    assert any(run["fire_time"] < outage[1] and run["status"] == "COMPLETED" for run in runs)


def test_a_schedule_edited_meanwhile_holds_from_the_instant_of_the_edit(
    cluster: AgentCluster, outage: tuple[datetime, datetime]
) -> None:
    first, edited = in_force_from(cluster, "edited")
    until = watermark(cluster)
    due = [at for at in whole_seconds(first, until) if at < edited or at.second % 2 == 0]
    runs = [run for run in cluster.runs("edited") if run["fire_time"] <= until]
    assert [run["fire_time"] for run in runs] == due
    assert {run["status"] for run in runs if run["fire_time"] < outage[1]} == {"COMPLETED"}
    versions = [run["job_version"] for run in runs]
    assert versions == sorted(versions)
    assert len(set(versions)) == 2


def test_what_a_job_deleted_meanwhile_was_due_is_recorded_as_skipped(
    cluster: AgentCluster, outage: tuple[datetime, datetime]
) -> None:
    first, deleted = in_force_from(cluster, "deleted")
    runs = cluster.runs("deleted")
    assert sorted(fire for run in runs for fire in fires(run)) == whole_seconds(first, deleted)
    swept = [run for run in runs if run["fire_time"] > outage[0]]
    assert [(run["status"], run["missed_count"]) for run in swept] == [
        ("SKIPPED", len(whole_seconds(outage[0], deleted)))
    ]


def test_nothing_ran_twice(cluster: AgentCluster, outage: tuple[datetime, datetime]) -> None:
    twice = cluster.rows(
        "SELECT job_name, fire_time, count(*) FROM shardkeeper.job_run GROUP BY 1, 2 HAVING count(*) > 1"
    )
    assert twice == []
    for job in (*POLICIES, "newcomer", "edited"):
        ended = [(line["run"], line["item"]) for line in cluster.witness.lines(job=job, event="ended")]
        completed = [run["id"] for run in cluster.runs(job) if run["status"] == "COMPLETED"]
        assert set(completed) <= {run for run, _ in ended}


def of_the_outage(
    cluster: AgentCluster, job: str, outage: tuple[datetime, datetime]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The MISSED records and the misfire runs of a job."""
    records = cluster.runs(job)
    missed = [one for one in records if one["status"] == "MISSED"]
    misfires = [one for one in records if one["trigger_kind"] == "misfire" and one["status"] != "MISSED"]
    for one in (*missed, *misfires):
        assert one["fire_time"] > outage[0] - timedelta(seconds=6)
    return missed, misfires
