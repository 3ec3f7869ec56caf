"""What every AlertStore must do (rules 8 and 14), and which alerts runs write by themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.contract.story import COMPLETED, FAILED, STOPPED, A, B, Story


def test_a_run_that_has_failed_for_good_writes_one_alert(story: Story) -> None:
    story.job(sharding_total_count=2, alert={"channel": "#prices"}, owner="ada")
    first, second = story.create().claimed
    story.end(first, FAILED, error_type="ValidationError", error_message="out of bounds")
    assert story.alerts() == []
    story.end(second)
    (alert,) = story.alerts()
    assert (alert.kind, alert.job_name, alert.channel, alert.tries) == ("failed", "job", "#prices", 0)
    body = alert.body
    assert (body["job_name"], body["run_id"]) == ("job", first.key.run_id)
    assert (body["items"], body["failed_items"], body["item"], body["status"]) == (2, 1, 0, "FAILED")
    assert (body["error_type"], body["error_message"]) == ("ValidationError", "out of bounds")
    assert (body["node_id"], body["attempt"], body["failures_in_a_row"]) == ("node-a", 1, 1)
    assert body["owner"] == "ada"


def test_a_failed_try_that_is_retried_writes_none(story: Story) -> None:
    story.job(max_attempts=2)
    story.end(story.running(), FAILED, retry_after_s=0.0)
    assert story.alerts() == []


def test_a_stopped_run_writes_none(story: Story) -> None:
    story.job()
    story.run_to(STOPPED)
    assert story.alerts() == []


def test_the_first_success_after_failures_is_a_recovery_and_only_that(story: Story) -> None:
    story.job()
    story.run_to(FAILED)
    story.run_to(COMPLETED)
    story.run_to(COMPLETED)
    assert story.kinds() == ["failed", "recovered"]


def test_a_success_after_a_stop_is_no_recovery(story: Story) -> None:
    story.job()
    story.run_to(STOPPED)
    story.run_to(COMPLETED)
    assert story.alerts() == []


def test_a_recovery_answers_in_the_thread_of_the_failure(story: Story) -> None:
    story.job()
    story.run_to(FAILED)
    (failure,) = story.alerts()
    assert failure.thread is None
    story.world.alerts.alerts_sent(A, [failure.alert_id], "message-1")
    story.run_to(COMPLETED)
    (recovery,) = story.alerts()
    assert recovery.thread == "message-1"


def test_alerts_begin_with_as_many_failures_in_a_row_as_the_job_says(story: Story) -> None:
    story.job(alert={"after": 2})
    story.run_to(FAILED)
    story.run_to(COMPLETED)
    assert story.alerts() == []
    story.run_to(FAILED)
    story.run_to(FAILED)
    story.run_to(COMPLETED)
    assert story.kinds() == ["failed", "recovered"]


@pytest.mark.parametrize(
    ("wanted", "kinds"),
    [
        ({"on": ["failed"]}, ["failed"]),
        ({"on": ["recovered"]}, ["recovered"]),
        ({"on": []}, []),
        ({}, ["failed", "recovered"]),
    ],
)
def test_a_job_says_which_alerts_it_wants(story: Story, wanted: dict[str, Any], kinds: list[str]) -> None:
    story.job(alert=wanted)
    story.run_to(FAILED)
    story.run_to(COMPLETED)
    assert story.kinds() == kinds


def test_what_is_taken_is_not_given_again_for_a_minute(story: Story) -> None:
    story.job()
    story.run_to(FAILED)
    first = story.alerts()
    assert story.alerts() == []
    story.world.pass_time(61)
    assert [alert.alert_id for alert in story.alerts()] == [alert.alert_id for alert in first]


def test_no_more_alerts_than_asked_and_the_oldest_first(story: Story) -> None:
    for number in range(3):
        story.world.alerts.raise_alert(f"skew:{number}", "skew", {})
    keys = [alert.event_key for alert in story.world.alerts.due_alerts(A, 2)]
    assert keys == ["skew:0", "skew:1"]
    assert [alert.event_key for alert in story.world.alerts.due_alerts(A, 2)] == ["skew:2"]


def test_what_was_sent_is_never_given_again(story: Story) -> None:
    story.world.alerts.raise_alert("skew:1", "skew", {"node": "node-a"})
    (alert,) = story.alerts()
    story.world.alerts.alerts_sent(A, [alert.alert_id], "message-1")
    story.world.pass_time(3600)
    assert story.alerts() == []


def test_what_was_not_sent_comes_again_after_its_time_with_its_tries_counted(story: Story) -> None:
    story.world.alerts.raise_alert("skew:1", "skew", {})
    (alert,) = story.alerts()
    story.world.alerts.alerts_failed(A, [alert.alert_id], 300.0, "429")
    story.world.pass_time(120)
    assert story.alerts() == []
    story.world.pass_time(200)
    (again,) = story.alerts()
    assert (again.alert_id, again.tries) == (alert.alert_id, 1)


def test_what_can_never_be_sent_is_never_given_again(story: Story) -> None:
    story.world.alerts.raise_alert("skew:1", "skew", {})
    (alert,) = story.alerts()
    story.world.alerts.alerts_failed(A, [alert.alert_id], None, "invalid_auth")
    story.world.pass_time(86400)
    assert story.alerts() == []


def test_an_event_is_told_once(story: Story) -> None:
    assert story.world.alerts.raise_alert("listener:node-a", "listener", {"node": "node-a"})
    assert not story.world.alerts.raise_alert("listener:node-a", "listener", {"node": "node-a"})
    (alert,) = story.alerts()
    assert (alert.event_key, alert.kind, dict(alert.body)) == (
        "listener:node-a",
        "listener",
        {"node": "node-a"},
    )


def test_an_event_that_was_told_stays_told(story: Story) -> None:
    story.world.alerts.raise_alert("listener:node-a", "listener", {})
    (alert,) = story.alerts()
    story.world.alerts.alerts_sent(A, [alert.alert_id], None)
    assert not story.world.alerts.raise_alert("listener:node-a", "listener", {})


def test_only_one_node_has_the_outbox(story: Story) -> None:
    story.alerts(A)
    story.world.alerts.raise_alert("skew:1", "skew", {})
    assert story.alerts(B) == []
    assert len(story.alerts(A)) == 1


def test_the_outbox_of_a_dead_node_is_free(story: Story) -> None:
    story.alerts(A)
    story.world.alerts.raise_alert("skew:1", "skew", {})
    story.kill(A)
    assert story.alerts(A) == []
    assert len(story.alerts(B)) == 1


def test_a_run_that_started_and_ended_in_time_is_not_late(story: Story) -> None:
    story.job(late_after=timedelta(seconds=60), finish_within=timedelta(seconds=60))
    story.run_to(COMPLETED)
    assert story.world.house.keep_house(A, 86400.0) is not None
    assert story.alerts() == []


def test_a_run_that_is_not_started_in_time_is_told_of_once(story: Story) -> None:
    story.job(late_after=timedelta(milliseconds=1))
    story.create(claim_items=())
    story.world.now()
    for _ in range(2):
        assert story.world.house.keep_house(A, 86400.0) is not None
    assert story.kinds() == ["late"]


def test_a_run_that_is_not_done_in_time_is_told_of_once(story: Story) -> None:
    story.job(finish_within=timedelta(milliseconds=1))
    story.create()
    story.world.now()
    for _ in range(2):
        assert story.world.house.keep_house(A, 86400.0) is not None
    assert story.kinds() == ["late"]
