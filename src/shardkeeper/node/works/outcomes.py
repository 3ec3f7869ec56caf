"""Recording outcomes, and what running attempts say of themselves. Nothing here is ever given up."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Sequence

from shardkeeper.domain.errors import JournalFull, PartlyUnanswered, StoreUnavailable
from shardkeeper.domain.outcomes import Outcome, OutcomeAnswer, Progress, Recording
from shardkeeper.domain.planner.actions import Record, Report
from shardkeeper.domain.planner.events import Event, OutcomesAnswered
from shardkeeper.domain.runs import AttemptKey, AttemptStatus
from shardkeeper.node.lanes import Done
from shardkeeper.ports.journal import OutcomeJournal
from shardkeeper.ports.runs import RunStore

_LOG = logging.getLogger(__name__)

AGAIN_S = 0.5
LOCKED_AGAIN_S = 5.0
"""An attempt whose row is locked is tried again after this, apart from the others: each try takes a time-out."""
LOOK_S = 0.1
"""While only such attempts wait, so often it is looked whether their time has come."""
IN_ONE_CALL = 1_000

Claim = tuple[str, AttemptKey, int]
"""Whose, which attempt, and under which claim."""


class OutcomesWork:
    """Outcomes that PostgreSQL did not answer for are kept in the journal too, until it does (rule 12).

    Each round is given all that waits, so that every outcome is in the journal after the first failure, however many
    there are; reports are one per claim, so that they do not pile up.
    """

    most = sys.maxsize

    def __init__(self, store: RunStore, journal: OutcomeJournal, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._journal = journal
        self._monotonic = monotonic
        self._locked: dict[Claim, float] = {}
        """Claims that timed out by themselves, with when they are tried again."""

    def run(self, actions: Sequence[Record | Report]) -> Done[Record | Report]:
        """See Work. Reports go first: a checkpoint must not arrive after its attempt's outcome."""
        waiting = in_order(actions)
        round_ = _Round(self._store, self._journal, self._locked, self._monotonic())
        fresh, due = waiting, []
        if self._locked:
            fresh = [one for one in waiting if _claim(one) not in self._locked]
            due = [one for one in waiting if self._locked.get(_claim(one), round_.locked_until) <= round_.now]
        try:
            # those that were locked stand apart: the others would have to wait for each of their time-outs
            for batch in (fresh[:IN_ONE_CALL], due[:IN_ONE_CALL]):
                round_.write(batch)
            again_s = 0.0 if len(fresh) > IN_ONE_CALL else LOOK_S
        except StoreUnavailable as error:
            round_.reason, again_s = str(error), AGAIN_S
        left = [one for one in waiting if id(one) not in round_.written]
        if round_.reason is not None:
            self._keep(left, round_)
        return Done(round_.events, left, again_s, round_.reason)

    def dropped(self, actions: Sequence[Record | Report]) -> None:
        """The lane ends: outcomes that were not recorded are kept for the next start. Raises JournalFull."""
        for incarnation in _incarnations(actions):
            self._journal.append(incarnation, _outcomes(actions, incarnation))

    def _keep(self, left: Sequence[Record | Report], round_: _Round) -> None:
        try:
            self.dropped(left)
        except JournalFull as full:
            round_.reason = f"{round_.reason}; {full}"


class _Round:
    """Calls of one round. ``written``: identities of the actions that were answered for."""

    def __init__(
        self, store: RunStore, journal: OutcomeJournal, locked: dict[Claim, float], now: float
    ) -> None:
        self._store = store
        self._journal = journal
        self._locked = locked
        self.now = now
        self.locked_until = now + LOCKED_AGAIN_S
        self.events: list[Event] = []
        self.written: set[int] = set()
        self.reason: str | None = None

    def write(self, batch: Sequence[Record | Report]) -> None:
        """Raises StoreUnavailable when nothing more is known; what was answered before stands."""
        for incarnation in _incarnations(batch):
            mine = [one for one in batch if one.incarnation == incarnation]
            if reports := [one for one in mine if isinstance(one, Report)]:
                self._report(incarnation, reports)
            # where the report is locked out, so is the outcome, and must not overtake it
            records = [one for one in mine if isinstance(one, Record) and not self._locked_out(one)]
            if records:
                self._record(incarnation, records)

    def _report(self, incarnation: str, reports: Sequence[Report]) -> None:
        try:
            self._store.progress(incarnation, [one.progress for one in reports])
            self._answered(reports)
        except PartlyUnanswered as error:
            self._sort_out(reports, error)

    def _record(self, incarnation: str, records: Sequence[Record]) -> None:
        outcomes = [one.outcome for one in records]
        answers: Sequence[OutcomeAnswer]
        try:
            answers = self._store.record(incarnation, outcomes)
            self._answered(records)
        except PartlyUnanswered as error:
            self._sort_out(records, error)
            outcomes = [
                one for one, answer in zip(outcomes, error.answers, strict=True) if answer is not None
            ]
            answers = [answer for answer in error.answers if answer is not None]
        if outcomes:
            self._journal.settled(outcomes)
            self.events.append(OutcomesAnswered(incarnation, tuple(outcomes), tuple(answers)))

    def _sort_out(self, asked: Sequence[Record | Report], error: PartlyUnanswered) -> None:
        self.reason = str(error)
        for one, answer in zip(asked, error.answers, strict=True):
            if answer is None:
                self._locked[_claim(one)] = self.locked_until
            else:
                self._answered([one])

    def _answered(self, done: Sequence[Record | Report]) -> None:
        self.written.update(map(id, done))
        if self._locked:
            for one in done:
                self._locked.pop(_claim(one), None)

    def _locked_out(self, one: Record) -> bool:
        return bool(self._locked) and self._locked.get(_claim(one), self.now) > self.now


def replay(store: RunStore, journal: OutcomeJournal, later: Callable[[Record], None]) -> None:
    """Before a node joins: record what an earlier life of it left in the journal.

    What was taken over meanwhile is answered "superseded", which is an answer. What cannot be stored as it is goes
    back, to be run again, as nobody here knows any more how its job is retried. What is locked is handed to
    ``later``: it must not keep the node from joining. Raises StoreUnavailable: try again.
    """
    unsettled = journal.unsettled()
    for incarnation in dict.fromkeys(incarnation for incarnation, _ in unsettled):
        outcomes = [outcome for owner, outcome in unsettled if owner == incarnation]
        answers: Sequence[OutcomeAnswer | None]
        try:
            answers = store.record(incarnation, outcomes)
        except PartlyUnanswered as error:
            answers = error.answers
        asked = list(zip(outcomes, answers, strict=True))
        _give_back(store, incarnation, [outcome for outcome, answer in asked if _is_refused(answer)])
        journal.settled([outcome for outcome, answer in asked if answer is not None])
        for outcome, answer in asked:
            if answer is None:
                later(Record(incarnation, outcome))


def _is_refused(answer: OutcomeAnswer | None) -> bool:
    return answer is not None and answer.recording is Recording.REFUSED


def _give_back(store: RunStore, incarnation: str, refused: Sequence[Outcome]) -> None:
    if refused:
        _LOG.warning("%d outcomes in the journal cannot be stored: their attempts run again", len(refused))
        store.record(incarnation, [Outcome(one.key, one.claim_no, AttemptStatus.PENDING) for one in refused])


def in_order(actions: Sequence[Record | Report]) -> list[Record | Report]:
    """Reports first, one per claim with the last word for each column, then outcomes."""
    merged: dict[Claim, Report] = {}
    for action in actions:
        if isinstance(action, Report):
            before = merged.get(_claim(action))
            merged[_claim(action)] = action if before is None else _over(before, action)
    records = [action for action in actions if isinstance(action, Record)]
    for record in records if merged else ():
        report = merged.get(_claim(record))
        if report is not None and _is_told_by_outcome(report.progress):
            del merged[_claim(record)]
    return [*merged.values(), *records]


def _is_told_by_outcome(said: Progress) -> bool:
    """That an attempt began is not worth a call once it has ended."""
    return said.fraction is None and said.message is None and said.checkpoint is None


def _over(before: Report, after: Report) -> Report:
    old, new = before.progress, after.progress
    return Report(
        after.incarnation,
        Progress(
            new.key,
            new.claim_no,
            new.phase or old.phase,
            new.started_at or old.started_at,
            old.fraction if new.fraction is None else new.fraction,
            old.message if new.message is None else new.message,
            old.checkpoint if new.checkpoint is None else new.checkpoint,
            new.code_version or old.code_version,
            new.compensable or old.compensable,
        ),
    )


def _claim(action: Record | Report) -> Claim:
    said = action.outcome if isinstance(action, Record) else action.progress
    return action.incarnation, said.key, said.claim_no


def _incarnations(actions: Iterable[Record | Report]) -> list[str]:
    return list(dict.fromkeys(action.incarnation for action in actions))


def _outcomes(actions: Iterable[Record | Report], incarnation: str) -> list[Outcome]:
    return [a.outcome for a in actions if isinstance(a, Record) and a.incarnation == incarnation]
