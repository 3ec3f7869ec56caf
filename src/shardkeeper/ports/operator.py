"""What people ask of the store through the faces: listings, and orders that are rows. Listings are
dictionaries keyed by column name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from shardkeeper.domain.accounting import DueRun
from shardkeeper.domain.view import View
from shardkeeper.ports.specs import ImplVersionRow, JobVersionRow

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RunFilter:
    """All given ones must hold; ``since`` is on fire_time."""

    job: str | None = None
    status: str | None = None
    node: str | None = None
    since: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    limit: int = 50


@dataclass(frozen=True, slots=True)
class Past:
    """What backfill goes by: every valid version of a job, and of the ImplSpecs they name, oldest first, and the fire
    times in a stretch of time that have a run. Fires after ``swept_until`` are still to come about by themselves."""

    jobs: tuple[JobVersionRow, ...]
    impls: tuple[ImplVersionRow, ...]
    with_run: frozenset[datetime]
    swept_until: datetime


class OperatorStore(Protocol):
    def jobs(self, labels: Mapping[str, str] | None = None, name: str | None = None) -> list[Row]:
        """job_spec's columns and job_status's, keyed ``name``."""

    def following(self) -> dict[str, Mapping[str, Any]]:
        """``follows`` of each job that follows others, by its name."""

    def impls(self) -> list[Row]:
        """impl_spec's columns with ``sources``: a list of source_data rows."""

    def runs(self, wanted: RunFilter) -> list[Row]:
        """Newest fire time first."""

    def run(self, run: int | str) -> Row | None:
        """By id, or the newest of a run name: job_run's columns, ``shard_runs``, ``values``, and ``follow_ups``: the
        runs that its end started, or had a part in starting, each ``id``, ``name`` and ``status``."""

    def running_items(self, job: str | None = None) -> list[Row]:
        """PENDING and RUNNING attempts: job_name, item, status, node_id, run_id, fire_time."""

    def pools(self) -> list[Row]:
        """The ``pool_status`` view, by name: name, size, running, waiting."""

    def leases(self) -> list[Row]:
        """The ``node`` view: members as last seen, with their lease."""

    def mirrored_view(self) -> View | None:
        """The view that a leader mirrored last, for when ZooKeeper cannot be asked."""

    def trigger(
        self, job: str, parameters: Mapping[str, Any], item: int | None, fire_time: datetime | None, by: str
    ) -> int:
        """A manual run's id. Raises OrderRefused (unknown, disabled, bad item), naming what mends it."""

    def submit(
        self,
        job: str,
        parameters: Mapping[str, Any],
        key: str | None,
        priority: int,
        at: datetime | None,
        by: str,
    ) -> int:
        """A run of kind ``submit``, for any node with room, not before ``at``; its id. A ``key`` given before: the
        first run's id. ``priority`` 0: the job's. Raises OrderRefused (unknown or disabled job, parameters that are
        too large or do not fit its parameters_schema), naming what mends it."""

    def submit_many(
        self,
        job: str,
        parameters: Sequence[Mapping[str, Any]],
        keys: Sequence[str] | None,
        priority: int,
        at: datetime | None,
        by: str,
    ) -> list[int]:
        """All or none of them, in one transaction; ids in the order of ``parameters``. Raises OrderRefused, naming the
        place of the one that is refused."""

    def run_states(self, run_ids: Sequence[int]) -> list[Row]:
        """Light enough to poll: id, job_name, status, reason, result, error_type, error_message, failed_item,
        started_at, finished_at, in the order asked for; runs that are not there are left out. Of a FAILED run, the
        error is that of the first item whose last attempt failed."""

    def past(self, job: str, since: datetime, until: datetime) -> Past:
        """Of the fires at or after ``since`` and before ``until``."""

    def backfill(self, job: str, runs: Sequence[DueRun], by: str) -> list[int]:
        """Insert runs of kind ``backfill``, one after the other behind the job's live run unless overlap is ``allow``;
        the ids, oldest fire first. What has a run by now is left out. Raises OrderRefused."""

    def stop(self, run_id: int, by: str) -> bool:
        """Ask a run to stop; False: it had ended."""

    def rerun(self, run_id: int, parameters: Mapping[str, Any], same_version: bool, by: str) -> int:
        """A new run with ``rerun_of``, under the newest version unless ``same_version``; not before its fire time.
        Raises OrderRefused."""

    def pause(self, job: str, reason: str | None, until: datetime | None, by: str) -> None:
        """Raises OrderRefused for an unknown job."""

    def resume(self, job: str, by: str) -> bool:
        """False: it was not paused."""

    def order_drain(self, node_id: str, draining: bool, by: str) -> None:
        """Order a node to drain, or to take part again."""

    def order_workers(self, node_id: str, workers: int, by: str) -> None:
        """Order another number of workers while it runs."""

    def apply(self, impls: Sequence[Mapping[str, Any]], jobs: Sequence[Mapping[str, Any]], by: str) -> Row:
        """Upsert in one transaction: {"inserted": [...], "updated": [...], "unchanged": [...]}. Never
        touches pauses."""

    def health(self) -> Row:
        """For doctor: server version, clock (``now``), schema revision, listeners, watermark, oldest
        PENDING, outbox state, problems."""
