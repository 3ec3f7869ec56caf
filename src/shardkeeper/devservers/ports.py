"""Loopback ports for servers that are started here."""

from __future__ import annotations

import fcntl
import os
import random
import socket
import tempfile
from pathlib import Path
from typing import Final

from shardkeeper.devservers.errors import ServerUnavailable

LOOPBACK: Final = "127.0.0.1"

# Below the kernel's ephemeral range (32768 and up): the port of a server that is down for a restart must not be
# given to some client's outgoing connection meanwhile.
_LOWEST, _HIGHEST = 20000, 32000
_TRIES: Final = 200


class ReservedPort:
    """A port that no other `ReservedPort` on this machine holds and on which nobody listened when it was taken.

    Asking the kernel for a free port and giving it back leaves a gap in which somebody else takes it. A lock on a
    file named after the port closes that gap between all who use this class, in whatever process; against the rest
    of the machine the server's own bind decides, and its starter tries again with another port.
    """

    def __init__(self, number: int, lock: int) -> None:
        self.number = number
        self._lock: int | None = lock

    @classmethod
    def take(cls) -> ReservedPort:
        """Raises `ServerUnavailable` when no port can be had."""
        for _ in range(_TRIES):
            port = cls._try(random.randint(_LOWEST, _HIGHEST))
            if port is not None:
                return port
        raise ServerUnavailable(f"no free port between {_LOWEST} and {_HIGHEST}")

    @classmethod
    def _try(cls, number: int) -> ReservedPort | None:
        lock = os.open(_lock_folder() / str(number), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((LOOPBACK, number))
        except OSError:
            os.close(lock)
            return None
        return cls(number, lock)

    def release(self) -> None:
        """Let others have it; harmless when done twice."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _lock_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"shardkeeper-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
