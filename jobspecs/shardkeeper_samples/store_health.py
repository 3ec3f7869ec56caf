"""A health probe of the very ZooKeeper and PostgreSQL that Shardkeeper runs on: does each answer, and how fast?

Two items, one per server. Addresses (host:port) come from the environment: ``SAMPLE_ZOOKEEPER`` and
``SAMPLE_POSTGRES``. The parameter
``slow_ms`` is what counts as too slow.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from typing import Any

from shardkeeper import DistributeTask, ShardContext, ValidationError

SSL_REQUEST = struct.pack("!ii", 8, 80877103)
"""The first message of PostgreSQL's protocol: the server answers S or N, before any authentication."""


class StoreHealth(DistributeTask):
    """Opens a connection, says hello, measures the answer."""

    def initialize(self, context: ShardContext) -> tuple[str, int]:
        """The address of the server that this item is for."""
        name = f"SAMPLE_{(context.item_parameter or '').upper()}"
        host, _, port = os.environ[name].rpartition(":")
        return host, int(port)

    def calculate(self, context: ShardContext, data: tuple[str, int]) -> dict[str, Any]:
        """Three hellos; the quickest counts, so that one hiccup is no illness."""
        hello = _zookeeper if context.item_parameter == "zookeeper" else _postgres
        answers = [hello(*data) for _ in range(3)]
        milliseconds, said = min(answers)
        return {"server": context.item_parameter, "milliseconds": round(milliseconds, 2), "said": said}

    def validate_calculation(self, context: ShardContext, values: dict[str, Any]) -> None:
        """A server that answers too slowly is reported as ill."""
        if values["milliseconds"] > context.parameters["slow_ms"]:
            raise ValidationError(f"{values['server']} took {values['milliseconds']} ms to answer")


def _zookeeper(host: str, port: int) -> tuple[float, str]:
    """The four-letter word ``srvr``: version and mode."""
    began = time.monotonic()
    answer = b""
    with socket.create_connection((host, port), timeout=5) as link:
        link.sendall(b"srvr")
        while piece := link.recv(4096):
            answer += piece
    lines = answer.decode().splitlines()
    return (time.monotonic() - began) * 1000, next(
        (line for line in lines if line.startswith("Mode")), "no mode"
    )


def _postgres(host: str, port: int) -> tuple[float, str]:
    began = time.monotonic()
    with socket.create_connection((host, port), timeout=5) as link:
        link.sendall(SSL_REQUEST)
        answer = link.recv(1)
    if answer not in (b"S", b"N"):
        raise ConnectionError(f"the server at {host}:{port} does not speak PostgreSQL's protocol")
    return (time.monotonic() - began) * 1000, "TLS offered" if answer == b"S" else "no TLS"
