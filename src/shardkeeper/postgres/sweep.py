"""The SweepStore on PostgreSQL: calls of functions of ``sql/0001/055_sweep.sql``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from shardkeeper.ports.duties import (
    GLANCED,
    Choose,
    MisfireRun,
    RangeRecord,
    SweepSlice,
    SweptJob,
    everything,
)
from shardkeeper.ports.specs import JobVersionRow, PauseRow
from shardkeeper.postgres.connection import Connection
from shardkeeper.postgres.rows import as_json, impl_version_row, instant

BEGIN = "SELECT shardkeeper.sweep_begin(%s, %s, %s, %s::int)"
READ = "SELECT shardkeeper.read_slice(%s, %s, %s::text[])"
APPLY = "SELECT shardkeeper.sweep_apply(%s, %s, %s, %s, %s, %s::jsonb, %s::jsonb, %s::jsonb, %s)"
HOLD = timedelta(seconds=60)
"""How long the duty stays with its holder without being renewed, while that one's lease lives."""
PATIENCE_S = 0.3
"""How long applying waits for creations under way. All that come later wait behind it, so it gives up soon where one of
them is held up itself."""


class PostgresSweep:
    """See ``ports.duties.SweepStore``. What is younger than the window is not swept: it may yet be created on time."""

    def __init__(
        self,
        connection: Connection,
        on_time_window_s: float = 30.0,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._connection = connection
        self._patience = timedelta(seconds=patience_s)
        self._window = timedelta(seconds=on_time_window_s)

    def sweep_begin(self, incarnation: str, limit: int, choose: Choose = everything) -> SweepSlice | None:
        ((found,),) = self._connection.fetch(BEGIN, (incarnation, self._window, HOLD, GLANCED * limit))
        if found is None:
            return None
        since, until, upto = instant(found["window_from"]), instant(found["window_until"]), found["upto"]
        names = choose(since, until, found["jobs"])
        if len(names) > limit:
            names = names[:limit]
            upto = names[-1]
        ((read,),) = self._connection.fetch(READ, (since, until, list(names)))
        return SweepSlice(
            since,
            until,
            json.dumps([found["after"], upto]),
            found["fingerprint"],
            tuple(map(_job, read["jobs"])),
            tuple(map(impl_version_row, read["impls"])),
            instant(read["now"]),
            upto is None,
        )

    def sweep_apply(
        self, incarnation: str, done: SweepSlice, runs: Sequence[MisfireRun], records: Sequence[RangeRecord]
    ) -> bool:
        ((applied,),) = self._connection.fetch(
            APPLY,
            (
                incarnation,
                done.window_from,
                done.window_until,
                done.cursor,
                done.fingerprint,
                as_json([_run_json(order, each) for order, each in enumerate(runs)]),
                as_json([_record_json(each) for each in records]),
                as_json(_existing_json(done, runs, records)),
                self._patience,
            ),
        )
        return bool(applied)


def _job(columns: Mapping[str, Any]) -> SweptJob:
    name = columns["job_name"]
    return SweptJob(
        name,
        tuple(
            JobVersionRow(name, each["version"], each["spec"], instant(each["in_force_from"]))
            for each in columns["versions"]
        ),
        tuple(
            PauseRow(
                name,
                instant(each["since"]),
                None if each["until"] is None else instant(each["until"]),
                each["reason"],
            )
            for each in columns["pauses"]
        ),
        frozenset(map(instant, columns["existing"])),
    )


def _existing_json(
    done: SweepSlice, runs: Sequence[MisfireRun], records: Sequence[RangeRecord]
) -> list[dict[str, Any]]:
    decided = {run.job_name for run in runs} | {record.job_name for record in records}
    return [{"job": job.job_name, "fires": len(job.existing)} for job in done.jobs if job.job_name in decided]


def _run_json(order: int, run: MisfireRun) -> dict[str, Any]:
    return {
        "ord": order,
        "job": run.job_name,
        "fire": run.fire_time,
        "jv": run.job_version,
        "iv": run.impl_version,
        "total": run.sharding_total_count,
        "nodes": run.nodes,
    }


def _record_json(record: RangeRecord) -> dict[str, Any]:
    return {
        "job": record.job_name,
        "fire": record.fire_time,
        "until": record.fire_until,
        "count": record.count,
        "status": record.status,
        "reason": record.reason,
        "jv": record.job_version,
    }
