"""``http-get`` over TLS: certificates are verified, and a redirect never leads back to plain http."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shardkeeper.devservers import ServerUnavailable
from shardkeeper.tasks.hops import RedirectRefused
from shardkeeper.tasks.http_get import HttpGet
from shardkeeper.testing import run_task
from tests.servers.available import found_or_skip
from tests.tasks.web import Handler, WebServer, redirect, serving


def _openssl() -> str:
    if (found := shutil.which("openssl")) is None:
        raise ServerUnavailable("openssl is needed to make certificates")
    return found


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of 127.0.0.1, signed by itself: key and certificate in one file."""
    path = tmp_path / "server.pem"
    command = [
        found_or_skip(_openssl),
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
    ]
    command += ["-nodes", "-keyout", "key.pem", "-out", "one.pem", "-days", "2", "-subj", "/CN=one"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    path.write_text((tmp_path / "key.pem").read_text() + (tmp_path / "one.pem").read_text())
    return path


def _page(handler: Handler) -> None:
    handler.answer(200, b"[1]", Content_Type="application/json")


@pytest.fixture
def server(certificate: Path, allow: Callable[..., None]) -> Iterator[WebServer]:
    allow(allowed_networks=["127.0.0.1/32"])
    with serving({"/": _page, "/plain": redirect("http://127.0.0.1/")}) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        yield server


def _url(server: WebServer, host: str = "127.0.0.1") -> str:
    return f"https://{host}:{server.server_port}/"


def test_a_certificate_that_an_authority_of_this_machine_signed_is_taken(
    server: WebServer, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_name("one.pem")))
    assert run_task(HttpGet, parameters={"url": _url(server)}).result["json"] == [1]
    with pytest.raises(RedirectRefused, match="from https to http"):
        run_task(HttpGet, parameters={"url": _url(server) + "plain"})


def test_a_certificate_of_a_stranger_is_refused(server: WebServer) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        run_task(HttpGet, parameters={"url": _url(server)})
    assert server.asked == []


def test_a_certificate_of_another_host_is_refused(
    server: WebServer, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_name("one.pem")))
    with pytest.raises(ssl.SSLCertVerificationError, match="localhost"):
        run_task(HttpGet, parameters={"url": _url(server, "localhost")})
