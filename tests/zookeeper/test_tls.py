"""TLS: a certificate that fits opens the link; one that is for another host, or from a stranger, does not."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shardkeeper.devservers import ServerUnavailable, ZooKeeperServer
from shardkeeper.devservers.ports import ReservedPort
from shardkeeper.ports.coordinator import Session
from shardkeeper.zookeeper.options import ZooKeeperOptions
from tests.contract.coordinator_worlds import RealWorld
from tests.servers.available import found_or_skip
from tests.servers.zookeeper import TEST_OPTIONS, require_zookeeper
from tests.zookeeper.nodes import seat_with

pytestmark = pytest.mark.zookeeper

_NETTY_CODEC = Path("/usr/share/java/netty-codec.jar")
_CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def _openssl() -> str:
    if (found := shutil.which("openssl")) is None:
        raise ServerUnavailable("openssl is needed to make certificates")
    return found


def _make_certificates(folder: Path) -> None:
    """`ca.pem`, `other-ca.pem`, and `server.pem` (key and certificate for 127.0.0.1 alone)."""

    def run(*arguments: str) -> None:
        subprocess.run([_openssl(), *arguments], cwd=folder, check=True, capture_output=True)

    for name in ("ca", "other-ca"):
        run(
            "req",
            "-x509",
            *_CURVE,
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.pem",
            "-days",
            "2",
            "-subj",
            f"/CN={name}",
        )
    request = ("-keyout", "one.key", "-out", "one.csr", "-subj", "/CN=zookeeper")
    run("req", *_CURVE, *request, "-addext", "subjectAltName=IP:127.0.0.1")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-copy_extensions", "copy")
    run("x509", "-req", "-in", "one.csr", *signed, "-out", "one.pem", "-days", "2")
    (folder / "server.pem").write_text((folder / "one.key").read_text() + (folder / "one.pem").read_text())


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RealWorld, Path, int]]:
    """A server that also listens with TLS; the folder of the certificates, and the port."""
    require_zookeeper()
    found_or_skip(_openssl)
    folder = tmp_path_factory.mktemp("tls")
    _make_certificates(folder)
    port = ReservedPort.take()
    extra = {
        "secureClientPort": str(port.number),
        "secureClientPortAddress": "127.0.0.1",
        "serverCnxnFactory": "org.apache.zookeeper.server.NettyServerCnxnFactory",
        "ssl.keyStore.location": str(folder / "server.pem"),
        "ssl.keyStore.type": "PEM",
        "ssl.trustStore.location": str(folder / "ca.pem"),
        "ssl.trustStore.type": "PEM",
        "ssl.clientAuth": "none",
    }
    server = ZooKeeperServer(folder / "server", replace(TEST_OPTIONS, extra={**TEST_OPTIONS.extra, **extra}))
    if _NETTY_CODEC.exists():
        # Debian's zookeeper.jar forgets to name it
        found = server.installation
        server.installation = replace(found, class_path=f"{found.class_path}{os.pathsep}{_NETTY_CODEC}")
    with server:
        world = RealWorld(server.hosts, "tls")
        yield world, folder, port.number
        world.close()
    port.release()


def _options(folder: Path, port: int, host: str, ca: str, **more: bool) -> ZooKeeperOptions:
    return ZooKeeperOptions(f"{host}:{port}", "tls", session_timeout_s=2.0, tls_ca=str(folder / ca), **more)  # type: ignore[arg-type]


def test_a_certificate_that_fits_opens_the_link(secured: tuple[RealWorld, Path, int]) -> None:
    world, folder, port = secured
    seat = seat_with(world, "a", _options(folder, port, "127.0.0.1", "ca.pem"))
    seat.until(lambda: "a" in seat.names and seat.own_candidate is not None, "the node to have joined")


# kazoo leaves the socket of a refused handshake to the garbage collector
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
@pytest.mark.parametrize(("host", "ca"), [("localhost", "ca.pem"), ("127.0.0.1", "other-ca.pem")])
def test_a_certificate_for_another_host_or_from_a_stranger_does_not(
    secured: tuple[RealWorld, Path, int], host: str, ca: str
) -> None:
    world, folder, port = secured
    seat = seat_with(world, "b", _options(folder, port, host, ca))
    seat.until(
        lambda: any("certificate" in problem for problem in seat.seen.problems), "the reason to be told"
    )
    assert seat.seen.session is Session.NEVER
    seat.coordinator.stop()


def test_the_check_of_the_host_name_can_be_taken_away_and_is_then_told_as_an_open_door(
    secured: tuple[RealWorld, Path, int],
) -> None:
    world, folder, port = secured
    options = _options(folder, port, "localhost", "ca.pem", tls_check_hostname=False)
    seat = seat_with(world, "c", options)
    seat.until(lambda: "c" in seat.names, "the node to have joined")
    assert any("host name" in door for door in options.open_doors())


def test_open_doors_name_what_is_not_protected() -> None:
    bare = ZooKeeperOptions("zk:2181")
    assert len(bare.open_doors()) == 2
    assert replace(bare, auth="digest:u:p", tls_ca="ca.pem").open_doors() == ()
    assert "u:p" not in repr(replace(bare, auth="digest:u:p"))
