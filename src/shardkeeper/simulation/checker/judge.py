"""All promises at once."""

from __future__ import annotations

from shardkeeper.simulation.checker import (
    alerts,
    attempts,
    calm,
    endings,
    fires,
    follow_ups,
    hopeless,
    journal,
    leases,
    limits,
    lying,
    overlap,
    pulls,
    specs,
    submissions,
    takeovers,
    waiting,
    witnesses,
    zombies,
)
from shardkeeper.simulation.checker.calm import Calm
from shardkeeper.simulation.checker.verdict import Broken
from shardkeeper.simulation.world import World

CHECKS = (
    attempts, fires, endings, leases, takeovers, witnesses, zombies, overlap, alerts, specs, submissions, pulls, limits,
    follow_ups, hopeless, journal,
)  # fmt: skip


def judge(world: World, stretch: Calm | None = None) -> list[Broken]:
    """What is broken in a world that has come to rest; ``stretch``: its calm weather, judged too."""
    found = [broken for check in CHECKS for broken in check.check(world)]
    if stretch is not None:
        found += [*calm.check(world, stretch), *waiting.check(world, stretch), *lying.check(world, stretch)]
    return found
