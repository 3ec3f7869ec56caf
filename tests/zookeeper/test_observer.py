"""A look at the tree from outside: it sees what nodes see, leaves nothing, and never waits for long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from uuid import uuid4

import pytest
from kazoo.client import KazooClient

from shardkeeper.devservers import ZooKeeperServer
from shardkeeper.domain.errors import Unreachable
from shardkeeper.domain.view import Member, View
from shardkeeper.ports.coordinator import NodeInfo, Session
from shardkeeper.zookeeper.codec import encode_candidate, encode_node, encode_view
from shardkeeper.zookeeper.observer import ZooKeeperObserver
from shardkeeper.zookeeper.options import ZooKeeperOptions
from tests.cli.conftest import utc
from tests.servers import ZooKeeperNamespace
from tests.waiting import wait_until

VIEW = View("lineage", 3, "n1/1", (Member("n1", "n1/1"),), utc("2026-01-01"))


@contextmanager
def client(hosts: str) -> Iterator[KazooClient]:
    kazoo = KazooClient(hosts=hosts, timeout=10)
    kazoo.start()
    try:
        yield kazoo
    finally:
        kazoo.stop()
        kazoo.close()


def options(zookeeper: ZooKeeperNamespace) -> ZooKeeperOptions:
    return ZooKeeperOptions(zookeeper.hosts, zookeeper.namespace, session_timeout_s=2.0)


def test_it_sees_nodes_candidates_and_the_view(zookeeper: ZooKeeperNamespace) -> None:
    root = f"/{zookeeper.namespace}"
    with client(zookeeper.hosts) as kazoo:
        for path in ("nodes", "candidates"):
            kazoo.ensure_path(f"{root}/{path}")
        for name in ("n2", "n1"):
            kazoo.create(f"{root}/nodes/{name}", encode_node(NodeInfo(name, f"{name}/1")), ephemeral=True)
            kazoo.create(
                f"{root}/candidates/", encode_candidate(name, f"{name}/1"), ephemeral=True, sequence=True
            )
        kazoo.create(f"{root}/view", encode_view(VIEW))
        kazoo.create(f"{root}/nodes/strange", b"no JSON", ephemeral=True)
        before = kazoo.get(root)[1].numChildren, kazoo.get(f"{root}/candidates")[1].cversion
        seen = ZooKeeperObserver(options(zookeeper)).observe()
        assert (kazoo.get(root)[1].numChildren, kazoo.get(f"{root}/candidates")[1].cversion) == before
    assert (seen.session, seen.session_timeout_s, seen.view) == (Session.CONNECTED, 2.0, VIEW)
    assert [info.node_id for info in seen.nodes] == ["n1", "n2"]
    assert [(one.incarnation, one.mine) for one in seen.candidates] == [("n2/1", False), ("n1/1", False)]
    assert not seen.leading
    assert any("strange" in problem for problem in seen.problems)


def test_a_namespace_that_nobody_made_is_seen_as_empty_and_stays_unmade(
    zookeeper: ZooKeeperNamespace,
) -> None:
    seen = ZooKeeperObserver(options(zookeeper)).observe()
    assert (seen.nodes, seen.view, seen.connected) == ((), None, True)
    with client(zookeeper.hosts) as kazoo:
        assert kazoo.exists(f"/{zookeeper.namespace}") is None


@pytest.mark.parametrize("harm", ["stop", "pause"])
def test_a_server_that_does_not_answer_is_told_within_the_deadline(
    own_zookeeper: ZooKeeperServer, harm: str
) -> None:
    getattr(own_zookeeper, harm)()
    asked = monotonic()
    with pytest.raises(Unreachable, match="did not answer within 1 s"):
        ZooKeeperObserver(ZooKeeperOptions(own_zookeeper.hosts, "x"), deadline_s=1.0).observe()
    assert monotonic() - asked < 3.0


def sessions(server: ZooKeeperServer) -> int:
    return server.ask("dump").partition("ephemeral nodes")[0].count("\t0x")


def test_its_session_ends_with_the_look(own_zookeeper: ZooKeeperServer) -> None:
    with client(own_zookeeper.hosts):
        assert sessions(own_zookeeper) == 1
        ZooKeeperObserver(
            ZooKeeperOptions(own_zookeeper.hosts, uuid4().hex, session_timeout_s=20.0)
        ).observe()
        wait_until(lambda: sessions(own_zookeeper) == 1, 5.0, "the end of the observer's session")
