"""Fixtures that start real servers; tests/servers/README.md tells how to use them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from shardkeeper.devservers import PostgresServer, ZooKeeperEnsemble, ZooKeeperServer
from tests.servers import PostgresDatabase, PostgresPool, ZooKeeperNamespace
from tests.servers import postgres as postgres_servers
from tests.servers import zookeeper as zookeeper_servers

_MARKED_BY_FIXTURE: Final = {
    "postgres_pool": pytest.mark.postgres,
    "own_postgres": pytest.mark.postgres,
    "zookeeper_hosts": pytest.mark.zookeeper,
    "zookeeper_server": pytest.mark.zookeeper,
    "own_zookeeper": pytest.mark.zookeeper,
    "zookeeper_ensemble": pytest.mark.zookeeper,
}
_LONGEST_FIRST: Final = ("dev", "simulation", "acceptance")
_numbers = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`-m "not postgres and not zookeeper"` chooses what needs no server, without anybody writing the marks. Folders
    with files that take a minute come first, so that at the end no process waits for another's last one."""
    for item in items:
        for name in getattr(item, "fixturenames", ()):
            if name in _MARKED_BY_FIXTURE:
                item.add_marker(_MARKED_BY_FIXTURE[name])
    items.sort(key=_rank)


def _rank(item: pytest.Item) -> int:
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    return _LONGEST_FIRST.index(folder) if folder in _LONGEST_FIRST else len(_LONGEST_FIRST)


@pytest.fixture(scope="session")
def servers_folder() -> Iterator[Path]:
    """A folder that servers may enter even when root starts them as another user; pytest's own are closed to it."""
    folder = Path(tempfile.mkdtemp(prefix="shardkeeper-tests-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def server_folder(servers_folder: Path) -> Iterator[Path]:
    """Such a folder for one test."""
    folder = servers_folder / f"test-{next(_numbers)}"
    folder.mkdir(mode=0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_pool(servers_folder: Path) -> Iterator[PostgresPool]:
    """The session's PostgreSQL servers."""
    pool = PostgresPool(servers_folder)
    yield pool
    pool.close()


@pytest.fixture
def postgres(request: pytest.FixtureRequest, postgres_pool: PostgresPool) -> Iterator[PostgresDatabase]:
    """An empty database on PostgreSQL 18, or on the versions given by `@on_both_postgres`."""
    with postgres_pool.database(getattr(request, "param", postgres_servers.EMBEDDED_VERSION)) as database:
        yield database


@pytest.fixture
def own_postgres(request: pytest.FixtureRequest, server_folder: Path) -> Iterator[PostgresServer]:
    """A running server of the test's own, which it may kill, freeze and restart."""
    version = getattr(request, "param", postgres_servers.EMBEDDED_VERSION)
    installation = postgres_servers.installation(version)
    with PostgresServer(server_folder / "postgres", installation, postgres_servers.TEST_OPTIONS) as server:
        yield server


@pytest.fixture(scope="session")
def zookeeper_server(servers_folder: Path) -> Iterator[ZooKeeperServer]:
    """The session's ZooKeeper server: other tests use it too."""
    zookeeper_servers.require_zookeeper()
    with ZooKeeperServer(servers_folder / "zookeeper", zookeeper_servers.TEST_OPTIONS) as server:
        yield server


@pytest.fixture(scope="session")
def docker_compose_file(pytestconfig: pytest.Config) -> str:
    """Tells pytest-docker what to start."""
    return str(pytestconfig.rootpath / "docker-compose.yml")


@pytest.fixture(scope="session")
def docker_compose_project_name() -> str:
    """The project that `make demo` uses too: whoever comes second finds it running."""
    return "shardkeeper"


@pytest.fixture(scope="session")
def docker_setup() -> list[str]:
    """The ensemble alone, not the nodes."""
    return [f"up --detach --wait {' '.join(zookeeper_servers.COMPOSE_SERVICES)}"]


@pytest.fixture(scope="session")
def docker_cleanup() -> list[str]:
    """Left running for the next session, and for a demo that may be using it."""
    return []


@pytest.fixture(scope="session")
def zookeeper_hosts(request: pytest.FixtureRequest) -> str:
    """The session's ZooKeeper: a process, or docker-compose.yml's ensemble where only Docker has one."""
    if zookeeper_servers.only_docker_has_it():
        request.getfixturevalue("docker_services")
        return zookeeper_servers.COMPOSE_HOSTS
    server: ZooKeeperServer = request.getfixturevalue("zookeeper_server")
    return server.hosts


@pytest.fixture
def zookeeper(zookeeper_hosts: str) -> ZooKeeperNamespace:
    """A namespace of the test's own on the session's ZooKeeper."""
    return ZooKeeperNamespace(zookeeper_hosts, f"test-{uuid4().hex[:12]}")


@pytest.fixture
def own_zookeeper(server_folder: Path) -> Iterator[ZooKeeperServer]:
    """A running server of the test's own, which it may kill, freeze and restart."""
    zookeeper_servers.require_zookeeper()
    with ZooKeeperServer(server_folder / "zookeeper", zookeeper_servers.TEST_OPTIONS) as server:
        yield server


@pytest.fixture
def zookeeper_ensemble(server_folder: Path) -> Iterator[ZooKeeperEnsemble]:
    """A running ensemble of three of the test's own (about two seconds to start)."""
    zookeeper_servers.require_zookeeper()
    with ZooKeeperEnsemble(server_folder / "ensemble", zookeeper_servers.TEST_OPTIONS) as ensemble:
        yield ensemble
