"""An ensemble of ZooKeeper servers on loopback."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

from shardkeeper.devservers.ports import LOOPBACK, ReservedPort
from shardkeeper.devservers.zookeeper_server import ZooKeeperOptions, ZooKeeperServer


class ZooKeeperEnsemble:
    """`size` servers (three: one may fail). Members are stopped, killed, frozen and restarted one by one."""

    def __init__(self, folder: Path, options: ZooKeeperOptions | None = None, size: int = 3) -> None:
        self.members = tuple(ZooKeeperServer(folder / f"server-{n}", options) for n in range(1, size + 1))
        self._peer_ports: list[ReservedPort] = []

    @property
    def hosts(self) -> str:
        """The connection string for clients, all members in it."""
        return ",".join(member.hosts for member in self.members)

    def start(self) -> None:
        """Start whoever does not run and wait until all serve; raises `ServerFailed`."""
        if not self._peer_ports:
            self._peer_ports = [ReservedPort.take() for _ in range(2 * len(self.members))]
            lines = [
                f"server.{n}={LOOPBACK}:{self._peer_ports[2 * n - 2].number}:{self._peer_ports[2 * n - 1].number}"
                for n in range(1, len(self.members) + 1)
            ]
            for n, member in enumerate(self.members, start=1):
                member.join(n, lines)
        for member in self.members:
            if not member.alive:
                member.launch()
        self.wait_until_serving()

    def wait_until_serving(self) -> None:
        """Wait until every member answers clients; raises `ServerFailed`."""
        for member in self.members:
            member.wait_until_serving()

    def leader(self) -> ZooKeeperServer | None:
        """The member that leads now; None while there is no quorum."""
        return next((member for member in self.members if member.alive and member.mode() == "leader"), None)

    def followers(self) -> tuple[ZooKeeperServer, ...]:
        """The members that follow now."""
        return tuple(member for member in self.members if member.alive and member.mode() == "follower")

    def pause(self) -> None:
        """Freeze all members."""
        for member in self.members:
            member.pause()

    def resume(self) -> None:
        """Let all members go on."""
        for member in self.members:
            member.resume()

    def kill(self) -> None:
        """Kill all members."""
        for member in self.members:
            member.kill()

    def close(self) -> None:
        """Stop all members and give the ports back."""
        for member in self.members:
            member.kill()
            member.close()
        for port in self._peer_ports:
            port.release()
        self._peer_ports = []

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
