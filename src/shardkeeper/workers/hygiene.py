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
from collections.abc import Sequence
from typing import Any

_SIGNALS = tuple(sorted(int(number) for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}))
_LIMITS = (resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU)
_LC_ALL = 6
_SO_COOKIE = 57
# the C functions: those of the module signal make an enumeration's member of each number; and bound once, so that no
# task can put its own in their place
_getsignal, _sigmask, _getitimer = _signal.getsignal, _signal.pthread_sigmask, _signal.getitimer
_SIG_BLOCK = int(signal.SIG_BLOCK)
_setlocale, _getrlimit = _locale.setlocale, resource.getrlimit
_NAMES = (
    "file descriptors",
    "working directory",
    "umask",
    "signal handlers",
    "signal mask",
    "timers",
    "environment",
    "locale",
    "sys.path",
    "limits",
    "interpreter settings",
    "threads",
    "user or session",
)
_MODULES_RIGHT = frozenset({"environment", "locale", "sys.path", "interpreter settings", "threads"})


class Hygiene:
    """What the process was like when it was last accepted."""

    def __init__(self, fds: Sequence[int], sockets: Sequence[socket.socket] = ()) -> None:
        """``fds`` and ``sockets``: descriptors that must stay what they are."""
        known = [one for one in sockets if isinstance(_cookie(one), bytes)]
        self._sockets = tuple(known)
        self._fds = (*fds, *(one.fileno() for one in sockets if one not in known))
        self._accepted: tuple[Any, ...] = ()
        self.accept()

    def accept(self) -> None:
        """Things are fine as they are now."""
        self._accepted = self._look()

    def accept_import(self) -> None:
        """A module was imported: some lasting effects are its right (settings, threads of its own), others are not."""
        now = self._look()
        self._accepted = tuple(
            new if name in _MODULES_RIGHT else old
            for name, new, old in zip(_NAMES, now, self._accepted, strict=True)
        )

    def spoilt(self) -> str | None:
        """What is not as it was, by name; None when all is well."""
        now = self._look()
        if now == self._accepted:
            return None
        return next(name for name, new, old in zip(_NAMES, now, self._accepted, strict=True) if new != old)

    def _look(self) -> tuple[Any, ...]:
        """All of it, in the order of ``_NAMES``."""
        mask = os.umask(0o077)
        os.umask(mask)
        return (
            self._descriptors(),
            _working_directory(),
            mask,
            tuple(map(_getsignal, _SIGNALS)),
            _sigmask(_SIG_BLOCK, ()),
            (_getitimer(0), _getitimer(1), _getitimer(2)),
            dict(os.environ._data),  # type: ignore[attr-defined] # unencoded: ten times as quick
            _setlocale(_LC_ALL),
            list(sys.path),
            tuple(map(_getrlimit, _LIMITS)),
            _interpreter(),
            threading.active_count(),
            (os.geteuid(), os.getegid(), os.getsid(0), os.getpgid(0)),
        )

    def _descriptors(self) -> Any:
        try:
            stats = [(stat.st_dev, stat.st_ino) for stat in map(os.fstat, self._fds)]
        except OSError as error:
            return repr(error)
        return stats, [_cookie(one) for one in self._sockets]


def _cookie(one: socket.socket) -> Any:
    """The kernel's own number of the socket behind a descriptor: half of what its fstat takes."""
    try:
        return one.getsockopt(socket.SOL_SOCKET, _SO_COOKIE, 8)
    except OSError as error:
        return repr(error)


def _working_directory() -> Any:
    try:
        # a quarter of what os.getcwd takes
        stat = os.stat(".")  # noqa: PTH116 - as the line above
    except OSError as error:
        return repr(error)
    return stat.st_dev, stat.st_ino


def _interpreter() -> tuple[Any, ...]:
    return (
        sys.getrecursionlimit(),
        gc.isenabled(),
        socket.getdefaulttimeout(),
        sys.gettrace(),
        sys.getswitchinterval(),
        os.getpriority(os.PRIO_PROCESS, 0),
    )
