"""Whether a task has left its worker process as it found it: a few microseconds of cheap looks after each attempt.

What is off is not mended but left behind: the worker is replaced by a fresh one.
"""

from __future__ import annotations

import _locale
import _signal  # type: ignore[import-not-found] # typeshed has none
import gc
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

_SIGNALS = tuple(sorted(int(number) for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}))
_LIMITS = (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU)
_LC_ALL = 6
# the C function: signal.getsignal makes an enumeration's member of each
_getsignal = _signal.getsignal
_MODULES_RIGHT = frozenset({"environment", "locale", "sys.path", "interpreter settings", "threads"})


class Hygiene:
    """What the process was like when it was last accepted."""

    def __init__(self, fds: Sequence[int]) -> None:
        """``fds``: descriptors that must stay what they are."""
        self._fds = tuple(fds)
        self._looks: tuple[tuple[str, Callable[[], Any]], ...] = (
            ("file descriptors", self._descriptors),
            ("working directory", _working_directory),
            ("umask", _umask),
            ("signal handlers", _handlers),
            ("signal mask", lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ())),
            ("timers", lambda: [signal.getitimer(which) != (0.0, 0.0) for which in (0, 1, 2)]),
            ("environment", lambda: dict(os.environ._data)),  # type: ignore[attr-defined] # unencoded: ten times as quick
            ("locale", lambda: _locale.setlocale(_LC_ALL)),
            ("sys.path", lambda: list(sys.path)),
            ("limits", lambda: [resource.getrlimit(which) for which in _LIMITS]),
            ("interpreter settings", _interpreter),
            ("threads", threading.active_count),
            ("user or session", lambda: (os.geteuid(), os.getegid(), os.getsid(0), os.getpgid(0))),
        )
        self._accepted: dict[str, Any] = {}
        self.accept()

    def accept(self) -> None:
        """Things are fine as they are now."""
        self._accepted = {name: _safely(look) for name, look in self._looks}

    def accept_import(self) -> None:
        """A module was imported: some lasting effects are its right (settings, threads of its own), others are not."""
        self._accepted.update({name: _safely(look) for name, look in self._looks if name in _MODULES_RIGHT})

    def spoilt(self) -> str | None:
        """What is not as it was, by name; None when all is well."""
        accepted = self._accepted
        for name, look in self._looks:
            if _safely(look) != accepted[name]:
                return name
        return None

    def _descriptors(self) -> list[tuple[int, int]]:
        return [(stat.st_dev, stat.st_ino) for stat in map(os.fstat, self._fds)]


def _safely(look: Callable[[], Any]) -> Any:
    try:
        return look()
    except (OSError, ValueError) as error:
        return repr(error)


def _working_directory() -> tuple[int, int]:
    # a quarter of what os.getcwd takes
    stat = os.stat(".")  # noqa: PTH116 - as the line above
    return stat.st_dev, stat.st_ino


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _handlers() -> list[Any]:
    return [_getsignal(number) for number in _SIGNALS]


def _interpreter() -> tuple[Any, ...]:
    return (
        sys.getrecursionlimit(),
        gc.isenabled(),
        socket.getdefaulttimeout(),
        sys.gettrace(),
        sys.getswitchinterval(),
        os.getpriority(os.PRIO_PROCESS, 0),
    )
