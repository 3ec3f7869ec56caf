"""One ZooKeeper server per test session, one namespace per test."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import Final

from shardkeeper.devservers import ServerUnavailable, ZooKeeperInstallation
from shardkeeper.devservers.zookeeper_server import ZooKeeperOptions
from tests.servers.available import found_or_skip

# A tick of 100 ms grants session timeouts from 0.2 s; members may be out of step for 3 s (a busy machine), a leader
# that misses its majority for longer steps down. fsync off: no test crashes the machine.
TEST_OPTIONS: Final = ZooKeeperOptions(
    tick_ms=100, durable=False, extra={"maxSessionTimeout": "20000", "initLimit": "100", "syncLimit": "30"}
)


@dataclass(frozen=True, slots=True)
class ZooKeeperNamespace:
    """A namespace of one test (no slash in it, not yet created) on a server that other tests use too."""

    hosts: str
    namespace: str


# the ensemble of docker-compose.yml, where this machine has no ZooKeeper of its own but a Docker engine
COMPOSE_SERVICES: Final = ("zookeeper-1", "zookeeper-2", "zookeeper-3")
COMPOSE_HOSTS: Final = "127.0.0.1:21811,127.0.0.1:21812,127.0.0.1:21813"


def only_docker_has_it() -> bool:
    """Whether there is no ZooKeeper to start as a process, but a Docker engine that answers."""
    try:
        ZooKeeperInstallation.find()
    except ServerUnavailable:
        docker = shutil.which("docker")
        return (
            docker is not None
            and subprocess.run([docker, "info"], capture_output=True, check=False).returncode == 0
        )
    return False


def require_zookeeper() -> None:
    """Skips at home, fails in CI, when this machine has no ZooKeeper or no Java."""
    found_or_skip(ZooKeeperInstallation.find)
