"""One storm, from the first node to the verdict."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bench.fleet import Fleet
from bench.storm.chaos import Chaos
from bench.storm.history import History, Lease, read_leases, read_runs, read_witness
from bench.storm.judge import Violation, judge
from bench.storm.kinds import MODULE, insert_jobs
from bench.storm.options import Options
from bench.storm.stream import Stream

# each death is a line of its own; others only repeat it
_DEATH = re.compile(r"\[warning +\] worker (?:was killed|exited)(?!.*; next start in)")
_POLL_S = 0.25
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """``restarts``: of worker processes, by living node as `nodes --json` has it; ``deaths``: of worker
    processes, by the logs of all lives. ``took_s``: from the first submission
    to the last end. ``exit_codes``: of the nodes, after SIGTERM."""

    history: History
    violations: Sequence[Violation]
    nodes_killed: int
    restarts: Mapping[str, int]
    took_s: float
    exit_codes: Mapping[str, int | None]
    deaths: int


def storm(
    url: str, environment: Mapping[str, str], folder: Path, options: Options, say: Callable[[str], None]
) -> Verdict:
    """Run one on a database with the schema and nothing else. ``environment``: of nodes and commands; ``folder``: an
    existing one, for logs and what the tasks tell."""
    witness = folder / "storm-witness"
    settings = {
        **environment,
        "STORM_WITNESS": str(witness),
        "SHARDKEEPER_WORKERS": str(options.workers),
        "SHARDKEEPER_TASKS__ALLOWED_MODULES": json.dumps([MODULE]),
    }
    fleet = Fleet(settings, folder)
    with closing(fleet), psycopg.connect(url, autocommit=True) as connection:
        insert_jobs(connection)
        for number in range(options.nodes):
            fleet.start(f"storm-{number + 1}")
        _wait(lambda: _active(connection) == options.nodes, "all nodes to join")
        stream = Stream(connection, options)
        chaos, took_s = _blow(fleet, stream, options, say)
        unfound = _wait_for_burials(connection, fleet)
        restarts, uncounted = _restarts(settings, fleet)
        exit_codes = fleet.stop()
        history = History(
            stream.submitted,
            read_runs(connection),
            read_witness(witness),
            read_leases(connection),
            chaos.workers_killed,
        )
        violations = [*judge(history), *unfound, *uncounted, *_unclean(exit_codes)]
        deaths = deaths_logged(fleet.logs())
        return Verdict(history, violations, chaos.nodes_killed, restarts, took_s, exit_codes, deaths)


def _blow(fleet: Fleet, stream: Stream, options: Options, say: Callable[[str], None]) -> tuple[Chaos, float]:
    """Submit, kill and drain; the chaos that is over, and how many seconds it took."""
    began = time.monotonic()
    with Chaos(fleet, options) as chaos:
        stream.submit()
        say(f"all submitted after {time.monotonic() - began:.0f} s")
        drained = stream.drain()
        took_s = time.monotonic() - began
    say(f"{'drained' if drained else 'gave up'} after {took_s:.0f} s")
    return chaos, took_s


def _active(connection: psycopg.Connection[Any]) -> int:
    return sum(lease.state == "active" for lease in read_leases(connection))


def _wait_for_burials(connection: psycopg.Connection[Any], fleet: Fleet) -> list[Violation]:
    """Until every killed life has been found dead and every node lives again, or for the patience."""

    def left() -> list[Lease]:
        return [
            lease
            for lease in read_leases(connection)
            if lease.state != "dead" and lease.pid not in fleet.living_pids()
        ]

    try:
        _wait(lambda: not left() and _active(connection) == len(fleet.running), "all burials")
    except TimeoutError:
        return [
            Violation(None, f"{one.incarnation} of {one.node} was killed and not found dead")
            for one in left()
        ] or [Violation(None, f"{_active(connection)} of {len(fleet.running)} nodes take part again")]
    return []


def _restarts(environment: Mapping[str, str], fleet: Fleet) -> tuple[dict[str, int], list[Violation]]:
    """What the nodes say, once it is what their logs say, or after the patience."""
    told: dict[str, int] = {}

    def counted() -> bool:
        told.update(_told_restarts(environment))
        return all(told.get(name) == deaths_logged(fleet.last_log(name)) for name in fleet.running)

    try:
        _wait(counted, "all restarts to be told")
    except TimeoutError:
        return told, [
            Violation(
                None, f"{name} tells {told.get(name)} restarts, its log {deaths_logged(fleet.last_log(name))}"
            )
            for name in fleet.running
        ]
    return told, []


def _told_restarts(environment: Mapping[str, str]) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-m", "shardkeeper", "nodes", "--json"],
        env=dict(environment),
        check=True,
        capture_output=True,
    )
    return {row["node_id"]: row["restarts"] or 0 for row in json.loads(done.stdout)}


def deaths_logged(log: str) -> int:
    """Workers that died unexpectedly, by a log."""
    return len(_DEATH.findall(log))


def _unclean(exit_codes: Mapping[str, int | None]) -> list[Violation]:
    return [
        Violation(None, f"node {name} ended with {code} after SIGTERM")
        for name, code in exit_codes.items()
        if code != 0
    ]


def _wait(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {_PATIENCE_S:g} s for {what}")
        pause.wait(_POLL_S)
