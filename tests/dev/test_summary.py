"""The verdict of `shardkeeper dev --seconds`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shardkeeper.dev.fleet import Death
from shardkeeper.dev.summary import Evidence, Summary, judge
from shardkeeper.devservers.fake_slack import Received

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


def job(name: str = "index", **given: Any) -> dict[str, Any]:
    return {"name": name, "labels": {}, "problem": None, "paused": False, "paused_reason": None} | given


def run(status: str, job_name: str = "index", *attempts: str) -> dict[str, Any]:
    return {
        "id": 1,
        "name": f"{job_name}@2026-11-21T12:00:00Z",
        "job_name": job_name,
        "status": status,
        "reason": None,
        "trigger_kind": "schedule",
        "sharding_total_count": 3,
        "fire_time": NOON,
        "started_at": NOON + timedelta(milliseconds=4),
        "finished_at": NOON + timedelta(seconds=1),
        "shard_runs": [
            {"status": one, "node_id": "node-1", "phase": "calculate", "error_message": "broke"}
            for one in attempts
        ],
    }


def death(*, own_fault: bool) -> Death:
    return Death("node-2", 7, "was killed by SIGKILL", own_fault, Path("node-2.log"))


def message(text: str) -> Received:
    return Received("#alerts", text, [], None, None)


def judged(jobs: list[dict[str, Any]], runs: list[dict[str, Any]], **given: Any) -> Summary:
    names = frozenset(str(one["name"]) for one in jobs)
    facts: dict[str, Any] = {"judged": names, "due": names, "nodes": {}, "inbox": (), "deaths": ()} | given
    return judge(Evidence(jobs=jobs, runs=runs, **facts))


def test_all_is_well_when_each_job_completed_what_ran() -> None:
    summary = judged([job()], [run("COMPLETED"), run("COMPLETED"), run("SKIPPED")])
    assert summary.ok
    assert summary.jobs[0].items == 6
    assert summary.jobs[0].late == (timedelta(milliseconds=4),) * 3


def test_one_failed_run_among_good_ones_is_a_failure() -> None:
    assert judged([job()], [run("COMPLETED"), run("FAILED", "index", "FAILED")]).problems == (
        "index: 1 of its runs failed, index@2026-11-21T12:00:00Z with calculate: broke",
    )


def test_a_job_that_was_due_and_never_completed_is_a_failure() -> None:
    assert not judged([job()], [run("RUNNING")]).ok
    assert judged([job()], [], due=frozenset()).ok


def test_a_job_with_a_problem_is_a_failure() -> None:
    assert not judged([job(problem="no such module")], [run("COMPLETED")]).ok


def test_a_job_of_somebody_else_is_shown_and_not_judged() -> None:
    summary = judged([job()], [run("FAILED")], judged=frozenset())
    assert summary.ok
    assert summary.jobs[0].said == "not from these spec files"


@pytest.mark.parametrize(
    ("runs", "inbox", "ok"),
    [
        (["FAILED"], "[local] index 3/3 items FAILED in validate", True),
        (["FAILED"], "[local] index-of-others 3/3 items FAILED in validate", False),
        (["FAILED"], "[local] index started late", False),
        (["COMPLETED"], "[local] index 3/3 items FAILED in validate", False),
    ],
)
def test_what_should_fail_must_fail_and_be_told(runs: list[str], inbox: str, ok: bool) -> None:
    expected = job(labels={"expected": "failure"})
    assert judged([expected], [run(status) for status in runs], inbox=(message(inbox),)).ok is ok


def test_a_node_that_somebody_killed_is_forgiven_with_what_it_lost() -> None:
    lost = run("FAILED", "index", "LOST")
    assert judged([job()], [lost, run("COMPLETED")], deaths=[death(own_fault=False)]).ok
    assert not judged([job()], [lost, run("COMPLETED")]).ok
    assert not judged([job()], [run("FAILED", "index", "FAILED")], deaths=[death(own_fault=False)]).ok


def test_a_node_that_died_by_itself_is_a_failure() -> None:
    assert not judged([job()], [run("COMPLETED")], deaths=[death(own_fault=True)]).ok


def test_a_node_that_would_not_go_is_a_failure() -> None:
    assert not judged([job()], [run("COMPLETED")], wrong_ends=["node-1 had not ended"]).ok
