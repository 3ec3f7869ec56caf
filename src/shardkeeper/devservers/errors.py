"""What can go wrong with a local server."""

from __future__ import annotations

from shardkeeper.domain.errors import Unreachable


class ServerUnavailable(Unreachable):
    """This machine has not what the server needs."""


class ServerFailed(Unreachable):
    """The server did not start, or ended by itself."""
