"""A page of memory shared by a worker process and its node: what is known even if the worker dies without a word.

It holds which attempt has begun and when, the phase that it is in, and a ring with the tail of what was printed and
logged. The node reads it after the worker's death; nothing a task does to its descriptors touches the mapping.
"""

from __future__ import annotations

import mmap
import os
import struct

LOG_LIMIT = 64 * 1024
"""Bytes of log kept of an attempt: the last ones."""

_NUMBERS = struct.Struct("=QQ")
_COUNT = struct.Struct("=Q")
_BEGINNING = struct.Struct("=d12s")
_PHASE_AT, _COUNT_AT, _SEQ_AT, _BEGINNING_AT, _RING_AT = 0, 8, 16, 24, 64
_SIZE = _RING_AT + LOG_LIMIT
_PHASES = ("", "initialize", "calculate", "validate")


class Page:
    """One per worker process. Only the worker writes."""

    def __init__(self, fd: int) -> None:
        """Maps the page behind ``fd`` (from ``new_page``); the descriptor may be closed afterwards."""
        self._memory = mmap.mmap(fd, _SIZE)

    def begin(self, seq: int, at: float, code_version: str | None) -> None:
        """The attempt's first phase begins, ``at`` seconds since the epoch.

        No message tells it, as one costs as much as all the rest of a short attempt: the node looks here a moment after
        it gave the order, and when the worker has died.
        """
        _BEGINNING.pack_into(self._memory, _BEGINNING_AT, at, (code_version or "").encode())
        # last, as the node takes the rest for this attempt's once it finds this number
        _COUNT.pack_into(self._memory, _SEQ_AT, seq)

    def begun(self, seq: int) -> tuple[float, str | None] | None:
        """When the attempt began, and its code version; None when it has not."""
        if _COUNT.unpack_from(self._memory, _SEQ_AT) != (seq,):
            return None
        at, code_version = _BEGINNING.unpack_from(self._memory, _BEGINNING_AT)
        return at, code_version.rstrip(b"\0").decode() or None

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
