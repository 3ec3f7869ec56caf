"""What lies between one node and its stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from bench.faults.relay import Relay


@dataclass(frozen=True, slots=True)
class Bundle:
    """The relays to all servers of one store, struck as one."""

    relays: Sequence[Relay]

    @property
    def hosts(self) -> str:
        """The connection string for clients."""
        return ",".join(relay.hosts for relay in self.relays)

    def cut(self) -> None:
        for relay in self.relays:
            relay.cut()

    def stall(self) -> None:
        for relay in self.relays:
            relay.stall()

    def lose_answers(self) -> None:
        for relay in self.relays:
            relay.lose_answers()

    def stall_one(self, client_port: int) -> bool:
        """See `Relay.stall_one`."""
        return any(relay.stall_one(client_port) for relay in self.relays)

    def mend(self) -> None:
        for relay in self.relays:
            relay.mend()

    def close(self) -> None:
        for relay in self.relays:
            relay.close()


class Links:
    """One node's links to PostgreSQL and to each member of the ensemble; ``hosts``: "host:port,..."."""

    def __init__(self, postgres_hosts: str, zookeeper_hosts: str) -> None:
        self.postgres = _bundle(postgres_hosts)
        self.zookeeper = _bundle(zookeeper_hosts)

    def mend(self) -> None:
        self.postgres.mend()
        self.zookeeper.mend()

    def close(self) -> None:
        self.postgres.close()
        self.zookeeper.close()


def through(url: str, relay: Relay) -> str:
    """A URL of the server behind the relay, as it reads through the relay."""
    parts = urlsplit(url)
    credentials, at, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{credentials}{at}{relay.hosts}"))


def _bundle(hosts: str) -> Bundle:
    return Bundle([Relay(host) for host in hosts.split(",")])
