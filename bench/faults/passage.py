"""One connection through a relay: two sockets, and what is under way between them."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import struct
from dataclasses import dataclass, field

_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_AT_ONCE = 65_536
"""Bytes taken in one piece."""
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: close with a reset, as a link that breaks."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Which ways are open: what clients ask, what the server answers."""

    asking: bool = True
    answering: bool = True


@dataclass(eq=False, slots=True)
class _Way:
    """From ``source`` to ``sink``. ``pending``: what was read and could not be written yet; ``ended``: nothing more
    will be read."""

    source: socket.socket
    sink: socket.socket
    pending: bytes = b""
    ended: bool = False

    def read(self) -> None:
        try:
            data = self.source.recv(_AT_ONCE)
        except BlockingIOError:
            return
        self.ended = not data
        self.pending = data
        self.write()

    def write(self) -> None:
        if self.pending:
            with contextlib.suppress(BlockingIOError):
                self.pending = self.pending[self.sink.send(self.pending) :]


@dataclass(eq=False, slots=True)
class Passage:
    """``inner``: a client's connection, just accepted; the one to ``target`` begins here. Raises OSError.

    ``over``: one side has ended, and what it had said is passed on. ``stalled``: nothing goes through this one.
    """

    inner: socket.socket
    target: tuple[str, int]
    over: bool = False
    stalled: bool = False
    outer: socket.socket = field(init=False)
    _connected: bool = field(init=False, default=False)
    _asking: _Way = field(init=False)
    _answering: _Way = field(init=False)

    def __post_init__(self) -> None:
        self.outer = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        for one in self.sockets:
            one.setblocking(False)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._asking = _Way(self.inner, self.outer)
        self._answering = _Way(self.outer, self.inner)
        code = self.outer.connect_ex(self.target)
        if code not in (0, errno.EINPROGRESS):
            self.outer.close()
            raise OSError(code, os.strerror(code))

    @property
    def sockets(self) -> tuple[socket.socket, socket.socket]:
        return self.inner, self.outer

    @property
    def client_port(self) -> int:
        """Where it comes from, as the server sees it; 0 where it is not connected."""
        try:
            return int(self.outer.getsockname()[1])
        except OSError:
            return 0

    def waits_for(self, one: socket.socket, flow: Flow) -> int:
        """The events of one of its sockets with which it can go on."""
        if not self._connected:
            return _WRITE if one is self.outer else 0
        wanted = 0
        for way, is_open in ((self._asking, flow.asking), (self._answering, flow.answering)):
            if not is_open or self.stalled:
                continue
            if one is way.source and not way.pending and not way.ended:
                wanted |= _READ
            if one is way.sink and way.pending:
                wanted |= _WRITE
        return wanted

    def move(self, one: socket.socket, events: int) -> None:
        """Go on after events of one of its sockets. Raises OSError where it is broken."""
        if not self._connected and events:
            code = self.outer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, os.strerror(code))
            self._connected = True
            return
        for way in (self._asking, self._answering):
            if events & _WRITE and one is way.sink:
                way.write()
            if events & _READ and one is way.source:
                way.read()
            if way.ended and not way.pending:
                self.over = True

    def close(self, *, broken: bool = False) -> None:
        """End both sides; ``broken``: with a reset."""
        for one in self.sockets:
            if broken:
                with contextlib.suppress(OSError):
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            one.close()
