"""One PostgreSQL server as a local process, on a loopback port and a Unix socket."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psycopg
from psycopg import sql

from shardkeeper.devservers.errors import ServerFailed, ServerUnavailable
from shardkeeper.devservers.ports import LOOPBACK, ReservedPort
from shardkeeper.devservers.postgres_installation import PostgresInstallation, may_enter, unprivileged_user
from shardkeeper.devservers.processes import (
    RunAs,
    ServerCommand,
    ServerProcess,
    children_of,
    freeze,
    signal_if_there,
    thaw,
    wait_until_gone,
)

SUPERUSER: Final = "postgres"
_READY_TIMEOUT_S: Final = 60.0
_STOP_TIMEOUT_S: Final = 30.0
_INITDB_TIMEOUT_S: Final = 120.0
_BIND_TRIES: Final = 5
_LONGEST_SOCKET_FOLDER: Final = 80  # bytes; the kernel allows 107 for folder and file name together


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
        self._run_as = unprivileged_user()
        found = installation or PostgresInstallation.embedded()
        self.installation = found if self._run_as is None else found.reachable_for(self._run_as)
        self._data = folder / "data"
        self._password_file = folder / "password"
        self._socket_folder: Path | None = None
        self._port: ReservedPort | None = None
        self._process: ServerProcess | None = None

    @property
    def version(self) -> int:
        """The major version."""
        return self.installation.version

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
        return f"postgresql://{SUPERUSER}:{self._password()}@{LOOPBACK}:{self.port}/{database}"

    def socket_url(self, database: str = "postgres") -> str:
        """The same over the Unix socket."""
        return f"postgresql://{SUPERUSER}:{self._password()}@:{self.port}/{database}?host={self._sockets()}"

    def start(self) -> None:
        """Make the data folder when there is none, start, wait until connections are taken; does nothing when it
        runs. Raises `ServerFailed`, and `ServerUnavailable` when the folder cannot be used."""
        self._initialize()
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
        if self._socket_folder is not None and self._socket_folder.parent != self.folder:
            shutil.rmtree(self._socket_folder, ignore_errors=True)
            self._socket_folder = None

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
                folder=self._data,
                log=self.folder / "postgresql.log",
                # a fast shutdown when we die
                death_signal=signal.SIGINT,
                environment={"LC_ALL": "C"},
                run_as=self._run_as,
            )
        )
        self._process.wait_until_ready(
            self._takes_connections, _READY_TIMEOUT_S, f"PostgreSQL on port {self.port}"
        )

    def _takes_connections(self) -> bool:
        """postmaster.pid says so, and that it is this very process: a port could be somebody else's."""
        try:
            lines = (self._data / "postmaster.pid").read_text().split("\n")
        except OSError:
            return False
        return lines[0] == str(self._running().pid) and len(lines) > 7 and lines[7].strip() == "ready"

    def _argv(self) -> tuple[str, ...]:
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": str(self._sockets()),
            "max_connections": str(self.options.max_connections),
            "shared_buffers": "64MB",
            **({} if self.options.durable else {"fsync": "off", "full_page_writes": "off"}),
            **self.options.settings,
        }
        flags = (part for name, value in settings.items() for part in ("-c", f"{name}={value}"))
        return (str(self.installation.programs / "postgres"), "-D", str(self._data), *flags)

    def _initialize(self) -> None:
        version_file = self._data / "PG_VERSION"
        if version_file.exists():
            found = version_file.read_text().strip()
            if found != str(self.version):
                raise ServerFailed(
                    f"{self._data} is of PostgreSQL {found}, not {self.version}: use a fresh folder"
                )
            owner = self._data.stat()
            if self._run_as is not None:
                self._run_as = RunAs(owner.st_uid, owner.st_gid)
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        self._check_reachable()
        self._make_folder(self._data)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(secrets.token_urlsafe(18))
        with tempfile.NamedTemporaryFile("w", dir=self._data.parent) as handed_over:
            handed_over.write(self._password())
            handed_over.flush()
            self._own(Path(handed_over.name))
            self._run_initdb(handed_over.name)

    def _run_initdb(self, password_file: str) -> None:
        argv = [str(self.installation.programs / "initdb"), "-D", str(self._data), "-U", SUPERUSER]
        argv += [
            "--auth=scram-sha-256",
            f"--pwfile={password_file}",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]
        user = self._run_as
        done = subprocess.run(
            argv,
            cwd=self._data,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_INITDB_TIMEOUT_S,
            user=None if user is None else user.uid,
            group=None if user is None else user.gid,
            extra_groups=None if user is None else [],
        )
        if done.returncode != 0:
            shutil.rmtree(self._data, ignore_errors=True)
            raise ServerFailed(f"initdb failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")

    def _check_reachable(self) -> None:
        if self._run_as is not None and not may_enter(self.folder, self._run_as):
            raise ServerUnavailable(
                f"PostgreSQL runs as uid {self._run_as.uid} when root starts it, and that user may not enter "
                f"{self.folder}: choose a folder outside home folders"
            )

    def _sockets(self) -> Path:
        if self._socket_folder is None:
            folder = self.folder / "sockets"
            if len(os.fsencode(folder)) > _LONGEST_SOCKET_FOLDER:
                folder = Path(tempfile.mkdtemp(prefix="shardkeeper-sockets-"))
            self._make_folder(folder)
            self._socket_folder = folder
        return self._socket_folder

    def _make_folder(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        self._own(folder)

    def _own(self, path: Path) -> None:
        if self._run_as is not None:
            os.chown(path, self._run_as.uid, self._run_as.gid)

    def _password(self) -> str:
        return self._password_file.read_text()

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
