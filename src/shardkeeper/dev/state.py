"""The folder in which `shardkeeper dev` keeps everything between runs."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shlex
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from shardkeeper.dev.options import DevFailed

STATE_VARIABLE: Final = "SHARDKEEPER_STATE_DIR"
SAMPLES: Final = "jobspecs"
_CONTENT: Final = ("postgres", "zookeeper", "nodes", "logs", "env", "shardkeeper.toml", "pids.json")
"""All that is ever made here, and so all that `--fresh` may remove."""


def default_folder(environment: Mapping[str, str], jobspecs: Path) -> Path:
    """SHARDKEEPER_STATE_DIR, else a folder of this user's that survives a reboot and that a server run by another
    user may enter; of its own for spec files in a folder of another name than the samples', so that their jobs do not
    meet."""
    given = environment.get(STATE_VARIABLE)
    if given:
        return Path(given)
    name = re.sub(r"[^A-Za-z0-9._-]", "_", jobspecs.resolve().name)
    return Path(f"/var/tmp/shardkeeper-dev-{os.getuid()}{'' if name == SAMPLES else f'-{name}'}")


class StateFolder:
    """One at a time may use it: `take` locks it for the life of this process."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._lock: int | None = None

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def zookeeper(self) -> Path:
        return self.path / "zookeeper"

    @property
    def nodes(self) -> Path:
        """The nodes' own state: journals."""
        return self.path / "nodes"

    @property
    def logs(self) -> Path:
        """One file for each node."""
        return self.path / "logs"

    @property
    def config(self) -> Path:
        """The settings of this cluster, for nodes and for whoever looks at it."""
        return self.path / "shardkeeper.toml"

    @property
    def env(self) -> Path:
        """What a shell evaluates to look at this cluster."""
        return self.path / "env"

    @property
    def pids(self) -> Path:
        """Who runs: a JSON object of names and process ids."""
        return self.path / "pids.json"

    def take(self, *, fresh: bool) -> None:
        """Make the folder, lock it, and with ``fresh`` empty it. Raises DevFailed when it is somebody else's, or in
        use."""
        # PostgreSQL runs as another user when root starts it, and must be able to pass through
        self.path.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
        status = self.path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise DevFailed(f"{self.path} is not a folder of yours: choose another with {STATE_VARIABLE}")
        self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DevFailed(
                f"another `shardkeeper dev` is using {self.path}: end it, "
                f"or choose another folder with {STATE_VARIABLE}"
            ) from error
        if fresh:
            self._empty()
        self.nodes.mkdir(mode=0o700, exist_ok=True)
        self.logs.mkdir(mode=0o700, exist_ok=True)

    def release(self) -> None:
        """Let another `dev` have it; harmless when it was never taken."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def write_config(self, settings: Mapping[str, Any]) -> None:
        """The settings as TOML; the values are texts, numbers and tables of those, and lists of texts."""
        plain = {name: value for name, value in settings.items() if not isinstance(value, Mapping)}
        tables = {name: value for name, value in settings.items() if isinstance(value, Mapping)}
        lines = [f"{name} = {_toml(value)}" for name, value in plain.items()]
        for table, values in tables.items():
            lines += ["", f"[{table}]", *(f"{name} = {_toml(value)}" for name, value in values.items())]
        _write(self.config, ["# Written by `shardkeeper dev` at each start.", *lines])

    def write_env(self, variables: Mapping[str, str], programs: Path) -> None:
        """What a shell needs to look at this cluster, or to start one more node of it."""
        lines = [f"export {name}={shlex.quote(text)}" for name, text in variables.items()]
        path = shlex.quote(str(programs))
        lines.append(f'case ":$PATH:" in *:{path}:*) ;; *) export PATH={path}:"$PATH" ;; esac')
        _write(self.env, ['# Written by `shardkeeper dev` at each start: eval "$(cat THIS_FILE)"', *lines])

    def write_pids(self, pids: Mapping[str, int]) -> None:
        """Who runs now."""
        _write(self.pids, [json.dumps(dict(pids), indent=2)])

    def _empty(self) -> None:
        for name in _CONTENT:
            path = self.path / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _toml(value: Any) -> str:
    """JSON's texts, numbers and lists of texts are TOML's too."""
    return json.dumps(value, ensure_ascii=False)


def _write(path: Path, lines: list[str]) -> None:
    """Passwords stand in here: for the owner alone, and whole or not at all."""
    scratch = path.with_name(f".{path.name}.new")
    scratch.unlink(missing_ok=True)
    scratch.touch(mode=0o600)
    scratch.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    scratch.replace(path)
