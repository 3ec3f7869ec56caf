"""The guards of the protocol, one small method each, so that a test can take one away and see which
promise breaks.

The numbers are those of the rules in docs/architecture.md. Each method answers one question from the rows
alone and changes nothing; a subclass that answers wrongly makes a mutant of the whole store
(``MemoryDatabase(clock, rules=...)``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from shardkeeper.domain.attempts import CreateRun
from shardkeeper.domain.leases import LeaseState
from shardkeeper.domain.outcomes import Outcome
from shardkeeper.domain.runs import AttemptStatus, RunStatus
from shardkeeper.domain.specs import Strategy
from shardkeeper.memory.rows import Attempt, Duty, ImplVersion, JobVersion, LeaseRow, PauseRecord, Run, Sweep
from shardkeeper.ports.duties import SweepSlice


class Rules:
    """Stateless."""

    # Versions: rule 1 of the protocol.

    def stamp(self, begun_at: datetime, committed_at: datetime) -> datetime:
        """A version is in force from the commit of its transaction, not from its begin."""
        return committed_at

    def counts(self, version: JobVersion | ImplVersion) -> bool:
        """A version that was marked invalid is never in force."""
        return version.problem is None

    def is_held(self, pause: PauseRecord, fire_time: datetime, now: datetime) -> bool:
        """A fire is held by a pause that it lies in, and by one that began between the fire and its
        creation."""
        return pause.since <= now and (pause.until is None or pause.until > fire_time)

    def was_switched_off(self, later: JobVersion, fire_time: datetime, now: datetime) -> bool:
        """The job was disabled or deleted between the fire and its creation."""
        off = later.terms is None or not later.terms.enabled
        return off and fire_time < later.in_force_from <= now

    # The change feed: rule 2 of the protocol.

    def seen_until(self, latest: int, unfinished: Iterable[int]) -> int:
        """Up to which change a reading has seen all: a transaction has its number from its begin, and may commit after
        one that has a higher number."""
        return min([latest, *(number - 1 for number in unfinished)])

    # Creation: rule 3 of the protocol.

    def is_due(self, fire_time: datetime, now: datetime) -> bool:
        """What is stamped at the very instant of a fire counts for it."""
        return fire_time < now

    def is_on_time(self, fire_time: datetime, now: datetime, window: timedelta) -> bool:
        """Not left to the sweep; the job's ``misfire_grace`` may make the window shorter."""
        return now - fire_time < window

    def is_swept(self, fire_time: datetime, sweep: Sweep) -> bool:
        """The sweep is past the fire, or at it: whatever the clock and the creator's window say, it is no longer to be
        created on time."""
        return fire_time <= (sweep.window_until or sweep.watermark)

    def is_new_fire(self, existing: Run | None) -> bool:
        """One run or record per job and fire time of the kinds schedule and misfire."""
        return existing is None

    def is_in_force(self, request: CreateRun, job: JobVersion, impl: ImplVersion) -> bool:
        """The versions that the creator went by are those in force at the fire time."""
        return job.version == request.job_version and impl.version == request.impl_version

    # Claiming: rule 4 of the protocol.

    def may_create(self, lease: LeaseRow | None) -> bool:
        return lease is not None and lease.state is not LeaseState.DEAD

    def may_claim(self, lease: LeaseRow | None) -> bool:
        return lease is not None and lease.state is LeaseState.ACTIVE

    def is_claimable(self, row: Attempt, node_id: str, now: datetime) -> bool:
        return (
            self.is_free(row)
            and self.is_ripe(row, now)
            and not self.is_stopping(row.run)
            and self.has_turn(row.run)
            and self.is_for(row, node_id)
        )

    def is_free(self, row: Attempt) -> bool:
        """Nobody holds it."""
        return row.status is AttemptStatus.PENDING

    def is_ripe(self, row: Attempt, now: datetime) -> bool:
        return row.not_before is None or row.not_before <= now

    def is_for(self, row: Attempt, node_id: str) -> bool:
        """Items of each_node belong to their node alone."""
        return row.pinned_node is None or row.pinned_node == node_id

    def goes_by_pinned(self, run: Run, job_version: int) -> bool:
        """Items are claimed of a run only by whom the *pinned* version makes their owner."""
        return run.version.version == job_version

    def is_callers(self, row: Attempt, incarnation: str) -> bool:
        """What the caller holds already is in the answer: it may not have heard the first one."""
        return row.status is AttemptStatus.RUNNING and row.incarnation == incarnation

    def next_claim_no(self, claim_no: int) -> int:
        return claim_no + 1

    # Pulling attempts without an owner: rule 4 of the protocol.

    def may_pull(self, lease: LeaseRow | None) -> bool:
        """A node that drains takes nothing more."""
        return lease is not None and lease.state is LeaseState.ACTIVE

    def to_pull(
        self, claimable: Iterable[Attempt], held: Mapping[str, Iterable[Attempt]]
    ) -> Iterable[Attempt]:
        """What a pull looks at: nothing that others hold."""
        return claimable

    def is_pullable(self, row: Attempt, not_jobs: Collection[str], node_id: str, now: datetime) -> bool:
        return (
            row.claim_key is not None
            and self.is_run_by(row, not_jobs)
            and self.is_claimable(row, node_id, now)
        )

    def is_run_by(self, row: Attempt, not_jobs: Collection[str]) -> bool:
        """Jobs that the caller cannot run hide no others, and are not given to it."""
        return row.run.job_name not in not_jobs

    def rank(self, row: Attempt) -> tuple[datetime, int, int]:
        """The smallest is pulled first: age makes up for priority."""
        assert row.claim_key is not None, "only attempts without an owner are pulled"
        return row.claim_key, row.key.run_id, row.key.item

    def stays_unowned(self, row: Attempt) -> bool:
        """The next attempt of an item waits in the same queue as the first."""
        return row.claim_key is not None

    def keeps_place(self, row: Attempt) -> bool:
        """What was given back unbegun is as old as before."""
        return row.claim_key is not None

    # Submissions.

    def is_submitted(self, known: int | None) -> bool:
        """One run per job and idempotency key."""
        return known is not None

    # Outcomes: rule 5 of the protocol.

    def same_claim(self, row: Attempt, incarnation: str, claim_no: int) -> bool:
        return row.claim_no == claim_no and row.incarnation == incarnation

    def is_holder(self, row: Attempt, incarnation: str, claim_no: int) -> bool:
        """Only who holds the attempt under this very claim may say how it ended."""
        return row.status is AttemptStatus.RUNNING and self.same_claim(row, incarnation, claim_no)

    def may_report(self, row: Attempt, incarnation: str, claim_no: int) -> bool:
        """Checkpoints and progress are conditional on the claim, as outcomes are."""
        return self.is_holder(row, incarnation, claim_no)

    def is_repeated(self, row: Attempt, incarnation: str, claim_no: int) -> bool:
        return row.answered and self.same_claim(row, incarnation, claim_no)

    def closes_run(self, run: Run) -> bool:
        """The counter of open items says so, and it is lowered by what was really closed."""
        return run.open_items == 0

    def rolls_back(self, run: Run) -> bool:
        """A run that failed for good is rolled back once, unless somebody wants it stopped."""
        return not run.compensating and not self.is_stopping(run)

    def gate_opens(self, follows: Mapping[str, Any], arrived: Mapping[str, Run]) -> bool:
        """What follows several jobs is started when runs of all of them have ended, as it asks for."""
        return all(
            job in arrived
            and (follows.get("on", "completed") == "ended" or arrived[job].status is RunStatus.COMPLETED)
            for job in follows["jobs"]
        )

    def keeps_checkpoint(self, status: AttemptStatus) -> bool:
        return status is not AttemptStatus.COMPLETED

    def carries_checkpoint(self, row: Attempt) -> bool:
        """The next attempt of an item goes on from where the last one was."""
        return row.checkpoint is not None

    # Retry and takeover: rules 6 and 7 of the protocol.

    def may_retry(self, row: Attempt, outcome: Outcome) -> bool:
        """``max_attempts`` bounds the tries that ended; what the outcome asks for is let through, never
        more."""
        return (
            outcome.retry_after_s is not None
            and outcome.status in (AttemptStatus.FAILED, AttemptStatus.TIMED_OUT)
            and row.tries + 1 < row.run.terms.max_attempts
            and not self.is_stopping(row.run)
        )

    def may_reissue(self, row: Attempt) -> bool:
        """Whether a lost attempt gets another."""
        terms = row.run.terms
        return (
            terms.failover
            and terms.strategy is not Strategy.EACH_NODE
            and row.takeovers < terms.max_takeovers
            and not self.is_stopping(row.run)
        )

    def is_lapsed(self, lease: LeaseRow, beat_seen: int) -> bool:
        """The taker saw this very beat, unchanged for a whole lease."""
        return lease.beat == beat_seen

    def may_join(self, newest: LeaseRow | None) -> bool:
        """A second living incarnation of a node_id is refused."""
        return newest is None or newest.state is LeaseState.DEAD

    def tries_after_giving_back(self, row: Attempt) -> int:
        """What a node gives back uses up nothing."""
        return row.tries

    # The live_run row: rule 10 of the protocol.

    def turn(self, run: Run) -> tuple[datetime, int]:
        """Of those that wait, the smallest comes next: the oldest fire."""
        return run.fire_time, run.run_id

    def has_turn(self, run: Run) -> bool:
        return not run.waiting

    # The sweep: rule 9 of the protocol.

    def swept_until(self, now: datetime, lag: timedelta) -> datetime:
        """It stays behind by the on-time window."""
        return now - lag

    def ends_window(self, jobs_left: bool) -> bool:
        """The watermark moves when the last slice is done."""
        return not jobs_left

    def still_sweeps(self, duty: Duty | None, lease: LeaseRow | None, incarnation: str) -> bool:
        return duty is not None and duty.holder == incarnation and self.may_create(lease)

    def is_unchanged(self, done: SweepSlice, cursor: str, fingerprint: str) -> bool:
        """What was decided goes by the very versions and pauses that stand, at the very place in the window."""
        return done.cursor == cursor and done.fingerprint == fingerprint

    # Orders: rule 15 of the protocol.

    def is_stopping(self, run: Run) -> bool:
        return run.stop_requested

    def ends_when_deleted(self, run: Run) -> bool:
        """Runs of which an attempt was claimed end under their versions; the others are closed with their
        job."""
        return not run.ever_claimed

    # Limits shared by nodes: rule 16 of the protocol.

    def room(self, size: int, running: int) -> int:
        """How many more attempts may start under a limit of ``size``."""
        return size - running
