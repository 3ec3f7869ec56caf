"""The queue of attempts without an owner, rebuilt from what people ordered and what happened: not from the store's own
``claim_key``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from shardkeeper.domain.runs import TriggerKind
from shardkeeper.domain.specs import Strategy
from shardkeeper.memory.history import Entry, What
from shardkeeper.memory.rows import Run

MINUTE = timedelta(minutes=1)
"""What a point of priority is worth in waiting."""
ItemKey = tuple[int, int]
"""Run and item."""


@dataclass(slots=True)
class Waiting:
    """An attempt that may be pulled from ``since`` on; the smallest ``place`` is to be pulled first."""

    run: Run
    item: int
    since: datetime
    place: datetime

    @property
    def rank(self) -> tuple[datetime, int, int]:
        return self.place, self.run.run_id, self.item


def is_unowned(runs: Mapping[int, Run], run: Run) -> bool:
    """Whether its attempts are for whoever has room: submissions, and reruns of what was for whoever had room."""
    if run.terms.strategy is Strategy.EACH_NODE:
        return False
    if run.kind is TriggerKind.RERUN and run.rerun_of is not None:
        return is_unowned(runs, runs[run.rerun_of])
    return run.kind is TriggerKind.SUBMIT


class Queue:
    """Told each happening in turn (``take_in``). ``taken``: what left it last, by item, with the place that it had."""

    def __init__(self, runs: dict[int, Run]) -> None:
        self._runs = runs
        self.waiting: dict[ItemKey, Waiting] = {}
        self.taken: dict[ItemKey, Waiting] = {}

    def take_in(self, entry: Entry) -> None:
        """Go on by one happening."""
        run = self._runs.get(entry.run_id or 0)
        if run is None or not is_unowned(self._runs, run):
            return
        match entry.what:
            case What.RUN_CREATED:
                self._add(run, entry)
            case What.CLAIMED | What.CLOSED_PENDING if entry.item is not None:
                one = self.waiting.pop((run.run_id, entry.item), None)
                if one is not None:
                    self.taken[run.run_id, entry.item] = one
            case What.COMPENSATING if entry.item is not None:
                self.waiting[run.run_id, entry.item] = Waiting(
                    run, entry.item, entry.at, entry.at - run.priority * MINUTE
                )
            case What.RETRIED | What.REISSUED | What.GIVEN_BACK if entry.item is not None:
                self._add_again(run, entry.item, entry)

    def ripe(self, at: datetime) -> Iterator[Waiting]:
        """What may be pulled now."""
        return (one for one in self.waiting.values() if one.since <= at)

    def _add(self, run: Run, entry: Entry) -> None:
        # the rerun of what was stopped before its time waits for that, too
        since = max(entry.at, run.fire_time)
        for item in run.attempts:
            self.waiting[run.run_id, item] = Waiting(run, item, since, since - run.priority * MINUTE)

    def _add_again(self, run: Run, item: int, entry: Entry) -> None:
        """What was lost, or given back for no time, keeps its place; what is tried again or put off waits anew."""
        before = self.taken.get((run.run_id, item))
        if before is None:
            return
        since = entry.not_before or entry.at
        retried = entry.what is What.RETRIED
        stays = entry.what is What.REISSUED or (not retried and entry.not_before is None)
        place = before.place if stays else since - run.priority * MINUTE
        self.waiting[run.run_id, item] = Waiting(run, item, since, place)
