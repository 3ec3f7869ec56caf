"""Where this machine keeps ZooKeeper and Java."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shardkeeper.devservers.errors import ServerUnavailable

_DEBIAN_JARS: Final = Path("/usr/share/java")
_MISSING: Final = (
    "no ZooKeeper on this machine: install Debian's packages libzookeeper-java and default-jre-headless, "
    "or set ZOOKEEPER_HOME to an unpacked ZooKeeper, or use --standalone"
)


@dataclass(frozen=True, slots=True)
class ZooKeeperInstallation:
    """The `java` to run and the class path that holds ZooKeeper's server."""

    java: str
    class_path: str

    @classmethod
    def find(cls) -> ZooKeeperInstallation:
        """`ZOOKEEPER_HOME` when set, else Debian's jars; raises `ServerUnavailable` with what to do."""
        java_home = os.environ.get("JAVA_HOME")
        java = shutil.which("java", path=f"{java_home}/bin") if java_home else None
        java = java or shutil.which("java")
        class_path = _unpacked(os.environ.get("ZOOKEEPER_HOME")) or _debian()
        if java is None or class_path is None:
            raise ServerUnavailable(_MISSING)
        return cls(java, class_path)


def _unpacked(home: str | None) -> str | None:
    if not home:
        return None
    folders = [folder for folder in (Path(home) / "lib", Path(home)) if any(folder.glob("zookeeper*.jar"))]
    if not folders:
        raise ServerUnavailable(f"ZOOKEEPER_HOME={home} holds no zookeeper*.jar, nor does its lib folder")
    return os.pathsep.join(f"{folder}/*" for folder in folders)


def _debian() -> str | None:
    jar = _DEBIAN_JARS / "zookeeper.jar"
    # slf4j-simple prints the server's log to standard error; Debian's jar names everything else it needs itself
    return f"{jar}{os.pathsep}{_DEBIAN_JARS / 'slf4j-simple.jar'}" if jar.exists() else None
