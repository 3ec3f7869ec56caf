"""What is closed for want of a node that could run it had none for long enough, before the eyes of some node (rule 4).

A node that has the labels and the code counts, however full or wrong its clock is.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from shardkeeper.domain.view import matches
from shardkeeper.memory.history import What
from shardkeeper.memory.rows import Attempt
from shardkeeper.memory.runs import NO_ELIGIBLE_NODE
from shardkeeper.simulation.checker.held import process_of
from shardkeeper.simulation.checker.verdict import Broken
from shardkeeper.simulation.world import World

PROMISE = "hopeless"
Life = tuple[str, datetime, datetime]
"""An incarnation, and from when to when it lived without draining."""


def check(world: World) -> Iterator[Broken]:
    """Goes over the rows."""
    lives = list(_lives(world))
    rows = (row for run in world.database.runs.values() for own in run.attempts.values() for row in own)
    for row in rows:
        if row.error_type == NO_ELIGIBLE_NODE and row.finished_at is not None:
            wrong = _wrong(world, lives, row, row.finished_at)
            if wrong is not None:
                name = f"item {row.key.item} of run {row.key.run_id} of {row.run.job_name}"
                what = f"{name} was given up at {row.finished_at}, and {wrong}"
                yield Broken(PROMISE, what, f"run_id={row.key.run_id},")


def _wrong(world: World, lives: list[Life], row: Attempt, at: datetime) -> str | None:
    """A life that found itself dead and began anew has watched all the same: its process has."""
    long_ago = at - timedelta(seconds=world.conditions.unrunnable_after_s)
    able = [
        name
        for name, since, until in lives
        if since <= long_ago and until >= at and _fits(world, name, row, (long_ago, at))
    ]
    if able:
        return f"{able[0]} could have run it"
    here = {process_of(name) for name, since, until in lives if since <= at <= until}
    before = {process_of(name) for name, since, _ in lives if since <= long_ago}
    return None if here & before else "nobody had watched it for so long"


def _lives(world: World) -> Iterator[Life]:
    since: dict[str, datetime] = {}
    over = (What.DRAINING, What.LEFT, What.TAKEN_OVER)
    for entry in world.database.history.of(What.JOINED, What.ACTIVE, *over):
        incarnation = entry.incarnation or ""
        if entry.what in over:
            if incarnation in since:
                yield incarnation, since.pop(incarnation), entry.at
        else:
            since.setdefault(incarnation, entry.at)
    for incarnation, at in since.items():
        yield incarnation, at, world.clock.now()


def _fits(world: World, incarnation: str, row: Attempt, span: tuple[datetime, datetime]) -> bool:
    who = world.database.leases[incarnation].who
    if row.pinned_node not in (None, who.node_id) or not matches(who.labels, row.run.terms.node_selector):
        return False
    return not _declined(world, who.node_id, row.run.job_name, span)


def _declined(world: World, node_id: str, job_name: str, span: tuple[datetime, datetime]) -> bool:
    """Whether the node declined some version of the job at some time of this span."""
    versions = 0
    for entry in world.database.history.of(What.DECLINED, What.WILLING):
        if (entry.job_name, entry.note) != (job_name, node_id) or entry.at > span[1]:
            continue
        if versions and entry.at > span[0]:
            return True
        versions += 1 if entry.what is What.DECLINED else -1
    return versions > 0
