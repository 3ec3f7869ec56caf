"""The queries behind submitting, waiting for runs and backfilling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from shardkeeper.domain.accounting import DueRun
from shardkeeper.ports.operator import Past
from shardkeeper.ports.specs import JobVersionRow
from shardkeeper.postgres.prepared import Prepared
from shardkeeper.postgres.rows import as_json, impl_version_row, instant

# One statement, hence one round trip and one commit: the actor is set in what is read first
SUBMIT: Final = Prepared(
    "shardkeeper_submit",
    """
SELECT shardkeeper.submit($1::text, $2::jsonb, $3::text, $4::smallint, $5::timestamptz)
FROM (SELECT set_config('shardkeeper.actor', $6::text, true) OFFSET 0) actor
""",
)
SUBMIT_MANY: Final = """
SELECT shardkeeper.submit_many(%s, %s::jsonb[], %s::text[], %s::smallint, %s::timestamptz)
FROM (SELECT set_config('shardkeeper.actor', %s, true) OFFSET 0) actor
"""
# Attempts are looked for only where they are told of; those that roll back do not say why it failed
STATES: Final = """
SELECT r.id, r.job_name, r.status, r.reason, r.result, e.error_type, e.error_message, e.item AS failed_item,
       r.started_at, r.finished_at
FROM shardkeeper.job_run r
LEFT JOIN LATERAL (
    SELECT s.item, s.error_type, s.error_message FROM shardkeeper.shard_run s
    WHERE r.status = 'FAILED' AND s.run_id = r.id AND s.fire_time = r.fire_time AND NOT s.compensates
          AND s.status IN ('FAILED', 'TIMED_OUT', 'LOST')
          AND NOT EXISTS (SELECT FROM shardkeeper.shard_run n
                          WHERE n.run_id = s.run_id AND n.fire_time = s.fire_time AND n.item = s.item
                                AND n.attempt > s.attempt AND NOT n.compensates)
    ORDER BY s.item LIMIT 1) e ON true
WHERE r.id = ANY (%(ids)s)
ORDER BY array_position(%(ids)s::bigint[], r.id)
"""
PAST: Final = "SELECT shardkeeper.backfill_past(%s, %s, %s)"
BACKFILL: Final = "SELECT shardkeeper.backfill_runs(%s, %s::jsonb)"


def past_of(answer: dict[str, Any]) -> Past:
    """From what ``backfill_past`` answers."""
    return Past(
        tuple(
            JobVersionRow(each["job_name"], each["version"], each["spec"], instant(each["in_force_from"]))
            for each in answer["jobs"]
        ),
        tuple(map(impl_version_row, answer["impls"])),
        frozenset(map(instant, answer["with_run"])),
        instant(answer["swept_until"]),
    )


def due_json(runs: Sequence[DueRun]) -> str:
    """What ``backfill_runs`` takes."""
    return as_json(
        [
            {
                "ord": order,
                "job": run.job_name,
                "fire": run.fire_time,
                "jv": run.job_version,
                "iv": run.impl_version,
                "total": run.sharding_total_count,
                "nodes": run.nodes,
            }
            for order, run in enumerate(runs)
        ]
    )
