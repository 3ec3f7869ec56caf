"""Creating and claiming: gathered, in order, each call answering for itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

import pytest

from shardkeeper.domain.attempts import CreateAnswer, Creation
from shardkeeper.domain.errors import PartlyUnanswered
from shardkeeper.domain.planner.actions import Claim, Create
from shardkeeper.domain.planner.events import ClaimsAnswered, RunsAnswered, RunsUnanswered, StoreAway
from shardkeeper.domain.planner.settings import PlannerSettings
from shardkeeper.memory.store import MemoryStore
from shardkeeper.node.works.runs import ClaimsWork, RunsWork
from shardkeeper.ports.runs import WAITED_FOR_S, CreateRun
from tests.contract.story import A, B, Story
from tests.node.links import FailingLink, failing_story


class Bench:
    def __init__(self) -> None:
        self.story: Story
        self.store: MemoryStore
        self.link: FailingLink
        self.story, self.store, self.link = failing_story()
        self.work = RunsWork(self.store, self.story.world.now)
        self.claims = ClaimsWork(self.store)
        for name in ("one", "two"):
            self.story.job(name, overlap="allow")
        self.link.order.clear()
        self.link.calls.clear()

    def request(self, job: str, ago_s: float = 0.0) -> CreateRun:
        request = self.story.request(job, fire=self.story.world.now() - timedelta(seconds=ago_s))
        self.link.calls.clear()
        return request


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_creations_of_many_jobs_are_one_call_answered_in_their_order(bench: Bench) -> None:
    requests = [bench.request("one"), bench.request("two")]
    (answered,) = bench.work.run([Create(A, one) for one in requests]).events
    assert isinstance(answered, RunsAnswered)
    assert (answered.incarnation, answered.requests) == (A, tuple(requests))
    assert [answer.outcome for answer in answered.answers] == [Creation.CREATED] * 2
    assert bench.link.calls["create"] == 1


def test_two_fires_of_one_job_go_out_one_after_the_other(bench: Bench) -> None:
    older, newer, other = bench.request("one", 0.002), bench.request("one"), bench.request("two")
    events = bench.work.run([Create(A, older), Create(A, other), Create(A, newer)]).events
    asked = [event.requests for event in events if isinstance(event, RunsAnswered)]
    assert asked == [(older, other), (newer,)]


def test_claims_that_were_gathered_are_one_call(bench: Bench) -> None:
    keys = []
    for name in ("one", "two"):
        run = bench.story.create(name, by=B, claim_items=())
        keys.append(bench.story.pending()[-1].key)
        assert run.run_id is not None
    bench.link.calls.clear()
    (answered,) = bench.claims.run([Claim(A, (key,)) for key in keys]).events
    assert isinstance(answered, ClaimsAnswered)
    assert {one.key for one in answered.claimed} == set(keys) == set(answered.asked)
    assert bench.link.calls["claim"] == 1


def test_claims_that_are_not_answered_are_answered_with_nothing(bench: Bench) -> None:
    bench.story.create("one", by=B, claim_items=())
    key = bench.story.pending()[0].key
    bench.link.failing = {"claim"}
    events = bench.claims.run([Claim(A, (key,))]).events
    assert events[1] == ClaimsAnswered(A, (key,), ())


def test_each_life_asks_for_itself(bench: Bench) -> None:
    events = bench.work.run([Create(A, bench.request("one")), Create(B, bench.request("two"))]).events
    assert [event.incarnation for event in events if isinstance(event, RunsAnswered)] == [A, B]


def test_each_life_claims_for_itself(bench: Bench) -> None:
    bench.story.create("one", by=B, claim_items=())
    key = bench.story.pending()[0].key
    events = bench.claims.run([Claim(B, (key,)), Claim(A, (key,))]).events
    claims = [event for event in events if isinstance(event, ClaimsAnswered)]
    assert [(event.incarnation, len(event.claimed)) for event in claims] == [(B, 1), (A, 0)]


def test_what_is_asked_for_ahead_is_within_what_a_store_waits_for() -> None:
    assert 0 < PlannerSettings("n1").lead_s < WAITED_FOR_S


def test_what_is_due_goes_first_and_then_what_comes_at_the_next_instant(bench: Bench) -> None:
    bench.story.job("three", overlap="allow")
    later, due = bench.request("one", -0.03), bench.request("two")
    soon = [bench.request("two", -0.02)]
    soon.append(bench.story.request("three", fire=soon[0].fire_time))
    actions = [Create(A, request) for request in (later, *soon, due)]
    asked = []
    while actions:
        done = bench.work.run(actions)
        asked += [event.requests for event in done.events if isinstance(event, RunsAnswered)]
        actions = list(done.left)
        assert done.again_s == 0
    assert asked == [(due,), tuple(soon), (later,)]


class OneIsLocked:
    """A store of which the job "locked" times out."""

    def create(self, incarnation: str, requests: Sequence[CreateRun]) -> list[CreateAnswer]:
        raise PartlyUnanswered(
            [
                None if one.job_name == "locked" else CreateAnswer(Creation.EXISTS, 1, (), one.fire_time)
                for one in requests
            ],
            "one is locked",
        )


def test_runs_that_were_created_are_answered_although_one_is_locked(bench: Bench) -> None:
    bench.story.job("locked")
    first, locked, last = (bench.request(name) for name in ("one", "locked", "two"))
    work = RunsWork(cast("Any", OneIsLocked()), bench.story.world.now)
    answered, away, unanswered = work.run([Create(A, request) for request in (first, locked, last)]).events
    assert isinstance(answered, RunsAnswered)
    assert answered.requests == (first, last)
    assert away == StoreAway("one is locked")
    assert unanswered == RunsUnanswered(A, (locked,))


def test_runs_that_nobody_answered_for_are_told_as_such(bench: Bench) -> None:
    request = bench.request("one")
    bench.link.failing = {"create"}
    done = bench.work.run([Create(A, request)])
    assert list(done.events) == [StoreAway("create failed"), RunsUnanswered(A, (request,))]
    assert (list(done.left), done.unanswered) == ([], None)
