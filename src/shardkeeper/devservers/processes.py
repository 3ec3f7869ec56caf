"""A server as a child process: started, watched while it starts, signalled by pid, ended for sure."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from shardkeeper.devservers.errors import ServerFailed

_POLL_S: Final = 0.02
_LOG_TAIL_BYTES: Final = 4000

# The kernel sends the parent-death signal when the *thread* that started the child ends. This one lives as long
# as the interpreter, so callers may start servers from threads that do not.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="devservers-spawner")


@dataclass(frozen=True, slots=True)
class RunAs:
    """The user a server runs as, where it refuses to run as root."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class ServerCommand:
    """How a server is started: arguments, working folder, log file (appended to), extra environment, the user
    (None: ours) and the signal that the kernel sends it when we die."""

    argv: tuple[str, ...]
    folder: Path
    log: Path
    death_signal: signal.Signals
    environment: Mapping[str, str]
    run_as: RunAs | None = None


class ServerProcess:
    """One life of a server. It has its own session, so that Ctrl-C in a terminal reaches us and not it."""

    def __init__(self, command: ServerCommand) -> None:
        self._log = command.log
        self._process = _spawner.submit(_spawn, command).result()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def returncode(self) -> int | None:
        """How it ended: its exit code, or the negative of the signal that killed it; None while it runs."""
        return self._process.poll()

    def wait_until_ready(self, ready: Callable[[], bool], timeout_s: float, what: str) -> None:
        """Return when `ready()` is true; raises `ServerFailed`, with the end of the log, when the process ends first
        or `timeout_s` seconds pass."""
        deadline = monotonic() + timeout_s
        while not ready():
            if monotonic() > deadline:
                raise ServerFailed(f"{what} was not ready after {timeout_s:g} s\n{self.log_tail()}")
            try:
                code = self._process.wait(timeout=_POLL_S)
            except subprocess.TimeoutExpired:
                continue
            raise ServerFailed(f"{what} ended with {code} while starting\n{self.log_tail()}")

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the server's main process, if it still lives."""
        if self.alive:
            self._process.send_signal(number)

    def end(self, first: signal.Signals, timeout_s: float) -> None:
        """Send `first`, wait up to `timeout_s` seconds, then kill; returns when the process is gone."""
        self.send(first)
        self.send(signal.SIGCONT)  # a frozen server would not hear `first`
        try:
            self._process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log_tail(self) -> str:
        """The last few kilobytes of what the server printed."""
        try:
            with self._log.open("rb") as log:
                log.seek(max(0, self._log.stat().st_size - _LOG_TAIL_BYTES))
                return log.read().decode(errors="replace")
        except OSError as error:
            return f"(no log: {error})"


def children_of(pid: int) -> tuple[int, ...]:
    """The direct children of a process."""
    try:
        return tuple(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except OSError:
        return ()


def freeze(pids: Iterable[int], timeout_s: float) -> None:
    """Send SIGSTOP and wait until every thread has stopped: the signal alone returns earlier, and a thread may still
    answer. Raises `ServerFailed` after `timeout_s` seconds."""
    everybody = tuple(pids)
    for pid in everybody:
        signal_if_there(pid, signal.SIGSTOP)
    deadline = monotonic() + timeout_s
    while any(_moves(pid) for pid in everybody):
        if monotonic() > deadline:
            raise ServerFailed(f"processes {everybody} have not stopped after {timeout_s:g} s")
        sleep(_POLL_S)


def thaw(pids: Iterable[int]) -> None:
    """Send SIGCONT."""
    for pid in pids:
        signal_if_there(pid, signal.SIGCONT)


def signal_if_there(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def wait_until_gone(pids: Iterable[int], timeout_s: float) -> None:
    """Wait until none of the processes runs any more; raises `ServerFailed` after `timeout_s` seconds."""
    deadline = monotonic() + timeout_s
    for pid in pids:
        while _runs(pid):
            if monotonic() > deadline:
                raise ServerFailed(f"process {pid} is still there after {timeout_s:g} s")
            sleep(_POLL_S)


def _runs(pid: int) -> bool:
    return _state(Path(f"/proc/{pid}/stat")) not in "ZX"


def _moves(pid: int) -> bool:
    """Whether any thread of the process could do something."""
    return any(_state(stat) not in "TtZX" for stat in Path(f"/proc/{pid}/task").glob("*/stat"))


def _state(stat: Path) -> str:
    """The kernel's letter for a process or thread, X when there is none."""
    try:
        return stat.read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def _spawn(command: ServerCommand) -> subprocess.Popen[bytes]:
    as_user: dict[str, object] = {}
    if command.run_as is not None:
        as_user = {"user": command.run_as.uid, "group": command.run_as.gid, "extra_groups": []}
    with command.log.open("ab") as log:
        try:
            return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
                _dying_with_us(command.argv, command.death_signal),
                cwd=command.folder,
                env={**os.environ, **command.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **as_user,
            )
        except OSError as error:
            raise ServerFailed(f"cannot start {command.argv[0]}: {error}") from error


def _dying_with_us(argv: Sequence[str], number: signal.Signals) -> list[str]:
    """Debian's util-linux sets the parent-death signal between fork and exec; where it is missing, a server that
    was not stopped stays behind."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return list(argv)
    return [setpriv, "--pdeathsig", number.name.removeprefix("SIG"), "--", *argv]
