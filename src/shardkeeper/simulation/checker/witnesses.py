"""What tasks saw agrees with what was recorded (promises 1 and 10).

No task begins before its fire time. Two executions of one item overlap only where the first one's claim was lost or
stopped without it, and each goes on from the last checkpoint. What stands as COMPLETED was told by the very execution
that held the claim.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise

from shardkeeper.domain.runs import AttemptStatus
from shardkeeper.memory.history import What
from shardkeeper.memory.rows import Attempt, Run
from shardkeeper.simulation.checker.verdict import Broken
from shardkeeper.simulation.tasks import Witness
from shardkeeper.simulation.world import World

PROMISE = "witnesses"


def check(world: World) -> Iterator[Broken]:
    """Executions against rows."""
    by_item: dict[tuple[int, int], list[Witness]] = {}
    for one in world.witnesses.all:
        by_item.setdefault((one.key.run_id, one.key.item), []).append(one)
        if one.began < one.key.fire_time:
            yield _broken(one, f"began at {one.began}, before its fire time")
        yield from _goes_by_pinned(world, one)
    for own in by_item.values():
        yield from _overlaps(world, own)
    yield from _goes_on(world, by_item)
    for run in world.database.runs.values():
        for rows in run.attempts.values():
            for row in rows:
                yield from _values(run, row, by_item.get((run.run_id, row.key.item), []))


def _goes_by_pinned(world: World, one: Witness) -> Iterator[Broken]:
    """What ran, and with which parameters, is what the versions say that its run pins, whatever they are by now."""
    run = world.database.runs[one.key.run_id]
    impl, spec = world.database.impl_version_by_no[run.impl_version].impl or {}, run.version.spec or {}
    wanted = {**impl.get("parameters", {}), **spec.get("parameters", {}), **run.parameters}
    if (one.entrypoint, one.parameters) != (impl["entrypoint"], wanted):
        what = (
            f"ran {one.entrypoint} with {one.parameters}, and its versions say {impl['entrypoint']}, {wanted}"
        )
        yield _broken(one, what)


def _overlaps(world: World, own: list[Witness]) -> Iterator[Broken]:
    for earlier, later in pairwise(own):
        if (earlier.key, earlier.claim_no) == (later.key, later.claim_no):
            yield _broken(later, "was begun twice under one claim")
        if earlier.ended is not None and earlier.ended <= later.began:
            continue
        row = world.database.attempt(earlier.key)
        lost = row is not None and row.status in (AttemptStatus.LOST, AttemptStatus.STOPPED)
        if not lost:
            yield _broken(later, f"began at {later.began}, beside one of {earlier.node_id} that was not lost")


def _goes_on(world: World, by_item: dict[tuple[int, int], list[Witness]]) -> Iterator[Broken]:
    """Each execution was told to go on from what was saved last of its item: no step before that runs again."""
    last: dict[tuple[int, int], str] = {}
    wanted: dict[tuple[int, int, int, int], str] = {}
    for entry in world.database.history.of(What.SAVED, What.CLAIMED, What.ENDED):
        item = (entry.run_id or 0, entry.item or 0)
        if entry.what is What.SAVED:
            last[item] = entry.note or ""
        elif entry.what is What.ENDED and entry.note == AttemptStatus.COMPLETED:
            last.pop(item, None)  # what rolls it back begins with nothing
        elif entry.what is What.CLAIMED and item in last:
            wanted[*item, entry.attempt or 0, entry.claim_no or 0] = last[item]
    for item, own in by_item.items():
        for one in own:
            saved = wanted.get((*item, one.key.attempt, one.claim_no))
            given = json.dumps(one.checkpoint, sort_keys=True)
            if saved is not None and saved != given:
                yield _broken(one, f"began from {given}, and {saved} had been saved")


def _values(run: Run, row: Attempt, seen: list[Witness]) -> Iterator[Broken]:
    name = f"run {run.run_id} of {run.job_name}, item {row.key.item}, attempt {row.key.attempt}"
    about = f"run_id={run.run_id},"
    if row.status is not AttemptStatus.COMPLETED or row.compensates:
        if row.values:
            yield Broken(PROMISE, f"{name} is {row.status} and has values", about)
        return
    told = {value.key: value.value for value in row.values}
    if told != {"who": f"{run.run_id}/{row.key.item}", "claim": row.claim_no}:
        yield Broken(PROMISE, f"{name}, claim {row.claim_no}, has the values {told}", about)
    mine = [one for one in seen if (one.key, one.claim_no) == (row.key, row.claim_no)]
    if not any(one.status == AttemptStatus.COMPLETED and _is_of(one, row.incarnation) for one in mine):
        yield Broken(PROMISE, f"{name} is COMPLETED, and no execution of {row.incarnation} says so", about)


def _is_of(one: Witness, incarnation: str | None) -> bool:
    process = (incarnation or "").partition("/")[0].rpartition(".")[2]
    return process == str(one.process_no)


def _broken(one: Witness, what: str) -> Broken:
    name = f"run {one.key.run_id} of {one.job_name}, item {one.key.item}, attempt {one.key.attempt}"
    return Broken(PROMISE, f"{name} on {one.node_id} {what}", f"run_id={one.key.run_id},")
