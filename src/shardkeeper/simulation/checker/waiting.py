"""In calm weather nothing starves: what has no owner is taken as soon as anybody who can run it has room, and what is
open has a reason to be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from shardkeeper.domain.leases import LeaseState
from shardkeeper.simulation.checker.calm import Calm
from shardkeeper.simulation.checker.held import ClaimKey, Held, process_of
from shardkeeper.simulation.checker.limits import is_limited, row_at
from shardkeeper.simulation.checker.queue import ItemKey, Queue
from shardkeeper.simulation.checker.takers import Takers
from shardkeeper.simulation.checker.verdict import Broken
from shardkeeper.simulation.world import World

PROMISE = "waiting"
LATELY = timedelta(seconds=1.5)
"""A rate lets the next start not later than this."""
LOOK = timedelta(seconds=0.5)
LONGEST = timedelta(seconds=3.0)
"""How long an attempt may wait while the very same node has room: a look each second, and the calls it takes."""


@dataclass(slots=True)
class _Idle:
    """Of one attempt that waits: since when which node could have taken it."""

    since: dict[str, datetime] = field(default_factory=dict)


def check(world: World, calm: Calm) -> Iterator[Broken]:
    """Looks at the stretch twice a second."""
    queue, held = Queue(world.database.runs), Held(world)
    takers = Takers(world, held)
    entries = iter(world.database.history.entries)
    entry = next(entries, None)
    idle: dict[ItemKey, _Idle] = {}
    at = calm.since
    while at <= calm.until:
        while entry is not None and entry.at <= at:
            for each in (queue, held, takers):
                each.take_in(entry)
            entry = next(entries, None)
        yield from _look(world, queue, held, takers, idle, at)
        at += LOOK
    yield from _reasons(world, held, calm.until)


def _look(
    world: World, queue: Queue, held: Held, takers: Takers, idle: dict[ItemKey, _Idle], at: datetime
) -> Iterator[Broken]:
    names = takers.with_room(at)
    running, lately = _running(world, held, at)
    waiting = {(one.run.run_id, one.item): one for one in queue.ripe(at)}
    for key in idle.keys() - waiting.keys():
        del idle[key]
    for key, one in waiting.items():
        limits = limits_of(row_at(world.people.diary, one.run.job_name, at), one.run.job_name)
        blocked = limits and not limits.isdisjoint(running | lately)
        free = [] if blocked else list(takers.able(names, one.run))
        before = idle.setdefault(key, _Idle()).since
        idle[key].since = {name: before.get(name, at) for name in free}
        for name, since in idle[key].since.items():
            if at - since > LONGEST:
                what = f"item {key[1]} of run {key[0]} of {one.run.job_name} waits since {one.since}"
                yield Broken(PROMISE, f"{what}, and {name} has had room since {since}", f"run_id={key[0]},")
                idle[key].since[name] = at


def limits_of(row: Mapping[str, Any], name: str) -> set[str]:
    """What others of which may keep it waiting: its job, its pool."""
    if not is_limited(row):
        return set()
    return {f"job {name}"} | ({f"pool {row['pool']}"} if row.get("pool") else set())


def _running(world: World, held: Held, at: datetime) -> tuple[set[str], set[str]]:
    """Jobs and pools of which something is RUNNING, and those of which something was taken not long ago."""
    running, lately = set(), set()
    for claims in held.by_incarnation.values():
        for claim in claims:
            name = world.database.runs[claim[0]].job_name
            running |= limits_of(row_at(world.people.diary, name, at), name)
    for (run_id, _), since in held.last_claim.items():
        if at - since < LATELY:
            name = world.database.runs[run_id].job_name
            lately |= limits_of(row_at(world.people.diary, name, at), name)
    return running, lately


def _reasons(world: World, held: Held, at: datetime) -> Iterator[Broken]:
    """Whatever is RUNNING when the calm is over runs, or is about to, or has just ended."""
    recently = at - LONGEST
    for incarnation, claims in held.by_incarnation.items():
        lease = world.database.leases[incarnation]
        process_no = process_of(incarnation)
        for claim, since in claims.items():
            if since >= recently or _goes_on(held, claim, recently):
                continue
            full = held.running(process_no, at) >= held.capacity(process_no, at, at)
            if lease.state is LeaseState.DEAD or held.witness(claim) is not None or not full:
                what = f"item {claim[1]} of run {claim[0]} is RUNNING at {incarnation} since {since}"
                yield Broken(PROMISE, f"{what}, and nobody runs it", f"run_id={claim[0]},")


def _goes_on(held: Held, claim: ClaimKey, since: datetime) -> bool:
    one = held.witness(claim)
    return one is not None and (one.ended is None or one.ended >= since)
