"""The folder of one PostgreSQL server: made by initdb, owned by whom the server runs as, with its password."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from shardkeeper.devservers.errors import ServerFailed, ServerUnavailable
from shardkeeper.devservers.postgres_installation import PostgresInstallation, may_enter, unprivileged_user
from shardkeeper.devservers.processes import RunAs

SUPERUSER: Final = "postgres"
_INITDB_TIMEOUT_S: Final = 120.0
_LONGEST_SOCKET_FOLDER: Final = 80  # bytes; the kernel allows 107 for folder and file name together


class PostgresData:
    """`folder` holds `data`, `password` (for its owner alone) and `sockets`.

    `run_as`: whom the server runs as, None: ourselves. `installation`: the programs, where that user may start them.
    """

    def __init__(self, folder: Path, installation: PostgresInstallation) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.run_as = self._owner_of_data() or unprivileged_user()
        self.installation = installation if self.run_as is None else installation.reachable_for(self.run_as)
        self._password_file = folder / "password"
        self._sockets: Path | None = None

    def initialize(self) -> None:
        """Make what is missing. Raises `ServerFailed` when the data are of another major version or initdb fails,
        `ServerUnavailable` when the server's user may not enter the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._check_reachable()
        version_file = self.data / "PG_VERSION"
        if not version_file.exists():
            return self._make_data()
        found = version_file.read_text().strip()
        if found != str(self.installation.version):
            wanted = self.installation.version
            raise ServerFailed(f"{self.data} is of PostgreSQL {found}, not {wanted}: use a fresh folder")
        return None

    def password(self) -> str:
        """The superuser's, made at random by `initialize`."""
        return self._password_file.read_text()

    def sockets(self) -> Path:
        """The folder of the Unix socket: a short one elsewhere where `folder` has too long a name for the kernel."""
        if self._sockets is None:
            sockets = self.folder / "sockets"
            if len(os.fsencode(sockets)) > _LONGEST_SOCKET_FOLDER:
                sockets = Path(tempfile.mkdtemp(prefix="shardkeeper-sockets-"))
            sockets.mkdir(mode=0o700, exist_ok=True)
            self._own(sockets)
            self._sockets = sockets
        return self._sockets

    def close(self) -> None:
        """Remove what lies outside the folder."""
        if self._sockets is not None and self._sockets.parent != self.folder:
            shutil.rmtree(self._sockets, ignore_errors=True)
        self._sockets = None

    def _make_data(self) -> None:
        self._password_file.unlink(missing_ok=True)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(secrets.token_urlsafe(18))
        # made aside and moved when complete: an initdb that was killed leaves nothing that looks like data
        with tempfile.TemporaryDirectory(dir=self.folder, prefix="making-") as scratch:
            self._own(Path(scratch))
            handed_over = Path(scratch) / "password"
            handed_over.write_text(self.password())
            self._own(handed_over)
            self._run_initdb(Path(scratch) / "data", handed_over)
            (Path(scratch) / "data").rename(self.data)

    def _run_initdb(self, data: Path, password_file: Path) -> None:
        argv = [str(self.installation.programs / "initdb"), "-D", str(data), "-U", SUPERUSER, "--no-sync"]
        argv += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8", "--locale=C"]
        user = self.run_as
        done = subprocess.run(
            argv,
            cwd=data.parent,
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
            raise ServerFailed(f"initdb failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")

    def _owner_of_data(self) -> RunAs | None:
        """Whom data of an earlier start belong to, when we are root."""
        if os.geteuid() != 0 or not self.data.exists() or self.data.stat().st_uid == 0:
            return None
        status = self.data.stat()
        return RunAs(status.st_uid, status.st_gid)

    def _check_reachable(self) -> None:
        if self.run_as is not None and not may_enter(self.folder, self.run_as):
            raise ServerUnavailable(
                f"PostgreSQL runs as uid {self.run_as.uid} when root starts it, and that user may not enter "
                f"{self.folder}: choose a folder outside home folders"
            )

    def _own(self, path: Path) -> None:
        if self.run_as is not None:
            os.chown(path, self.run_as.uid, self.run_as.gid)
