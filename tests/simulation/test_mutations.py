"""The judges can see: with one guard of the protocol switched off, some seed out of a few breaks a promise.

docs/simulation.md has the table of guards, the rules they keep, and those that no storm here can show.
"""

from __future__ import annotations

import pytest

from shardkeeper.memory.rules import Rules
from shardkeeper.simulation.runner import LINES, told
from shardkeeper.simulation.seeded import live_through
from tests.simulation import mutants
from tests.simulation.guards import GUARDS
from tests.simulation.mutations import Mutation
from tests.simulation.stories.telling import Story, promises_broken
from tests.simulation.table import STORY, rows_on_page

MOST_SEEDS = 60

IN_STORIES = [(one, one.seen_in) for one in GUARDS if callable(one.seen_in)]
IN_STORMS = [(one, one.seen_in) for one in GUARDS if isinstance(one.seen_in, int)]


@pytest.mark.parametrize(("mutation", "likely"), IN_STORMS, ids=[one.name for one, _ in IN_STORMS])
def test_each_guard_is_missed_in_some_storm(mutation: Mutation, likely: int) -> None:
    assert seed_that_sees(mutation, likely) is not None


@pytest.mark.parametrize(("mutation", "story"), IN_STORIES, ids=[one.name for one, _ in IN_STORIES])
def test_each_guard_that_storms_seldom_meet_is_missed_in_a_story(mutation: Mutation, story: Story) -> None:
    assert mutation.is_seen_by(mutation.broken_in_story(story))


@pytest.mark.parametrize(
    "story", dict.fromkeys(story for _, story in IN_STORIES), ids=lambda one: getattr(one, "__name__", "")
)
def test_with_every_guard_a_story_keeps_its_promises(story: Story) -> None:
    assert promises_broken(story) == set()


def test_a_seed_that_breaks_a_promise_is_told_briefly_and_replays_exactly() -> None:
    first, second = (told(live_through(1, 600, mutants.CreatedTwice()), 600) for _ in range(2))
    assert first.text.startswith("seed 1 breaks ")
    assert "fires: " in first.text
    assert "again: python -m shardkeeper.simulation --seed 1 --runs 1 --events 600\n" in first.text
    assert len(first.text.splitlines()) <= LINES + 7
    assert first == second


def test_the_page_has_a_row_for_each_guard_and_no_other() -> None:
    listed = [
        (
            one.rule,
            one.guard,
            f"`{one.check}`",
            f"seed {one.seen_in}" if isinstance(one.seen_in, int) else STORY,
        )
        for one in GUARDS
    ]
    rows = list(rows_on_page())
    assert [(rule, guard, check, where) for rule, guard, check, _, where in rows] == listed
    assert all(not seen or 0 <= int(seen) <= 20 for _, _, _, seen, _ in rows)


def test_each_rule_of_the_store_in_memory_is_on_the_list_or_explained() -> None:
    switched = {name for one in GUARDS for name in vars(one.rules) if one.rules is not Rules}
    asked = {name for name in vars(Rules) if not name.startswith("_")}
    assert asked - switched == UNSEEN


UNSEEN = {
    "may_create",
    "goes_by_pinned",
    "same_claim",
    "still_sweeps",
    "is_unchanged",
    "is_swept",
    "is_claimable",
}
"""Guards whose absence no storm shows: docs/simulation.md says why, and which test keeps them. The last is made of
others, which are on the list."""


def seed_that_sees(mutation: Mutation, likely: int) -> int | None:
    """The first seed in which the check finds something, looking first where something was found before."""
    return next(
        (
            seed
            for seed in (likely, *range(1, MOST_SEEDS + 1))
            if mutation.is_seen_by(mutation.broken_in(seed))
        ),
        None,
    )
