"""What each incarnation held by the store's word, and what of that ran by the witnesses' word."""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime

from shardkeeper.domain.runs import AttemptKey
from shardkeeper.memory.history import Entry, What
from shardkeeper.simulation.tasks import Witness
from shardkeeper.simulation.world import World

ClaimKey = tuple[int, int, int, int]
"""Run, item, attempt, claim number."""


def process_of(incarnation: str) -> int:
    """The number of the process that an incarnation lived in."""
    return int(incarnation.partition("/")[0].rpartition(".")[2])


class Held:
    """Told each happening in turn (``take_in``)."""

    def __init__(self, world: World) -> None:
        self._witnesses: dict[tuple[AttemptKey, int], Witness] = {
            (one.key, one.claim_no): one for one in world.witnesses.all
        }
        self._runs = world.database.runs
        self._changes: dict[int, list[tuple[datetime, int]]] = {}
        for at, process_no, capacity in world.witnesses.capacities:
            self._changes.setdefault(process_no, []).append((at, capacity))
        self.by_incarnation: dict[str, dict[ClaimKey, datetime]] = {}
        self.last_claim: dict[tuple[int, int], datetime] = {}
        self._of_item: dict[tuple[int, int], tuple[str, ClaimKey]] = {}

    def take_in(self, entry: Entry) -> None:
        """Go on by one happening."""
        if entry.run_id is None or entry.item is None:
            return
        item = (entry.run_id, entry.item)
        if entry.what is What.CLAIMED and entry.incarnation is not None:
            claim = (*item, entry.attempt or 0, entry.claim_no or 0)
            self.by_incarnation.setdefault(entry.incarnation, {})[claim] = entry.at
            self.last_claim[item] = entry.at
            self._of_item[item] = (entry.incarnation, claim)
        elif entry.what in (What.ENDED, What.GIVEN_BACK, What.LOST) and item in self._of_item:
            incarnation, claim = self._of_item.pop(item)
            self.by_incarnation[incarnation].pop(claim, None)

    def witness(self, claim: ClaimKey) -> Witness | None:
        """Who saw it run, if anybody did."""
        run_id, item, attempt, claim_no = claim
        key = AttemptKey(run_id, self._runs[run_id].fire_time, item, attempt)
        return self._witnesses.get((key, claim_no))

    def unended(self, incarnation: str, at: datetime) -> list[ClaimKey]:
        """What it holds and what has not ended yet: it runs, or will."""
        return [
            claim
            for claim in self.by_incarnation.get(incarnation, {})
            if (one := self.witness(claim)) is None or one.ended is None or one.ended > at
        ]

    def running(self, process_no: int, at: datetime) -> int:
        """How many executions go on in the process at an instant."""
        return sum(
            one.process_no == process_no and one.began <= at and (one.ended is None or one.ended > at)
            for one in self._witnesses.values()
        )

    def capacity(self, process_no: int, since: datetime, until: datetime) -> int:
        """The most workers that the process had between two instants."""
        changes = self._changes.get(process_no, [])
        first = bisect_right([at for at, _ in changes], since)
        known = [capacity for at, capacity in changes[max(0, first - 1) :] if at <= until]
        return max(known, default=0)
