"""The store's rules with one guard switched off each: what a check of the simulation must see."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

from shardkeeper.domain.attempts import CreateRun
from shardkeeper.domain.leases import LeaseState
from shardkeeper.domain.outcomes import Outcome
from shardkeeper.domain.runs import AttemptStatus
from shardkeeper.memory.rows import Attempt, ImplVersion, JobVersion, LeaseRow, PauseRecord, Run
from shardkeeper.memory.rules import Rules


class StampAtBegin(Rules):
    def stamp(self, begun_at: datetime, committed_at: datetime) -> datetime:
        return begun_at


class HighestNumberSeen(Rules):
    def seen_until(self, latest: int, unfinished: Iterable[int]) -> int:
        return latest


class InvalidVersionsCount(Rules):
    def counts(self, version: JobVersion | ImplVersion) -> bool:
        return True


class PausesHoldNothing(Rules):
    def is_held(self, pause: PauseRecord, fire_time: datetime, now: datetime) -> bool:
        return False


class SwitchedOffRunsOn(Rules):
    def was_switched_off(self, later: JobVersion, fire_time: datetime, now: datetime) -> bool:
        return False


class CreatedEarly(Rules):
    def is_due(self, fire_time: datetime, now: datetime) -> bool:
        return True


class CreatedWhenOld(Rules):
    def is_on_time(self, fire_time: datetime, now: datetime, window: timedelta) -> bool:
        return True


class CreatedTwice(Rules):
    def is_new_fire(self, existing: Run | None) -> bool:
        return True


class AnyVersionWillDo(Rules):
    def is_in_force(self, request: CreateRun, job: JobVersion, impl: ImplVersion) -> bool:
        return True


class WaitingRunsAreClaimed(Rules):
    def has_turn(self, run: Run) -> bool:
        return True


class ClaimedTooSoon(Rules):
    def is_ripe(self, row: Attempt, now: datetime) -> bool:
        return True


class PinnedToNobody(Rules):
    def is_for(self, row: Attempt, node_id: str) -> bool:
        return True


class DeadNodesClaim(Rules):
    def may_claim(self, lease: LeaseRow | None) -> bool:
        return lease is not None


class UnheardIsUnheard(Rules):
    def is_callers(self, row: Attempt, incarnation: str) -> bool:
        return False


class ClaimNoStands(Rules):
    def next_claim_no(self, claim_no: int) -> int:
        return claim_no or 1


class AnybodyRecords(Rules):
    def is_holder(self, row: Attempt, incarnation: str, claim_no: int) -> bool:
        return True


class AnybodyReports(Rules):
    def may_report(self, row: Attempt, incarnation: str, claim_no: int) -> bool:
        return True


class RepeatsAreUnknown(Rules):
    def is_repeated(self, row: Attempt, incarnation: str, claim_no: int) -> bool:
        return False


class RunsCloseEarly(Rules):
    def closes_run(self, run: Run) -> bool:
        return run.open_items <= 1


class CheckpointsStay(Rules):
    def keeps_checkpoint(self, status: AttemptStatus) -> bool:
        return True


class RetriedForEver(Rules):
    def may_retry(self, row: Attempt, outcome: Outcome) -> bool:
        return outcome.status in (AttemptStatus.FAILED, AttemptStatus.TIMED_OUT)


class ReissuedForEver(Rules):
    def may_reissue(self, row: Attempt) -> bool:
        return True


class NothingIsReissued(Rules):
    def may_reissue(self, row: Attempt) -> bool:
        return False


class GivingBackIsATry(Rules):
    def tries_after_giving_back(self, row: Attempt) -> int:
        return row.tries + 1


class NewestIsNext(Rules):
    def turn(self, run: Run) -> tuple[datetime, int]:
        return datetime.max.replace(tzinfo=UTC) - (
            run.fire_time - datetime.min.replace(tzinfo=UTC)
        ), -run.run_id


class SweptToThisDay(Rules):
    def swept_until(self, now: datetime, lag: timedelta) -> datetime:
        return now


class WatermarkMovesAtOnce(Rules):
    def ends_window(self, jobs_left: bool) -> bool:
        return True


class BeatsDoNotMatter(Rules):
    def is_lapsed(self, lease: LeaseRow, beat_seen: int) -> bool:
        return True


class TwoOfOneName(Rules):
    def may_join(self, newest: LeaseRow | None) -> bool:
        return True


class StopIsNoColumn(Rules):
    def is_stopping(self, run: Run) -> bool:
        return False


class DeletionClosesAll(Rules):
    def ends_when_deleted(self, run: Run) -> bool:
        return True


class DeletionClosesNothing(Rules):
    def ends_when_deleted(self, run: Run) -> bool:
        return False


class PulledFromOthers(Rules):
    def to_pull(
        self, claimable: Iterable[Attempt], held: Mapping[str, Iterable[Attempt]]
    ) -> Iterable[Attempt]:
        return list(chain(claimable, *held.values()))

    def is_free(self, row: Attempt) -> bool:
        return True


class PulledTooSoon(Rules):
    def is_pullable(self, row: Attempt, not_jobs: Collection[str], node_id: str, now: datetime) -> bool:
        return super().is_pullable(row, not_jobs, node_id, now) or (
            row.claim_key is not None and self.is_free(row) and self.is_run_by(row, not_jobs)
        )


class DrainingNodesPull(Rules):
    def may_pull(self, lease: LeaseRow | None) -> bool:
        return lease is not None and lease.state is not LeaseState.DEAD


class PulledByWhoeverAsks(Rules):
    def is_run_by(self, row: Attempt, not_jobs: Collection[str]) -> bool:
        return True


class PriorityIsNothing(Rules):
    def rank(self, row: Attempt) -> tuple[datetime, int, int]:
        return row.not_before or row.claimable_from, row.key.run_id, row.key.item


class AgeIsNothing(Rules):
    def rank(self, row: Attempt) -> tuple[datetime, int, int]:
        return row.run.created_at.replace(year=2_000), -row.run.priority, row.key.run_id


class RetriesHaveAnOwner(Rules):
    def stays_unowned(self, row: Attempt) -> bool:
        return False


class GivenBackToTheEnd(Rules):
    def keeps_place(self, row: Attempt) -> bool:
        return False


class SubmittedTwice(Rules):
    def is_submitted(self, known: int | None) -> bool:
        return False


class BegunAfresh(Rules):
    def carries_checkpoint(self, row: Attempt) -> bool:
        return False


class LimitsHaveRoomForOneMore(Rules):
    def room(self, size: int, running: int) -> int:
        return size - running + 1


class GatesOpenAtTheFirst(Rules):
    def gate_opens(self, follows: Mapping[str, Any], arrived: Mapping[str, Run]) -> bool:
        return True


class NothingIsRolledBack(Rules):
    def rolls_back(self, run: Run) -> bool:
        return False


class RolledBackForEver(Rules):
    def rolls_back(self, run: Run) -> bool:
        return True
