"""Backfill: runs for fires of the past that have none, under the versions that were in force."""

from __future__ import annotations

from datetime import datetime

from shardkeeper.domain.accounting import DueRun
from shardkeeper.domain.backfill import backfill_run, fires_to_fill
from shardkeeper.domain.catalog import JobHistory
from shardkeeper.domain.errors import OrderRefused
from shardkeeper.domain.leases import LeaseState
from shardkeeper.domain.schedule import MICROSECOND, schedule_of
from shardkeeper.domain.specs import JobSpec, Strategy
from shardkeeper.domain.view import matches
from shardkeeper.node.histories import HistoryReader, Reading
from shardkeeper.ports.operator import OperatorStore, Past
from shardkeeper.ports.specs import SpecRows

DEFAULT_LIMIT = 100
MOST_ATTEMPTS = 100_000
"""Of one backfill, which is one transaction."""


class BackfillOperations:
    """Filling gaps; what is filled is queued behind the job's live run."""

    def __init__(self, store: OperatorStore, reader: HistoryReader) -> None:
        self._store = store
        self._reader = reader

    def backfill(self, job: str, since: datetime, until: datetime, limit: int, by: str) -> list[int]:
        """Runs of kind ``backfill`` for the fires at or after ``since`` and before ``until`` that have no run; their
        ids, oldest fire first; the same again: none. Fires that the sweep has not come to are left out: they come about
        by themselves. Raises OrderRefused, with more than ``limit`` of them too: nothing is inserted then.
        """
        if until <= since:
            raise OrderRefused("the end is not after the beginning: give a later --until")
        past = self._store.past(job, since, until)
        reading = self._reader.read(_rows(past, since))
        self._refuse_unknown(job, reading)
        history = reading.jobs.get(job, JobHistory(()))
        if history.versions and all(schedule_of(one.spec) is None for one in history.versions):
            raise OrderRefused(
                f"{job} has no schedule, hence no fires to fill: `shardkeeper trigger` runs it"
            )
        end = min(until, past.swept_until + MICROSECOND)
        fires = fires_to_fill(history, since, end, past.with_run, limit + 1)
        if len(fires) > limit:
            raise OrderRefused(
                f"more than {limit} fires of {job} have no run: give a shorter time, or a larger --limit"
            )
        made = [backfill_run(fire, version, reading.impls, self._nodes_of) for fire, version in fires]
        problem = next((one for one in made if isinstance(one, str)), None)
        if problem is not None:
            raise OrderRefused(f"{job} cannot be filled: {problem}: mend it first")
        runs = [one for one in made if isinstance(one, DueRun)]
        attempts = sum(run.sharding_total_count for run in runs)
        if attempts > MOST_ATTEMPTS:
            raise OrderRefused(
                f"{len(runs)} runs have {attempts} items, more than {MOST_ATTEMPTS} at once: give a shorter time"
            )
        return self._store.backfill(job, runs, by)

    def _refuse_unknown(self, job: str, reading: Reading) -> None:
        for name, reason in (*reading.unknown.items(), *reading.unknown_impls.items()):
            raise OrderRefused(f"{job} cannot be filled from here: {name}: {reason}")

    def _nodes_of(self, spec: JobSpec) -> tuple[str, ...] | None:
        """As the store knows them: this face is no member of the cluster."""
        if spec.sharding_strategy is not Strategy.EACH_NODE:
            return None
        active = (row for row in self._store.leases() if row["state"] == LeaseState.ACTIVE)
        return tuple(sorted(row["node_id"] for row in active if matches(row["labels"], spec.node_selector)))


def _rows(past: Past, horizon: datetime) -> SpecRows:
    return SpecRows(
        jobs_named=frozenset(row.job_name for row in past.jobs),
        impls_named=frozenset(row.impl_name for row in past.impls),
        jobs=past.jobs,
        impls=past.impls,
        pauses=(),
        horizon=horizon,
        token="",
    )
