"""The judges can see: with one guard of the protocol switched off, some seed out of a few breaks a promise.

docs/simulation.md has the table of guards, the rules they keep, and those that no storm here can show.
"""

from __future__ import annotations

import pytest

from shardkeeper.domain.planner.adoption import Adoption
from shardkeeper.domain.planner.beating import Beating
from shardkeeper.domain.planner.holdings import Holdings
from shardkeeper.domain.planner.watch import LeaseWatch
from shardkeeper.memory.rules import Rules
from shardkeeper.memory.sweep import MemorySweep
from shardkeeper.simulation.seeded import live_through
from tests.simulation import mutants, stories

MOST_SEEDS = 60

STORIES = {
    mutants.AnyVersionWillDo: stories.an_edit_that_no_node_has_heard_of,
    mutants.DeletionClosesNothing: stories.a_job_deleted_while_a_run_waits_for_another,
    mutants.DeletionClosesAll: stories.a_job_deleted_while_a_run_waits_for_another,
    mutants.SwitchedOffRunsOn: stories.a_pause_just_before_a_slow_creation,
    mutants.PausesHoldNothing: stories.a_pause_just_before_a_slow_creation,
    mutants.BeatsDoNotMatter: stories.a_takeover_that_arrives_late,
}
"""Guards that storms meet too seldom."""

STORE = {
    mutants.StampAtBegin: "fires",
    mutants.InvalidVersionsCount: "fires",
    mutants.CreatedEarly: "fires",
    mutants.CreatedWhenOld: "fires",
    mutants.CreatedTwice: "fires",
    mutants.WaitingRunsAreClaimed: "endings",
    mutants.ClaimedTooSoon: "attempts",
    mutants.PinnedToNobody: "attempts",
    mutants.ClaimNoStands: "attempts",
    mutants.AnybodyRecords: "attempts",
    mutants.RepeatsAreUnknown: "attempts",
    mutants.RunsCloseEarly: "endings",
    mutants.CheckpointsStay: "attempts",
    mutants.RetriedForEver: "attempts",
    mutants.ReissuedForEver: "attempts",
    mutants.TwoOfOneName: "leases",
    mutants.StopIsNoColumn: "attempts",
}
NODE: tuple[tuple[type, str, object, str], ...] = (
    (Holdings, "is_over", False, "witnesses"),
    (LeaseWatch, "_unchanged", True, "leases"),
    (Adoption, "look", [], "endings"),
    (MemorySweep, "sweep_begin", None, "endings"),
)


@pytest.mark.parametrize(
    ("rules", "check"), STORE.items(), ids=lambda one: getattr(one, "__name__", str(one))
)
def test_each_guard_of_the_store_is_missed(rules: type[Rules], check: str) -> None:
    assert seed_that_sees(check, rules) is not None


@pytest.mark.parametrize("rules", STORIES, ids=lambda one: one.__name__)
def test_each_guard_that_storms_seldom_meet_is_missed_in_a_story(rules: type[Rules]) -> None:
    story = STORIES[rules]
    assert stories.promises_broken(story) == set()
    assert stories.promises_broken(story, rules())


def test_without_reconciling_a_claim_whose_answer_is_lost_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stories.promises_broken(stories.a_claim_whose_answer_is_lost) == set()
    monkeypatch.setattr(Beating, "_reconcile", lambda *arguments: [])
    assert "endings" in stories.promises_broken(stories.a_claim_whose_answer_is_lost)


@pytest.mark.parametrize(("owner", "name", "answer", "check"), NODE, ids=[one[1] for one in NODE])
def test_each_habit_of_a_node_is_missed(
    owner: type, name: str, answer: object, check: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, lambda *arguments, **named: answer)
    assert seed_that_sees(check) is not None


def seed_that_sees(check: str, rules: type[Rules] = Rules) -> int | None:
    """The first seed in which the check finds something; ``defects`` count: a node that gives up is seen too."""
    for seed in range(1, MOST_SEEDS + 1):
        story = live_through(seed, events=1_500, rules=rules())
        if any(broken.promise in (check, "defects") for broken in story.broken):
            return seed
    return None
