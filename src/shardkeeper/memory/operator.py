"""The OperatorStore of the store in memory: listings, and orders that are rows (rule 15)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from shardkeeper.domain.accounting import DueRun
from shardkeeper.domain.errors import OrderRefused, Refused
from shardkeeper.domain.naming import parse_run_name
from shardkeeper.domain.view import View, matches
from shardkeeper.memory import backfills, listings, orders, submissions
from shardkeeper.memory.authoring import Author
from shardkeeper.memory.calls import Connection, store_call
from shardkeeper.memory.rows import Run
from shardkeeper.ports.operator import Past, Row, RunFilter
from shardkeeper.ports.specs import Hint


class MemoryOperator(Connection):
    """See ``ports.operator.OperatorStore``."""

    @store_call
    def jobs(self, labels: Mapping[str, str] | None = None, name: str | None = None) -> list[Row]:
        database = self.database
        wanted = [each for each in sorted(database.jobs) if name is None or each == name]
        rows = [listings.job_listing(database, each) for each in wanted]
        return [row for row in rows if matches(row["labels"], labels)]

    @store_call
    def following(self) -> dict[str, Mapping[str, Any]]:
        return {name: row["follows"] for name, row in self.database.jobs.items() if row["follows"]}

    @store_call
    def impls(self) -> list[Row]:
        database = self.database
        return [
            {
                **database.impls[name],
                "sources": [dict(each) for _, each in sorted(database.sources.get(name, {}).items())],
            }
            for name in sorted(database.impls)
        ]

    @store_call
    def runs(self, wanted: RunFilter) -> list[Row]:
        found = [run for run in self.database.runs.values() if self._is_wanted(run, wanted)]
        found.sort(key=lambda run: (run.fire_time, run.run_id), reverse=True)
        return [listings.run_listing(run) for run in found[: wanted.limit]]

    @store_call
    def run(self, run: int | str) -> Row | None:
        found = self._find(run)
        return None if found is None else listings.run_in_full(self.database, found)

    @store_call
    def running_items(self, job: str | None = None) -> list[Row]:
        return [
            {
                "job_name": run.job_name,
                "item": rows[-1].key.item,
                "status": rows[-1].status,
                "node_id": rows[-1].node_id if rows[-1].status == "RUNNING" else None,
                "run_id": run.run_id,
                "fire_time": run.fire_time,
            }
            for run in self.database.open_runs.values()
            if job is None or run.job_name == job
            for rows in run.attempts.values()
            if rows[-1].status.is_open
        ]

    @store_call
    def pools(self) -> list[Row]:
        return listings.pool_listing(self.database)

    @store_call
    def leases(self) -> list[Row]:
        newest = self.database.newest_lease
        return [listings.node_listing(self.database, newest[node_id]) for node_id in sorted(newest)]

    @store_call
    def mirrored_view(self) -> View | None:
        return self.database.mirrored

    @store_call
    def trigger(
        self, job: str, parameters: Mapping[str, Any], item: int | None, fire_time: datetime | None, by: str
    ) -> int:
        return orders.trigger(self.database, job, parameters, item, fire_time, by)

    @store_call
    def submit(
        self,
        job: str,
        parameters: Mapping[str, Any],
        key: str | None,
        priority: int,
        at: datetime | None,
        by: str,
    ) -> int:
        return submissions.submit(self.database, job, parameters, key, priority, at, by)

    @store_call
    def submit_many(
        self,
        job: str,
        parameters: Sequence[Mapping[str, Any]],
        keys: Sequence[str] | None,
        priority: int,
        at: datetime | None,
        by: str,
    ) -> list[int]:
        return submissions.submit_many(self.database, job, parameters, keys, priority, at, by)

    @store_call
    def run_states(self, run_ids: Sequence[int]) -> list[Row]:
        runs = self.database.runs
        return [listings.run_state(runs[run_id]) for run_id in run_ids if run_id in runs]

    @store_call
    def past(self, job: str, since: datetime, until: datetime) -> Past:
        return backfills.past(self.database, job, since, until)

    @store_call
    def backfill(self, job: str, runs: Sequence[DueRun], by: str) -> list[int]:
        return backfills.backfill(self.database, job, runs, by)

    @store_call
    def stop(self, run_id: int, by: str) -> bool:
        return orders.stop(self.database, run_id, by)

    @store_call
    def rerun(self, run_id: int, parameters: Mapping[str, Any], same_version: bool, by: str) -> int:
        return orders.rerun(self.database, run_id, parameters, same_version, by)

    @store_call
    def pause(self, job: str, reason: str | None, until: datetime | None, by: str) -> None:
        orders.pause(self.database, job, reason, until, by)

    @store_call
    def resume(self, job: str, by: str) -> bool:
        return orders.resume(self.database, job, by)

    @store_call
    def order_drain(self, node_id: str, draining: bool, by: str) -> None:
        self.database.drain_orders[node_id] = draining
        orders.audit(self.database, by, "drain" if draining else "undrain", node_id)
        self.database.tell(Hint("orders"))

    @store_call
    def order_workers(self, node_id: str, workers: int, by: str) -> None:
        self.database.worker_orders[node_id] = workers
        orders.audit(self.database, by, "workers", node_id, workers)
        self.database.tell(Hint("orders"))

    @store_call
    def apply(self, impls: Sequence[Mapping[str, Any]], jobs: Sequence[Mapping[str, Any]], by: str) -> Row:
        try:
            return orders.apply(self.database, Author(self.database), impls, jobs)
        except ValueError as problem:
            raise OrderRefused(str(problem)) from problem

    @store_call
    def health(self) -> Row:
        database = self.database
        waiting = min((row.claimable_from for row in database.claimable), default=None)
        return {
            "server_version": "memory",
            "now": database.now(),
            "schema_revision": "memory",
            "listeners": len(database.listeners),
            "watermark": database.sweep.watermark,
            "oldest_pending": waiting,
            "unsent_alerts": len(database.unsent),
            "problems": [],
        }

    def _find(self, run: int | str) -> Run | None:
        if isinstance(run, int):
            return self.database.runs.get(run)
        try:
            name = parse_run_name(run)
        except Refused:
            return None
        named = (each for each in self.database.runs.values() if (each.job_name, each.fire_time) == name)
        return max(named, key=lambda each: each.run_id, default=None)

    def _is_wanted(self, run: Run, wanted: RunFilter) -> bool:
        return (
            wanted.job in (None, run.job_name)
            and wanted.status in (None, run.status)
            and (wanted.since is None or run.fire_time >= wanted.since)
            and matches(run.terms.labels, wanted.labels)
            and (wanted.node is None or any(
                row.node_id == wanted.node for rows in run.attempts.values() for row in rows
            ))
        )  # fmt: skip
