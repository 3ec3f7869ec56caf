"""What one fire, one node and one job cost: the unit costs from which docs/scaling.md is worked out.

All is counted twice, with nodes that have nothing to do and with nodes that fire; a fire costs the difference. Bytes on
the wire are those of the machine's loopback, headers and all: leave the machine alone meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import psutil

from bench.cluster import Cluster, cluster
from bench.scenarios.growing import KINDS, settle, spent
from bench.scenarios.growth_jobs import insert_idle
from bench.scenarios.jobs import insert_jobs
from bench.scenarios.scaling import renew
from bench.suite.scenario import Figure, Round, Scenario
from bench.zookeeper import standing

JOBS, NODES, WORKERS = 300, 3, 2
IDLE_S, BUSY_S, WARM_UP_S, FUNCTIONS_S = 20, 30, 8, 10
HELD = 10_000
LEASES, BEATS = 1_000, 9
SHOWN = 8

COUNTERS = """
select d.xact_commit::float8, (d.tup_inserted + d.tup_updated + d.tup_deleted)::float8, w.wal_bytes::float8,
       (select sum(o.fsyncs)::float8 from pg_stat_io o where o.object = 'wal'),
       (select count(*)::float8 from shardkeeper.job_run r where r.status = 'COMPLETED')
  from pg_stat_database d cross join pg_stat_wal w where d.datname = current_database()"""
RUNS_SIZE = """
select sum(pg_total_relation_size(i.inhrelid))::float8 from pg_inherits i
 where i.inhparent in ('shardkeeper.job_run'::regclass, 'shardkeeper.shard_run'::regclass)"""
SPECS_SIZE = """
select (pg_total_relation_size('shardkeeper.job_spec') + pg_total_relation_size('shardkeeper.job_version'))::float8"""
FUNCTIONS = "select funcname, sum(calls)::float8, sum(total_time) from pg_stat_user_functions group by 1"
LEASE = """insert into shardkeeper.lease (incarnation, node_id, host, pid, version)
           select md5('life-' || n), 'other-' || n, 'host', n, '1' from generate_series(1, %s) n"""
VIEW = """update shardkeeper.mirrored_view set view = jsonb_set(view, '{members}', (
            select jsonb_agg(jsonb_build_object('node_id', l.node_id, 'incarnation', l.incarnation, 'weight', l.weight,
                                                'labels', l.labels)) from shardkeeper.lease l))"""
BEAT = "select octet_length(shardkeeper.beat(md5('life-1'))::text)"


@dataclass(frozen=True, slots=True)
class Window:
    """What was counted in ``seconds``, by kind."""

    seconds: float
    counted: Mapping[str, float]

    def rate(self, kind: str) -> float:
        """In one second."""
        return self.counted[kind] / self.seconds


def measure() -> Round:
    """Idle, then under load, then the beat of a large cluster, then what specs take."""
    with cluster(NODES, WORKERS) as running, running.connect() as connection:
        settle(running)
        idle = _window(running, connection, IDLE_S)
        size = _one(connection, RUNS_SIZE)
        insert_jobs(connection, JOBS, "1 s")
        threading.Event().wait(WARM_UP_S)
        busy = _window(running, connection, BUSY_S)
        notes = _functions(connection)
        grown = _one(connection, RUNS_SIZE) - size
        runs = _one(connection, "select count(*)::float8 from shardkeeper.job_run")
        figures = {
            **_per_fire(idle, busy),
            **_per_node(idle),
            **_beat(connection),
            "run_bytes": grown / runs,
            "watches": standing(running.zookeeper).watches,
            "spec_bytes": _spec_bytes(connection),
        }
    return Round(figures, {kind: busy.rate(kind) for kind in KINDS}, notes=notes)


def _window(running: Cluster, connection: Any, seconds: float) -> Window:
    before, began = _counters(running, connection), time.perf_counter()
    threading.Event().wait(seconds)
    after = _counters(running, connection)
    elapsed = time.perf_counter() - began
    return Window(elapsed, {kind: after[kind] - before[kind] for kind in before})


def _counters(running: Cluster, connection: Any) -> dict[str, float]:
    row = connection.execute(COUNTERS).fetchone()
    return {
        **dict(zip(("transactions", "rows", "wal_bytes", "fsyncs", "fires"), row, strict=True)),
        "packets": float(standing(running.zookeeper).packets),
        "wire_bytes": float(psutil.net_io_counters(pernic=True)["lo"].bytes_sent),
        **spent(running),
    }


def _per_fire(idle: Window, busy: Window) -> dict[str, float]:
    """The difference of the rates, for each fire."""
    fires = busy.rate("fires")
    kinds = ("transactions", "rows", "wal_bytes", "fsyncs", "wire_bytes")
    counted = {f"fire_{kind}": (busy.rate(kind) - idle.rate(kind)) / fires for kind in kinds}
    spent_ms = {f"fire_{kind}_ms": (busy.rate(kind) - idle.rate(kind)) * 1000 / fires for kind in KINDS}
    return {"fires": fires, **counted, **spent_ms}


def _per_node(idle: Window) -> dict[str, float]:
    """What a node without work asks for in a second."""
    counted = {f"node_{kind}": idle.rate(kind) / NODES for kind in ("transactions", "wire_bytes", "packets")}
    return counted | {f"node_{kind}_ms": idle.rate(kind) * 1000 / NODES for kind in ("loops", "postgres")}


def _beat(connection: Any) -> dict[str, float]:
    """A beat's answer among NODES leases, and among as many as LEASES, all of which it tells."""
    few = _timed_beats(connection, NODES)
    many = _timed_beats(connection, LEASES)
    return {
        "lease_us": (many[0] - few[0]) * 1000 / (LEASES - NODES),
        "lease_bytes": (many[1] - few[1]) / (LEASES - NODES),
        "beat_ms": few[0],
        "beat_ms_many": many[0],
    }


def _timed_beats(connection: Any, leases: int) -> tuple[float, float]:
    """Milliseconds and bytes of a beat; what is written for it is taken back."""
    with connection.transaction(force_rollback=True):
        connection.execute("delete from shardkeeper.lease")
        connection.execute(LEASE, (leases,))
        connection.execute(VIEW)
        took: list[float] = []
        size = 0.0
        for _ in range(BEATS):
            began = time.perf_counter()
            size = _one(connection, BEAT)
            took.append((time.perf_counter() - began) * 1000)
    return median(took), size


def _spec_bytes(connection: Any) -> float:
    before = _one(connection, SPECS_SIZE)
    insert_idle(connection, HELD)
    return (_one(connection, SPECS_SIZE) - before) / HELD


def _functions(connection: Any) -> list[str]:
    """Where PostgreSQL's functions spend their time in some further seconds, in words: those with the most."""
    connection.execute("alter system set track_functions = 'pl'")
    connection.execute("select pg_reload_conf()")
    threading.Event().wait(FUNCTIONS_S)
    rows = sorted(connection.execute(FUNCTIONS), key=lambda row: -row[2])[:SHOWN]
    connection.execute("alter system reset track_functions")
    connection.execute("select pg_reload_conf()")
    told = ", ".join(
        f"{name} {calls / FUNCTIONS_S:.0f}/s of {took_ms / calls:.2f} ms" for name, calls, took_ms in rows
    )
    return [f"time in PostgreSQL's functions, with what they call: {told}"] if told else []


def _one(connection: Any, query: str) -> float:
    (found,) = connection.execute(query).fetchone()
    return float(found)


SCENARIO = Scenario(
    "costs",
    "Unit costs",
    f"{NODES} nodes of {WORKERS} workers do nothing for {IDLE_S} s, then fire {JOBS} jobs of one item every second for "
    f"{BUSY_S} s; a fire costs the difference. The beat is asked for in a transaction that is taken back, once among "
    f"{NODES} leases and once among {LEASES:,}. From these, [what a larger cluster would take](scaling.md) is worked "
    "out.",
    (
        Figure("fires", "fires recorded", "/s"),
        Figure("fire_transactions", "transactions per fire, of all nodes together"),
        Figure("fire_rows", "rows written per fire"),
        Figure("fire_wal_bytes", "log (WAL) per fire", "bytes"),
        Figure("fire_fsyncs", "flushes of the log per fire"),
        Figure("fire_wire_bytes", "bytes on the wire per fire", "bytes"),
        Figure("run_bytes", "disk per fire, for as long as it is kept", "bytes"),
        Figure("fire_postgres_ms", "processor time per fire: PostgreSQL", "ms"),
        Figure("fire_loops_ms", "the nodes' own processes, all together", "ms"),
        Figure("fire_workers_ms", "their workers", "ms"),
        Figure("node_transactions", "an idle node: transactions", "/s"),
        Figure("node_postgres_ms", "an idle node: PostgreSQL's processor time in a second", "ms"),
        Figure("node_loops_ms", "an idle node: its own processor time in a second", "ms"),
        Figure("node_wire_bytes", "an idle node: bytes on the wire in a second", "bytes"),
        Figure("node_packets", "an idle node: packets to ZooKeeper", "/s"),
        Figure("watches", f"watches in ZooKeeper, of {NODES} nodes together"),
        Figure("beat_ms", f"a beat among {NODES} leases", "ms"),
        Figure("beat_ms_many", f"a beat among {LEASES:,} leases", "ms"),
        Figure("lease_us", "each further lease makes a beat longer by", "µs"),
        Figure("lease_bytes", "and its answer", "bytes"),
        Figure("spec_bytes", "disk per job", "bytes"),
    ),
    measure,
    rounds=3,
    kept=renew,
)
