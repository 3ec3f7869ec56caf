"""The RunStore on PostgreSQL: each method is one call of a function of ``sql/0001/04*.sql``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from shardkeeper.domain.attempts import Claimed, CreateAnswer, CreateRun, Creation, Pending
from shardkeeper.domain.outcomes import Outcome, OutcomeAnswer, Progress, Recording
from shardkeeper.domain.runs import AttemptKey
from shardkeeper.ports.runs import WAITED_FOR_S
from shardkeeper.postgres import rows
from shardkeeper.postgres.batches import in_parts
from shardkeeper.postgres.connection import Connection

CREATE = "SELECT ord, outcome, run_id, now, reason, own, claimed FROM shardkeeper.create_runs(%s, %s, %s::jsonb, %s)"
CLAIM = "SELECT * FROM shardkeeper.claim_attempts(%s, %s::bigint[], %s::timestamptz[], %s::int[], %s::int[])"
PULL = "SELECT * FROM shardkeeper.pull_attempts(%s, %s::int, %s::text[])"
PENDING = "SELECT * FROM shardkeeper.pending_attempts(%s, %s::int)"
RECORD = (
    "SELECT ord, recording, run_closed, retried, reason FROM shardkeeper.record_outcomes(%s, %s::json, %s)"
)
PROGRESS = "SELECT shardkeeper.note_progress(%s, %s::jsonb)"
UNRUNNABLE = (
    "SELECT shardkeeper.close_unrunnable(%s, %s::bigint[], %s::timestamptz[], %s::int[], %s::int[], %s)"
)


class PostgresRuns:
    """See ``ports.runs.RunStore``. ``on_time_window_s``: how old a fire may be for a node to create its run;
    ``waited_for_s``: how much ahead, for a creation to wait for it."""

    def __init__(
        self, connection: Connection, on_time_window_s: float = 30.0, waited_for_s: float = WAITED_FOR_S
    ) -> None:
        self._connection = connection
        self._window = timedelta(seconds=on_time_window_s)
        self._ahead = timedelta(seconds=waited_for_s)

    def create(self, incarnation: str, requests: Sequence[CreateRun]) -> list[CreateAnswer]:
        def call(part: Sequence[CreateRun]) -> list[CreateAnswer]:
            batch = rows.requests_json(part)
            found = self._connection.fetch(CREATE, (incarnation, self._window, batch, self._ahead))
            return [rows.create_answer(part[row[0]], row[1:]) for row in sorted(found, key=_order)]

        return in_parts(requests, call, self._refused_creation)

    def _refused_creation(self, request: CreateRun, reason: str) -> CreateAnswer:
        ((now,),) = self._connection.fetch("SELECT clock_timestamp()")
        return CreateAnswer(Creation.REFUSED, None, (), now, reason)

    def claim(self, incarnation: str, keys: Sequence[AttemptKey]) -> list[Claimed]:
        if not keys:
            return []
        found = self._connection.fetch(CLAIM, (incarnation, *rows.key_columns(keys)))
        return [rows.claimed(row) for row in found]

    def pull(self, incarnation: str, most: int, not_jobs: Sequence[str]) -> list[Claimed]:
        found = self._connection.fetch(PULL, (incarnation, most, list(not_jobs)))
        return [rows.claimed(row) for row in found]

    def pending(self, incarnation: str, limit: int) -> list[Pending]:
        return [rows.pending(row) for row in self._connection.fetch(PENDING, (incarnation, limit))]

    def record(self, incarnation: str, outcomes: Sequence[Outcome]) -> list[OutcomeAnswer]:
        def call(part: Sequence[Outcome]) -> list[OutcomeAnswer]:
            found = self._connection.fetch(RECORD, (incarnation, rows.outcomes_json(part), len(part)))
            return [rows.outcome_answer(part[row[0]], row[1:]) for row in sorted(found, key=_order)]

        return in_parts(outcomes, call, _refused_outcome)

    def progress(self, incarnation: str, reports: Sequence[Progress]) -> None:
        def call(part: Sequence[Progress]) -> list[bool]:
            batch = rows.as_json([rows.progress_json(order, each) for order, each in enumerate(part)])
            self._connection.fetch(PROGRESS, (incarnation, batch))
            return [True] * len(part)

        in_parts(reports, call, lambda _report, _reason: True)

    def no_eligible_node(self, incarnation: str, keys: Sequence[AttemptKey], reason: str) -> None:
        if keys:
            self._connection.fetch(UNRUNNABLE, (incarnation, *rows.key_columns(keys), reason))


def _refused_outcome(outcome: Outcome, reason: str) -> OutcomeAnswer:
    return OutcomeAnswer(outcome.key, Recording.REFUSED, reason=reason)


def _order(row: rows.Row) -> int:
    order: int = row[0]
    return order
