"""Reads a history once everything has come to rest; and tells what is still on its way until then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg

from bench.faults.bands import Band
from bench.faults.history import Alert, Attempt, History, ItemKey, Job, Lease, Run, Version
from bench.faults.options import Options
from bench.faults.stream import Stream
from bench.faults.witness import read_witness
from shardkeeper.devservers.fake_slack import Received

Connection = psycopg.Connection[Any]

VERSIONS = """
select job_name, extract(epoch from in_force_from)::float8, spec ->> 'cron',
       (extract(epoch from (spec ->> 'every')::interval) * 1000000)::bigint,
       extract(epoch from (spec ->> 'ends_at')::timestamptz)::float8
  from shardkeeper.job_version where spec is not null order by in_force_from"""
JOBS = """
select name, impl_spec, sharding_total_count, overlap, misfire, on_lease_loss, max_attempts, max_takeovers
  from shardkeeper.job_spec"""
RUNS = """
select id, job_name, extract(epoch from fire_time)::float8, trigger_kind, status, reason,
       extract(epoch from fire_until)::float8, missed_count, sharding_total_count, open_items,
       extract(epoch from created_at)::float8, extract(epoch from finished_at)::float8, idempotency_key
  from shardkeeper.job_run"""
ATTEMPTS = """
select run_id, item, attempt, status, node_id, incarnation, claim_no, extract(epoch from claimed_at)::float8,
       extract(epoch from finished_at)::float8, error_type, error_message, result ->> 'token',
       (checkpoint ->> 'done')::integer, compensable, compensates
  from shardkeeper.shard_run order by run_id, item, attempt"""
VALUES = "select run_id, item, key, value #>> '{}' from shardkeeper.calculate_value"
LEASES = """
select l.incarnation, l.node_id, l.pid, l.state, extract(epoch from l.joined_at)::float8,
       extract(epoch from l.dead_at)::float8, coalesce(l.dead_by <> l.incarnation, false),
       (select count(*) from shardkeeper.shard_run s where s.incarnation = l.incarnation and s.status = 'RUNNING')
  from shardkeeper.lease l order by l.joined_at"""
ALERTS = """
select event_key, kind, job_name, run_id, extract(epoch from created_at)::float8,
       extract(epoch from sent_at)::float8, message_id, gave_up_at is not null, problem
  from shardkeeper.alert order by alert_id"""
LEFT = """
select 'open runs', count(*) from shardkeeper.job_run where status in ('CREATED', 'RUNNING') or waiting
union all
select 'open attempts', count(*) from shardkeeper.shard_run where status in ('PENDING', 'RUNNING')
union all
select 'live_run rows', count(*) from shardkeeper.live_run
union all
select 'alerts to be sent', count(*) from shardkeeper.alert where sent_at is null and gave_up_at is null"""
SWEPT = "select extract(epoch from watermark)::float8 from shardkeeper.sweep_state"


def read_history(
    url: str,
    witness: Path,
    bands: Sequence[Band],
    wall_minus_monotonic_s: float,
    healed_at: float,
    messages: Sequence[Received],
    stream: Stream,
    options: Options,
) -> History:
    """Everything that is recorded, told and promised. ``url``: of the database; ``messages``: all that the fake Slack
    received (it must keep as many); ``stream``: ended."""
    with psycopg.connect(url, autocommit=True) as connection:
        return History(
            options=options,
            jobs=_jobs(connection),
            runs={row[0]: Run(*row) for row in connection.execute(RUNS)},
            attempts=_attempts(connection),
            executions=read_witness(witness, wall_minus_monotonic_s),
            healed_at=healed_at,
            swept_until=swept_until(connection),
            values=_values(connection),
            leases=[Lease(*row) for row in connection.execute(LEASES)],
            alerts=[Alert(*row) for row in connection.execute(ALERTS)],
            messages=[message.text for message in messages],
            promises=list(stream.promised.values()),
            bands=sorted(bands, key=lambda band: band.began),
            left=_left(connection),
        )


def swept_until(connection: Connection) -> float:
    """The sweep's watermark, in seconds since the epoch."""
    row = connection.execute(SWEPT).fetchone()
    assert row is not None, "there is one row from the beginning"
    return float(row[0])


def on_its_way(connection: Connection, last_fire: float) -> Iterator[str]:
    """What is not at rest yet, in words; nothing: all is. ``last_fire``: what ``end_jobs`` (jobs.py) has said."""
    for what, count in _left(connection).items():
        if count:
            yield f"{count} {what}"
    behind_s = last_fire - swept_until(connection)
    if behind_s > 0:
        yield f"{behind_s:.0f} s of fires to be swept"


def _left(connection: Connection) -> dict[str, int]:
    return dict(connection.execute(LEFT).fetchall())


def _jobs(connection: Connection) -> dict[str, Job]:
    versions: dict[str, list[Version]] = defaultdict(list)
    for name, *columns in connection.execute(VERSIONS):
        versions[name].append(Version(*columns))
    return {
        name: Job(name, kind, tuple(versions[name]), *columns)
        for name, kind, *columns in connection.execute(JOBS)
    }


def _attempts(connection: Connection) -> dict[int, list[Attempt]]:
    found: dict[int, list[Attempt]] = defaultdict(list)
    for row in connection.execute(ATTEMPTS):
        found[row[0]].append(Attempt(*row))
    return found


def _values(connection: Connection) -> dict[ItemKey, dict[str, str]]:
    found: dict[ItemKey, dict[str, str]] = defaultdict(dict)
    for run, item, key, value in connection.execute(VALUES):
        found[run, item][key] = value
    return found
