"""One peer's schedules, driven through the same steps as ours: each in processes, and on a server, of its own."""

from __future__ import annotations

import math
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.beginnings import FOLDER
from bench.on_demand.contenders import Unavailable
from bench.on_demand.redis_server import redis_server
from bench.on_demand.venvs import python_with
from bench.peers.driver import READY
from bench.schedules.burst import Burst
from bench.schedules.options import Options
from bench.schedules.peer import SchedulePeer
from bench.schedules.step import Step
from bench.schedules.watch import watch_burst, watch_window
from bench.subprocesses import end
from shardkeeper.devservers.postgres_server import PostgresServer

ROOT = Path(__file__).parents[2]
READY_TIMEOUT_S = 60.0
DATABASE = "peer"


@dataclass(frozen=True, slots=True)
class Server:
    """What a peer keeps its schedules in: fresh for each step. ``pids``: by kind."""

    url: str
    pids: Mapping[str, Sequence[int]]


class PeerContender:
    """One peer; ``postgres``: for those who want one."""

    def __init__(self, peer: SchedulePeer, postgres: PostgresServer, options: Options) -> None:
        self.name = peer.name
        self.isolation = peer.isolation
        self.every_s = peer.every_s
        self.limit_s = peer.limit_s
        self.notes = (", ".join(peer.requirements), *peer.notes)
        self._peer = peer
        self._postgres = postgres
        self._options = options

    @contextmanager
    def open(self) -> Iterator[PeerTurn]:
        python = python_with(self._peer.environment, self._peer.requirements)
        yield PeerTurn(self._peer, python, self._postgres, self._options.seconds)


class PeerTurn:
    """``python``: of the peer's environment."""

    def __init__(self, peer: SchedulePeer, python: Path, postgres: PostgresServer, seconds: int) -> None:
        self._peer = peer
        self._python = python
        self._postgres = postgres
        self._seconds = seconds

    def step(self, schedules: int) -> Step:
        with self._running(schedules, "--every", str(self._peer.every_s)) as (folder, pids):
            return watch_window(folder, pids, schedules, self._seconds, self._peer.every_s)

    def burst(self, schedules: int) -> Burst:
        """Of no more than the peer can start."""
        fewer = min(schedules, self._peer.burst)
        at_s = math.ceil(time.time()) + self._peer.lead_s
        with self._running(fewer, "--at", str(at_s)) as (folder, _):
            return watch_burst(folder, fewer, at_s)

    @contextmanager
    def _running(self, schedules: int, *when: str) -> Iterator[tuple[Path, Mapping[str, Sequence[int]]]]:
        """The peer's processes, ready; where their tasks tell that they began, and whose processor time counts."""
        with ExitStack() as stack:
            folder = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="shardkeeper-bench-", dir="/var/tmp"))
            )
            server = stack.enter_context(self._server(folder))
            started = [
                self._start(stack, folder, role, "--url", server.url, "--schedules", str(schedules), *when)
                for role in self._peer.roles
            ]
            yield folder, {**server.pids, "peer": [process.pid for process in started]}

    def _start(self, stack: ExitStack, folder: Path, role: str, *arguments: str) -> subprocess.Popen[str]:
        settings = (f"--settings={setting}" for setting in self._peer.settings)
        log = folder / f"{role}.log"
        process = subprocess.Popen(
            [str(self._python), "-m", self._peer.module, role, *arguments, *settings],
            env={**os.environ, "PYTHONPATH": str(ROOT), FOLDER: str(folder)},
            stdout=subprocess.PIPE,
            stderr=stack.enter_context(log.open("wb")),
            text=True,
        )
        stack.callback(end, process)
        assert process.stdout is not None
        readable, _, _ = select.select([process.stdout], [], [], READY_TIMEOUT_S)
        if not readable or process.stdout.readline().strip() != READY:
            said = log.read_text(errors="replace").strip().splitlines()[-1:]
            raise Unavailable(f"its {role} did not begin with {arguments[3]} schedules: {' '.join(said)}")
        return process

    @contextmanager
    def _server(self, folder: Path) -> Iterator[Server]:
        if self._peer.server == "redis":
            with redis_server(folder / "redis") as redis:
                yield Server(redis.url, {"redis": [redis.pid]})
        elif self._peer.server == "postgres":
            try:
                url = self._postgres.create_database(DATABASE)
                yield Server(url, {"postgres": [self._postgres.pid]})
            finally:
                self._postgres.drop_database(DATABASE)
        else:
            yield Server("", {})
