"""The SpecStore: versions in force, the change feed read by transaction ids, validity and declines.

A token is ``pg_snapshot_xmin`` of the snapshot that was read: every transaction below it was finished then. So the next
poll asks for rows of transactions from it on; it may get some again, and misses none, although a lower version number
can be committed later. A token from the future is one of another cluster (restored from an older backup): everything is
read anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg import IsolationLevel
from psycopg.types.json import Jsonb

from shardkeeper.ports.specs import (
    Declined,
    ImplVersionRow,
    InvalidMark,
    JobVersionRow,
    PauseRow,
    SpecRows,
)
from shardkeeper.postgres.connection import Connection, Raw

_SNAPSHOT: Final = """
SELECT pg_snapshot_xmin(pg_current_snapshot())::text, pg_snapshot_xmax(pg_current_snapshot())::text,
       clock_timestamp() - %s::interval
"""

# Of each name: what is in force at the horizon, and all later ones. Marked versions do not count; a deletion before the
# horizon leaves nothing to tell.
_JOBS: Final = """
SELECT v.job_name, v.version, v.spec, v.in_force_from FROM (
    SELECT DISTINCT ON (b.job_name) b.job_name, b.version, b.spec, b.in_force_from
    FROM shardkeeper.job_version b
    WHERE b.in_force_from <= %(horizon)s AND (%(all)s OR b.job_name = ANY (%(names)s))
          AND NOT EXISTS (SELECT FROM shardkeeper.spec_problem p WHERE p.version = b.version)
    ORDER BY b.job_name, b.in_force_from DESC) v
WHERE v.spec IS NOT NULL
UNION ALL
SELECT v.job_name, v.version, v.spec, v.in_force_from FROM shardkeeper.job_version v
WHERE v.in_force_from > %(horizon)s AND (%(all)s OR v.job_name = ANY (%(names)s))
      AND NOT EXISTS (SELECT FROM shardkeeper.spec_problem p WHERE p.version = v.version)
ORDER BY 1, 4
"""
_IMPLS: Final = """
SELECT v.impl_name, v.version, v.impl, v.sources, v.in_force_from FROM (
    SELECT DISTINCT ON (b.impl_name) b.impl_name, b.version, b.impl, b.sources, b.in_force_from
    FROM shardkeeper.impl_version b
    WHERE b.in_force_from <= %(horizon)s AND (%(all)s OR b.impl_name = ANY (%(names)s))
          AND NOT EXISTS (SELECT FROM shardkeeper.spec_problem p WHERE p.version = b.version)
    ORDER BY b.impl_name, b.in_force_from DESC) v
WHERE v.impl IS NOT NULL
UNION ALL
SELECT v.impl_name, v.version, v.impl, v.sources, v.in_force_from FROM shardkeeper.impl_version v
WHERE v.in_force_from > %(horizon)s AND (%(all)s OR v.impl_name = ANY (%(names)s))
      AND NOT EXISTS (SELECT FROM shardkeeper.spec_problem p WHERE p.version = v.version)
ORDER BY 1, 5
"""
_PAUSES: Final = """
SELECT p.job_name, p.since, least(p.until, p.resumed_at), p.reason FROM shardkeeper.pause p
WHERE (p.until IS NULL OR p.until > %(horizon)s) AND (p.resumed_at IS NULL OR p.resumed_at > %(horizon)s)
      AND (p.resumed_at IS NULL OR p.resumed_at > p.since) AND (%(all)s OR p.job_name = ANY (%(names)s))
ORDER BY p.job_name, p.since
"""
_CHANGED_JOBS: Final = """
SELECT v.job_name FROM shardkeeper.job_version v
WHERE v.changed_xid >= %(since)s::xid8 AND v.changed_xid < %(end)s::xid8
UNION SELECT p.job_name FROM shardkeeper.pause p
      WHERE p.changed_xid >= %(since)s::xid8 AND p.changed_xid < %(end)s::xid8
UNION SELECT p.name FROM shardkeeper.spec_problem p
      WHERE p.changed_xid >= %(since)s::xid8 AND p.changed_xid < %(end)s::xid8 AND NOT p.of_impl
"""
_CHANGED_IMPLS: Final = """
SELECT v.impl_name FROM shardkeeper.impl_version v
WHERE v.changed_xid >= %(since)s::xid8 AND v.changed_xid < %(end)s::xid8
UNION SELECT p.name FROM shardkeeper.spec_problem p
      WHERE p.changed_xid >= %(since)s::xid8 AND p.changed_xid < %(end)s::xid8 AND p.of_impl
"""
_PINNED_JOBS: Final = """
SELECT job_name, version, spec, in_force_from FROM shardkeeper.job_version WHERE version = ANY (%s) ORDER BY version
"""
_PINNED_IMPLS: Final = """
SELECT impl_name, version, impl, sources, in_force_from FROM shardkeeper.impl_version
WHERE version = ANY (%s) ORDER BY version
"""

_DECLINES: Final = """
SELECT job_name, node_id, reason, job_version, impl_version FROM shardkeeper.node_decline WHERE job_name = ANY (%s)
"""

# The alert only with the mark: whoever marks first tells of it.
_MARK: Final = """
WITH marked AS (
    INSERT INTO shardkeeper.spec_problem (version, of_impl, name, problem)
    SELECT m.version, m.of_impl, m.name, m.problem
    FROM unnest(%s::bigint[], %s::boolean[], %s::text[], %s::text[]) m (version, of_impl, name, problem)
    WHERE CASE WHEN m.of_impl THEN EXISTS (SELECT FROM shardkeeper.impl_version v WHERE v.version = m.version)
               ELSE EXISTS (SELECT FROM shardkeeper.job_version v WHERE v.version = m.version) END
    ORDER BY m.version
    ON CONFLICT (version) DO NOTHING
    RETURNING version, of_impl, name, problem)
INSERT INTO shardkeeper.alert (event_key, kind, job_name, channel, body)
SELECT 'invalid:' || o.of || ':' || m.version, 'invalid', CASE WHEN NOT m.of_impl THEN m.name END,
       v.alert ->> 'channel',
       jsonb_build_object('name', m.name, 'of', o.of, 'version', m.version, 'problem', m.problem)
FROM marked m CROSS JOIN LATERAL (SELECT CASE WHEN m.of_impl THEN 'impl' ELSE 'job' END AS of) o
LEFT JOIN shardkeeper.job_version v ON NOT m.of_impl AND v.version = m.version
ON CONFLICT (event_key) DO NOTHING
"""
_DECLINE: Final = """
WITH declined AS (
    INSERT INTO shardkeeper.node_decline (job_name, node_id, job_version, impl_version, reason)
    VALUES (%(job)s, %(node)s, %(job_version)s, %(impl_version)s, %(reason)s)
    ON CONFLICT (job_name, node_id, job_version, impl_version)
    DO UPDATE SET reason = excluded.reason, since = excluded.since
    WHERE shardkeeper.node_decline.reason <> excluded.reason)
INSERT INTO shardkeeper.alert (event_key, kind, job_name, channel, body)
VALUES ('declined:' || %(job)s || ':' || %(impl_version)s || ':' || md5(%(reason)s), 'declined', %(job)s,
        (SELECT v.alert ->> 'channel' FROM shardkeeper.job_version v
         WHERE v.job_name = %(job)s ORDER BY v.in_force_from DESC LIMIT 1), %(body)s)
ON CONFLICT (event_key) DO NOTHING
"""
# The key of an alert that lasted is given another name when nobody declines for that reason any more, so that the next
# time is told again.
_ACCEPT: Final = """
WITH accepted AS (
    DELETE FROM shardkeeper.node_decline
    WHERE job_name = %(job)s AND node_id = %(node)s
          AND job_version = %(job_version)s AND impl_version = %(impl_version)s
    RETURNING reason)
UPDATE shardkeeper.alert a SET event_key = a.event_key || ':' || a.alert_id
FROM accepted
WHERE a.event_key = 'declined:' || %(job)s || ':' || %(impl_version)s || ':' || md5(accepted.reason)
      AND NOT EXISTS (SELECT FROM shardkeeper.node_decline d
                      WHERE d.job_name = %(job)s AND d.reason = accepted.reason AND d.node_id <> %(node)s)
"""


class PostgresSpecs:
    """See ``ports.specs.SpecStore``. Versions are told of from ``on_time_window_s`` seconds before now on."""

    def __init__(self, connection: Connection, on_time_window_s: float = 30.0) -> None:
        self._connection = connection
        self._window = timedelta(seconds=on_time_window_s)

    def load(self) -> SpecRows:
        return self._connection.run(self._load)

    def changes(self, token: str) -> SpecRows:
        def read(raw: Raw) -> SpecRows:
            with _snapshot(raw):
                xmin, xmax, horizon = _opened(raw, self._window)
                if not token.isdigit() or int(token) > int(xmax):
                    return _everything(raw, horizon, xmin)
                span = {"since": token, "end": xmax}
                jobs = [row[0] for row in raw.execute(_CHANGED_JOBS, span)]
                impls = [row[0] for row in raw.execute(_CHANGED_IMPLS, span)]
                return _rows(raw, jobs, impls, horizon, xmin)

        return self._connection.run(read)

    def named(self, jobs: Sequence[str], impls: Sequence[str]) -> SpecRows:
        def read(raw: Raw) -> SpecRows:
            with _snapshot(raw):
                xmin, _, horizon = _opened(raw, self._window)
                return _rows(raw, jobs, impls, horizon, xmin)

        return self._connection.run(read)

    def pinned(self, job_versions: Sequence[int], impl_versions: Sequence[int]) -> SpecRows:
        def read(raw: Raw) -> SpecRows:
            with _snapshot(raw):
                xmin, _, horizon = _opened(raw, self._window)
                jobs = tuple(JobVersionRow(*row) for row in raw.execute(_PINNED_JOBS, [list(job_versions)]))
                found = raw.execute(_PINNED_IMPLS, [list(impl_versions)])
                impls = tuple(map(_impl_row, found))
                jobs_named = frozenset(row.job_name for row in jobs)
                declined = tuple(
                    Declined(job_name, node_id, reason, (job_version, impl_version))
                    for job_name, node_id, reason, job_version, impl_version in raw.execute(
                        _DECLINES, [list(jobs_named)]
                    )
                )
            impls_named = frozenset(row.impl_name for row in impls)
            return SpecRows(jobs_named, impls_named, jobs, impls, (), horizon, xmin, declined)

        return self._connection.run(read)

    def mark_invalid(self, marks: Sequence[InvalidMark]) -> None:
        if marks:
            columns = [
                [mark.version for mark in marks],
                [mark.of_impl for mark in marks],
                [mark.name for mark in marks],
                [_storable(mark.problem) for mark in marks],
            ]
            self._connection.execute(_MARK, columns)

    def decline(self, declined: Sequence[Declined]) -> None:
        for each in declined:
            job_version, impl_version = each.versions or (0, 0)
            values: dict[str, Any] = {"job": each.job_name, "node": each.node_id}
            values |= {"job_version": job_version, "impl_version": impl_version}
            if each.reason is None:
                self._connection.execute(_ACCEPT, values)
                continue
            reason = _storable(each.reason)
            body = {"job_name": each.job_name, "node_id": each.node_id, "reason": reason}
            self._connection.execute(_DECLINE, {**values, "reason": reason, "body": Jsonb(body)})

    def forget_declines(self, node_id: str) -> None:
        self._connection.execute("DELETE FROM shardkeeper.node_decline WHERE node_id = %s", (node_id,))

    def _load(self, raw: Raw) -> SpecRows:
        with _snapshot(raw):
            xmin, _, horizon = _opened(raw, self._window)
            return _everything(raw, horizon, xmin)


@contextmanager
def _snapshot(raw: Raw) -> Iterator[None]:
    """One snapshot for several statements."""
    raw.isolation_level = IsolationLevel.REPEATABLE_READ
    raw.read_only = True
    try:
        with raw.transaction():
            yield
    finally:
        if not raw.closed:
            raw.isolation_level = None
            raw.read_only = None


def _opened(raw: Raw, window: timedelta) -> tuple[str, str, datetime]:
    row = raw.execute(_SNAPSHOT, [window]).fetchone()
    assert row is not None
    return row[0], row[1], row[2]


def _everything(raw: Raw, horizon: datetime, token: str) -> SpecRows:
    wanted = {"all": True, "names": [], "horizon": horizon}
    jobs, impls, pauses = _read(raw, wanted, wanted)
    named = frozenset(row.job_name for row in jobs) | frozenset(row.job_name for row in pauses)
    return SpecRows(named, frozenset(row.impl_name for row in impls), jobs, impls, pauses, horizon, token)


def _rows(raw: Raw, jobs: Sequence[str], impls: Sequence[str], horizon: datetime, token: str) -> SpecRows:
    of_jobs = {"all": False, "names": list(jobs), "horizon": horizon}
    of_impls = {"all": False, "names": list(impls), "horizon": horizon}
    return SpecRows(frozenset(jobs), frozenset(impls), *_read(raw, of_jobs, of_impls), horizon, token)


def _read(
    raw: Raw, of_jobs: dict[str, Any], of_impls: dict[str, Any]
) -> tuple[tuple[JobVersionRow, ...], tuple[ImplVersionRow, ...], tuple[PauseRow, ...]]:
    jobs = tuple(JobVersionRow(*row) for row in raw.execute(_JOBS, of_jobs, prepare=False))
    impls = tuple(map(_impl_row, raw.execute(_IMPLS, of_impls, prepare=False)))
    pauses = tuple(PauseRow(*row) for row in raw.execute(_PAUSES, of_jobs, prepare=False))
    return jobs, impls, pauses


def _impl_row(row: tuple[Any, ...]) -> ImplVersionRow:
    name, version, impl, sources, in_force_from = row
    return ImplVersionRow(name, version, impl, tuple(sources), in_force_from)


def _storable(text: str) -> str:
    """At most 2,000 characters, without the one that PostgreSQL's text cannot hold."""
    return text.replace("\0", "\\0")[:2000]
