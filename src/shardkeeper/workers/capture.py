"""What a task prints and logs, from Python, from C code and from its children: the tail of it, wherever it came from.

Python's own streams write straight into the tail. Descriptors 1 and 2 are a pipe that a thread of the worker
empties, so that even a gigabyte costs no more than its reading. Protocol messages go another way and are never
mixed with it.
"""

from __future__ import annotations

import io
import logging
import os
import select
import sys
import threading
import time
from collections.abc import Iterable
from typing import Protocol

from shardkeeper.workers.page import LOG_LIMIT, Page
from shardkeeper.workers.texts import log_text


class Tail(Protocol):
    """Where the last bytes are kept."""

    def write(self, data: bytes) -> None:
        """Add, and forget the oldest."""

    def tail(self) -> tuple[bytes, int]:
        """The last bytes, and how many before them are lost."""


class MemoryTail:
    """A tail in this process, for attempts that share it."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._lost = 0

    def write(self, data: bytes) -> None:
        self._data += data
        if len(self._data) > 2 * LOG_LIMIT:
            self._trim()

    def tail(self) -> tuple[bytes, int]:
        self._trim()
        return bytes(self._data), self._lost

    def _trim(self) -> None:
        surplus = len(self._data) - LOG_LIMIT
        if surplus > 0:
            del self._data[:surplus]
            self._lost += surplus


class Capture:
    """Routes what is written to the attempt it belongs to: the thread's own, else the page."""

    def __init__(self, page: Page, pipe_fd: int) -> None:
        """``pipe_fd``: the reading end of descriptors 1 and 2."""
        self._page = page
        self._pipe_fd = pipe_fd
        self._own = threading.local()
        # reentrant: a task's signal handler may print while we read
        self._reading = threading.RLock()
        self._stdout = CapturedText(self)
        self._stderr = CapturedText(self)
        self._peek = select.poll()
        self._peek.register(pipe_fd, select.POLLIN)
        os.set_blocking(pipe_fd, False)

    def install(self) -> None:
        """Take over ``sys.stdout``, ``sys.stderr`` and the task's logger, and start to empty the pipe."""
        self.take_streams()
        logger = logging.getLogger("shardkeeper.task")
        logger.propagate = False
        logger.setLevel(logging.INFO)
        handler = logging.StreamHandler(self._stdout)
        formatter = logging.Formatter(
            "%(asctime)s.%(msecs)03dZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S"
        )
        formatter.converter = time.gmtime
        handler.setFormatter(formatter)
        logger.addHandler(handler)
        threading.Thread(target=self._empty_pipe, name="shardkeeper-log", daemon=True).start()

    def take_streams(self) -> None:
        """Put our streams where a task may have put its own."""
        sys.stdout = sys.__stdout__ = self._stdout  # type: ignore[misc,assignment]
        sys.stderr = sys.__stderr__ = self._stderr  # type: ignore[misc,assignment]

    def begin(self, tail: Tail | None) -> None:
        """What this thread writes goes to ``tail``; None: to the page."""
        self._own.tail = tail

    def write(self, data: bytes) -> None:
        own: Tail | None = getattr(self._own, "tail", None)
        if own is not None:
            own.write(data)
            return
        # what children wrote before comes before
        self._read_pipe()
        self._page.write(data)

    def text(self, secrets: Iterable[str]) -> str | None:
        """The log of this thread's attempt so far; of one that writes to the page, with what is still in the pipe."""
        own: Tail | None = getattr(self._own, "tail", None)
        if own is None:
            self._read_pipe()
        return log_text(*(own or self._page).tail(), secrets)

    def _empty_pipe(self) -> None:
        poll = select.poll()
        poll.register(self._pipe_fd, select.POLLIN)
        while True:
            events = poll.poll()
            if events and not events[0][1] & select.POLLIN:
                return
            if not self._read_pipe():
                return

    def _read_pipe(self) -> bool:
        """Move what the pipe holds now into the page; False when it is gone."""
        with self._reading:
            if not self._peek.poll(0):
                # the usual case, and cheaper than an exception of os.read
                return True
            # at most a few pipes full: whoever asks for the text does not wait for a child that prints for ever
            for _ in range(64):
                try:
                    data = os.read(self._pipe_fd, LOG_LIMIT)
                except BlockingIOError:
                    return True
                except OSError:
                    return False
                if not data:
                    return False
                self._page.write(data)
        return True


class _CapturedBytes(io.RawIOBase):
    def __init__(self, capture: Capture) -> None:
        self._capture = capture

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        raw = bytes(data)  # type: ignore[call-overload] # any buffer
        self._capture.write(raw)
        return len(raw)

    def fileno(self) -> int:
        return 1


class CapturedText(io.TextIOBase):
    """A text stream into the capture; ``fileno`` is 1, for children that are given it as their output."""

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self.buffer = _CapturedBytes(capture)

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._capture.write(text.encode("utf-8", "backslashreplace"))
        return len(text)

    def fileno(self) -> int:
        return 1

    def close(self) -> None:
        """Stays open: the next task writes to it too."""
