"""Messages between node and worker process: JSON objects, bounded; those of a stream with their length before them.

Both sides read what the other side may leave in the middle of a message, and the worker's side may be spoilt by a task;
so a reader trusts nothing but its own bound. The quick coder (msgspec) does what both it and the standard one do alike;
whatever they see differently is the standard one's to decide: NaN, odd keys, lone surrogates, numbers of any size.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

import msgspec

Message = dict[str, Any]

_LENGTH = struct.Struct("!I")
_quick_encode = msgspec.json.Encoder().encode
_quick_decode = msgspec.json.Decoder().decode
_exact_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode


class BadFrame(Exception):
    """What came over the pipe is no message."""


def payload_of(message: Message) -> bytes:
    """The message as JSON. Raises TypeError, ValueError or RecursionError when it is not."""
    try:
        payload = _quick_encode(message)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return _exact_encode(message).encode()
    # the quick one makes a null of NaN: whoever sends many messages sends no null in them
    return _exact_encode(message).encode() if b"null" in payload else payload


def packed(message: Message) -> bytes:
    """The message as bytes for a stream. Raises as ``payload_of``."""
    return framed(payload_of(message))


def framed(payload: bytes) -> bytes:
    """A payload that is a JSON object already."""
    return _LENGTH.pack(len(payload)) + payload


def message_in(payload: bytes) -> Message:
    """The message that these bytes are. Raises BadFrame."""
    try:
        message = _quick_decode(payload)
    except (msgspec.DecodeError, RecursionError):
        try:
            message = json.loads(payload)
        except (ValueError, RecursionError) as error:
            raise BadFrame(f"not JSON: {error}") from error
    if not isinstance(message, dict):
        raise BadFrame("not an object")
    return message


class FrameReader:
    """Bytes in, whole messages out."""

    def __init__(self, limit: int) -> None:
        """``limit``: bytes of the largest message accepted; it may be raised later."""
        self.limit = limit
        self._rest = bytearray()
        self._needed = 4

    def feed(self, data: bytes) -> Iterator[Message]:
        """Messages that are whole now. Raises BadFrame; the stream is of no use afterwards."""
        if self._rest:
            self._rest += data
            if len(self._rest) < self._needed:
                return
            data = bytes(self._rest)
        at, needed = 0, 4
        size = len(data)
        try:
            while size - at >= 4:
                (length,) = _LENGTH.unpack_from(data, at)
                if length > self.limit:
                    raise BadFrame(f"a message of {length} bytes, more than {self.limit}")
                end = at + 4 + length
                if size < end:
                    needed = end - at
                    return
                payload = data[at + 4 : end]
                at = end
                yield message_in(payload)
        finally:
            # the caller may stop in between: what was not handed out is there the next time
            self._rest, self._needed = bytearray(data[at:]), needed
