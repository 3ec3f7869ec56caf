"""Messages between node and worker process: JSON objects with a length before them, bounded.

Both sides read a stream that the other side may leave in the middle of a message, and the worker's side may
be spoilt by a task; so a reader trusts nothing but its own bound.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

Message = dict[str, Any]

_LENGTH = struct.Struct("!I")
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode


class BadFrame(Exception):
    """What came over the pipe is no message."""


def packed(message: Message) -> bytes:
    """The message as bytes to send. Raises TypeError or ValueError when it is not JSON."""
    return framed(_encode(message).encode())


def framed(payload: bytes) -> bytes:
    """A payload that is a JSON object already."""
    return _LENGTH.pack(len(payload)) + payload


class FrameReader:
    """Bytes in, whole messages out."""

    def __init__(self, limit: int) -> None:
        """``limit``: bytes of the largest message accepted; it may be raised later."""
        self.limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Messages that are whole now. Raises BadFrame; the stream is of no use afterwards."""
        buffer = self._buffer
        buffer += data
        at = 0
        while len(buffer) - at >= 4:
            (length,) = _LENGTH.unpack_from(buffer, at)
            if length > self.limit:
                raise BadFrame(f"a message of {length} bytes, more than {self.limit}")
            if len(buffer) - at - 4 < length:
                break
            payload = bytes(buffer[at + 4 : at + 4 + length])
            at += 4 + length
            # what is read is taken off before the message is handed out: the caller may stop in between
            del buffer[:at]
            at = 0
            yield _decoded(payload)


def _decoded(payload: bytes) -> Message:
    try:
        message = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise BadFrame(f"not JSON: {error}") from error
    if not isinstance(message, dict):
        raise BadFrame("not an object")
    return message
