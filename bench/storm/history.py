"""What a storm leaves behind: what was submitted, what is recorded, and what the tasks told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

RUNS = """
select id, job_name, status, finished_at is not null, open_items from shardkeeper.job_run order by id"""
ATTEMPTS = """
select run_id, item, attempt, status, error_type, error_message, (checkpoint ->> 'done')::integer
  from shardkeeper.shard_run order by run_id, item, attempt"""
LEASES = """
select l.incarnation, l.node_id, l.pid, l.state, coalesce(l.dead_by <> l.incarnation, false),
       (select count(*) from shardkeeper.shard_run s
         where s.incarnation = l.incarnation and s.status = 'RUNNING')
  from shardkeeper.lease l order by l.joined_at"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try as recorded. ``done``: the step of its last checkpoint."""

    number: int
    status: str
    error_type: str | None = None
    error_message: str | None = None
    done: int | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """One run as recorded, with the attempts of its one item, by number."""

    id: int
    kind: str
    status: str
    finished: bool = True
    open_items: int = 0
    attempts: Sequence[Attempt] = ()


@dataclass(frozen=True, slots=True)
class Lease:
    """One life of a node. ``taken_over``: another has found it dead. ``running``: attempts RUNNING under it."""

    incarnation: str
    node: str
    pid: int
    state: str
    taken_over: bool = False
    running: int = 0


@dataclass(frozen=True, slots=True)
class Witness:
    """What tasks told. ``done``: how often each attempt (run, number) came to its end; ``steps``: those that each
    attempt took, in order."""

    done: Mapping[tuple[int, int], int] = field(default_factory=dict)
    steps: Mapping[tuple[int, int], Sequence[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class History:
    """``submitted``: the kind of each run. ``workers_killed``: by the storm."""

    submitted: Mapping[int, str]
    runs: Mapping[int, Run]
    witness: Witness = field(default_factory=Witness)
    leases: Sequence[Lease] = ()
    workers_killed: int = 0


def read_runs(connection: psycopg.Connection[Any]) -> dict[int, Run]:
    """All that is recorded."""
    attempts: dict[int, list[Attempt]] = defaultdict(list)
    for run, _item, *columns in connection.execute(ATTEMPTS):
        attempts[run].append(Attempt(*columns))
    return {
        run: Run(run, kind, status, finished, left, tuple(attempts[run]))
        for run, kind, status, finished, left in connection.execute(RUNS)
    }


def read_leases(connection: psycopg.Connection[Any]) -> list[Lease]:
    """All lives of all nodes, the oldest first."""
    return [Lease(*row) for row in connection.execute(LEASES)]


def read_witness(path: Path) -> Witness:
    """What the file says."""
    done: dict[tuple[int, int], int] = defaultdict(int)
    steps: dict[tuple[int, int], list[int]] = defaultdict(list)
    text = path.read_text() if path.exists() else ""
    for line in text.splitlines():
        event, *numbers = line.split()
        run, attempt, detail = map(int, numbers)
        if event == "done":
            done[run, attempt] += 1
        else:
            steps[run, attempt].append(detail)
    return Witness(dict(done), dict(steps))
