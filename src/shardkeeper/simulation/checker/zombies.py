"""What is to stop stops, and nothing else: what must not overlap at the end of the node's lease, everything as soon as
it finds itself dead, and a run that people stop (rules 7, 12 and 15).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from shardkeeper.domain.facts import FoundDead, LeaseLapsed
from shardkeeper.domain.runs import AttemptStatus
from shardkeeper.memory.clock import START
from shardkeeper.memory.history import What
from shardkeeper.simulation.checker.held import process_of
from shardkeeper.simulation.checker.verdict import Broken
from shardkeeper.simulation.tasks import Witness
from shardkeeper.simulation.trace import Line
from shardkeeper.simulation.world import World

PROMISE = "zombies"
AT_ONCE = timedelta(seconds=0.01)
SOON = timedelta(seconds=0.5)
OBEYED_WITHIN = timedelta(seconds=8)
"""A beat, five seconds for the task to end by itself, and the calls it takes."""

Span = tuple[datetime, datetime]


def check(world: World) -> Iterator[Broken]:
    """Executions against what was lost, and against what nodes said of themselves."""
    yield from _past_the_lease(world)
    yield from _past_being_found_dead(world)
    yield from _past_an_order(world)
    yield from _for_nothing(world)


def _past_the_lease(world: World) -> Iterator[Broken]:
    """``on_lease_loss = stop``: nothing of it runs once it is lost, except in a process that is paused just then."""
    witnesses = {
        (one.key.run_id, one.key.item, one.key.attempt, one.claim_no): one for one in world.witnesses.all
    }
    paused = _pauses(world)
    for entry in world.database.history.of(What.LOST):
        run = world.database.runs[entry.run_id or 0]
        one = witnesses.get((run.run_id, entry.item or 0, entry.attempt or 0, entry.claim_no or 0))
        if (
            one is None
            or (run.version.spec or {}).get("on_lease_loss") != "stop"
            or not _goes_on(one, entry.at)
        ):
            continue
        machine = (entry.incarnation or "").rpartition(".")[0]
        if not any(since <= entry.at <= until for since, until in paused[machine]):
            yield _broken(one, f"goes on after it was lost at {entry.at}, and was to be stopped by then")


def _past_being_found_dead(world: World) -> Iterator[Broken]:
    for line in world.trace.lines:
        if not isinstance(line.what, FoundDead):
            continue
        at, incarnation = _at(line), line.what.incarnation
        for one in world.witnesses.all:
            mine = one.process_no == process_of(incarnation) and one.began <= at
            if mine and _goes_on(one, at + AT_ONCE):
                yield _broken(one, f"goes on after {incarnation} was found dead at {at}")


def _past_an_order(world: World) -> Iterator[Broken]:
    """Beside no fault, the holder reads of an order at its next beat, and asks the task before it kills it."""
    faults = [_at(line) for line in world.trace.lines if line.who == "nemesis"]
    for entry in world.database.history.of(What.STOP_ORDERED):
        until = entry.at + OBEYED_WITHIN
        if any(entry.at - OBEYED_WITHIN <= at <= until for at in faults) or world.clock.now() < until:
            continue
        for one in world.witnesses.all:
            if one.key.run_id == entry.run_id and one.began <= until and _goes_on(one, until):
                yield _broken(one, f"goes on at {until}, and was ordered to stop at {entry.at}")


def _for_nothing(world: World) -> Iterator[Broken]:
    """What was halted was ordered to stop, or lost, or its node left, found itself dead, or came to the end of its
    lease."""
    said: dict[str, list[datetime]] = defaultdict(list)
    left: set[str] = set()
    for line in world.trace.lines:
        if isinstance(line.what, FoundDead | LeaseLapsed):
            said[line.who].append(_at(line))
        elif line.who == "nemesis" and " asked to leave" in str(line.what):
            left.add(str(line.what).split()[0])
    lost = {
        (entry.run_id, entry.item, entry.attempt, entry.claim_no)
        for entry in world.database.history.of(What.LOST)
    }
    names = {process_of(lease): lease.partition("/")[0] for lease in world.database.leases}
    for one in world.witnesses.all:
        if one.status != AttemptStatus.STOPPED or one.cancelled or one.ended is None:
            continue
        name = names.get(one.process_no, "")
        known = world.database.runs[one.key.run_id].stop_requested or name.rpartition(".")[0] in left
        claim = (one.key.run_id, one.key.item, one.key.attempt, one.claim_no)
        if not known and claim not in lost and not any(abs(one.ended - at) < SOON for at in said[name]):
            yield _broken(one, f"was halted at {one.ended}, and nothing asked for that")


def _at(line: Line) -> datetime:
    return START + timedelta(seconds=line.mono)


def _goes_on(one: Witness, at: datetime) -> bool:
    return one.ended is None or one.ended > at


def _pauses(world: World) -> dict[str, list[Span]]:
    """By machine: from when to when its process was frozen."""
    found: dict[str, list[Span]] = defaultdict(list)
    since: dict[str, datetime] = {}
    for line in world.trace.lines:
        if line.who != "nemesis" or not isinstance(line.what, str):
            continue
        machine, _, what = line.what.partition(" ")
        if what == "paused":
            since[machine] = _at(line)
        elif what in ("resumed", "killed") and machine in since:
            found[machine].append((since.pop(machine), _at(line)))
    for machine, begun in since.items():
        found[machine].append((begun, world.clock.now()))
    return found


def _broken(one: Witness, what: str) -> Broken:
    name = f"run {one.key.run_id} of {one.job_name}, item {one.key.item}, attempt {one.key.attempt}"
    return Broken(PROMISE, f"{name} on {one.node_id} {what}", f"run_id={one.key.run_id},")
