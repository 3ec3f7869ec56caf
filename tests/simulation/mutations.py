"""The guards of the protocol, each with what it looks like when it is switched off, and the check that sees it: the
rows of the table in docs/simulation.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from shardkeeper.memory.rules import Rules
from shardkeeper.simulation.seeded import live_through
from tests.simulation.stories.telling import Story, promises_broken

EVENTS = 2_000
DEFECTS = "defects"
"""A node that gives up is seen too."""


@dataclass(frozen=True, slots=True)
class Mutation:
    """``rule``: numbers in docs/architecture.md. ``check``: the one that sees it. ``seen_in``: a seed in which it did
    when the seeds were searched last, or a story made for it. ``patches``: owner, name, and what is put in its place.
    """

    rule: str
    guard: str
    check: str
    seen_in: int | Story
    rules: type[Rules] = Rules
    patches: tuple[tuple[object, str, object], ...] = ()

    @property
    def name(self) -> str:
        """What it is called among the tests."""
        return f"{self.rule}: {self.guard}"

    @contextmanager
    def switched_off(self) -> Iterator[Rules]:
        """The store's rules without the guard, while everything else is without it too."""
        with pytest.MonkeyPatch.context() as patch:
            for owner, name, instead in self.patches:
                patch.setattr(owner, name, instead)
            yield self.rules()

    def broken_in(self, seed: int, events: int = EVENTS) -> set[str]:
        """The checks that find something in this seed."""
        with self.switched_off() as rules:
            return {broken.promise for broken in live_through(seed, events, rules).broken}

    def broken_in_story(self, story: Story) -> set[str]:
        """The same of a story."""
        with self.switched_off() as rules:
            return promises_broken(story, rules)

    def is_seen_by(self, promises: set[str]) -> bool:
        """Whether the check is among them."""
        return not promises.isdisjoint((self.check, DEFECTS))
