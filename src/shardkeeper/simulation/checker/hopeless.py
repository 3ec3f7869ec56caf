"""What is closed for want of a node that could run it had none for long enough (rule 4): a node that has the labels and
the code counts, however full or wrong its clock is.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from shardkeeper.domain.view import matches
from shardkeeper.memory.history import What
from shardkeeper.memory.rows import Attempt
from shardkeeper.memory.runs import NO_ELIGIBLE_NODE
from shardkeeper.simulation.checker.verdict import Broken
from shardkeeper.simulation.world import World

PROMISE = "hopeless"
Life = tuple[str, datetime, datetime]
"""An incarnation, and from when to when it lived without draining."""


def check(world: World) -> Iterator[Broken]:
    """Goes over the rows."""
    lives = list(_lives(world))
    for run in world.database.runs.values():
        for row in (row for rows in run.attempts.values() for row in rows):
            if row.error_type == NO_ELIGIBLE_NODE and row.finished_at is not None:
                for incarnation, since, until in lives:
                    long_ago = row.finished_at - timedelta(seconds=world.conditions.unrunnable_after_s)
                    if since <= long_ago and until >= row.finished_at and _fits(world, incarnation, row):
                        name = f"item {row.key.item} of run {run.run_id} of {run.job_name}"
                        what = (
                            f"{name} was given up at {row.finished_at}, and {incarnation} could have run it"
                        )
                        yield Broken(PROMISE, what, f"run_id={run.run_id},")
                        break


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


def _fits(world: World, incarnation: str, row: Attempt) -> bool:
    who = world.database.leases[incarnation].who
    declined = any(
        node_id == who.node_id for node_id, _, _ in world.database.declined.get(row.run.job_name, {})
    )
    pinned = row.pinned_node in (None, who.node_id)
    return pinned and not declined and matches(who.labels, row.run.terms.node_selector)
