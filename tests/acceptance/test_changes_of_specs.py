"""What is written with psql takes effect on all nodes without a restart; runs under way end under their versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.acceptance.conftest import NODES
from tests.cluster import AgentCluster
from tests.waiting import wait_until

PATIENCE_S = 30.0


@pytest.fixture(scope="module", autouse=True)
def jobs(cluster: AgentCluster) -> None:
    """All jobs, each with its own ImplSpec, so that they start together."""
    for name in ("parameters", "sources", "retried"):
        task = "FailsFirst" if name == "retried" else "Witness"
        cluster.impl(name, f"witnessing:{task}", parameters={"colour": "red"})
    cluster.source("sources", "a", weight=3, parameters={"n": 1})
    cluster.source("sources", "b", weight=1)
    for name in ("cron", "every", "yearly"):
        cron = {"cron": "0 0 1 1 *"} if name != "every" else {"every": "1 h"}
        cluster.job(name, **cron, sharding_total_count=3, overlap="allow")
    for name in ("parameters", "sources"):
        cluster.job(name, name, every="1 s", sharding_total_count=2, overlap="allow")
    cluster.job(
        "retried", "retried", every="1 s", max_attempts=2, retry_delay="0", **held(cluster, "retried")
    )
    for name in ("total", "enabled", "deleted"):
        cluster.job(name, every="1 s", sharding_total_count=3, overlap="skip", **held(cluster, name))
    for name in ("total", "enabled", "deleted"):
        cluster.witness.wait_for(3, job=name, event="began")


def held(cluster: AgentCluster, gate: str) -> dict[str, Any]:
    return {"parameters": {"until": str(cluster.gate(gate).path)}}


def wait_for_completed(
    cluster: AgentCluster, job: str, after: datetime, count: int = 2
) -> list[dict[str, Any]]:
    """That many completed runs of fires after an instant."""

    def completed() -> list[dict[str, Any]]:
        found = [
            run for run in cluster.runs(job) if run["fire_time"] > after and run["status"] == "COMPLETED"
        ]
        return found if len(found) >= count else []

    return wait_until(completed, PATIENCE_S, f"{count} completed runs of {job} after {after}")


def changed(cluster: AgentCluster, job: str) -> datetime:
    """When the newest version of the job, or of its ImplSpec, came into force."""
    found: datetime = cluster.one(
        "SELECT max(at) FROM (SELECT in_force_from FROM shardkeeper.job_version WHERE job_name = %(job)s"
        " UNION ALL SELECT v.in_force_from FROM shardkeeper.impl_version v JOIN shardkeeper.job_spec j"
        " ON j.impl_spec = v.impl_name AND j.name = %(job)s) x (at)",
        {"job": job},
    )
    return found


def assert_each_run_has_the_version_of_its_fire(cluster: AgentCluster, job: str) -> None:
    wrong = cluster.rows(
        "SELECT r.id, r.fire_time, r.job_version, r.impl_version FROM shardkeeper.job_run r"
        " WHERE r.job_name = %s AND (r.job_version IS DISTINCT FROM (SELECT v.version FROM shardkeeper.job_version v"
        " WHERE v.job_name = r.job_name AND v.in_force_from <= r.fire_time ORDER BY v.in_force_from DESC LIMIT 1)"
        " OR r.impl_version IS DISTINCT FROM (SELECT v.version FROM shardkeeper.impl_version v JOIN"
        " shardkeeper.job_version j ON j.version = r.job_version WHERE v.impl_name = j.impl_spec"
        " AND v.in_force_from <= r.fire_time ORDER BY v.in_force_from DESC LIMIT 1))",
        (job,),
    )
    assert wrong == []


def assert_all_nodes_shared(cluster: AgentCluster, run: dict[str, Any]) -> None:
    attempts = [one for one in cluster.attempts(run["job_name"]) if one["run_id"] == run["id"]]
    assert sorted(one["node_id"] for one in attempts) == sorted(NODES)


def test_a_changed_cron_fires_on_all_nodes_by_the_new_one(cluster: AgentCluster) -> None:
    cluster.rows("UPDATE shardkeeper.job_spec SET cron = '*/2 * * * * *' WHERE name = 'cron'")
    runs = wait_for_completed(cluster, "cron", changed(cluster, "cron"))
    assert all(run["fire_time"].second % 2 == 0 for run in runs)
    for run in runs:
        assert_all_nodes_shared(cluster, run)


def test_a_changed_interval_fires_on_all_nodes_by_the_new_one(cluster: AgentCluster) -> None:
    cluster.rows("UPDATE shardkeeper.job_spec SET every = '500 ms' WHERE name = 'every'")
    runs = wait_for_completed(cluster, "every", changed(cluster, "every"), 3)
    assert_all_nodes_shared(cluster, runs[0])
    cluster.rows("UPDATE shardkeeper.job_spec SET every = '2 s' WHERE name = 'every'")
    after = changed(cluster, "every")
    for run in wait_for_completed(cluster, "every", after):
        assert run["fire_time"].microsecond == 0
        assert run["fire_time"].second % 2 == 0
    assert_each_run_has_the_version_of_its_fire(cluster, "every")


def test_a_changed_count_and_schedule_hold_from_the_next_fire_and_the_run_under_way_keeps_its_items(
    cluster: AgentCluster,
) -> None:
    under_way = cluster.runs("total")[0]
    cluster.rows(
        "UPDATE shardkeeper.job_spec SET sharding_total_count = 5, every = '500 ms' WHERE name = 'total'"
    )
    after = changed(cluster, "total")
    cluster.gate("total").open()
    for run in wait_for_completed(cluster, "total", after):
        assert run["sharding_total_count"] == 5
        lines = cluster.witness.lines(run=run["id"], event="began")
        assert sorted((line["item"], line["total"]) for line in lines) == [(item, 5) for item in range(5)]
    fires = [run["fire_time"] for run in cluster.runs("total")]
    assert {at > after for at in fires if at.microsecond == 500_000} == {True}
    old = cluster.runs("total")[0]
    assert (old["id"], old["status"], old["sharding_total_count"]) == (under_way["id"], "COMPLETED", 3)
    assert [line["total"] for line in cluster.witness.lines(run=old["id"], event="ended")] == [3, 3, 3]
    assert_each_run_has_the_version_of_its_fire(cluster, "total")


def test_a_disabled_job_fires_no_more_until_enabled_and_the_run_under_way_ends(cluster: AgentCluster) -> None:
    cluster.rows("UPDATE shardkeeper.job_spec SET enabled = false WHERE name = 'enabled'")
    disabled = changed(cluster, "enabled")
    cluster.gate("enabled").open()
    wait_until(lambda: cluster.runs("enabled")[0]["status"] == "COMPLETED", PATIENCE_S, "the run under way")
    # two more fires of another job: time enough for this one to have fired too
    wait_for_completed(cluster, "parameters", cluster.one("SELECT clock_timestamp()"))
    cluster.rows("UPDATE shardkeeper.job_spec SET enabled = true WHERE name = 'enabled'")
    enabled = changed(cluster, "enabled")
    wait_for_completed(cluster, "enabled", enabled)
    # what was due before the disabling and had no run yet may be a SKIPPED record; nothing of the time between is left
    assert [run for run in cluster.runs("enabled") if disabled <= run["fire_time"] < enabled] == []
    assert_each_run_has_the_version_of_its_fire(cluster, "enabled")


def test_a_deleted_job_fires_no_more_its_run_under_way_ends_and_its_history_stays(
    cluster: AgentCluster,
) -> None:
    cluster.rows("DELETE FROM shardkeeper.job_spec WHERE name = 'deleted'")
    deleted = cluster.one(
        "SELECT in_force_from FROM shardkeeper.job_version WHERE job_name = 'deleted' AND spec IS NULL"
    )
    wait_for_completed(cluster, "parameters", deleted)
    cluster.gate("deleted").open()

    def ended() -> bool:
        return all(run["finished_at"] is not None for run in cluster.runs("deleted"))

    wait_until(ended, PATIENCE_S, "the end of all runs of the deleted job")
    first, *others = cluster.runs("deleted")
    assert first["status"] == "COMPLETED"
    assert all(run["fire_time"] < deleted for run in others)
    assert {run["status"] for run in others} <= {"SKIPPED"}
    assert len(cluster.witness.lines(run=first["id"], event="ended")) == 3


def test_changed_parameters_of_an_impl_reach_the_next_fire_on_all_nodes(cluster: AgentCluster) -> None:
    cluster.witness.wait_for(1, job="parameters")
    cluster.rows(
        """UPDATE shardkeeper.impl_spec SET parameters = '{"colour": "blue"}' WHERE name = 'parameters'"""
    )
    after = changed(cluster, "parameters")
    for run in wait_for_completed(cluster, "parameters", after):
        colours = {line["parameters"]["colour"] for line in cluster.witness.lines(run=run["id"])}
        assert colours == {"blue"}
    for line in cluster.witness.lines(job="parameters"):
        due = datetime.fromisoformat(line["fire_time"])
        assert line["parameters"]["colour"] == ("blue" if due >= after else "red")
    assert_each_run_has_the_version_of_its_fire(cluster, "parameters")


def test_a_retry_after_a_change_runs_with_the_parameters_of_its_runs_version(cluster: AgentCluster) -> None:
    first = cluster.witness.wait_for(1, job="retried", event="began")[0]
    cluster.rows(
        """UPDATE shardkeeper.impl_spec SET parameters = '{"colour": "blue"}' WHERE name = 'retried'"""
    )
    after = changed(cluster, "retried")
    cluster.gate("retried").open()
    wait_for_completed(cluster, "retried", after, 1)
    again = cluster.witness.wait_for(1, run=first["run"], attempt=2, event="ended")[0]
    assert again["parameters"]["colour"] == "red"
    newer = [
        line
        for line in cluster.witness.lines(job="retried")
        if datetime.fromisoformat(line["fire_time"]) >= after
    ]
    assert {line["parameters"]["colour"] for line in newer} == {"blue"}


def test_changed_sources_are_dealt_anew_from_the_next_fire(cluster: AgentCluster) -> None:
    def sources_after(statement: str) -> dict[str, Any]:
        cluster.rows(statement)
        run = wait_for_completed(cluster, "sources", changed(cluster, "sources"), 1)[0]
        lines = cluster.witness.lines(run=run["id"], event="began")
        assert len(lines) == 2
        return {key: told for line in lines for key, told in line["sources"].items()}

    cluster.witness.wait_for(1, job="sources")
    assert sources_after(
        "INSERT INTO shardkeeper.source_data (impl_spec, key, weight) VALUES ('sources', 'c', 2)"
    ) == {"a": [3.0, {"n": 1}], "b": [1.0, {}], "c": [2.0, {}]}
    assert sources_after(
        "UPDATE shardkeeper.source_data SET weight = 5, parameters = '{\"n\": 2}'"
        " WHERE impl_spec = 'sources' AND key = 'a'"
    ) == {"a": [5.0, {"n": 2}], "b": [1.0, {}], "c": [2.0, {}]}
    assert sources_after("DELETE FROM shardkeeper.source_data WHERE impl_spec = 'sources' AND key = 'b'") == {
        "a": [5.0, {"n": 2}],
        "c": [2.0, {}],
    }
    assert sources_after(
        "UPDATE shardkeeper.source_data SET enabled = false WHERE impl_spec = 'sources' AND key = 'c'"
    ) == {"a": [5.0, {"n": 2}]}
    assert_each_run_has_the_version_of_its_fire(cluster, "sources")


def test_a_listener_whose_backend_is_terminated_says_so_and_hears_the_next_changes(
    cluster: AgentCluster,
) -> None:
    assert (
        cluster.one(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'shardkeeper % listener'"
        )
        == 3
    )
    with cluster.connect(autocommit=False) as connection:
        # cut and changed in one go: nobody listens when the change is announced
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE 'shardkeeper % listener'"
        )
        connection.execute("UPDATE shardkeeper.job_spec SET cron = '* * * * * *' WHERE name = 'yearly'")
    run = wait_for_completed(cluster, "yearly", changed(cluster, "yearly"), 1)[0]
    assert_all_nodes_shared(cluster, run)

    def back() -> bool:
        return all(heard(cluster, node)[-2:] == ["False", "True"] for node in NODES)

    wait_until(back, PATIENCE_S, "the listeners to say that they are back")
    cluster.rows("UPDATE shardkeeper.job_spec SET every = '100 ms', cron = NULL WHERE name = 'yearly'")
    again = wait_for_completed(cluster, "yearly", changed(cluster, "yearly"), 1)[0]
    assert_all_nodes_shared(cluster, again)
    # by the new connection: the slow poll comes every 15 s
    assert (again["created_at"] - changed(cluster, "yearly")).total_seconds() < 10


def heard(cluster: AgentCluster, node: str) -> list[str]:
    """What a node said of its listener, in order."""
    lines = [line for line in cluster.log(node).splitlines() if "listener changed" in line]
    return ["True" if "listening=True" in line else "False" for line in lines]
