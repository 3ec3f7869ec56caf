"""A page of memory shared by a worker process and its node: what must be known even when the worker dies
without a word.

It holds the phase that the task is in, and a ring with the tail of what was printed and logged. The node
reads it after the worker's death; nothing a task does to its descriptors touches the mapping.
"""

from __future__ import annotations

import mmap
import os
import struct

LOG_LIMIT = 64 * 1024
"""Bytes of log kept of an attempt: the last ones."""

_NUMBERS = struct.Struct("=QQ")
_COUNT = struct.Struct("=Q")
_PHASE_AT, _COUNT_AT, _RING_AT = 0, 8, 64
_SIZE = _RING_AT + LOG_LIMIT
_PHASES = ("", "initialize", "calculate", "validate")


class Page:
    """One per worker process. Only the worker writes."""

    def __init__(self, fd: int) -> None:
        """Maps the page behind ``fd`` (from ``new_page``); the descriptor may be closed afterwards."""
        self._memory = mmap.mmap(fd, _SIZE)

    def enter(self, phase: str) -> None:
        """``phase``: a phase's name, or empty between attempts."""
        self._memory[_PHASE_AT] = _PHASES.index(phase)

    @property
    def phase(self) -> str | None:
        """The phase begun last by the attempt under way."""
        return _PHASES[self._memory[_PHASE_AT] % len(_PHASES)] or None

    def clear(self) -> None:
        """Forget phase and log: another attempt begins."""
        _NUMBERS.pack_into(self._memory, 0, 0, 0)

    def write(self, data: bytes) -> None:
        """Add to the log, over the oldest when it is full."""
        (count,) = _COUNT.unpack_from(self._memory, _COUNT_AT)
        kept = data[-LOG_LIMIT:]
        at = (count + len(data) - len(kept)) % LOG_LIMIT
        first = kept[: LOG_LIMIT - at]
        self._memory[_RING_AT + at : _RING_AT + at + len(first)] = first
        rest = kept[len(first) :]
        self._memory[_RING_AT : _RING_AT + len(rest)] = rest
        _COUNT.pack_into(self._memory, _COUNT_AT, count + len(data))

    def tail(self) -> tuple[bytes, int]:
        """The log's last bytes, and how many came before them and are lost."""
        (count,) = _COUNT.unpack_from(self._memory, _COUNT_AT)
        if count <= LOG_LIMIT:
            return self._memory[_RING_AT : _RING_AT + count], 0
        at = count % LOG_LIMIT
        ring = self._memory[_RING_AT:_SIZE]
        return ring[at:] + ring[:at], count - LOG_LIMIT

    def close(self) -> None:
        """Unmap."""
        self._memory.close()


def new_page() -> int:
    """A descriptor (close-on-exec) of a fresh page."""
    fd = os.memfd_create("shardkeeper-worker")
    os.ftruncate(fd, _SIZE)
    return fd
