"""How to reach ZooKeeper, and what is left open there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kazoo.security import CREATOR_ALL_ACL, OPEN_ACL_UNSAFE


@dataclass(frozen=True, slots=True)
class ZooKeeperOptions:
    """Everything the adapter needs to be told.

    `hosts`: `host:port,host:port`; a chroot behind the last one is taken as the head of the namespace (a
    chroot that does not exist would answer NoNode to everything, a namespace is created).
    `auth`: `scheme:credential`, for example `digest:user:password`.
    `session_timeout_s`: what is asked for; the server may give another one (2 to 20 of its ticks, if not
    set otherwise).
    `tls_*`: file names; TLS is used when `tls_ca` is given, and the host name is then checked unless
    `tls_check_hostname` is taken away (kazoo's own default is not to check it).
    `poll_s`: a full reading this often, in case a hint was lost. It writes nothing and costs 3 + nodes
    reads, sent as one batch: 100 nodes that poll each 10 s are about 1,000 reads/s in all, a few hundredths
    of what one server answers.
    """

    hosts: str
    namespace: str = "shardkeeper"
    session_timeout_s: float = 6.0
    auth: str | None = field(default=None, repr=False)
    tls_ca: str | None = None
    tls_cert: str | None = None
    tls_key: str | None = None
    tls_key_password: str | None = field(default=None, repr=False)
    tls_check_hostname: bool = True
    poll_s: float = 10.0
    load_every_s: float = 1.0
    stop_timeout_s: float = 3.0

    @property
    def servers(self) -> str:
        """The hosts without a chroot."""
        return self.hosts.partition("/")[0]

    @property
    def root(self) -> str:
        """The absolute path under which everything lies."""
        parts = [*self.hosts.partition("/")[2].split("/"), *self.namespace.split("/")]
        return "/" + "/".join(part for part in parts if part)

    @property
    def operation_timeout_s(self) -> float:
        """How long one batch of calls may take: kazoo calls a link dead after two thirds of the session
        timeout."""
        return max(self.session_timeout_s, 0.5)

    @property
    def credentials(self) -> list[tuple[str, str]]:
        """What kazoo sends at each connection."""
        if self.auth is None:
            return []
        scheme, _, credential = self.auth.partition(":")
        return [(scheme, credential)]

    @property
    def acl(self) -> list[Any]:
        """Who may touch what we create: whoever has our credentials or certificate; without either, the
        world."""
        return list(CREATOR_ALL_ACL if self.auth or self.tls_cert else OPEN_ACL_UNSAFE)

    def open_doors(self) -> tuple[str, ...]:
        """What anybody who reaches the servers could do, for `doctor`; empty when nothing is open."""
        doors = []
        if not self.auth and not self.tls_cert:
            doors.append(
                "anybody who reaches ZooKeeper may change or delete the cluster's znodes: set zookeeper.auth"
            )
        if not self.tls_ca:
            doors.append("the link to ZooKeeper is not encrypted: set zookeeper.tls_ca")
        elif not self.tls_check_hostname:
            doors.append("the host name in ZooKeeper's certificate is not checked")
        return tuple(doors)
