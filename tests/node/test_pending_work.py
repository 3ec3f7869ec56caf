"""Looking at PENDING attempts, and alerts that no outcome writes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shardkeeper.domain.errors import StoreUnavailable
from shardkeeper.domain.planner.actions import Alert, CloseUnrunnable, ReadPending
from shardkeeper.domain.planner.events import PendingRead
from shardkeeper.domain.runs import AttemptKey
from shardkeeper.memory.store import MemoryStore
from shardkeeper.node.works.pending import AlertsWork, PendingWork
from tests.contract.story import A, B, Story
from tests.node.links import FailingLink, failing_story

LIMIT = 3


class Bench:
    def __init__(self) -> None:
        self.story: Story
        self.store: MemoryStore
        self.link: FailingLink
        self.story, self.store, self.link = failing_story()
        self.work = PendingWork(self.store, LIMIT)

    def waiting(self, items: int) -> tuple[int, list[AttemptKey]]:
        """A run of which so many items wait; its id and their keys."""
        self.story.job(sharding_total_count=items)
        run = self.story.create(claim_items=()).run_id
        assert run is not None
        keys = [row.key for row in self.story.pending()]
        self.link.calls.clear()
        return run, keys


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_readings_that_were_gathered_are_one(bench: Bench) -> None:
    bench.waiting(2)
    (read,) = bench.work.run([ReadPending(A)] * 4).events
    assert isinstance(read, PendingRead)
    assert (len(read.rows), bench.link.calls["pending"]) == (2, 1)


def test_queues_without_an_owner_do_not_make_a_reading_full(bench: Bench) -> None:
    bench.story.job("queue", every=None, sharding_total_count=LIMIT)
    bench.story.world.operator.submit("queue", {}, None, 0, None, "anna")
    bench.story.world.pass_time(6)
    (read,) = bench.work.run([ReadPending(A)]).events
    assert isinstance(read, PendingRead)
    assert ([row.owned for row in read.rows], read.full) == ([False] * LIMIT, False)


def test_whoever_asks_is_told_whether_there_may_be_more(bench: Bench) -> None:
    bench.waiting(LIMIT + 1)
    (read,) = bench.work.run([ReadPending(A)]).events
    assert read == PendingRead(A, tuple(bench.store.pending(A, LIMIT)), True)
    (read,) = PendingWork(bench.store, LIMIT + 2).run([ReadPending(A)]).events
    assert isinstance(read, PendingRead)
    assert len(read.rows) == LIMIT + 1
    assert read == PendingRead(A, read.rows, False)


def test_what_nobody_can_run_is_closed(bench: Bench) -> None:
    run, keys = bench.waiting(2)
    bench.work.run([CloseUnrunnable(A, tuple(keys), "no eligible node")])
    assert bench.story.statuses(run) == ["FAILED", "FAILED"]
    assert bench.story.status(run) == "FAILED"


def test_a_look_is_tried_until_it_is_answered_and_that_for_the_newest_life(bench: Bench) -> None:
    _, keys = bench.waiting(1)
    bench.link.failing = {"pending"}
    done = bench.work.run([ReadPending(B), ReadPending(A), CloseUnrunnable(A, tuple(keys), "nobody")])
    assert (list(done.events), list(done.left), dict(bench.link.calls)) == (
        [],
        [ReadPending(A)],
        {"pending": 1},
    )
    bench.link.failing = set()
    (read,) = bench.work.run(done.left).events
    assert isinstance(read, PendingRead)
    assert (read.incarnation, [row.key for row in read.rows], read.full) == (A, keys, False)


def test_a_look_is_answered_although_closing_fails(bench: Bench) -> None:
    _, keys = bench.waiting(1)
    bench.link.failing = {"no_eligible_node"}
    done = bench.work.run([CloseUnrunnable(A, tuple(keys), "nobody"), ReadPending(A)])
    assert [type(event) for event in done.events] == [PendingRead]
    assert (list(done.left), done.unanswered) == ([], "no_eligible_node failed")


def test_an_alert_said_twice_is_one_row(bench: Bench) -> None:
    alert = Alert(
        "skew:a", "clock_skew", {"node_id": "a", "at": datetime(2026, 1, 1, tzinfo=UTC).isoformat()}
    )
    AlertsWork(bench.store).run([alert, alert])
    assert bench.story.kinds() == ["clock_skew"]


def test_alerts_are_tried_until_they_stand_and_those_that_do_are_not_said_again(bench: Bench) -> None:
    class SecondFails(FailingLink):
        def before(self, call: str) -> None:
            super().before(call)
            if self.calls[call] == 2:
                raise StoreUnavailable("the second")

    link = bench.store.link = SecondFails()
    work = AlertsWork(bench.store)
    done = work.run([Alert(name, f"kind {name}", {}) for name in ("a", "b", "c")])
    assert [one.event_key for one in done.left] == ["b", "c"]
    work.run(done.left)
    assert link.order == ["raise_alert"] * 4
    assert bench.story.kinds() == ["kind a", "kind b", "kind c"]
