"""The jobs of a run of faults: hundreds by the clock, of all kinds and policies, and one on demand of each kind."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from bench.faults.kinds import KINDS, MODULE, Kind, demand_job
from bench.faults.options import Options

MAX_TAKEOVERS = 20
"""More than one item can be lost: what is lost is always tried again."""
_CRON_PERIODS_S = (1, 2, 3, 5, 10, 15, 20, 30)
_CRON_SHARE, _WHOLE_SHARE = 0.12, 0.13
_QUEUED_FROM_S = 3.0
"""A job that fires more often does not queue: its runs would wait for each other long after a fault is over."""
_ENDS_IN = "2.05 s"
"""No period divides it: whether a fire exactly at the end is due does not matter."""
INSERT = """
insert into shardkeeper.job_spec (name, impl_spec, cron, every, sharding_total_count, parameters, misfire,
                                  catch_up_limit, overlap, on_lease_loss, max_attempts, max_takeovers, retry_delay,
                                  timeout)
values (%(name)s, %(impl_spec)s, %(cron)s, %(every)s::interval, %(items)s, %(parameters)s, %(misfire)s,
        %(catch_up_limit)s, %(overlap)s, %(on_lease_loss)s, %(max_attempts)s, %(max_takeovers)s, '200 ms', '2 min')"""
END = """
with ends as materialized (select date_trunc('second', clock_timestamp()) + %s::interval as at),
ended as (update shardkeeper.job_spec j set ends_at = ends.at from ends where j.cron is not null or j.every is not null)
select extract(epoch from ends.at)::float8 from ends"""


def insert_jobs(connection: psycopg.Connection[Any], rng: random.Random, options: Options) -> None:
    """Insert everything in one transaction: so all are in force from the same instant on."""
    rows = [*scheduled(rng, options.jobs), *map(_on_demand, KINDS)]
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            "insert into shardkeeper.impl_spec (name, entrypoint, isolation) values (%s, %s, %s)",
            [(kind.name, f"{MODULE}:{kind.task}", kind.isolation) for kind in KINDS],
        )
        cursor.executemany(INSERT, rows)


def end_jobs(connection: psycopg.Connection[Any]) -> float:
    """Let no job fire any more from about two seconds from now on; that instant, in seconds since the epoch."""
    row = connection.execute(END, (_ENDS_IN,)).fetchone()
    assert row is not None, "the query has one row"
    return float(row[0])


def scheduled(rng: random.Random, jobs: int) -> Iterator[Mapping[str, Any]]:
    """So many jobs; of each kind that has a share at least one, as far as they go."""
    kinds = [kind for kind in KINDS if kind.jobs]
    whole = sum(kind.jobs for kind in kinds)
    wanted = [kind for kind in kinds for _ in range(max(1, round(jobs * kind.jobs / whole)))]
    rng.shuffle(wanted)
    # what rounding has left over are no-ops
    wanted += [kinds[0]] * (jobs - len(wanted))
    for number, kind in zip(count(1), wanted[:jobs], strict=False):
        yield _job(rng, kind, f"{kind.name}-{number:03}")


def _job(rng: random.Random, kind: Kind, name: str) -> Mapping[str, Any]:
    cron, period_s = _times(rng, kind)
    overlaps = {"allow": 40, "skip": 35, "queue": 25 if period_s >= _QUEUED_FROM_S else 0}
    misfire = rng.choices(("skip", "once", "all"), weights=(30, 40, 30))[0]
    return _row(kind, name) | {
        "cron": cron,
        "every": None if cron else f"{period_s:g} s",
        "items": min(kind.most_items, rng.choices(range(1, 8), weights=(60, 15, 9, 4, 4, 4, 4))[0]),
        "parameters": Jsonb(kind.parameters(rng)),
        "misfire": misfire,
        # now and then less than an outage leaves behind
        "catch_up_limit": rng.choice((5, 100)) if misfire == "all" else 100,
        "overlap": rng.choices(list(overlaps), weights=list(overlaps.values()))[0],
    }


def _times(rng: random.Random, kind: Kind) -> tuple[str | None, float]:
    """A cron expression or None, and the period in seconds. By the logarithm: short ones are as likely as long ones."""
    low, high = kind.period_s
    period_s = math.exp(rng.uniform(math.log(low), math.log(high)))
    how = rng.random()
    if how < _CRON_SHARE:
        every = min((one for one in _CRON_PERIODS_S if one >= low), key=lambda one: abs(one - period_s))
        return f"*/{every} * * * * *", float(every)
    # anchored at the epoch: what fires every so many whole seconds falls on one instant, tenths spread the rest
    return None, float(round(period_s)) if how < _CRON_SHARE + _WHOLE_SHARE else round(period_s, 1)


def _on_demand(kind: Kind) -> Mapping[str, Any]:
    return _row(kind, demand_job(kind.name))


def _row(kind: Kind, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "impl_spec": kind.name,
        "cron": None,
        "every": None,
        "items": 1,
        "parameters": Jsonb({}),
        "misfire": "once",
        "catch_up_limit": 100,
        "overlap": "skip",
        "on_lease_loss": kind.on_lease_loss,
        "max_attempts": kind.max_attempts,
        "max_takeovers": MAX_TAKEOVERS,
    }
