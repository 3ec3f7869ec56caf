"""What a ZooKeeper server says of itself: its four-letter words, read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from shardkeeper.devservers.zookeeper_server import ZooKeeperServer

_ZXID = "Zxid: "
_COUNTER_BITS = 32
"""The upper half of a transaction id is the epoch of the server's leader, the lower half counts its transactions."""


@dataclass(frozen=True, slots=True)
class Standing:
    """``bytes``: of all paths and contents together; ``writes``: transactions so far, of which each write, and each
    beginning or end of a session, is one; ``packets``: requests received so far, pings among them."""

    znodes: int
    watches: int
    bytes: int
    writes: int
    packets: int


def standing(server: ZooKeeperServer) -> Standing:
    """As it is now. Raises ValueError when the server does not answer."""
    found = counters(server.ask("mntr"))
    if not found:
        raise ValueError("ZooKeeper does not answer")
    return Standing(
        found["zk_znode_count"],
        found["zk_watch_count"],
        found["zk_approximate_data_size"],
        transactions(server.ask("srvr")),
        found["zk_packets_received"],
    )


def counters(answer: str) -> Mapping[str, int]:
    """The whole numbers in an answer to ``mntr``, by name."""
    pairs = (line.split("\t", 1) for line in answer.splitlines() if "\t" in line)
    return {name: int(value) for name, value in pairs if value.isdigit()}


def transactions(answer: str) -> int:
    """The count in the transaction id of an answer to ``srvr``. Raises ValueError where there is none."""
    for line in answer.splitlines():
        if line.startswith(_ZXID):
            return int(line.removeprefix(_ZXID), 16) & ((1 << _COUNTER_BITS) - 1)
    raise ValueError("no transaction id in what ZooKeeper says")
