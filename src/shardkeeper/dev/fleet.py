"""The nodes as processes: started together, watched, told to go together."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from shardkeeper.dev.options import DevFailed
from shardkeeper.devservers.processes import ServerCommand, ServerProcess

AGENT: Final = ("-m", "shardkeeper", "agent")
LONE_AGENT: Final = ("-m", "shardkeeper.dev.lone_agent")
_POLL_S: Final = 0.05
_OWN_FAULTS: Final = frozenset(
    {
        signal.SIGSEGV,
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGSYS,
        signal.SIGTRAP,
    }
)
"""Signals by which a process dies of itself; any other was sent by somebody."""


@dataclass(frozen=True, slots=True)
class Death:
    """A node that ended before it was told to. ``own_fault``: nobody killed it and nobody asked it to go."""

    node_id: str
    pid: int
    how: str
    own_fault: bool
    log: Path


@dataclass(slots=True)
class _Member:
    node_id: str
    process: ServerProcess
    log: Path
    death_told: bool = False


class Fleet:
    """``program``: arguments for this interpreter. Every node gets ``environment`` and a name of its own."""

    def __init__(
        self, program: tuple[str, ...], environment: Mapping[str, str], folder: Path, logs: Path
    ) -> None:
        self._argv = (sys.executable, *program)
        self._environment = environment
        self._folder = folder
        self._logs = logs
        self._members: list[_Member] = []
        self.deaths: list[Death] = []

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by node_id, of those that live."""
        return {one.node_id: one.process.pid for one in self._members if one.process.alive}

    def log_of(self, node_id: str) -> Path:
        """Where that node writes its log."""
        return self._logs / f"{node_id}.log"

    def start(self, node_ids: tuple[str, ...]) -> None:
        """Start them all without waiting for any."""
        for node_id in node_ids:
            log = self.log_of(node_id)
            log.write_bytes(b"")  # each run of `dev` begins a new one
            command = ServerCommand(
                argv=self._argv,
                folder=self._folder,
                log=log,
                # a `dev` that was killed takes its servers with it: there is nothing left to end cleanly
                death_signal=signal.SIGKILL,
                environment={**self._environment, "SHARDKEEPER_NODE_ID": node_id},
            )
            self._members.append(_Member(node_id, ServerProcess(command), log))

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Return when ``ready()``. Raises DevFailed, with the end of its log, when a node ends first, or when time is
        up."""
        deadline = monotonic() + timeout_s
        while True:
            for death in self.fresh_deaths():
                tail = _tail(death.log)
                raise DevFailed(f"{death.node_id} {death.how} while starting; {death.log} ends with:\n{tail}")
            if ready():
                return
            if monotonic() > deadline:
                logs = ", ".join(str(one.log) for one in self._members)
                raise DevFailed(f"the nodes have not joined within {timeout_s:g} s: see {logs}")
            sleep(_POLL_S)

    def fresh_deaths(self) -> list[Death]:
        """Who ended since this was last asked."""
        fresh = [_death(one) for one in self._members if not one.process.alive and not one.death_told]
        for one in self._members:
            one.death_told = one.death_told or not one.process.alive
        self.deaths += fresh
        return fresh

    def ask_to_go(self) -> None:
        """SIGTERM to all: hand over, end what runs. The second time: at once."""
        self.fresh_deaths()
        for one in self._members:
            one.process.send(signal.SIGTERM)

    def wait_until_gone(self, timeout_s: float) -> list[str]:
        """Wait for all to end, then kill; the names of those that went wrong on their way out."""
        deadline = monotonic() + timeout_s
        wrong = []
        for one in self._members:
            if one.death_told:
                continue
            while one.process.alive and monotonic() < deadline:
                sleep(_POLL_S)
            if one.process.alive:
                wrong.append(f"{one.node_id} had not ended after {timeout_s:g} s and was killed")
                one.process.end(signal.SIGKILL, timeout_s)
            elif one.process.returncode != 0:
                wrong.append(f"{one.node_id} {_death(one).how} on its way out; see {one.log}")
            one.death_told = True
        return wrong


def _death(member: _Member) -> Death:
    code = member.process.returncode or 0
    killed_by = -code if code < 0 else None
    if killed_by is not None:
        how = f"was killed by {_name(killed_by)}"
    else:
        how = f"ended with exit code {code}" if code else "was asked to go and left"
    own_fault = code > 0 or (killed_by in _OWN_FAULTS)
    return Death(member.node_id, member.process.pid, how, own_fault, member.log)


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _tail(log: Path, lines: int = 12) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError as error:
        return f"(no log: {error})"
