"""Nobody is taken over who was beating; no node lives twice, and each does whose process runs (rule 7). What drains
takes nothing more (rule 13).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from shardkeeper.domain.leases import LeaseState
from shardkeeper.memory.history import What
from shardkeeper.simulation.checker.verdict import Broken
from shardkeeper.simulation.world import World

PROMISE = "leases"
HANDED_OVER = timedelta(seconds=4.5)
"""Three beats and the calls it takes, from when the lease says draining."""
HOLDS_UP = (" paused", " cut from the store", " loses calls and answers", " calls are slow")
"""What may befall a machine so that its node learns of anything later, as the nemesis says it."""
OVER = (What.JOINED, What.LEFT, What.TAKEN_OVER, What.CLAIMED)


def check(world: World) -> Iterator[Broken]:
    """By the store's clock: a dead incarnation's last beat lies a whole lease before it was taken over."""
    database, lease = world.database, timedelta(seconds=world.conditions.lease_s)
    living: dict[str, str] = {}
    for entry in database.history.of(*OVER):
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
    yield from _lives(world)
    yield from _handed_over(world)


def _lives(world: World) -> Iterator[Broken]:
    """When all is healed and at rest, each node whose process runs has a lease: who was found dead has begun anew."""
    for machine in world.machines.values():
        lease = world.database.newest_lease.get(machine.host.plan.node_id)
        if machine.running and (lease is None or lease.state is LeaseState.DEAD):
            yield Broken(PROMISE, f"{machine.name} runs and has no lease", machine.name)


def _handed_over(world: World) -> Iterator[Broken]:
    """A node that drains takes nothing once the others know; where something holds it up, it may learn of that late."""
    said = [str(line.what) for line in world.trace.lines if line.who == "nemesis"]
    held_up = {text.split()[0] for text in said if text.endswith(HOLDS_UP)}
    since: dict[str, datetime] = {}
    for entry in world.database.history.of(What.DRAINING, What.ACTIVE, What.CLAIMED):
        incarnation = entry.incarnation or ""
        if entry.what is What.DRAINING:
            since.setdefault(incarnation, entry.at)
        elif entry.what is What.ACTIVE:
            since.pop(incarnation, None)
        elif (
            entry.at - since.get(incarnation, entry.at) > HANDED_OVER and _machine(incarnation) not in held_up
        ):
            what = f"{incarnation} took more at {entry.at}, draining since {since[incarnation]}"
            yield Broken(PROMISE, what, f"run_id={entry.run_id},")


def _machine(incarnation: str) -> str:
    return incarnation.rpartition(".")[0]
