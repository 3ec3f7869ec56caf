"""The nodes of a storm: started, killed, started again; and their worker processes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import psutil

from shardkeeper.devservers.processes import ServerCommand, ServerProcess

TASKS = Path(__file__).parents[1] / "tasks"
_WORKER = "shardkeeper.workers.child"
_STOP_S = 60.0


@dataclass
class Fleet:
    """``environment``: of every node; ``folder``: for logs and the witness file."""

    environment: Mapping[str, str]
    folder: Path
    _nodes: dict[str, ServerProcess] = field(default_factory=dict)
    _begins: dict[str, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    @property
    def witness(self) -> Path:
        return self.folder / "storm-witness"

    @property
    def running(self) -> list[str]:
        """The nodes that run now."""
        with self._lock:
            return sorted(name for name, process in self._nodes.items() if process.alive)

    def start(self, name: str) -> None:
        """Begin a life of a node."""
        command = ServerCommand(
            argv=(sys.executable, "-m", "shardkeeper", "agent"),
            folder=self.folder,
            log=self.folder / f"{name}.log",
            death_signal=signal.SIGKILL,
            environment={
                **self.environment,
                "SHARDKEEPER_NODE_ID": name,
                "PYTHONPATH": os.pathsep.join(filter(None, (str(TASKS), os.environ.get("PYTHONPATH")))),
                "STORM_WITNESS": str(self.witness),
            },
        )
        self._begins[name] = command.log.stat().st_size if command.log.exists() else 0
        process = ServerProcess(command)
        with self._lock:
            self._nodes[name] = process

    def kill(self, name: str) -> None:
        """SIGKILL to the node; returns when it is gone. Its workers notice by themselves."""
        self._nodes[name].end(signal.SIGKILL, _STOP_S)

    def stop(self) -> dict[str, int | None]:
        """SIGTERM to all that run; the codes they end with, once they have ended."""
        ending = self.running
        for name in ending:
            self._nodes[name].send(signal.SIGTERM)
        for name in ending:
            # not SIGTERM again: the second one means at once
            self._nodes[name].end(signal.SIGCONT, _STOP_S)
        return {name: self._nodes[name].returncode for name in ending}

    def close(self) -> None:
        """Nothing of it is left."""
        for process in self._nodes.values():
            process.end(signal.SIGKILL, _STOP_S)

    def workers(self, name: str) -> list[psutil.Process]:
        """The worker processes of a node now."""
        try:
            children = psutil.Process(self._nodes[name].pid).children()
        except psutil.NoSuchProcess:
            return []
        return [child for child in children if _is_worker(child)]

    def living_pids(self) -> set[int]:
        """Of the nodes that run now."""
        with self._lock:
            return {process.pid for process in self._nodes.values() if process.alive}

    def last_log(self, name: str) -> str:
        """What the last life of a node has said."""
        return self._log(name)[self._begins[name] :].decode(errors="replace")

    def logs(self) -> str:
        """All that all lives of all nodes have said."""
        return b"".join(map(self._log, sorted(self._nodes))).decode(errors="replace")

    def _log(self, name: str) -> bytes:
        return (self.folder / f"{name}.log").read_bytes()


def _is_worker(process: psutil.Process) -> bool:
    try:
        return _WORKER in process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False
