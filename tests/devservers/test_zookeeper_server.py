from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kazoo.client import KazooClient

from shardkeeper.devservers import (
    ServerFailed,
    ServerUnavailable,
    ZooKeeperEnsemble,
    ZooKeeperInstallation,
    ZooKeeperServer,
)
from shardkeeper.devservers.ports import LOOPBACK, ReservedPort
from tests.servers import ZooKeeperNamespace
from tests.servers.zookeeper import require_zookeeper
from tests.waiting import wait_until


@contextmanager
def client_of(hosts: str) -> Iterator[KazooClient]:
    client = KazooClient(hosts=hosts, timeout=5)
    client.start(timeout=15)
    try:
        yield client
    finally:
        client.stop()
        client.close()


def test_each_test_has_a_namespace_that_does_not_exist_yet(zookeeper: ZooKeeperNamespace) -> None:
    with client_of(zookeeper.hosts) as client:
        assert client.exists(f"/{zookeeper.namespace}") is None


@pytest.mark.parametrize("hurt", [ZooKeeperServer.kill, ZooKeeperServer.stop])
def test_data_and_port_survive(
    hurt: Callable[[ZooKeeperServer], None], own_zookeeper: ZooKeeperServer
) -> None:
    hosts = own_zookeeper.hosts
    with client_of(hosts) as client:
        client.create("/kept", b"value")
    hurt(own_zookeeper)
    assert not own_zookeeper.alive
    assert own_zookeeper.mode() is None
    own_zookeeper.start()
    assert own_zookeeper.hosts == hosts
    with client_of(hosts) as client:
        assert client.get("/kept")[0] == b"value"


def test_a_frozen_server_is_silent_and_can_go_on(own_zookeeper: ZooKeeperServer) -> None:
    own_zookeeper.pause()
    with socket.create_connection((LOOPBACK, own_zookeeper.port), timeout=0.3) as link:
        link.sendall(b"ruok")
        with pytest.raises(TimeoutError):
            link.recv(4)
    own_zookeeper.resume()
    assert own_zookeeper.ask("ruok") == "imok"


def test_a_port_taken_by_a_stranger_is_given_up_for_another(
    server_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_zookeeper()
    with socket.socket() as stranger:
        stranger.bind((LOOPBACK, 0))
        stranger.listen()
        taken = stranger.getsockname()[1]
        honest = ReservedPort.take()
        offers = iter([ReservedPort(taken, stranger.dup().detach()), honest])
        monkeypatch.setattr(ReservedPort, "take", lambda: next(offers))
        with ZooKeeperServer(server_folder) as server:
            assert server.port == honest.number
            assert server.mode() == "standalone"


def test_a_server_that_cannot_start_says_why(server_folder: Path) -> None:
    require_zookeeper()
    server = ZooKeeperServer(server_folder)
    (server_folder / "data").write_text("not a folder")
    with pytest.raises((ServerFailed, FileExistsError)):
        server.start()


def test_the_others_elect_a_new_leader_when_it_is_killed(zookeeper_ensemble: ZooKeeperEnsemble) -> None:
    leader = zookeeper_ensemble.leader()
    assert leader is not None
    assert len(zookeeper_ensemble.followers()) == 2
    with client_of(zookeeper_ensemble.hosts) as client:
        client.create("/kept", b"value")
    leader.kill()
    wait_until(lambda: zookeeper_ensemble.leader() not in (None, leader), 20, "a new leader")
    with client_of(zookeeper_ensemble.hosts) as client:
        assert client.get("/kept")[0] == b"value"
    zookeeper_ensemble.start()
    assert len(zookeeper_ensemble.followers()) == 2


def test_without_zookeeper_the_message_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ZOOKEEPER_HOME", str(tmp_path))
    with pytest.raises(ServerUnavailable, match="ZOOKEEPER_HOME"):
        ZooKeeperInstallation.find()
    monkeypatch.delenv("ZOOKEEPER_HOME")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerUnavailable, match=r"libzookeeper-java.*--standalone"):
        ZooKeeperInstallation.find()


def test_an_unpacked_zookeeper_is_used_before_debians(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    require_zookeeper()
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "zookeeper-3.9.1.jar").touch()
    monkeypatch.setenv("ZOOKEEPER_HOME", str(tmp_path))
    assert ZooKeeperInstallation.find().class_path == f"{tmp_path}/lib/*"
