"""Duties come round at their own pace, under the newest life alone; unanswered calls are told without a flood."""

from __future__ import annotations

from shardkeeper.domain.facts import CallUnanswered
from shardkeeper.node.duties import Duty, DutyDue, DutyRoster, Round
from shardkeeper.node.unanswered import PAUSE_S, Unanswered


class Lane:
    def __init__(self) -> None:
        self.rounds: list[Round] = []

    def put(self, *actions: Round) -> None:
        self.rounds += actions


class Bench:
    def __init__(self) -> None:
        self.sweep, self.outbox = Lane(), Lane()
        self.later: list[tuple[float, DutyDue]] = []
        duties = {"sweep": Duty(5.0, self.sweep), "outbox": Duty(1.0, self.outbox)}
        self.roster = DutyRoster(duties, lambda seconds, due: self.later.append((seconds, due)))

    def pass_due(self) -> None:
        """Everything that is on the agenda comes due."""
        due, self.later = self.later, []
        for _, one in due:
            self.roster.due(one)


def test_every_duty_is_due_at_once_and_then_at_its_pace() -> None:
    bench = Bench()
    bench.roster.enter("a/1")
    assert [seconds for seconds, _ in bench.later] == [0.0, 0.0]
    bench.pass_due()
    assert (bench.sweep.rounds, bench.outbox.rounds) == ([Round("sweep", "a/1")], [Round("outbox", "a/1")])
    assert sorted((due.duty, seconds) for seconds, due in bench.later) == [("outbox", 1.0), ("sweep", 5.0)]


def test_the_rounds_of_an_older_life_end_with_it() -> None:
    bench = Bench()
    bench.roster.enter("a/1")
    bench.roster.enter("a/2")
    bench.pass_due()
    assert bench.sweep.rounds == [Round("sweep", "a/2")]
    assert len(bench.later) == 2


def test_nothing_is_due_before_there_is_a_lease() -> None:
    bench = Bench()
    bench.roster.due(DutyDue("sweep", 0))
    assert (bench.sweep.rounds, bench.later) == ([], [])


def test_an_outage_is_told_at_once_and_then_now_and_then() -> None:
    told: list[object] = []
    mono = [100.0]
    unanswered = Unanswered("runs", lambda: mono[0], told.append)
    for _ in range(50):
        unanswered("refused")
    assert told == [CallUnanswered("runs", "refused")]
    mono[0] += PAUSE_S
    unanswered("refused")
    assert len(told) == 2
    unanswered("another reason")
    assert told[-1] == CallUnanswered("runs", "another reason")
