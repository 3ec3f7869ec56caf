"""When a task really began, told by the task itself: one datagram with the clock's reading.

Only the standard library: peers' tasks send with it from their own virtual environments.
"""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

WAIT_S = 30.0
PAUSE_S = (0.02, 0.08)


def ping(path: str) -> None:
    """Tell the board at ``path`` that it is now."""
    now = time.time_ns()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
        link.sendto(str(now).encode(), path)


class Board:
    """Receives pings on a Unix socket."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        path.chmod(0o777)
        self._socket.settimeout(WAIT_S)

    def wait(self) -> int:
        """The clock's reading (nanoseconds since the epoch) of the next ping; TimeoutError when none comes."""
        return int(self._socket.recv(64))

    def pick_ups(self, submit: Callable[[], object], samples: int, seed: int = 1) -> list[float]:
        """Milliseconds from just before ``submit`` to the task's first line, one at a time, with short pauses of
        uneven length between them, so that no rhythm of a poll is met."""
        chance = random.Random(seed)
        found = []
        for _ in range(samples):
            time.sleep(chance.uniform(*PAUSE_S))
            asked = time.time_ns()
            submit()
            found.append((self.wait() - asked) / 1e6)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        Path(self.path).unlink(missing_ok=True)
