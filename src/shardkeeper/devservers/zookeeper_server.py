"""One ZooKeeper server as a Java process on loopback."""

from __future__ import annotations

import signal
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from shardkeeper.devservers.errors import ServerFailed
from shardkeeper.devservers.ports import LOOPBACK, ReservedPort
from shardkeeper.devservers.processes import ServerCommand, ServerProcess, freeze, thaw
from shardkeeper.devservers.zookeeper_installation import ZooKeeperInstallation

_MAIN: Final = "org.apache.zookeeper.server.quorum.QuorumPeerMain"
_READY_TIMEOUT_S: Final = 30.0
_STOP_TIMEOUT_S: Final = 10.0
_ASK_TIMEOUT_S: Final = 2.0
_BIND_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class ZooKeeperOptions:
    """`tick_ms`: ZooKeeper's tick; it grants session timeouts of 2 to 20 ticks. `durable`: fsync each write; without
    it a crash of the machine, not of the server, loses data. `extra`: further lines of zoo.cfg."""

    tick_ms: int = 500
    durable: bool = True
    extra: dict[str, str] = field(default_factory=dict)


class ZooKeeperServer:
    """A single server, or one of an ensemble when it is given an identity.

    Its data stay in `folder` through `stop`, `kill` and `start`; its port stays its own until `close`.
    """

    def __init__(self, folder: Path, options: ZooKeeperOptions | None = None) -> None:
        self.folder = folder
        self.options = options or ZooKeeperOptions()
        self.installation = ZooKeeperInstallation.find()
        self._port: ReservedPort | None = None
        self._process: ServerProcess | None = None
        self._my_id: int | None = None
        self._ensemble_lines: tuple[str, ...] = ()

    @property
    def port(self) -> int:
        if self._port is None:
            self._port = ReservedPort.take()
        return self._port.number

    @property
    def hosts(self) -> str:
        """The connection string for clients."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.alive

    def join(self, my_id: int, ensemble_lines: Sequence[str]) -> None:
        """Make it member `my_id` of an ensemble described by zoo.cfg's `server.N` lines; before `start`."""
        self._my_id = my_id
        self._ensemble_lines = tuple(ensemble_lines)

    def start(self) -> None:
        """Start and wait until it serves; does nothing when it runs. Raises `ServerFailed`."""
        tries = _BIND_TRIES
        while not self.alive:
            tries -= 1
            try:
                self.launch()
                self.wait_until_serving()
            except ServerFailed as error:
                self.stop()
                # somebody who does not use ReservedPort took the port; a member's port is known to the others
                if tries == 0 or self._my_id is not None or "BindException" not in str(error):
                    raise
                self.close()

    def launch(self) -> None:
        """Start without waiting: a member of an ensemble serves only when a majority is up."""
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        if self._my_id is not None:
            (data / "myid").write_text(f"{self._my_id}\n")
        configuration = self.folder / "zoo.cfg"
        configuration.write_text(self._configuration(data))
        log = self.folder / "zookeeper.log"
        self._process = ServerProcess(
            ServerCommand(
                argv=self._argv(configuration),
                folder=self.folder,
                log=log,
                death_signal=signal.SIGKILL,
                environment={},
            )
        )

    def wait_until_serving(self, timeout_s: float = _READY_TIMEOUT_S) -> None:
        """Wait until it answers clients; raises `ServerFailed`."""
        what = f"ZooKeeper on {self.hosts}"
        self._running().wait_until_ready(lambda: self.mode() is not None, timeout_s, what)

    def mode(self) -> str | None:
        """`standalone`, `leader` or `follower` (as `srvr` says it), None while it serves nobody."""
        for line in self.ask("srvr").splitlines():
            if line.startswith("Mode: "):
                return line.removeprefix("Mode: ").strip()
        return None

    def ask(self, word: str) -> str:
        """The answer to one of ZooKeeper's four-letter commands; empty when nobody answers."""
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=_ASK_TIMEOUT_S) as link:
                link.sendall(word.encode())
                return b"".join(iter(lambda: link.recv(65536), b"")).decode(errors="replace")
        except OSError:
            return ""

    def stop(self) -> None:
        """End it; data and port are kept. Harmless when it does not run."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill and start on the same port with the same data."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Freeze it (SIGSTOP): its connections stay open and silent."""
        freeze([self.pid], _STOP_TIMEOUT_S)

    def resume(self) -> None:
        """Let a frozen one go on (SIGCONT)."""
        thaw([self.pid])

    def close(self) -> None:
        """Stop it and give its port back."""
        self.stop()
        if self._port is not None:
            self._port.release()
            self._port = None

    def log_tail(self) -> str:
        return self._running().log_tail()

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

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.end(number, _STOP_TIMEOUT_S)

    def _running(self) -> ServerProcess:
        if self._process is None:
            raise ServerFailed("the ZooKeeper server was never started")
        return self._process

    def _configuration(self, data: Path) -> str:
        lines = {
            "tickTime": str(self.options.tick_ms),
            "initLimit": "20",
            "syncLimit": "10",
            "dataDir": str(data),
            "clientPort": str(self.port),
            "clientPortAddress": LOOPBACK,
            "admin.enableServer": "false",
            "4lw.commands.whitelist": "*",
            "maxClientCnxns": "0",
            "autopurge.purgeInterval": "1",
            **self.options.extra,
        }
        return "".join(f"{key}={value}\n" for key, value in lines.items()) + "".join(
            f"{line}\n" for line in self._ensemble_lines
        )

    def _argv(self, configuration: Path) -> tuple[str, ...]:
        # a small heap and the simplest collector and compiler: up in under a second, about 60 MB
        flags = ["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]
        flags += ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Djava.net.preferIPv4Stack=true"]
        if not self.options.durable:
            flags.append("-Dzookeeper.forceSync=no")
        java = self.installation
        return (java.java, *flags, "-cp", java.class_path, _MAIN, str(configuration))
