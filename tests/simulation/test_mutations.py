"""The judges can see: with one guard of the protocol switched off, some seed out of a few breaks a promise.

docs/simulation.md has the table of guards, the rules they keep, and those that no storm here can show.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shardkeeper.domain.planner.adoption import Adoption
from shardkeeper.domain.planner.beating import Beating
from shardkeeper.domain.planner.holdings import Holdings
from shardkeeper.domain.planner.pulling import Pulling
from shardkeeper.domain.planner.watch import LeaseWatch
from shardkeeper.memory.rules import Rules
from shardkeeper.memory.sweep import MemorySweep
from shardkeeper.simulation.seeded import live_through
from tests.simulation import mutants, stories

MOST_SEEDS = 60


def _room_for_all(holdings: Holdings, busy_at: int) -> int:
    return max(1, holdings.capacity)


STORIES = {
    mutants.AnyVersionWillDo: stories.an_edit_that_no_node_has_heard_of,
    mutants.DeletionClosesNothing: stories.a_job_deleted_while_a_run_waits_for_another,
    mutants.DeletionClosesAll: stories.a_job_deleted_while_a_run_waits_for_another,
    mutants.SwitchedOffRunsOn: stories.a_pause_just_before_a_slow_creation,
    mutants.PausesHoldNothing: stories.a_pause_just_before_a_slow_creation,
    mutants.BeatsDoNotMatter: stories.a_takeover_that_arrives_late,
    mutants.GivenBackToTheEnd: stories.a_node_that_leaves_a_backlog,
}
"""Guards that storms meet too seldom."""

STORE: dict[type[Rules], tuple[str, int]] = {
    mutants.StampAtBegin: ("fires", 8),
    mutants.InvalidVersionsCount: ("fires", 1),
    mutants.CreatedEarly: ("fires", 20),
    mutants.CreatedWhenOld: ("fires", 1),
    mutants.CreatedTwice: ("fires", 1),
    mutants.WaitingRunsAreClaimed: ("endings", 1),
    mutants.ClaimedTooSoon: ("attempts", 1),
    mutants.PinnedToNobody: ("attempts", 42),
    mutants.PulledFromOthers: ("pulls", 2),
    mutants.PulledTooSoon: ("pulls", 2),
    mutants.DrainingNodesPull: ("pulls", 5),
    mutants.PulledByWhoeverAsks: ("pulls", 3),
    mutants.PriorityIsNothing: ("pulls", 6),
    mutants.AgeIsNothing: ("pulls", 3),
    mutants.RetriesHaveAnOwner: ("pulls", 2),
    mutants.SubmittedTwice: ("submissions", 2),
    mutants.ClaimNoStands: ("attempts", 1),
    mutants.AnybodyRecords: ("attempts", 3),
    mutants.RepeatsAreUnknown: ("attempts", 11),
    mutants.RunsCloseEarly: ("endings", 1),
    mutants.CheckpointsStay: ("attempts", 1),
    mutants.BegunAfresh: ("witnesses", 1),
    mutants.RetriedForEver: ("attempts", 4),
    mutants.ReissuedForEver: ("attempts", 16),
    mutants.TwoOfOneName: ("leases", 1),
    mutants.StopIsNoColumn: ("attempts", 1),
    mutants.LimitsHaveRoomForOneMore: ("limits", 1),
    mutants.GatesOpenAtTheFirst: ("follow_ups", 2),
    mutants.NothingIsRolledBack: ("follow_ups", 1),
    mutants.RolledBackForEver: ("follow_ups", 1),
}
"""The check that sees it, and a seed in which it did when the seeds were searched last."""

NODE: tuple[tuple[type, str, Callable[..., object], str, int], ...] = (
    (Holdings, "is_over", lambda *arguments: False, "witnesses", 31),
    (LeaseWatch, "_unchanged", lambda *arguments: True, "leases", 1),
    (Adoption, "look", lambda *arguments: [], "endings", 1),
    (MemorySweep, "sweep_begin", lambda *arguments: None, "endings", 1),
    (Holdings, "room_to_pull", _room_for_all, "pulls", 2),
    (Pulling, "look", lambda *arguments: [], "endings", 2),
)


@pytest.mark.parametrize(
    ("rules", "check", "likely"),
    [(rules, *seen) for rules, seen in STORE.items()],
    ids=[rules.__name__ for rules in STORE],
)
def test_each_guard_of_the_store_is_missed(rules: type[Rules], check: str, likely: int) -> None:
    assert seed_that_sees(check, likely, rules) is not None


@pytest.mark.parametrize("rules", STORIES, ids=lambda one: one.__name__)
def test_each_guard_that_storms_seldom_meet_is_missed_in_a_story(rules: type[Rules]) -> None:
    story = STORIES[rules]
    assert stories.promises_broken(story) == set()
    assert stories.promises_broken(story, rules())


@pytest.mark.parametrize("story", [stories.a_claim_whose_answer_is_lost, stories.a_pull_whose_answer_is_lost])
def test_without_reconciling_what_was_taken_unheard_hangs(
    story: stories.Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stories.promises_broken(story) == set()
    monkeypatch.setattr(Beating, "_reconcile", lambda *arguments: [])
    assert "endings" in stories.promises_broken(story)


@pytest.mark.parametrize(
    ("owner", "name", "instead", "check", "likely"), NODE, ids=[f"{one[0].__name__}.{one[1]}" for one in NODE]
)
def test_each_habit_of_a_node_is_missed(
    owner: type, name: str, instead: object, check: str, likely: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(owner, name, instead)
    assert seed_that_sees(check, likely) is not None


def seed_that_sees(check: str, likely: int, rules: type[Rules] = Rules) -> int | None:
    """The first seed in which the check finds something, looking first where something was found before; ``defects``
    count: a node that gives up is seen too."""
    seeds: list[int] = [likely, *range(1, MOST_SEEDS + 1)]
    for seed in seeds:
        story = live_through(seed, events=1_500, rules=rules())
        if any(broken.promise in (check, "defects") for broken in story.broken):
            return seed
    return None
