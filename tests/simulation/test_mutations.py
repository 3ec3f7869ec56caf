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
from shardkeeper.node.works.sweep import SweepWork
from shardkeeper.simulation.seeded import live_through
from tests.simulation import mutants

MOST_SEEDS = 60

STORE = {
    mutants.StampAtBegin: "fires",
    mutants.InvalidVersionsCount: "fires",
    mutants.PausesHoldNothing: "fires",
    mutants.SwitchedOffRunsOn: "fires",
    mutants.CreatedEarly: "fires",
    mutants.CreatedWhenOld: "fires",
    mutants.CreatedTwice: "fires",
    mutants.AnyVersionWillDo: "fires",
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
    mutants.BeatsDoNotMatter: "leases",
    mutants.TwoOfOneName: "leases",
    mutants.StopIsNoColumn: "attempts",
    mutants.DeletionClosesAll: "endings",
    mutants.DeletionClosesNothing: "endings",
}
NODE: tuple[tuple[type, str, object, str], ...] = (
    (Holdings, "is_over", False, "witnesses"),
    (LeaseWatch, "_unchanged", True, "leases"),
    (Adoption, "look", [], "endings"),
    (Beating, "_reconcile", [], "endings"),
    (SweepWork, "run", [], "endings"),
)


@pytest.mark.parametrize(
    ("rules", "check"), STORE.items(), ids=lambda one: getattr(one, "__name__", str(one))
)
def test_each_guard_of_the_store_is_missed(rules: type[Rules], check: str) -> None:
    assert seed_that_sees(check, rules) is not None


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
