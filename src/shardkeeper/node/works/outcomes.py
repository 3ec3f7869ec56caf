"""Recording outcomes, and what running attempts say of themselves. Nothing here is ever given up."""

from __future__ import annotations

from collections.abc import Sequence

from shardkeeper.domain.errors import JournalFull, StoreUnavailable
from shardkeeper.domain.outcomes import Outcome, Progress
from shardkeeper.domain.planner.actions import Record, Report
from shardkeeper.domain.planner.events import Event, OutcomesAnswered, StoreAway
from shardkeeper.ports.journal import OutcomeJournal
from shardkeeper.ports.runs import RunStore

AGAIN_S = 0.5


class OutcomesWork:
    """Outcomes that PostgreSQL did not answer for are kept in the journal too, until it does (rule 12)."""

    most = 500

    def __init__(self, store: RunStore, journal: OutcomeJournal) -> None:
        self._store = store
        self._journal = journal
        self._kept: dict[int, Outcome] = {}
        """By identity: an outcome holds JSON values and cannot be hashed."""

    def run(self, actions: Sequence[Record | Report]) -> list[Event]:
        """See Work. Reports go first: a checkpoint must not arrive after its attempt's outcome."""
        events: list[Event] = []
        for incarnation in dict.fromkeys(action.incarnation for action in actions):
            reports = [a.progress for a in actions if isinstance(a, Report) and a.incarnation == incarnation]
            if reports:
                self._store.progress(incarnation, merged(reports))
            outcomes = [a.outcome for a in actions if isinstance(a, Record) and a.incarnation == incarnation]
            if outcomes:
                answers = self._store.record(incarnation, outcomes)
                self._settle(outcomes)
                events.append(OutcomesAnswered(tuple(outcomes), tuple(answers)))
        return events

    def failed(
        self, actions: Sequence[Record | Report], error: StoreUnavailable
    ) -> tuple[list[Event], float | None]:
        """Write outcomes to the journal, once, and try again for ever."""
        reason = str(error)
        try:
            self._keep(actions)
        except JournalFull as full:
            reason = f"{reason}; {full}"
        return [StoreAway(reason)], AGAIN_S

    def _keep(self, actions: Sequence[Record | Report]) -> None:
        for action in actions:
            if isinstance(action, Record) and id(action.outcome) not in self._kept:
                self._journal.append(action.incarnation, [action.outcome])
                self._kept[id(action.outcome)] = action.outcome

    def _settle(self, outcomes: list[Outcome]) -> None:
        settled = [outcome for outcome in outcomes if self._kept.pop(id(outcome), None) is not None]
        if settled:
            self._journal.settled(settled)


def replay(store: RunStore, journal: OutcomeJournal) -> int:
    """Before a node joins: record what an earlier life of it left in the journal; how many there were.

    What was taken over meanwhile is answered "superseded", which is an answer. Raises StoreUnavailable: try again.
    """
    unsettled = journal.unsettled()
    for incarnation in dict.fromkeys(incarnation for incarnation, _ in unsettled):
        outcomes = [outcome for owner, outcome in unsettled if owner == incarnation]
        store.record(incarnation, outcomes)
        journal.settled(outcomes)
    return len(unsettled)


def merged(reports: Sequence[Progress]) -> list[Progress]:
    """One report per claim: for each column the last that said anything."""
    last: dict[tuple[object, int], Progress] = {}
    for report in reports:
        before = last.get((report.key, report.claim_no))
        last[report.key, report.claim_no] = report if before is None else _over(before, report)
    return list(last.values())


def _over(before: Progress, after: Progress) -> Progress:
    return Progress(
        after.key,
        after.claim_no,
        after.phase or before.phase,
        after.started_at or before.started_at,
        before.fraction if after.fraction is None else after.fraction,
        before.message if after.message is None else after.message,
        before.checkpoint if after.checkpoint is None else after.checkpoint,
        after.code_version or before.code_version,
    )
