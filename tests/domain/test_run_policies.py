"""Takeover, overlap and closing: what becomes of items and runs."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkeeper.domain.policies.closing import closing_status
from shardkeeper.domain.policies.overlap import Entry, entry, takes_turn
from shardkeeper.domain.policies.takeover import Takeover, after_loss
from shardkeeper.domain.runs import AttemptStatus, RunStatus, TriggerKind
from shardkeeper.domain.specs import JobSpec, Overlap, Strategy

JOB = JobSpec("job", "impl")
CLOSED = [status for status in AttemptStatus if not status.is_open]
OWN_ACCORD = [TriggerKind.MANUAL, TriggerKind.RERUN, TriggerKind.FOLLOW_UP, TriggerKind.SUBMIT]


def test_a_lost_item_is_taken_over_as_often_as_the_job_allows() -> None:
    found = [after_loss(JOB, before, stop_requested=False) for before in range(5)]
    assert found == [Takeover.REISSUE] * 3 + [Takeover.CLOSE] * 2


def test_without_failover_and_for_each_node_nothing_is_taken_over() -> None:
    assert after_loss(replace(JOB, failover=False), 0, stop_requested=False) is Takeover.CLOSE
    pinned = replace(JOB, sharding_strategy=Strategy.EACH_NODE)
    assert after_loss(pinned, 0, stop_requested=False) is Takeover.CLOSE
    assert after_loss(replace(JOB, max_takeovers=0), 0, stop_requested=False) is Takeover.CLOSE


@pytest.mark.parametrize("before", [0, 3])
def test_an_item_lost_while_its_run_is_to_be_stopped_is_stopped(before: int) -> None:
    assert after_loss(JOB, before, stop_requested=True) is Takeover.STOP


def test_the_policy_decides_for_scheduled_fires() -> None:
    found = {policy: entry(TriggerKind.SCHEDULE, policy, place_taken=True) for policy in Overlap}
    assert found == {
        Overlap.SKIP: Entry.SKIP,
        Overlap.QUEUE: Entry.WAIT,
        Overlap.REPLACE: Entry.REPLACE,
        Overlap.ALLOW: Entry.RUN,
    }


@pytest.mark.parametrize("kind", [TriggerKind.MISFIRE, TriggerKind.BACKFILL])
@pytest.mark.parametrize("policy", [Overlap.SKIP, Overlap.QUEUE, Overlap.REPLACE])
def test_what_makes_up_for_missed_fires_always_queues(kind: TriggerKind, policy: Overlap) -> None:
    assert entry(kind, policy, place_taken=True) is Entry.WAIT
    assert takes_turn(kind, policy)


@pytest.mark.parametrize(("kind", "policy"), list(product(OWN_ACCORD, Overlap)))
def test_what_is_started_by_hand_or_program_neither_takes_nor_waits(
    kind: TriggerKind, policy: Overlap
) -> None:
    assert entry(kind, policy, place_taken=True) is Entry.RUN
    assert not takes_turn(kind, policy)


@pytest.mark.parametrize(("kind", "policy"), list(product(TriggerKind, Overlap)))
def test_nobody_waits_for_a_place_that_is_free_or_that_the_job_does_not_have(
    kind: TriggerKind, policy: Overlap
) -> None:
    assert entry(kind, policy, place_taken=False) is Entry.RUN
    assert not takes_turn(kind, Overlap.ALLOW)


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([AttemptStatus.COMPLETED] * 3, RunStatus.COMPLETED),
        ([AttemptStatus.COMPLETED, AttemptStatus.STOPPED], RunStatus.STOPPED),
        ([AttemptStatus.COMPLETED, AttemptStatus.TIMED_OUT], RunStatus.FAILED),
        ([AttemptStatus.STOPPED, AttemptStatus.FAILED], RunStatus.FAILED),
        ([AttemptStatus.LOST], RunStatus.FAILED),
    ],
)
def test_a_run_closes_with_the_worst_of_its_items(statuses: list[AttemptStatus], expected: RunStatus) -> None:
    assert closing_status(statuses) is expected


@given(st.lists(st.sampled_from(CLOSED), min_size=1))
def test_a_run_is_completed_only_when_every_item_is(statuses: list[AttemptStatus]) -> None:
    completed = closing_status(statuses) is RunStatus.COMPLETED
    assert completed == (set(statuses) == {AttemptStatus.COMPLETED})
    assert closing_status(reversed(statuses)) is closing_status(statuses)
    assert not closing_status(statuses).is_open


@pytest.mark.parametrize("status", [AttemptStatus.PENDING, AttemptStatus.RUNNING])
def test_a_run_with_an_open_item_does_not_close(status: AttemptStatus) -> None:
    with pytest.raises(ValueError, match=status.value):
        closing_status([AttemptStatus.COMPLETED, status])
    with pytest.raises(ValueError, match="none"):
        closing_status([])
