"""What a node wrote down while the store was away is recorded before its next life takes over what was left
(rule 12).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from shardkeeper.domain.runs import AttemptStatus
from shardkeeper.memory.clock import START
from shardkeeper.memory.history import What
from shardkeeper.simulation.checker.held import process_of
from shardkeeper.simulation.checker.verdict import Broken
from shardkeeper.simulation.world import World

PROMISE = "journal"
SURELY = timedelta(seconds=6)
"""A process that lived on for so long after the end of an attempt has asked the store, heard nothing, and written it
down."""


def check(world: World) -> Iterator[Broken]:
    """Of what was lost to another life on the same machine: nothing had ended long before its process died."""
    takers = {entry.incarnation: entry.note or "" for entry in world.database.history.of(What.TAKEN_OVER)}
    completed = {
        (one.key.run_id, one.key.item, one.key.attempt, one.claim_no): one
        for one in world.witnesses.all
        if one.status == AttemptStatus.COMPLETED
    }
    killed, frozen = _killed(world), _frozen(world)
    for entry in world.database.history.of(What.LOST):
        one = completed.get((entry.run_id or 0, entry.item or 0, entry.attempt or 0, entry.claim_no or 0))
        dead, taker = entry.incarnation or "", takers.get(entry.incarnation, "")
        machine = dead.rpartition(".")[0]
        if one is None or one.ended is None or machine in frozen or taker.rpartition(".")[0] != machine:
            continue
        died = [at for name, at in killed if name == machine and at >= one.ended]
        if process_of(taker) != process_of(dead) and died and died[0] - one.ended > SURELY:
            name = f"run {entry.run_id} of {entry.job_name}, item {entry.item}"
            what = f"{name} had ended at {one.ended}, and was lost to {taker}, the next life of {dead}"
            yield Broken(PROMISE, what, f"run_id={entry.run_id},")


def _killed(world: World) -> list[tuple[str, datetime]]:
    ends = [
        line for line in world.trace.lines if line.who == "nemesis" and str(line.what).endswith(" killed")
    ]
    return [(str(line.what).split()[0], START + timedelta(seconds=line.mono)) for line in ends]


def _frozen(world: World) -> set[str]:
    return {str(line.what).split()[0] for line in world.trace.lines if str(line.what).endswith(" paused")}
