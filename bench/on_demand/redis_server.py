"""A Redis (or Valkey) of the benchmark's own, for peers that want one."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.on_demand.contenders import Unavailable
from shardkeeper.devservers.ports import LOOPBACK, ReservedPort
from shardkeeper.devservers.processes import ServerCommand, ServerProcess

PROGRAMS = ("redis-server", "valkey-server")
INSTALLER = Path(__file__).parents[2] / "tools" / "debian-install"
READY_TIMEOUT_S = STOP_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Redis:
    """A running one."""

    url: str
    pid: int
    version: str


@contextmanager
def redis_server(folder: Path) -> Iterator[Redis]:
    """On a free port of loopback, its log of commands flushed once a second; raises Unavailable where there is
    none and none can be installed."""
    program = _program()
    folder.mkdir()
    port = ReservedPort.take()
    place = ("--bind", LOOPBACK, "--port", str(port.number), "--dir", str(folder))
    keeping = ("--save", "", "--appendonly", "yes", "--appendfsync", "everysec")
    command = (program, *place, *keeping)
    server = ServerProcess(ServerCommand(command, folder, folder / "redis.log", signal.SIGKILL, {}))
    try:
        server.wait_until_ready(lambda: _answers(port.number), READY_TIMEOUT_S, "Redis")
        yield Redis(f"redis://{LOOPBACK}:{port.number}/0", server.pid, _version(program))
    finally:
        server.end(signal.SIGTERM, STOP_TIMEOUT_S)
        port.release()


def _program() -> str:
    for name in PROGRAMS:
        if found := shutil.which(name):
            return found
    done = subprocess.run([INSTALLER, PROGRAMS[0]], check=False, capture_output=True)
    found = shutil.which(PROGRAMS[0])
    if done.returncode or found is None:
        raise Unavailable("no Redis and no Valkey here, and none can be installed")
    return found


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1.0) as link:
            link.sendall(b"PING\r\n")
            return link.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def _version(program: str) -> str:
    told = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    words = dict(word.split("=", 1) for word in told.split() if "=" in word)
    return f"{Path(program).name} {words.get('v', '?')}"
