"""A task that goes wrong is recorded as what it was, told once, and hurts nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg.types.json import Jsonb

from shardkeeper.devservers.fake_slack import FakeSlack, Received
from tests.cluster import AgentCluster
from tests.waiting import wait_until

WAYS = ("raises", "refused", "hangs", "deaf", "segfaults", "exits", "not_json")
PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def runs(cluster: AgentCluster) -> dict[str, int]:
    """One run of each way to fail, of three items of which item 1 is the bad one; their ids. All run at once."""
    cluster.impl("ill", "ill:Ill")
    cluster.job("healthy", every="1 s", sharding_total_count=3)
    for way in WAYS:
        name = way.replace("_", "-")
        parameters = {"way": way, "ill_item": 1}
        cluster.job(name, "ill", sharding_total_count=3, timeout="2 s", parameters=parameters)
    ids = {way: trigger(cluster, way.replace("_", "-")) for way in WAYS}
    wait_until(
        lambda: all(status_of(cluster, run) == "FAILED" for run in ids.values()), PATIENCE_S, "all to fail"
    )
    return ids


def trigger(cluster: AgentCluster, job: str, **parameters: Any) -> int:
    run: int = cluster.one("SELECT shardkeeper.trigger_job(%s, %s)", (job, Jsonb(parameters)))
    return run


def status_of(cluster: AgentCluster, run: int) -> str:
    status: str = cluster.one("SELECT status FROM shardkeeper.job_run WHERE id = %s", (run,))
    return status


def attempt(cluster: AgentCluster, run: int, item: int) -> dict[str, Any]:
    """The only attempt of an item."""
    (found,) = cluster.rows(
        "SELECT * FROM shardkeeper.shard_run WHERE run_id = %s AND item = %s", (run, item)
    )
    return found


def messages(slack: FakeSlack, job: str) -> list[Received]:
    return [one for one in slack.inbox if one.text.split()[1] == job]


@pytest.mark.parametrize(
    ("way", "status", "phase", "error_type", "message"),
    [
        ("raises", "FAILED", "calculate", "RuntimeError", "no such feed"),
        ("refused", "FAILED", "validate", "ValidationError", "the total is 99, not 100"),
        ("hangs", "TIMED_OUT", "calculate", "TimedOut", "2 s"),
        ("deaf", "TIMED_OUT", "calculate", "TimedOut", "2 s"),
        ("segfaults", "FAILED", "calculate", "WorkerDied", "SIGSEGV"),
        ("exits", "FAILED", "calculate", "WorkerDied", "code 0 without a result"),
        ("not_json", "FAILED", "calculate", None, "JSON"),
    ],
)
def test_an_attempt_that_goes_wrong_is_recorded_as_what_it_was(
    cluster: AgentCluster,
    runs: dict[str, int],
    way: str,
    status: str,
    phase: str,
    error_type: str | None,
    message: str,
) -> None:
    found = attempt(cluster, runs[way], 1)
    assert (found["attempt"], found["status"], found["phase"]) == (1, status, phase)
    assert message in found["error_message"]
    assert error_type is None or found["error_type"] == error_type
    assert found["started_at"] is not None
    assert found["finished_at"] >= found["started_at"]
    values = cluster.rows(
        "SELECT item, key, value FROM shardkeeper.calculate_value WHERE run_id = %s", (runs[way],)
    )
    # of the bad item nothing is published; the others have done their work, at their first attempt
    assert sorted((row["item"], row["key"], row["value"]) for row in values) == [
        (0, "total", 100),
        (2, "total", 100),
    ]
    for item in (0, 2):
        good = attempt(cluster, runs[way], item)
        assert (good["status"], good["attempt"], good["error_message"]) == ("COMPLETED", 1, None)


def test_what_validation_refused_is_kept_with_the_attempt(
    cluster: AgentCluster, runs: dict[str, int]
) -> None:
    (refused,) = attempt(cluster, runs["refused"], 1)["refused_values"]
    assert refused[:2] == ["total", 99]


def test_each_failed_run_is_one_slack_message_with_its_first_line_as_agreed(
    cluster: AgentCluster, slack: FakeSlack, runs: dict[str, int]
) -> None:
    wait_until(lambda: len(slack.inbox) >= len(WAYS), PATIENCE_S, "the messages")
    wait_until(
        lambda: cluster.one("SELECT count(*) FROM shardkeeper.alert WHERE sent_at IS NULL") == 0,
        PATIENCE_S,
        "all sent",
    )
    assert sorted(one.text.splitlines()[0] for one in slack.inbox) == sorted(
        [
            "[test] raises 1/3 items FAILED in calculate",
            "[test] refused 1/3 items FAILED in validate",
            "[test] hangs 1/3 items TIMED_OUT in calculate",
            "[test] deaf 1/3 items TIMED_OUT in calculate",
            "[test] segfaults 1/3 items FAILED in calculate",
            "[test] exits 1/3 items FAILED in calculate",
            "[test] not-json 1/3 items FAILED in calculate",
        ]
    )
    (message,) = messages(slack, "refused")
    shown = str(message.blocks)
    node = attempt(cluster, runs["refused"], 1)["node_id"]
    for part in ("the total is 99, not 100", f"rerun {runs['refused']}", node, "fire time"):
        assert part in shown
    assert (message.channel, message.thread) == ("#alerts", None)


def test_a_recovery_is_answered_in_the_thread_of_the_failure(
    cluster: AgentCluster, slack: FakeSlack, runs: dict[str, int]
) -> None:
    wait_until(lambda: messages(slack, "raises"), PATIENCE_S, "the failure's message")
    failure = cluster.rows("SELECT * FROM shardkeeper.alert WHERE run_id = %s", (runs["raises"],))[0]
    wait_until(
        lambda: cluster.one("SELECT message_id FROM shardkeeper.alert WHERE run_id = %s", (runs["raises"],)),
        PATIENCE_S,
        "the message's id",
    )
    failure = cluster.rows("SELECT * FROM shardkeeper.alert WHERE run_id = %s", (runs["raises"],))[0]
    again = trigger(cluster, "raises", ill_item=None)
    wait_until(lambda: status_of(cluster, again) == "COMPLETED", PATIENCE_S, "the good run")
    wait_until(lambda: len(messages(slack, "raises")) == 2, PATIENCE_S, "the recovery's message")
    recovery = messages(slack, "raises")[1]
    assert recovery.text.splitlines()[0] == "[test] raises recovered"
    assert recovery.thread == failure["message_id"]


def test_no_other_item_was_hurt_meanwhile(cluster: AgentCluster, runs: dict[str, int]) -> None:
    found = cluster.attempts("healthy")
    assert len(found) >= 3
    assert {(one["attempt"], one["error_message"]) for one in found} == {(1, None)}
    assert {one["status"] for one in found} <= {"COMPLETED", "RUNNING", "PENDING"}
    # the nodes themselves live on, each in its first life
    assert cluster.one("SELECT count(*) FROM shardkeeper.lease WHERE state = 'active'") == 3
    assert cluster.one("SELECT count(*) FROM shardkeeper.lease") == 3
