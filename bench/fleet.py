"""Nodes that are started, struck and started again, by name; and their worker processes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

import psutil

from shardkeeper.devservers.processes import ServerCommand, ServerProcess, freeze, thaw

TASKS = Path(__file__).parent / "tasks"
_WORKER = "shardkeeper.workers.child"
_STOP_S = 60.0


@dataclass
class Fleet:
    """``environment``: of every node; ``folder``: an existing one, for logs; ``own``: further environment by node.

    Each node finds the modules of ``bench/tasks``. A node that is stopped or killed keeps its log; the next life of it
    is appended.
    """

    environment: Mapping[str, str]
    folder: Path
    own: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    _nodes: dict[str, ServerProcess] = field(default_factory=dict)
    _begins: dict[str, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

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
            environment=self._environment(name),
        )
        self._begins[name] = command.log.stat().st_size if command.log.exists() else 0
        process = ServerProcess(command)
        with self._lock:
            self._nodes[name] = process

    def ended(self) -> dict[str, int | None]:
        """The nodes that were started and run no more, and the codes they ended with (negative: a signal's number)."""
        with self._lock:
            return {name: process.returncode for name, process in self._nodes.items() if not process.alive}

    def pid(self, name: str) -> int:
        """Of its last life."""
        return self._nodes[name].pid

    def kill(self, name: str) -> None:
        """SIGKILL to the node; returns when it is gone. Its workers notice by themselves."""
        self._nodes[name].end(signal.SIGKILL, _STOP_S)

    def pause(self, name: str) -> None:
        """SIGSTOP to the node itself, not to its workers; returns when it stands still."""
        freeze([self.pid(name)], _STOP_S)

    def resume(self, name: str) -> None:
        """SIGCONT."""
        thaw([self.pid(name)])

    def terminate(self, name: str) -> int | None:
        """SIGTERM; the code it ends with, once it has ended."""
        self._nodes[name].send(signal.SIGTERM)
        return self._code(name)

    def stop(self) -> dict[str, int | None]:
        """SIGTERM to all that run; the codes they end with, once they have ended."""
        ending = self.running
        for name in ending:
            self._nodes[name].send(signal.SIGTERM)
        return {name: self._code(name) for name in ending}

    def close(self) -> None:
        """Nothing of it is left."""
        for process in self._nodes.values():
            process.end(signal.SIGKILL, _STOP_S)

    def workers(self, name: str) -> list[psutil.Process]:
        """The worker processes of a node now."""
        try:
            children = psutil.Process(self.pid(name)).children()
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

    def _environment(self, name: str) -> dict[str, str]:
        own = {"SHARDKEEPER_NODE_ID": name, **self.own.get(name, {})}
        paths = (str(TASKS), own.get("PYTHONPATH"), os.environ.get("PYTHONPATH"))
        return {**self.environment, **own, "PYTHONPATH": os.pathsep.join(filter(None, paths))}

    def _code(self, name: str) -> int | None:
        """Once it has ended."""
        # not SIGTERM again: the second one means at once
        self._nodes[name].end(signal.SIGCONT, _STOP_S)
        return self._nodes[name].returncode

    def _log(self, name: str) -> bytes:
        return (self.folder / f"{name}.log").read_bytes()


def _is_worker(process: psutil.Process) -> bool:
    try:
        return _WORKER in process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False
