"""Orders on their way to a worker: a queue of packets in the kernel, from which either side takes whole ones.

The worker takes an order when it is free for it, and not before. So the node can give it the next orders ahead, and
take them back whenever it likes: an order is in exactly one pair of hands, whatever state the worker is in, hung and
dead included. An order too large for one packet goes in several; it may be read in part, so it is not taken back, and
nothing is put behind it before it is read.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
from collections import deque
from collections.abc import Iterator

from shardkeeper.workers.frames import Message, message_in, payload_of

PACKET = 32_768
"""Bytes; well below what a socket's buffer takes at once."""
_HEAD = struct.Struct("!?Q")
"""Whether more packets of the same order follow; its number (0: no order)."""

# the C function, called without giving the interpreter's lock away: it never waits, and to get the lock back from the
# node's other threads after each order costs more than the order
_send = ctypes.PyDLL(None, use_errno=True).send
_send.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int)
_send.restype = ctypes.c_ssize_t
_SEND_FLAGS = socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL


def packets_of(message: Message) -> list[bytes]:
    """What is sent for a message. Raises TypeError, ValueError or RecursionError when it is not JSON."""
    payload, seq = payload_of(message), message.get("seq", 0)
    if len(payload) <= PACKET:
        return [_HEAD.pack(False, seq) + payload]
    pieces = [payload[at : at + PACKET] for at in range(0, len(payload), PACKET)]
    return [_HEAD.pack(piece is not pieces[-1], seq) + piece for piece in pieces]


class Outbox:
    """The node's end. Nothing here blocks."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._fd = self._ours.fileno()
        # the worker's own end, from which what it has not taken is taken back; blocking, as the two share that
        self._theirs = theirs
        self._unsent: deque[bytes] = deque()

    @property
    def theirs(self) -> int:
        """The descriptor to be given to the worker."""
        return self._theirs.fileno()

    def fileno(self) -> int:
        """For a poll that tells when ``flush`` can go on."""
        return self._ours.fileno()

    def send(self, packets: list[bytes]) -> bool:
        """False while something is left for ``flush``, when the queue takes more."""
        self._unsent += packets
        return self.flush()

    def flush(self) -> bool:
        """Send what is left. True when nothing is."""
        unsent = self._unsent
        while unsent:
            packet = unsent[0]
            if _send(self._fd, packet, len(packet), _SEND_FLAGS) < 0:
                if ctypes.get_errno() in (errno.EAGAIN, errno.EINTR):
                    return False
                # it is dying, and the pidfd tells it
                unsent.clear()
                return True
            unsent.popleft()
        return True

    def take_back(self) -> list[int]:
        """The numbers of the orders that the worker has not taken: they are not for it any more."""
        found = []
        while True:
            try:
                packet = self._theirs.recv(_HEAD.size, socket.MSG_DONTWAIT)
            except OSError:
                break
            if not packet:
                break
            found.append(_HEAD.unpack(packet)[1])
        found += [_HEAD.unpack_from(packet)[1] for packet in self._unsent]
        self._unsent.clear()
        return found

    def close(self) -> None:
        """Give back descriptors."""
        self._ours.close()
        self._theirs.close()


class Inbox:
    """The worker's end; one thread at a time."""

    def __init__(self, fd: int) -> None:
        self.socket = socket.socket(fileno=fd)
        self._pieces: list[bytes] = []

    def take(self) -> Message | None:
        """The next message, as soon as there is one; None: the node is gone. Raises OSError when the descriptor is."""
        while packet := self.socket.recv(PACKET + _HEAD.size):
            if not packet[0] and not self._pieces:
                return message_in(packet[_HEAD.size :])
            self._pieces.append(packet[_HEAD.size :])
            if not packet[0]:
                whole, self._pieces = b"".join(self._pieces), []
                return message_in(whole)
        return None

    def __iter__(self) -> Iterator[Message]:
        while (message := self.take()) is not None:
            yield message
