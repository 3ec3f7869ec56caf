"""One PostgreSQL server as a local process, on a loopback port and a Unix socket."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psycopg
from psycopg import sql

from shardkeeper.devservers.errors import ServerFailed
from shardkeeper.devservers.ports import LOOPBACK, ReservedPort
from shardkeeper.devservers.postgres_data import SUPERUSER, PostgresData
from shardkeeper.devservers.postgres_installation import PostgresInstallation
from shardkeeper.devservers.processes import (
    ServerCommand,
    ServerProcess,
    children_of,
    freeze,
    signal_if_there,
    thaw,
    wait_until_gone,
)

_READY_TIMEOUT_S: Final = 60.0
_STOP_TIMEOUT_S: Final = 30.0
_BIND_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class PostgresOptions:
    """`durable`: fsync; without it a crash of the machine loses data, a crash or an immediate restart of the server
    does not. `settings`: further settings of postgresql.conf."""

    durable: bool = True
    max_connections: int = 200
    settings: Mapping[str, str] = field(default_factory=dict)


class PostgresServer:
    """Its data stay in `folder` through `stop`, `kill` and `start`; its port stays its own until `close`.

    `folder` must not lie in a home folder when root starts it: the server runs as an unprivileged user then.
    """

    def __init__(
        self,
        folder: Path,
        installation: PostgresInstallation | None = None,
        options: PostgresOptions | None = None,
    ) -> None:
        self.folder = folder
        self.options = options or PostgresOptions()
        self._data = PostgresData(folder, installation or PostgresInstallation.embedded())
        self._port: ReservedPort | None = None
        self._process: ServerProcess | None = None

    @property
    def version(self) -> int:
        """The major version."""
        return self.installation.version

    @property
    def installation(self) -> PostgresInstallation:
        """The programs that are run."""
        return self._data.installation

    @property
    def port(self) -> int:
        if self._port is None:
            self._port = ReservedPort.take()
        return self._port.number

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.alive

    def url(self, database: str = "postgres") -> str:
        """The superuser's URL of a database, over TCP."""
        return f"postgresql://{SUPERUSER}:{self._data.password()}@{LOOPBACK}:{self.port}/{database}"

    def socket_url(self, database: str = "postgres") -> str:
        """The same over the Unix socket."""
        return f"postgresql://{SUPERUSER}:{self._data.password()}@:{self.port}/{database}?host={self._data.sockets()}"

    def start(self) -> None:
        """Make the data folder when there is none, start, wait until connections are taken; does nothing when it
        runs. Raises `ServerFailed`, and `ServerUnavailable` when the folder cannot be used."""
        self._data.initialize()
        tries = _BIND_TRIES
        while not self.alive:
            tries -= 1
            try:
                self._start_once()
            except ServerFailed as error:
                self._end(signal.SIGQUIT)
                # somebody who does not use ReservedPort took the port
                if tries == 0 or "Address already in use" not in str(error):
                    raise
                self.close()

    def stop(self) -> None:
        """Fast shutdown: connections are cut, everything is written. Harmless when it does not run."""
        self._end(signal.SIGINT)

    def stop_immediately(self) -> None:
        """Immediate shutdown: no checkpoint, clients learn nothing, the next start recovers."""
        self._end(signal.SIGQUIT)

    def restart_immediately(self) -> None:
        """Immediate shutdown and start, on the same port."""
        self.stop_immediately()
        self.start()

    def kill(self) -> None:
        """End it and all its backends with SIGKILL, as a crash of the machine would."""
        if not self.alive:
            return
        everybody = self._processes()
        for pid in everybody:
            signal_if_there(pid, signal.SIGKILL)
        self._end(signal.SIGKILL)
        wait_until_gone(everybody, _STOP_TIMEOUT_S)

    def pause(self) -> None:
        """Freeze it and all its backends (SIGSTOP): connections stay open and silent."""
        freeze(self._processes(), _STOP_TIMEOUT_S)

    def resume(self) -> None:
        """Let a frozen one go on (SIGCONT)."""
        thaw(self._processes())

    def close(self) -> None:
        """Stop it and give its port back."""
        if self.alive:
            self.resume()
        self.stop()
        if self._port is not None:
            self._port.release()
            self._port = None
        self._data.close()

    def create_database(self, name: str, template: str | None = None) -> str:
        """Make a database, as a copy of `template` where given (nobody may be connected to that); returns its URL."""
        source = sql.Identifier(template or "template0")
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY {}").format(
                    # copying a template's files is quicker than logging them when nothing is fsynced
                    sql.Identifier(name),
                    source,
                    sql.SQL("wal_log" if self.options.durable else "file_copy"),
                )
            )
        return self.url(name)

    def ensure_database(self, name: str) -> str:
        """Make a database where there is none of that name; returns its URL."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            found = connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone()
        return self.url(name) if found is not None else self.create_database(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, cutting whoever is connected; harmless when there is none."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

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

    def _start_once(self) -> None:
        self._process = ServerProcess(
            ServerCommand(
                argv=self._argv(),
                folder=self._data.data,
                log=self.folder / "postgresql.log",
                # a fast shutdown when we die
                death_signal=signal.SIGINT,
                environment={"LC_ALL": "C"},
                run_as=self._data.run_as,
            )
        )
        self._process.wait_until_ready(
            self._takes_connections, _READY_TIMEOUT_S, f"PostgreSQL on port {self.port}"
        )

    def _takes_connections(self) -> bool:
        """postmaster.pid says so, and that it is this very process: a port could be somebody else's."""
        try:
            lines = (self._data.data / "postmaster.pid").read_text().split("\n")
        except OSError:
            return False
        return lines[0] == str(self._running().pid) and len(lines) > 7 and lines[7].strip() == "ready"

    def _argv(self) -> tuple[str, ...]:
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": str(self._data.sockets()),
            "max_connections": str(self.options.max_connections),
            "shared_buffers": "64MB",
            **({} if self.options.durable else {"fsync": "off", "full_page_writes": "off"}),
            **self.options.settings,
        }
        flags = (part for name, value in settings.items() for part in ("-c", f"{name}={value}"))
        return (str(self.installation.programs / "postgres"), "-D", str(self._data.data), *flags)

    def _processes(self) -> tuple[int, ...]:
        pid = self._running().pid
        return (pid, *children_of(pid))

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.end(number, _STOP_TIMEOUT_S)

    def _running(self) -> ServerProcess:
        if self._process is None:
            raise ServerFailed("the PostgreSQL server was never started")
        return self._process
