"""Two callers of the protocol's functions, one of whom is held in the middle of its transaction.

The first calls over a connection whose transaction stays open; the second calls from a thread, and the test waits until
PostgreSQL says that it waits for a lock. Then the first commits. So each interleaving is reached for certain.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

import psycopg

from shardkeeper.domain.attempts import Claimed, CreateAnswer, CreateRun, Creation
from shardkeeper.domain.leases import Registration
from shardkeeper.domain.outcomes import Outcome, OutcomeAnswer
from shardkeeper.domain.runs import AttemptStatus
from shardkeeper.postgres.connection import Connection, ConnectionOptions
from shardkeeper.postgres.leases import PostgresLeases
from shardkeeper.postgres.runs import PostgresRuns
from shardkeeper.postgres.sweep import PostgresSweep
from tests.postgres.migrated import Migrated
from tests.waiting import wait_until

T = TypeVar("T")

A, B = "node-a/1", "node-b/1"
WINDOW_S = 30.0

WAITING = """SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = %s AND wait_event_type = 'Lock'"""


class _InTransaction:
    """Stands in for the adapters' connection; nothing it does is committed before ``commit``."""

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        self._raw = raw

    def fetch(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._raw.execute(query.encode(), parameters).fetchall()


@dataclass(frozen=True, slots=True)
class Caller:
    """The three adapters over one connection."""

    runs: PostgresRuns
    leases: PostgresLeases
    sweep: PostgresSweep

    @staticmethod
    def over(connection: Connection, patience_s: float = 3.0) -> Caller:
        return Caller(
            PostgresRuns(connection, WINDOW_S),
            PostgresLeases(connection),
            PostgresSweep(connection, 0.0, patience_s),
        )


class Race:
    """``first`` calls within a transaction that is open until ``go_on``; ``second`` calls as nodes do."""

    def __init__(self, database: Migrated) -> None:
        self.database = database
        self._raw = database.another(autocommit=False)
        self.first = Caller.over(cast(Connection, _InTransaction(self._raw)))
        options = ConnectionOptions(database.url, application_name="second")
        self._connection = Connection(options)
        # what must not wait at all
        self._hurried = Connection(replace(options, application_name="hurried", lock_timeout_s=1.0))
        for each in (self._connection, self._hurried):
            database.opened.callback(each.close)
        self.second = Caller.over(self._connection)
        self.hurried = Caller.over(self._hurried)
        self._options = options
        self._threads = database.opened.enter_context(ThreadPoolExecutor(2))
        for incarnation in (A, B):
            self.join(incarnation)

    def join(self, incarnation: str) -> bool:
        return self.second.leases.join(registration(incarnation)).joined

    def sql(self, query: str, parameters: Sequence[Any] = ()) -> None:
        """A statement of the first caller's transaction."""
        self._raw.execute(query.encode(), parameters)

    def another(self) -> Connection:
        """One more connection, as nodes have them."""
        connection = Connection(self._options)
        self.database.opened.callback(connection.close)
        return connection

    def submit(self, call: Callable[[], T]) -> Future[T]:
        """Start a call in a thread."""
        return self._threads.submit(call)

    def meanwhile(self, call: Callable[[], T]) -> Future[T]:
        """Start the second caller's ``call``, and return when it waits for the first caller."""
        answer = self._threads.submit(call)
        wait_until(
            lambda: answer.done() or self.database.one(WAITING, ("second",)), what="the second caller's wait"
        )
        assert not answer.done(), f"it did not wait, and answered {answer.result()!r}"
        return answer

    def go_on(self) -> None:
        """Commit what the first caller has done."""
        self._raw.commit()

    def give_up(self) -> None:
        """Roll back what the first caller has done."""
        self._raw.rollback()

    def now(self) -> datetime:
        found: datetime = self.database.one("SELECT clock_timestamp()")
        return found

    def request(
        self, job: str = "job", items: Sequence[int] = (0,), fire: datetime | None = None, total: int = 1
    ) -> CreateRun:
        """A request for a fire of this instant, by the newest versions."""
        version = self.database.one(
            "SELECT max(version) FROM shardkeeper.job_version WHERE job_name = %s", (job,)
        )
        impl = self.database.one("SELECT max(version) FROM shardkeeper.impl_version")
        return CreateRun(job, fire or self.now(), version, impl, total, tuple(items))

    def create(
        self, job: str = "job", items: Sequence[int] = (0,), total: int = 1, by: str = A
    ) -> CreateAnswer:
        """A run of this instant, committed; it must succeed."""
        (answer,) = self.second.runs.create(by, [self.request(job, items, total=total)])
        assert answer.outcome is Creation.CREATED, answer
        return answer

    def stop(self, run_id: int | None) -> bool:
        """Order the run to stop, as the second caller."""
        ((stopped,),) = self._connection.fetch("SELECT shardkeeper.stop_run(%s)", (run_id,))
        return bool(stopped)

    def run(self, run_id: int | None, columns: str = "status") -> Any:
        return self.database.one(f"SELECT {columns} FROM shardkeeper.job_run WHERE id = %s", (run_id,))

    def attempts(self, run_id: int | None) -> list[Any]:
        """The statuses of the run's attempts, by item and number."""
        return self.database.all(
            "SELECT status FROM shardkeeper.shard_run WHERE run_id = %s ORDER BY item, attempt", (run_id,)
        )


def registration(incarnation: str) -> Registration:
    return Registration(incarnation.split("/")[0], incarnation, "host", 1, 1.0, {}, "1.0")


def ended(claimed: Claimed, status: AttemptStatus = AttemptStatus.COMPLETED, **columns: Any) -> Outcome:
    now = datetime.now(UTC)
    return Outcome(
        claimed.key, claimed.claim_no, status, started_at=now, finished_at=now + timedelta(0), **columns
    )


def record(
    caller: Caller,
    claimed: Claimed,
    status: AttemptStatus = AttemptStatus.COMPLETED,
    by: str = A,
    **columns: Any,
) -> OutcomeAnswer:
    (answer,) = caller.runs.record(by, [ended(claimed, status, **columns)])
    return answer
