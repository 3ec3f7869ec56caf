"""A bad spec never replaces a good one: SQL refuses it, or its version is marked invalid and told, while the last valid
version stays in force."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from shardkeeper.devservers.fake_slack import FakeSlack
from tests.acceptance.conftest import NODES
from tests.cluster import AgentCluster
from tests.waiting import wait_until

PATIENCE_S = 60.0
ONLY_NODES_CAN_TELL: dict[str, dict[str, Any]] = {
    "cron": {"cron": "every minute", "every": None},
    "never": {"cron": "0 0 30 2 *", "every": None},
    "rate": {"every": "1 ms", "sharding_total_count": 500},
    "after": {"alert": {"after": "often"}},
    "phase": {"phase_timeouts": {"initialize": "soon"}},
}
NAMED_FIELD = {
    "cron": "cron",
    "never": "cron",
    "rate": "items per second",
    "after": "alert",
    "phase": "phase_timeouts",
}


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return {"SHARDKEEPER_UNRUNNABLE_AFTER": "4"}


@pytest.fixture(scope="module")
def cluster(cluster: AgentCluster) -> AgentCluster:
    """Node three does not allow the module `families`. Every job has run once when the tests begin."""
    cluster.stop("three")
    cluster.start("three", SHARDKEEPER_TASKS__ALLOWED_MODULES='["witnessing"]')
    cluster.wait_for_view(*NODES)
    cluster.impl("shared")
    for job in (*ONLY_NODES_CAN_TELL, "impl"):
        cluster.job(job, "shared" if job == "impl" else "witness", every="1 s", sharding_total_count=1)
    for job in (*ONLY_NODES_CAN_TELL, "impl"):
        wait_for_run(cluster, job)
    return cluster


def update(cluster: AgentCluster, job: str, **columns: Any) -> int:
    """Change a job as with psql; the new version."""
    values = {name: Jsonb(value) if isinstance(value, dict) else value for name, value in columns.items()}
    marks = ", ".join(f"{name} = %({name})s" for name in values)
    cluster.rows(f"UPDATE shardkeeper.job_spec SET {marks} WHERE name = %(job)s", {**values, "job": job})
    version: int = cluster.one("SELECT version FROM shardkeeper.job_spec WHERE name = %s", (job,))
    return version


def problem(cluster: AgentCluster, job: str) -> str | None:
    found: str | None = cluster.one("SELECT problem FROM shardkeeper.job_status WHERE job_name = %s", (job,))
    return found


def wait_for_problem(cluster: AgentCluster, job: str) -> str:
    return wait_until(lambda: problem(cluster, job), PATIENCE_S, f"the problem of {job}") or ""


def wait_for_run(cluster: AgentCluster, job: str, count: int = 1) -> list[dict[str, Any]]:
    """Completed runs of fires from now on."""
    now = cluster.one("SELECT clock_timestamp()")

    def completed() -> list[dict[str, Any]]:
        found = [run for run in cluster.runs(job) if run["fire_time"] > now and run["status"] == "COMPLETED"]
        return found if len(found) >= count else []

    return wait_until(completed, PATIENCE_S, f"{count} runs of {job}")


def messages(slack: FakeSlack, subject: str) -> list[str]:
    """First lines that name the job or the ImplSpec."""
    return [line for line in (one.text.splitlines()[0] for one in slack.inbox) if subject in line.split()]


@pytest.mark.parametrize(
    ("field", "columns"),
    [
        ("name", {"name": "A/b"}),
        ("sharding_total_count", {"sharding_total_count": 0}),
        ("sharding_total_count", {"sharding_total_count": 10_000_000}),
        ("every", {"every": "-1 s"}),
        ("every", {"every": "1 month"}),
        ("cron", {"cron": "* * * * *"}),
        ("misfire", {"misfire": "perhaps"}),
        ("overlap", {"overlap": "perhaps"}),
        ("sharding_strategy", {"sharding_strategy": "random"}),
        ("timeout", {"timeout": "0"}),
        ("retry_backoff", {"retry_backoff": float("nan")}),
        ("priority", {"priority": 101}),
        ("alert", {"alert": {"colour": "red"}}),
        ("alert", {"alert": {"on": ["always"]}}),
        ("node_selector", {"node_selector": {"zone": 1}}),
        ("phase_timeouts", {"phase_timeouts": {"sleep": "1 s"}}),
        ("parameters", {"parameters": Jsonb([1])}),
        ("impl_spec", {"impl_spec": "missing"}),
    ],
)
def test_sql_refuses_what_it_can_tell_and_names_the_field(
    cluster: AgentCluster, field: str, columns: dict[str, Any]
) -> None:
    with pytest.raises(psycopg.IntegrityError) as refused:
        cluster.job(**{"name": "refused", "every": "1 s", **columns})
    assert field in (refused.value.diag.constraint_name or "")
    assert cluster.rows("SELECT FROM shardkeeper.job_version WHERE job_name IN ('refused', 'A/b')") == []


def test_what_only_nodes_can_tell_is_marked_told_and_the_last_valid_version_stays_in_force(
    cluster: AgentCluster, slack: FakeSlack
) -> None:
    """Also after a restart of all nodes, which tells nobody a second time."""
    valid = {job: cluster.runs(job)[0]["job_version"] for job in ONLY_NODES_CAN_TELL}
    bad = {job: update(cluster, job, **columns) for job, columns in ONLY_NODES_CAN_TELL.items()}
    old_impl = cluster.runs("impl")[0]["impl_version"]
    cluster.rows("UPDATE shardkeeper.impl_spec SET entrypoint = 'no class in it' WHERE name = 'shared'")

    for job in ONLY_NODES_CAN_TELL:
        assert NAMED_FIELD[job] in wait_for_problem(cluster, job)
    assert "entrypoint" in wait_for_problem(cluster, "impl")
    wait_until(lambda: len(slack.inbox) >= len(bad) + 1, PATIENCE_S, "the messages")

    cluster.kill(*NODES)
    cluster.start("one", "two")
    cluster.start("three", SHARDKEEPER_TASKS__ALLOWED_MODULES='["witnessing"]')
    cluster.wait_for_view(*NODES)
    for job, version in valid.items():
        assert {run["job_version"] for run in wait_for_run(cluster, job)} == {version}
        assert bad[job] not in {run["job_version"] for run in cluster.runs(job)}
    assert {run["impl_version"] for run in wait_for_run(cluster, "impl")} == {old_impl}

    for job in ONLY_NODES_CAN_TELL:
        ending = f"version {bad[job]} is invalid; the last valid version stays in force"
        assert messages(slack, job) == [f"[test] {job} {ending}"]
    (line,) = messages(slack, "shared")
    assert line.startswith("[test] ImplSpec shared version ")


def test_a_mended_version_takes_over_and_the_problem_is_gone(cluster: AgentCluster) -> None:
    mended = update(cluster, "cron", cron="* * * * * *")
    assert {run["job_version"] for run in wait_for_run(cluster, "cron")} == {mended}
    assert problem(cluster, "cron") is None


def test_a_node_that_may_not_import_the_task_declines_visibly_and_others_run_it(
    cluster: AgentCluster, slack: FakeSlack
) -> None:
    cluster.impl("partly", "families:Member")
    cluster.job("partly", "partly", every="1 s", sharding_total_count=3)
    reason = wait_for_problem(cluster, "partly")
    assert "three: " in reason
    assert "families" in reason
    wait_for_run(cluster, "partly", 2)
    done = {one["node_id"] for one in cluster.attempts("partly") if one["status"] == "COMPLETED"}
    assert done == {"one", "two"}
    assert {one["attempt"] for one in cluster.attempts("partly")} == {1}
    wait_until(lambda: messages(slack, "partly"), PATIENCE_S, "the message")
    assert messages(slack, "partly") == ["[test] partly cannot run on three"]


def test_what_no_node_can_import_fails_as_such_is_told_once_and_runs_once_it_is_mended(
    cluster: AgentCluster, slack: FakeSlack
) -> None:
    cluster.impl("nowhere", "witnessing:Nobody")
    cluster.job("nowhere", "nowhere", every="1 s", alert={"after": 2})
    wait_until(
        lambda: "FAILED" in {run["status"] for run in cluster.runs("nowhere")},
        PATIENCE_S,
        "a run to fail for good",
    )
    failed = next(run for run in cluster.runs("nowhere") if run["status"] == "FAILED")
    (attempt,) = [one for one in cluster.attempts("nowhere") if one["run_id"] == failed["id"]]
    assert (attempt["status"], attempt["error_message"]) == ("FAILED", "no eligible node")
    for node in NODES:
        assert f"{node}: " in (problem(cluster, "nowhere") or "")
    assert "Nobody" in (problem(cluster, "nowhere") or "")
    told = [one for one in messages(slack, "nowhere") if "cannot run on" in one]
    assert len(told) == 1

    cluster.rows("UPDATE shardkeeper.impl_spec SET entrypoint = 'witnessing:Witness' WHERE name = 'nowhere'")
    wait_for_run(cluster, "nowhere", 2)
    assert problem(cluster, "nowhere") is None
