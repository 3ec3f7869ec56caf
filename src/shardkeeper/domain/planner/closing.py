"""What becomes of attempts that ended here: another try, back to PENDING, or an outcome for good (rules 5
and 6)."""

from __future__ import annotations

from dataclasses import replace

from shardkeeper.domain.facts import AttemptRecorded, JobDeclined, OutcomeRefused, OutcomeSuperseded
from shardkeeper.domain.outcomes import Outcome, OutcomeAnswer, Recording
from shardkeeper.domain.planner.actions import Action, Claim, Decline, Record, Report, Tell
from shardkeeper.domain.planner.events import (
    AttemptBegan,
    AttemptOver,
    AttemptsOver,
    Moment,
    OutcomesAnswered,
)
from shardkeeper.domain.planner.holdings import Holding
from shardkeeper.domain.planner.mind import Mind
from shardkeeper.domain.policies.retry import retry_after
from shardkeeper.domain.runs import AttemptStatus, TriggerKind
from shardkeeper.domain.specs import JobSpec, Overlap

UNSTORABLE = "UnstorableOutcome"
_WAIT = (Overlap.QUEUE, Overlap.REPLACE)
_ALWAYS_WAIT = (TriggerKind.MISFIRE, TriggerKind.BACKFILL)


class Closing:
    """Decides, for each ending, what is recorded."""

    def __init__(self, mind: Mind) -> None:
        self._mind = mind

    def began(self, event: AttemptBegan, moment: Moment) -> list[Action]:
        """Phase, progress and checkpoints of what is still held go to the store."""
        holding = self._mind.holdings.get(event.report.key)
        if holding is None or holding.claim_no != event.report.claim_no or holding.outcome is not None:
            return []
        if holding.begun_at is None:
            holding.begun_at = moment.mono
        return [Report(self._mind.incarnation, event.report)]

    def over(self, event: AttemptsOver, moment: Moment) -> list[Action]:
        """Attempts ended: record them, and use the room."""
        mind, holdings = self._mind, self._mind.holdings
        actions: list[Action] = []
        for one in event.ended:
            told = one.outcome
            holding = holdings.get(told.key)
            if holding is None or holding.claimed.claim_no != told.claim_no or holding.outcome is not None:
                continue
            outcome = self._decide(holding, one, actions)
            holdings.end(holding, outcome)
            if (ran_s := _ran_s(told)) is not None:
                holdings.lasted(ran_s)
            actions.append(Record(mind.incarnation, outcome))
        if actions and mind.creates and (waiting := holdings.next_waiting()):
            actions.append(Claim(mind.incarnation, waiting))
        return actions

    def limited(self, event: OutcomesAnswered) -> list[JobSpec]:
        """The jobs with limits shared by nodes of what ended here: something may wait for its place."""
        held = map(self._mind.holdings.get, (outcome.key for outcome in event.outcomes))
        # most of a batch are of few versions
        jobs = {one.job.version: one.job.spec for one in held if one is not None and one.job is not None}
        return [spec for spec in jobs.values() if spec.limited]

    def hands_over(self, event: OutcomesAnswered) -> bool:
        """Whether a run has closed here after which one that waited for it may begin (rule 10)."""
        for outcome, answer in zip(event.outcomes, event.answers, strict=True):
            held = self._mind.holdings.get(outcome.key) if answer.run_closed is not None else None
            if held is None or held.job is None:
                continue
            overlap = held.job.spec.overlap
            if overlap in _WAIT or (overlap is Overlap.SKIP and held.claimed.run.kind in _ALWAYS_WAIT):
                return True
        return False

    def answered(self, event: OutcomesAnswered, moment: Moment) -> list[Action]:
        """The store has answered: let go, or record what it can hold."""
        holdings = self._mind.holdings
        actions: list[Action] = []
        for outcome, answer in zip(event.outcomes, event.answers, strict=True):
            holding = holdings.get(outcome.key)
            if holding is None or holding.claimed.claim_no != outcome.claim_no:
                continue
            if answer.recording is Recording.REFUSED and outcome.error_type != UNSTORABLE:
                actions += self._record_refusal(holding, outcome, answer)
                continue
            holdings.let_go(holding)
            actions.append(Tell(_fact(holding, outcome, answer)))
        return actions

    def _decide(self, holding: Holding, over: AttemptOver, actions: list[Action]) -> Outcome:
        """What is recorded; what else is to be done for it goes to ``actions``."""
        outcome, run = over.outcome, holding.claimed.run
        if over.declined is not None:
            versions = (run.job_version, run.impl_version)
            self._mind.declined[versions] = over.declined
            actions.append(Decline(run.job_name, versions, over.declined))
            actions.append(Tell(JobDeclined(run.job_name, over.declined)))
            return self._back(outcome)
        if outcome.status is AttemptStatus.COMPLETED:
            return outcome
        if holding.give_back and outcome.status is AttemptStatus.STOPPED:
            return self._back(outcome)
        return self._with_retry(holding, outcome)

    def _back(self, outcome: Outcome) -> Outcome:
        return Outcome(
            outcome.key,
            outcome.claim_no,
            AttemptStatus.PENDING,
            phase=outcome.phase,
            compensable=outcome.compensable,
        )

    def _with_retry(self, holding: Holding, outcome: Outcome) -> Outcome:
        if holding.job is None:
            return outcome
        tries = holding.claimed.tries + 1
        wait = retry_after(holding.job.spec, outcome.status, outcome.error_type, tries, self._mind.draw())
        return outcome if wait is None else replace(outcome, retry_after_s=wait.total_seconds())

    def _record_refusal(self, holding: Holding, outcome: Outcome, answer: OutcomeAnswer) -> list[Action]:
        plain = Outcome(
            outcome.key,
            outcome.claim_no,
            AttemptStatus.FAILED,
            phase=outcome.phase,
            started_at=outcome.started_at,
            finished_at=outcome.finished_at,
            error_type=UNSTORABLE,
            error_message=f"the outcome ({outcome.status}) cannot be stored: {answer.reason}",
            code_version=outcome.code_version,
            compensable=outcome.compensable,
        )
        refused = self._with_retry(holding, plain)
        self._mind.holdings.end(holding, refused)
        reason = answer.reason or "not said"
        return [
            Tell(OutcomeRefused(holding.claimed.run.job_name, outcome.key, reason)),
            Record(self._mind.incarnation, refused),
        ]


def _fact(holding: Holding, outcome: Outcome, answer: OutcomeAnswer) -> AttemptRecorded | OutcomeSuperseded:
    job_name = holding.claimed.run.job_name
    if answer.recording is Recording.SUPERSEDED:
        return OutcomeSuperseded(job_name, outcome.key)
    return AttemptRecorded(
        job_name,
        outcome.key,
        outcome.status,
        answer.retried,
        answer.run_closed,
        outcome.error_message,
        _ran_s(outcome),
    )


def _ran_s(outcome: Outcome) -> float | None:
    if outcome.started_at is None or outcome.finished_at is None:
        return None
    return (outcome.finished_at - outcome.started_at).total_seconds()
