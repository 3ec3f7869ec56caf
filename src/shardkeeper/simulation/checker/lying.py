"""In calm weather nothing that has an owner is left lying: the next in the item's order of nodes takes it, one delay
per rank (rules 4 and 8).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from shardkeeper.domain.planner.settings import PlannerSettings
from shardkeeper.memory.history import Entry, What
from shardkeeper.memory.rows import Run
from shardkeeper.simulation.checker.calm import Calm
from shardkeeper.simulation.checker.held import Held
from shardkeeper.simulation.checker.limits import is_limited, row_at
from shardkeeper.simulation.checker.queue import ItemKey, is_unowned
from shardkeeper.simulation.checker.takers import Takers
from shardkeeper.simulation.checker.verdict import Broken
from shardkeeper.simulation.world import World

PROMISE = "waiting"
LOOK = timedelta(seconds=0.5)
LONGEST = timedelta(seconds=3)
"""A look each second, and the calls it takes."""
ONE_RANK = timedelta(seconds=PlannerSettings("").adoption_delay_s)


def check(world: World, calm: Calm) -> Iterator[Broken]:
    """Looks at the stretch twice a second; the last in rank is given the time of all before it."""
    patience = LONGEST + (len(world.machines) - 1) * ONE_RANK
    held = Held(world)
    lying, takers = _Lying(world.database.runs), Takers(world, held)
    free_since: dict[tuple[ItemKey, str], datetime] = {}
    entries = iter(world.database.history.entries)
    entry = next(entries, None)
    at = calm.since
    while at <= calm.until:
        while entry is not None and entry.at <= at:
            for each in (lying, held, takers):
                each.take_in(entry)
            entry = next(entries, None)
        free = _free(world, lying, takers, at)
        free_since = {pair: free_since.get(pair, at) for pair in free}
        for ((run_id, item), name), since in free_since.items():
            if at - since > patience:
                what = f"item {item} of run {run_id} of {world.database.runs[run_id].job_name} lies at {at}"
                yield Broken(PROMISE, f"{what}, and {name} has had room since {since}", f"run_id={run_id},")
        free_since = {pair: since for pair, since in free_since.items() if at - since <= patience}
        at += LOOK


class _Lying:
    """Since when which attempt with an owner may be claimed."""

    def __init__(self, runs: dict[int, Run]) -> None:
        self.runs = runs
        self.since: dict[ItemKey, datetime] = {}

    def take_in(self, entry: Entry) -> None:
        """Go on by one happening."""
        run = self.runs.get(entry.run_id or 0)
        if run is None or is_unowned(self.runs, run):
            return
        item = (run.run_id, entry.item or 0)
        match entry.what:
            case What.RUN_CREATED:
                for each, rows in run.attempts.items():
                    self.since[run.run_id, each] = max(entry.at, rows[0].not_before or entry.at)
            case What.RUN_WAITING:
                for each in run.attempts:
                    self.since.pop((run.run_id, each), None)
            case What.LIVE:
                self.since |= {(run.run_id, each): entry.at for each in run.attempts}
            case What.CLAIMED | What.CLOSED_PENDING:
                self.since.pop(item, None)
            case What.RETRIED | What.REISSUED | What.GIVEN_BACK | What.COMPENSATING:
                self.since[item] = entry.not_before or entry.at


def _free(world: World, lying: _Lying, takers: Takers, at: datetime) -> Iterator[tuple[ItemKey, str]]:
    """Each attempt that lies, with each node that could take it now; what waits for a limit has a reason to."""
    names = takers.with_room(at)
    for item, since in lying.since.items():
        run = lying.runs[item[0]]
        if since > at or is_limited(row_at(world.people.diary, run.job_name, at)):
            continue
        pinned = run.attempts[item[1]][-1].pinned_node
        for name in takers.able(names, run):
            if pinned in (None, world.database.leases[name].who.node_id):
                yield item, name
