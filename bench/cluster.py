"""Servers and nodes of one benchmark: started in a folder of their own, ended with it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from bench.processors import processor_seconds
from shardkeeper.devservers.postgres_server import PostgresOptions, PostgresServer
from shardkeeper.devservers.processes import ServerCommand, ServerProcess
from shardkeeper.devservers.zookeeper_server import ZooKeeperServer

TASKS = Path(__file__).parent / "tasks"
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Cluster:
    """Servers, and the nodes that run now."""

    folder: Path
    postgres: PostgresServer
    zookeeper: ZooKeeperServer
    url: str
    """The database's, with the schema."""
    environment: Mapping[str, str]
    """What an agent and the command line are started with."""
    agents: list[int] = field(default_factory=list)
    """The pids of the nodes that run."""

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url, autocommit=True)

    @property
    def pids(self) -> dict[str, Sequence[int]]:
        """By kind of process."""
        return {"nodes": self.agents, "postgres": (self.postgres.pid,), "zookeeper": (self.zookeeper.pid,)}

    def processor_seconds(self) -> dict[str, float]:
        """Processor time spent so far by each kind of process and its children."""
        return {kind: processor_seconds(pids) for kind, pids in self.pids.items()}

    @contextmanager
    def nodes(self, count: int) -> Iterator[None]:
        """As many agents, ready (in the view) when it begins, ended cleanly with it."""
        with ExitStack() as stack:
            for number in range(count):
                stack.enter_context(self.node(f"node-{number + 1}"))
            if count:
                _wait_for_view(self.url, count)
            yield

    @contextmanager
    def node(self, node_id: str) -> Iterator[int]:
        """One agent, just started; its pid."""
        command = ServerCommand(
            argv=tuple(_shardkeeper("agent")),
            folder=Path.cwd(),
            log=self.folder / f"{node_id}.log",
            death_signal=signal.SIGKILL,
            environment={**self.environment, "SHARDKEEPER_NODE_ID": node_id},
        )
        agent = ServerProcess(command)
        self.agents.append(agent.pid)
        try:
            yield agent.pid
        finally:
            self.agents.remove(agent.pid)
            agent.end(signal.SIGTERM, PATIENCE_S)


@contextmanager
def cluster(
    nodes: int,
    workers: int,
    *,
    postgresql_conf: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Cluster]:
    """``nodes`` agents with ``workers`` each, ready (in the view) when it returns. PostgreSQL flushes its commits.

    ``postgresql_conf``: further settings of the server; ``settings``: of the nodes, as environment.
    """
    folder = Path(tempfile.mkdtemp(prefix="shardkeeper-bench-", dir="/var/tmp"))
    folder.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        postgres = stack.enter_context(
            PostgresServer(
                folder / "postgres", options=PostgresOptions(durable=True, settings=postgresql_conf or {})
            )
        )
        zookeeper = stack.enter_context(ZooKeeperServer(folder / "zookeeper"))
        url = postgres.create_database("shardkeeper")
        environment = _environment(url, zookeeper.hosts, folder, workers) | dict(settings or {})
        subprocess.run(_shardkeeper("db", "upgrade"), env=environment, check=True, stdout=subprocess.DEVNULL)
        running = Cluster(folder, postgres, zookeeper, url, environment)
        stack.enter_context(running.nodes(nodes))
        yield running


def _environment(url: str, hosts: str, folder: Path, workers: int) -> dict[str, str]:
    return {
        **os.environ,
        "SHARDKEEPER_DATABASE_URL": url,
        "SHARDKEEPER_ZOOKEEPER_HOSTS": hosts,
        "SHARDKEEPER_STATE_DIR": str(folder / "state"),
        "SHARDKEEPER_WORKERS": str(workers),
        "SHARDKEEPER_WORKERS_MIN": str(workers),
        "SHARDKEEPER_TASKS__ALLOWED_MODULES": '["bench_tasks"]',
        "PYTHONPATH": str(TASKS),
    }


def _shardkeeper(*args: str) -> list[str]:
    return [sys.executable, "-m", "shardkeeper", *args]


def _wait_for_view(url: str, nodes: int) -> None:
    """The leader mirrors each view: wait until one has every node."""
    deadline = time.monotonic() + PATIENCE_S
    pause = threading.Event()
    with psycopg.connect(url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            row = connection.execute("select view -> 'members' from shardkeeper.mirrored_view").fetchone()
            if row is not None and row[0] is not None and len(row[0]) == nodes:
                return
            pause.wait(0.1)
    raise TimeoutError(f"no view with {nodes} nodes within {PATIENCE_S:g} s")
