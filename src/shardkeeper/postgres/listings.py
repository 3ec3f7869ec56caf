"""The queries behind the listings. History is read by an index, newest first, and no further than asked."""

from __future__ import annotations

from typing import Any, Final

from psycopg.types.json import Jsonb

from shardkeeper.ports.operator import RunFilter

JOBS: Final = """
SELECT j.*, s.problem, s.paused, s.paused_reason, s.last_run, s.last_status, s.last_finished_at, s.failures_in_a_row
FROM shardkeeper.job_spec j JOIN shardkeeper.job_status s ON s.job_name = j.name
WHERE j.labels @> %(labels)s AND (%(name)s::text IS NULL OR j.name = %(name)s)
ORDER BY j.name
"""
FOLLOWING: Final = "SELECT j.name, j.follows FROM shardkeeper.job_spec j WHERE j.follows <> '{}'"
IMPLS: Final = """
SELECT i.*, coalesce((SELECT jsonb_agg(to_jsonb(s) - 'impl_spec' ORDER BY s.key) FROM shardkeeper.source_data s
                      WHERE s.impl_spec = i.name), '[]') AS sources
FROM shardkeeper.impl_spec i ORDER BY i.name
"""

_RUN: Final = """
SELECT r.id, shardkeeper.run_name(r.job_name, r.fire_time) AS name, r.job_name, r.fire_time, r.fire_until,
       r.missed_count, r.trigger_kind, r.status, r.reason, r.job_version, r.impl_version, r.sharding_total_count,
       r.parameters, r.priority, r.idempotency_key, r.rerun_of, r.parent_run, r.requested_by, r.result, r.created_at,
       r.started_at, r.finished_at, r.open_items, r.stop_requested, r.flow, r.compensating, r.waiting
FROM shardkeeper.job_run r
"""
RUN_BY_ID: Final = f"{_RUN} WHERE r.id = %s"
# either index holds some of the kinds
RUN_BY_NAME: Final = f"""
SELECT * FROM (
    ({_RUN} WHERE r.job_name = %(job)s AND r.fire_time = %(fire_time)s AND r.trigger_kind IN ('schedule', 'misfire'))
    UNION ALL
    ({_RUN} WHERE r.job_name = %(job)s AND r.fire_time = %(fire_time)s
                  AND r.trigger_kind NOT IN ('schedule', 'misfire'))) named
ORDER BY id DESC LIMIT 1
"""
ATTEMPTS: Final = """
SELECT s.* FROM shardkeeper.shard_run s WHERE s.run_id = %s AND s.fire_time = %s ORDER BY s.item, s.attempt
"""
VALUES: Final = """
SELECT c.item, c.key, c.value, c.weight FROM shardkeeper.calculate_value c
WHERE c.run_id = %s AND c.fire_time = %s ORDER BY c.item, c.key
"""
# a flow has one fire time
FOLLOW_UPS: Final = """
SELECT f.id, shardkeeper.run_name(f.job_name, f.fire_time) AS name, f.status FROM shardkeeper.job_run f
WHERE f.fire_time = %(fire_time)s AND f.trigger_kind = 'follow_up' AND f.trigger_kind NOT IN ('schedule', 'misfire')
      AND f.job_name IN (SELECT v.job_name FROM shardkeeper.job_version v
                         WHERE v.follows <> '{}' AND v.follows -> 'jobs' ? %(job_name)s)
      AND (f.parent_run = %(id)s OR f.parameters -> 'follow_up' -> %(job_name)s ->> 'run_id' = (%(id)s)::text)
ORDER BY f.id
"""
OPEN_ITEMS: Final = """
SELECT s.job_name, s.item, s.status, s.node_id, s.run_id, s.fire_time FROM shardkeeper.shard_run s
WHERE s.status IN ('PENDING', 'RUNNING') AND (%(job)s::text IS NULL OR s.job_name = %(job)s)
ORDER BY s.job_name, s.item, s.fire_time, s.run_id
"""
POOLS: Final = "SELECT p.name, p.size, p.running, p.waiting FROM shardkeeper.pool_status p ORDER BY p.name"
NODES: Final = "SELECT * FROM shardkeeper.node"
MIRRORED: Final = "SELECT m.view FROM shardkeeper.mirrored_view m"
HEALTH: Final = """
SELECT current_setting('server_version') AS server_version, clock_timestamp() AS now,
       current_setting('synchronous_commit') AS synchronous_commit,
       current_setting('synchronous_standby_names') AS synchronous_standbys,
       (SELECT version_num FROM shardkeeper.schema_revision) AS schema_revision,
       (SELECT count(*)::int FROM pg_stat_activity a
        WHERE a.datname = current_database() AND a.application_name LIKE '%%listener%%') AS listeners,
       (SELECT w.watermark FROM shardkeeper.sweep_state w) AS watermark,
       (SELECT min(s.not_before) FROM shardkeeper.shard_run s WHERE s.status = 'PENDING' AND NOT s.waiting)
           AS oldest_pending,
       (SELECT count(*)::int FROM shardkeeper.alert a WHERE a.sent_at IS NULL AND a.gave_up_at IS NULL)
           AS unsent_alerts,
       (SELECT count(*)::int FROM shardkeeper.alert a WHERE a.sent_at IS NULL AND a.gave_up_at IS NOT NULL)
           AS given_up_alerts,
       (SELECT a.problem FROM shardkeeper.alert a WHERE a.sent_at IS NULL AND a.problem IS NOT NULL
        ORDER BY a.alert_id DESC LIMIT 1) AS outbox_problem
"""
PROBLEMS: Final = """
SELECT s.job_name || ': ' || s.problem AS problem FROM shardkeeper.job_status s WHERE s.problem IS NOT NULL ORDER BY 1
"""

_KINDS: Final = (
    "r.trigger_kind IN ('schedule', 'misfire')",
    "r.trigger_kind NOT IN ('schedule', 'misfire')",
)


def runs_query(wanted: RunFilter) -> tuple[str, dict[str, Any]]:
    """The query and its values. Of one job, each of the two indexes gives its newest, and they are merged."""
    values: dict[str, Any] = {"limit": wanted.limit}
    conditions = []
    if wanted.status is not None:
        conditions.append("r.status = %(status)s")
        values["status"] = wanted.status
    if wanted.since is not None:
        conditions.append("r.fire_time >= %(since)s")
        values["since"] = wanted.since
    if wanted.node is not None:
        conditions.append(
            "EXISTS (SELECT FROM shardkeeper.shard_run s WHERE s.run_id = r.id AND s.fire_time = r.fire_time"
            " AND s.node_id = %(node)s)"
        )
        values["node"] = wanted.node
    if wanted.labels:
        conditions.append(
            "EXISTS (SELECT FROM shardkeeper.job_version v WHERE v.version = r.job_version"
            " AND coalesce(v.spec -> 'labels', '{}') @> %(labels)s)"
        )
        values["labels"] = Jsonb(dict(wanted.labels))
    if wanted.job is None:
        # of all jobs: the newest by id, which an index gives, shown by fire time, which none does
        newest = _newest(conditions, "r.id DESC")
        return f"SELECT * FROM ({newest}) runs ORDER BY fire_time DESC, id DESC", values
    values["job"] = wanted.job
    parts = (f"({_newest(['r.job_name = %(job)s', kind, *conditions])})" for kind in _KINDS)
    merged = (
        f"SELECT * FROM ({' UNION ALL '.join(parts)}) runs ORDER BY fire_time DESC, id DESC LIMIT %(limit)s"
    )
    return merged, values


def _newest(conditions: list[str], order: str = "r.fire_time DESC, r.id DESC") -> str:
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"{_RUN} {where} ORDER BY {order} LIMIT %(limit)s"
