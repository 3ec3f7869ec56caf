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
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import psycopg

from shardkeeper.devservers.postgres_server import PostgresOptions, PostgresServer
from shardkeeper.devservers.zookeeper_server import ZooKeeperServer

TASKS = Path(__file__).parent / "tasks"
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Cluster:
    """A running cluster: its database's URL, its ZooKeeper's hosts, and the pids of what runs, by kind."""

    url: str
    zookeeper: ZooKeeperServer
    pids: Mapping[str, tuple[int, ...]]

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.url, autocommit=True)

    def processor_seconds(self) -> dict[str, float]:
        """Processor time spent so far by each kind of process and its children."""
        return {kind: sum(map(_spent, pids)) for kind, pids in self.pids.items()}


@contextmanager
def cluster(nodes: int, workers: int, **settings: str) -> Iterator[Cluster]:
    """``nodes`` agents with ``workers`` each, ready (in the view) when it returns. PostgreSQL flushes its commits."""
    folder = Path(tempfile.mkdtemp(prefix="shardkeeper-bench-", dir="/var/tmp"))
    folder.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        postgres = stack.enter_context(
            PostgresServer(folder / "postgres", options=PostgresOptions(durable=True))
        )
        zookeeper = stack.enter_context(ZooKeeperServer(folder / "zookeeper"))
        url = postgres.create_database("shardkeeper")
        env = _environment(url, zookeeper.hosts, folder, workers) | settings
        subprocess.run(_shardkeeper("db", "upgrade"), env=env, check=True, stdout=subprocess.DEVNULL)
        agents = [_agent(stack, env, folder, f"node-{number + 1}") for number in range(nodes)]
        if nodes:
            _wait_for_view(url, nodes)
        yield Cluster(
            url,
            zookeeper,
            {
                "nodes": tuple(a.pid for a in agents),
                "postgres": (postgres.pid,),
                "zookeeper": (zookeeper.pid,),
            },
        )


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


def _agent(stack: ExitStack, env: Mapping[str, str], folder: Path, node_id: str) -> subprocess.Popen[bytes]:
    log = stack.enter_context((folder / f"{node_id}.log").open("wb"))
    agent = subprocess.Popen(_shardkeeper("agent"), env={**env, "SHARDKEEPER_NODE_ID": node_id}, stderr=log)
    stack.callback(_end, agent)
    return agent


def _shardkeeper(*args: str) -> list[str]:
    return [sys.executable, "-m", "shardkeeper", *args]


def _end(agent: subprocess.Popen[bytes]) -> None:
    agent.send_signal(signal.SIGTERM)
    try:
        agent.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        agent.kill()
        agent.wait()


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


def _spent(pid: int) -> float:
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    total = 0.0
    for one in family:
        try:
            times = one.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    # backends and workers that have ended are counted with their parent
    ended = process.cpu_times()
    return total + ended.children_user + ended.children_system
