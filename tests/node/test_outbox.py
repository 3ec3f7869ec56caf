"""Alerts leave the outbox one by one, or as digests with exact counts, and stay while Slack refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from shardkeeper.domain.facts import AlertsHeldUp, AlertsSent
from shardkeeper.memory.notifier import MemoryNotifier
from shardkeeper.node.duties import Round
from shardkeeper.node.works.outbox import OutboxWork
from shardkeeper.ports.duties import AlertRow
from shardkeeper.ports.notifier import Posted

ROUND = [Round("outbox", "inc")]


def alert(number: int, channel: str | None = None, tries: int = 0, job: str | None = None) -> AlertRow:
    body: dict[str, Any] = {
        "job_name": job or f"job-{number % 3}",
        "items": 1,
        "failed_items": 1,
        "phase": "calculate",
    }
    return AlertRow(
        number, f"failed:{number}", "failed", body["job_name"], channel, body, datetime.now(UTC), tries, None
    )


class Shelf:
    """An AlertStore whose due alerts are given, and which remembers what it is told."""

    def __init__(self, due: list[AlertRow]) -> None:
        self.due = due
        self.sent: list[list[int]] = []
        self.refused: list[tuple[list[int], float | None, str]] = []

    def due_alerts(self, incarnation: str, limit: int) -> list[AlertRow]:
        found, self.due = self.due[:limit], self.due[limit:]
        return found

    def alerts_sent(self, incarnation: str, alert_ids: Sequence[int], message_id: str | None) -> None:
        self.sent.append(list(alert_ids))

    def alerts_failed(
        self, incarnation: str, alert_ids: Sequence[int], retry_after_s: float | None, reason: str
    ) -> None:
        self.refused.append((list(alert_ids), retry_after_s, reason))

    def raise_alert(self, event_key: str, kind: str, body: Mapping[str, Any]) -> bool:
        raise AssertionError("the outbox raises no alerts")


class Time:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def inbox() -> MemoryNotifier:
    return MemoryNotifier()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def facts() -> list[object]:
    return []


def outbox(shelf: Shelf, inbox: MemoryNotifier, time: Time, facts: list[object]) -> OutboxWork:
    return OutboxWork(shelf, inbox, "live", time, facts.append)


def test_up_to_ten_alerts_in_a_minute_are_messages_of_their_own(
    inbox: MemoryNotifier, time: Time, facts: list[object]
) -> None:
    shelf = Shelf([alert(number) for number in range(10)])
    outbox(shelf, inbox, time, facts).run(ROUND)
    assert shelf.sent == [[number] for number in range(10)]
    assert inbox.inbox[0][1].title == "[live] job-0 1/1 items FAILED in calculate"
    assert facts == [AlertsSent(1)] * 10


def test_a_crowd_becomes_one_digest_a_channel_with_exact_counts(
    inbox: MemoryNotifier, time: Time, facts: list[object]
) -> None:
    shelf = Shelf([*(alert(n) for n in range(7)), *(alert(n, "#b") for n in range(7, 12))])
    outbox(shelf, inbox, time, facts).run(ROUND)
    assert [notice.title for _, notice in inbox.inbox] == [
        "[live] 7 alerts: 7 failed",
        "[live] 5 alerts: 5 failed",
    ]
    assert inbox.inbox[0][1].facts == (("job-0", "3"), ("job-1", "2"), ("job-2", "2"))
    assert [notice.channel for _, notice in inbox.inbox] == [None, "#b"]
    assert sorted(number for ids in shelf.sent for number in ids) == list(range(12))


def test_the_minute_is_counted_over_rounds_and_passes(
    inbox: MemoryNotifier, time: Time, facts: list[object]
) -> None:
    shelf = Shelf([alert(n) for n in range(10)])
    work = outbox(shelf, inbox, time, facts)
    work.run(ROUND)
    shelf.due = [alert(20), alert(21)]
    work.run(ROUND)
    assert inbox.inbox[-1][1].title == "[live] 2 alerts: 2 failed"
    time.seconds += 61
    shelf.due = [alert(30), alert(31)]
    work.run(ROUND)
    assert shelf.sent[-2:] == [[30], [31]]


def test_a_refusal_puts_off_all_that_were_taken(
    inbox: MemoryNotifier, time: Time, facts: list[object]
) -> None:
    inbox.answers = [Posted(False, retry_after_s=17.0, reason="ratelimited")]
    shelf = Shelf([alert(1), alert(2)])
    outbox(shelf, inbox, time, facts).run(ROUND)
    assert shelf.sent == []
    assert shelf.refused == [([1], 17.0, "ratelimited"), ([2], 1.0, "waiting behind another")]
    assert facts == [AlertsHeldUp(1, "ratelimited", 17.0)]


def test_waits_double_with_each_failure_up_to_five_minutes(
    inbox: MemoryNotifier, time: Time, facts: list[object]
) -> None:
    for tries, wait_s in ((0, 5.0), (3, 8.0), (50, 300.0)):
        inbox.answers = [Posted(False, retry_after_s=5.0, reason="HTTP 500")]
        shelf = Shelf([alert(1, tries=tries)])
        outbox(shelf, inbox, time, facts).run(ROUND)
        assert shelf.refused[0][1] == wait_s


def test_what_a_person_must_mend_is_not_tried_again(
    inbox: MemoryNotifier, time: Time, facts: list[object]
) -> None:
    inbox.answers = [Posted(False, reason="invalid_auth")]
    shelf = Shelf([alert(1)])
    outbox(shelf, inbox, time, facts).run(ROUND)
    assert shelf.refused == [([1], None, "invalid_auth")]


def test_ten_thousand_failures_in_a_minute_are_few_messages_whose_counts_add_up(
    inbox: MemoryNotifier, time: Time, facts: list[object]
) -> None:
    shelf = Shelf([])
    work = outbox(shelf, inbox, time, facts)
    for second in range(60):
        shelf.due = [alert(number) for number in range(10_000 * second // 60, 10_000 * (second + 1) // 60)]
        work.run(ROUND)
        time.seconds += 1.0
    assert sorted(number for ids in shelf.sent for number in ids) == list(range(10_000))
    titles = [notice.title for _, notice in inbox.inbox]
    assert len(titles) == 60
    assert sum(int(title.split()[1]) for title in titles) == 10_000
    assert all(
        sum(int(count) for _, count in notice.facts) == len(ids)
        for (_, notice), ids in zip(inbox.inbox, shelf.sent, strict=True)
    )


def test_a_digest_of_many_jobs_names_the_worst_and_counts_the_rest(
    inbox: MemoryNotifier, time: Time, facts: list[object]
) -> None:
    shelf = Shelf([alert(number, job=f"job-{number % 900}") for number in range(10_000)])
    outbox(shelf, inbox, time, facts).run(ROUND)
    ((_, notice),) = inbox.inbox
    assert notice.title == "[live] 10000 alerts: 10000 failed"
    assert len(notice.facts) == 11
    assert notice.facts[-1][0] == "890 other jobs"
    assert sum(int(count) for _, count in notice.facts) == 10_000
