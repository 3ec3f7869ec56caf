"""Nobody is taken over who was beating, and no node lives twice (rule 7)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from shardkeeper.memory.history import What
from shardkeeper.simulation.checker.verdict import Broken
from shardkeeper.simulation.world import World

PROMISE = "leases"


def check(world: World) -> Iterator[Broken]:
    """By the store's clock: a dead incarnation's last beat lies a whole lease before it was taken over."""
    database, lease = world.database, timedelta(seconds=world.conditions.lease_s)
    living: dict[str, str] = {}
    for entry in database.history.of(What.JOINED, What.LEFT, What.TAKEN_OVER, What.CLAIMED):
        incarnation = entry.incarnation or ""
        row = database.leases.get(incarnation)
        node_id = "" if row is None else row.who.node_id
        if entry.what is What.JOINED:
            if node_id in living:
                yield Broken(PROMISE, f"{incarnation} joined while {living[node_id]} lived", incarnation)
            living[node_id] = incarnation
        elif entry.what is What.CLAIMED:
            if living.get(node_id) != incarnation:
                yield Broken(PROMISE, f"{incarnation} claimed at {entry.at}, being dead", incarnation)
        else:
            if living.get(node_id) == incarnation:
                del living[node_id]
            if entry.what is What.TAKEN_OVER and row is not None and entry.at - row.beaten_at < lease:
                age = entry.at - row.beaten_at
                yield Broken(PROMISE, f"{incarnation} was taken over {age} after a beat", incarnation)
