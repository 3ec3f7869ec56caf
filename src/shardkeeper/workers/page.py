"""A page of memory shared by a worker process and its node: what is known even if the worker dies without a word.

It holds which of the orders given to the worker have begun and when, the phase of the one that a worker of one attempt
is in, and a ring with the tail of what was printed and logged. The node reads it after the worker's death; nothing a
task does to its descriptors touches the mapping.
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
_PHASE_AT, _COUNT_AT, _RING_AT = 0, 8, 64
_SLOTS_AT = _RING_AT + LOG_LIMIT
_SLOT_SIZE = 32
_PHASES = ("", "initialize", "calculate", "validate", "compensate")
_NUMBER_OF_PHASE = {phase: number for number, phase in enumerate(_PHASES)}
_COMPENSABLE = 1 << 63
"""In the number of an attempt that has begun: its class overrides ``compensate``."""


class Page:
    """One per worker process. Only the worker writes. ``slots``: how many orders may be in its hands at a time."""

    def __init__(self, fd: int) -> None:
        """Maps the page behind ``fd`` (from ``new_page``); the descriptor may be closed afterwards."""
        size = os.fstat(fd).st_size
        self._memory = mmap.mmap(fd, size)
        self.slots = (size - _SLOTS_AT) // _SLOT_SIZE

    def begin(self, slot: int, seq: int, at: float, code_version: str | None, compensable: bool) -> None:
        """The attempt's first phase begins, ``at`` seconds since the epoch.

        No message tells it, as one costs as much as all the rest of a short attempt: the node looks here a moment after
        it gave the order, and when the worker has died. ``slot``: as the node gave it, its alone until it has ended.
        """
        where = _SLOTS_AT + slot * _SLOT_SIZE
        _BEGINNING.pack_into(self._memory, where + 8, at, (code_version or "").encode())
        # last, as the node takes the rest for this attempt's once it finds this number
        _COUNT.pack_into(self._memory, where, seq | _COMPENSABLE if compensable else seq)

    def begun(self, slot: int, seq: int) -> tuple[float, str | None, bool] | None:
        """When the attempt began, its code version, whether it can be compensated; None when it has not begun."""
        where = _SLOTS_AT + slot * _SLOT_SIZE
        (found,) = _COUNT.unpack_from(self._memory, where)
        if found & ~_COMPENSABLE != seq:
            return None
        at, code_version = _BEGINNING.unpack_from(self._memory, where + 8)
        return at, code_version.rstrip(b"\0").decode() or None, bool(found & _COMPENSABLE)

    def enter(self, phase: str) -> None:
        """``phase``: a phase's name, or empty between attempts."""
        self._memory[_PHASE_AT] = _NUMBER_OF_PHASE[phase]

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
        ring = self._memory[_RING_AT:_SLOTS_AT]
        return ring[at:] + ring[:at], count - LOG_LIMIT

    def close(self) -> None:
        """Unmap."""
        self._memory.close()


def new_page(slots: int) -> int:
    """A descriptor (close-on-exec) of a fresh page."""
    fd = os.memfd_create("shardkeeper-worker")
    os.ftruncate(fd, _SLOTS_AT + slots * _SLOT_SIZE)
    return fd
