"""The RunStore of the store in memory."""

from __future__ import annotations

from collections.abc import Sequence

from shardkeeper.domain.attempts import Claimed, CreateAnswer, CreateRun, Pending
from shardkeeper.domain.outcomes import Outcome, OutcomeAnswer, Progress
from shardkeeper.domain.runs import AttemptKey, AttemptStatus
from shardkeeper.domain.schedule import MICROSECOND
from shardkeeper.memory.calls import Connection, store_call, waiting_store_call
from shardkeeper.memory.claims import claim_one, claimable_for, pull_for
from shardkeeper.memory.closing import close_pending
from shardkeeper.memory.creation import create_one
from shardkeeper.memory.outcomes import record_one, report_one
from shardkeeper.ports.runs import WAITED_FOR_S

NO_ELIGIBLE_NODE = "NoEligibleNode"


def _ahead_s(self: MemoryRuns, incarnation: str, requests: Sequence[CreateRun]) -> float:
    """Seconds until the clock is past all of these, where the store waits for that."""
    latest = max((request.fire_time for request in requests), default=self.database.now())
    ahead_s = (latest + MICROSECOND - self.database.now()).total_seconds()
    return ahead_s if 0 < ahead_s <= WAITED_FOR_S else 0.0


class MemoryRuns(Connection):
    """See ``ports.runs.RunStore``."""

    @waiting_store_call(_ahead_s)
    def create(self, incarnation: str, requests: Sequence[CreateRun]) -> list[CreateAnswer]:
        lease = self.database.leases.get(incarnation)
        return [create_one(self.database, lease, request) for request in requests]

    @store_call
    def claim(self, incarnation: str, keys: Sequence[AttemptKey]) -> list[Claimed]:
        database = self.database
        lease = database.leases.get(incarnation)
        if lease is None or not database.rules.may_claim(lease):
            return []
        now = database.now()
        rows = [row for row in map(database.attempt, keys) if row is not None]
        # where a limit lets only some of them start, those that have waited longest
        rows.sort(key=lambda row: (row.claimable_from, row.key.run_id, row.key.item))
        found = (claim_one(database, lease, row, now) for row in rows)
        return [each for each in found if each is not None]

    @store_call
    def pull(self, incarnation: str, most: int, not_jobs: Sequence[str]) -> list[Claimed]:
        lease = self.database.leases.get(incarnation)
        if lease is None or not self.database.rules.may_pull(lease):
            return []
        return list(pull_for(self.database, lease, most, frozenset(not_jobs)))

    @store_call
    def pending(self, incarnation: str, limit: int) -> list[Pending]:
        lease = self.database.leases.get(incarnation)
        if lease is None or not self.database.rules.may_claim(lease):
            return []
        return claimable_for(self.database, lease, limit)

    @store_call
    def record(self, incarnation: str, outcomes: Sequence[Outcome]) -> list[OutcomeAnswer]:
        answers: dict[int, OutcomeAnswer] = {}
        # what is told of a job goes by the order of its fires
        for order in sorted(range(len(outcomes)), key=lambda order: outcomes[order].key.fire_time):
            answers[order] = record_one(self.database, incarnation, outcomes[order])
        return [answers[order] for order in range(len(outcomes))]

    @store_call
    def progress(self, incarnation: str, reports: Sequence[Progress]) -> None:
        for report in reports:
            report_one(self.database, incarnation, report)

    @store_call
    def no_eligible_node(self, incarnation: str, keys: Sequence[AttemptKey], reason: str) -> None:
        now = self.database.now()
        if not self.database.rules.may_create(self.database.leases.get(incarnation)):
            return
        for row in map(self.database.attempt, keys):
            if row is not None and row in self.database.claimable and self.database.rules.is_ripe(row, now):
                row.error_type = NO_ELIGIBLE_NODE
                close_pending(self.database, row, AttemptStatus.FAILED, reason, now)
