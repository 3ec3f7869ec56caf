"""Whoever has room takes the best of what has no owner (rule 4).

A pull takes what waits and nothing else, passes over nothing better, leaves nothing lying that it had asked for, and is
neither made by a node that drains nor by one that is busy. What has no owner is taken in no other way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from shardkeeper.memory.history import PULLED, Entry, What
from shardkeeper.simulation.checker.held import ClaimKey, Held, process_of
from shardkeeper.simulation.checker.limits import is_limited, row_at
from shardkeeper.simulation.checker.queue import Queue, Waiting, is_unowned
from shardkeeper.simulation.checker.verdict import Broken
from shardkeeper.simulation.world import World

PROMISE = "pulls"
LATELY = timedelta(seconds=5)
"""On its way for longer a pull hardly is: what counts is how many workers there were when it was sent."""


@dataclass(slots=True)
class _Pull:
    """One call. ``lying``: what it might have taken."""

    incarnation: str
    at: datetime
    most: int
    not_jobs: frozenset[str]
    lying: list[Waiting]
    taken: list[Waiting] = field(default_factory=list)


def check(world: World) -> Iterator[Broken]:
    """Goes once through the history."""
    queue, held = Queue(world.database.runs), Held(world)
    unsure = _unknown_commits(world)

    def sure(incarnation: str) -> bool:
        return world.conditions.ahead_s == 0 and incarnation not in unsure

    draining: set[str] = set()
    pull: _Pull | None = None
    for entry in world.database.history.entries:
        pulled = entry.what is What.CLAIMED and entry.note == PULLED
        if pull is not None and not pulled:
            yield from _judge(pull)
            if pull.taken and sure(pull.incarnation):
                yield from _busy(held, pull.incarnation, pull.at, held.unended(pull.incarnation, pull.at))
            pull = None
        if entry.what is What.PULL:
            pull = _begun(world, queue, entry)
            if pull.incarnation in draining:
                yield Broken(PROMISE, f"{pull.incarnation} pulled at {entry.at}, draining", pull.incarnation)
        elif entry.what is What.CLAIMED and (broken := _claimed(world, queue, entry, pull)) is not None:
            yield Broken(PROMISE, f"{_name(entry)} {broken}", f"run_id={entry.run_id},")
        elif entry.what in (What.DRAINING, What.ACTIVE) and entry.incarnation is not None:
            (draining.add if entry.what is What.DRAINING else draining.discard)(entry.incarnation)
        queue.take_in(entry)
        held.take_in(entry)
        if entry.what is What.CLAIMED and not pulled and sure(entry.incarnation or ""):
            incarnation = entry.incarnation or ""
            # what was refused unbegun takes up no room of what has an owner
            begins = [one for one in held.unended(incarnation, entry.at) if held.witness(one) is not None]
            yield from _busy(held, incarnation, entry.at, begins)


def _begun(world: World, queue: Queue, entry: Entry) -> _Pull:
    """What waits for a limit may be passed over."""
    not_jobs = set((entry.note or "").split())
    ripe = list(queue.ripe(entry.at))
    names = {one.run.job_name for one in ripe} - not_jobs
    free = {name for name in names if not is_limited(row_at(world.people.diary, name, entry.at))}
    lying = [one for one in ripe if one.run.job_name in free]
    return _Pull(entry.incarnation or "", entry.at, entry.fires or 0, frozenset(not_jobs), lying)


def _claimed(world: World, queue: Queue, entry: Entry, pull: _Pull | None) -> str | None:
    run = world.database.runs[entry.run_id or 0]
    if not is_unowned(world.database.runs, run):
        return None if entry.note != PULLED else "has an owner, and was pulled"
    if entry.note != PULLED or pull is None:
        return "has no owner, and was taken by another way than a pull"
    one = queue.waiting.get((run.run_id, entry.item or 0))
    if one is None:
        return "was pulled, and did not wait"
    if one.since > entry.at:
        return f"was pulled before {one.since}"
    if run.job_name in pull.not_jobs:
        return f"was pulled by {pull.incarnation}, which had left its job out"
    pull.taken.append(one)
    return None


def _judge(pull: _Pull) -> Iterator[Broken]:
    """Of all that was there the best, and as much of it as was asked for."""
    taken = {(one.run.run_id, one.item) for one in pull.taken}
    left = [one for one in pull.lying if (one.run.run_id, one.item) not in taken]
    if len(pull.taken) > pull.most:
        what = f"{pull.incarnation} was given {len(pull.taken)} at {pull.at}, and had asked for {pull.most}"
        yield Broken(PROMISE, what, pull.incarnation)
    if not left:
        return
    best = min(left, key=lambda one: one.rank)
    name = f"item {best.item} of run {best.run.run_id} of {best.run.job_name}, waiting since {best.since},"
    if len(pull.taken) < pull.most:
        what = f"{name} was left lying at {pull.at} by {pull.incarnation}, which had room"
        yield Broken(PROMISE, what, f"run_id={best.run.run_id},")
    elif pull.taken and best.rank < (worst := max(pull.taken, key=lambda one: one.rank)).rank:
        what = f"{name} was passed over at {pull.at} for item {worst.item} of run {worst.run.run_id}"
        yield Broken(PROMISE, what, f"run_id={best.run.run_id},")


def _busy(held: Held, incarnation: str, at: datetime, unended: list[ClaimKey]) -> Iterator[Broken]:
    """Where no work is taken ahead of the workers, a node holds one more than it can run at the most: of its own."""
    workers = held.capacity(process_of(incarnation), at - LATELY, at)
    if len(unended) > workers + 1:
        yield Broken(
            PROMISE,
            f"{incarnation} took more at {at}, and holds {len(unended)} with {workers} workers",
            incarnation,
        )


def _unknown_commits(world: World) -> set[str]:
    """Incarnations that did not hear of what they were given: they may hold more than they know."""
    names = {line.who for line in world.trace.lines if str(line.what) in _UNKNOWN}
    return {lease for lease in world.database.leases if lease.partition("/")[0] in names}


_UNKNOWN = {f"unknown commit: {call}" for call in ("pull", "claim", "create", "record")}


def _name(entry: Entry) -> str:
    return f"run {entry.run_id} of {entry.job_name}, item {entry.item}, attempt {entry.attempt} at {entry.at}"
