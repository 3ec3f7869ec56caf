"""The built-in task ``http-get`` against a real server."""

from __future__ import annotations

import base64
import gzip
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shardkeeper import ValidationError
from shardkeeper.tasks.connecting import AddressRefused
from shardkeeper.tasks.hops import RedirectRefused
from shardkeeper.tasks.http_get import AnswerBroken, AnswerTooLarge, HttpGet
from shardkeeper.tasks.parameters import WrongParameters
from shardkeeper.testing import run_task
from tests.tasks.web import Handler, Page, WebServer, redirect, serving

LOOPBACK = ["127.0.0.0/8"]
SECRET = "hunter2-and-more"


def drips(handler: Handler) -> None:
    """A header line that never ends."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not handler.server.ended.wait(0.02):
        handler.wfile.write(b"x")


def floods(handler: Handler) -> None:
    """An answer without an end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while not handler.server.ended.is_set():
        handler.wfile.write(b"x" * 10_000)


def stops_short(handler: Handler) -> None:
    handler.answer(200, b"abc", Content_Length="1000", Connection="close")
    handler.close_connection = True


def chunked(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n")
    handler.wfile.write(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")


PAGES: dict[str, Page] = {
    "/json": lambda handler: handler.answer(
        200, b'{"a": [1]}', Content_Type="application/json", ETag="x", Set_Cookie="s=1"
    ),
    "/nan": lambda handler: handler.answer(200, b"[NaN]", Content_Type="application/json"),
    "/text": lambda handler: handler.answer(
        200, "caf\xe9".encode("latin-1"), Content_Type="text/plain; charset=latin-1"
    ),
    "/nul": lambda handler: handler.answer(200, b"a\0b", Content_Type="text/plain"),
    "/binary": lambda handler: handler.answer(200, b"\x89PNG", Content_Type="image/png"),
    "/packed": lambda handler: handler.answer(
        200, gzip.compress(b"{}"), Content_Type="application/json", Content_Encoding="gzip"
    ),
    "/missing": lambda handler: handler.answer(404, b"no"),
    "/long": lambda handler: handler.answer(200, b"x" * 2_000),
    "/lies": lambda handler: handler.answer(200, b"x" * 2_000, Content_Length="3", Content_Type="text/plain"),
    "/hangs": lambda handler: handler.server.ended.wait(),
    "/drips": drips,
    "/floods": floods,
    "/short": stops_short,
    "/chunked": chunked,
    "/garbage": lambda handler: handler.wfile.write(b"hello\r\n\r\n"),
    "/once": redirect("/json"),
    "/twice": redirect("once", 307),
    "/loop": redirect("/loop"),
    "/metadata": redirect("http://169.254.169.254/latest/meta-data/"),
    "/mapped": redirect("http://[::ffff:169.254.169.254]/"),
    "/private": redirect("//10.0.0.1/"),
    "/file": redirect("file:///etc/passwd"),
    "/credentials": redirect("http://user:word@127.0.0.1/"),
}


@pytest.fixture
def server(allow: Callable[..., None]) -> Iterator[WebServer]:
    allow(allowed_networks=LOOPBACK)
    with serving(PAGES) as server:
        yield server


def get(url: str, **parameters: Any) -> Any:
    return run_task(HttpGet, parameters={"url": url, **parameters}).result


def test_an_answer_is_its_status_some_headers_and_its_json(server: WebServer) -> None:
    found = get(f"{server.url}/json?a=b c".replace(" ", "%20"), headers={"X-Mine": "1"})
    assert found["headers"].pop("date")
    assert found == {
        "status": 200,
        "url": f"{server.url}/json?a=b%20c",
        "redirects": 0,
        "headers": {"content-type": "application/json", "content-length": "10", "etag": "x"},
        "bytes": 10,
        "json": {"a": [1]},
    }
    ((method, path, headers),) = server.asked
    assert (method, path, headers["X-Mine"], headers["User-Agent"]) == (
        "GET",
        "/json?a=b%20c",
        "1",
        "shardkeeper",
    )


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/text", {"text": "café"}),
        ("/chunked", {"text": "abcde"}),
        ("/nan", {"text": "[NaN]"}),
        ("/nul", {"base64": base64.b64encode(b"a\0b").decode()}),
        ("/binary", {"base64": base64.b64encode(b"\x89PNG").decode()}),
        ("/lies", {"text": "xxx"}),
    ],
)
def test_a_body_is_json_or_text_or_base64(server: WebServer, path: str, content: dict[str, str]) -> None:
    found = get(server.url + path)
    assert {key: found[key] for key in found if key in ("json", "text", "base64")} == content


def test_what_is_packed_stays_packed(server: WebServer) -> None:
    found = get(f"{server.url}/packed")
    assert found["headers"]["content-encoding"] == "gzip"
    assert gzip.decompress(base64.b64decode(found["base64"])) == b"{}"


def test_head_has_no_body(server: WebServer) -> None:
    found = get(f"{server.url}/long", method="HEAD", max_bytes=10)
    assert (found["status"], found["headers"]["content-length"], found["bytes"]) == (200, "2000", 0)
    assert not {"json", "text", "base64"} & set(found)


def test_the_status_is_the_validation(server: WebServer) -> None:
    with pytest.raises(ValidationError, match="answered with status 404"):
        get(f"{server.url}/missing")
    assert get(f"{server.url}/missing", expect_status=[200, 404])["status"] == 404
    with pytest.raises(ValidationError, match="200"):
        get(f"{server.url}/json", expect_status=404)


@pytest.mark.parametrize("path", ["/long", "/floods"])
def test_more_than_max_bytes_is_refused_however_long_it_claims_to_be(server: WebServer, path: str) -> None:
    with pytest.raises(AnswerTooLarge, match="max_bytes"):
        get(server.url + path, max_bytes=1_000)


def test_an_answer_as_long_as_max_bytes_is_taken(server: WebServer) -> None:
    assert get(f"{server.url}/long", max_bytes=2_000)["bytes"] == 2_000


@pytest.mark.parametrize("path", ["/hangs", "/drips"])
def test_the_whole_request_ends_with_its_time(server: WebServer, path: str) -> None:
    with pytest.raises(TimeoutError, match=r"no complete answer within 0\.3 s"):
        get(server.url + path, timeout_s=0.3)


@pytest.mark.parametrize("path", ["/short", "/garbage"])
def test_an_answer_that_is_none_is_told(server: WebServer, path: str) -> None:
    with pytest.raises(AnswerBroken):
        get(server.url + path)


def test_nobody_there_is_told(allow: Callable[..., None]) -> None:
    allow(allowed_networks=LOOPBACK)
    with socket.socket() as held:
        # bound, so that nobody else listens there meanwhile
        held.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectionError, match=r"no connection to 127\.0\.0\.1"):
            get(f"http://127.0.0.1:{held.getsockname()[1]}/")


def test_a_name_that_nobody_has_is_told() -> None:
    with pytest.raises(ConnectionError, match=r"nowhere\.invalid"):
        get("http://nowhere.invalid/")


# redirects


def test_redirects_are_followed_and_counted(server: WebServer) -> None:
    found = get(f"{server.url}/twice")
    assert (found["redirects"], found["url"], found["json"]) == (2, f"{server.url}/json", {"a": [1]})
    assert [path for _, path, _ in server.asked] == ["/twice", "/once", "/json"]


def test_only_so_many(server: WebServer) -> None:
    with pytest.raises(RedirectRefused, match="more than 3 redirects"):
        get(f"{server.url}/loop", max_redirects=3)
    assert len(server.asked) == 4


def test_none_at_all_leaves_the_redirect_as_the_answer(server: WebServer) -> None:
    found = get(f"{server.url}/once", max_redirects=0, expect_status=302)
    assert (found["status"], found["headers"]["location"]) == (302, "/json")


@pytest.mark.parametrize(
    ("path", "kind"), [("/metadata", "metadata"), ("/mapped", "metadata"), ("/private", "private")]
)
def test_every_hop_is_checked(server: WebServer, path: str, kind: str) -> None:
    with pytest.raises(AddressRefused, match=f"a {kind} address"):
        get(server.url + path)


@pytest.mark.parametrize(
    ("path", "reason"), [("/file", "no http or https URL"), ("/credentials", "a user or a password")]
)
def test_a_redirect_stays_with_http_and_holds_no_password(server: WebServer, path: str, reason: str) -> None:
    with pytest.raises(RedirectRefused, match=reason) as refused:
        get(server.url + path)
    assert "word@" not in str(refused.value)


def test_another_origin_gets_none_of_the_caller_s_headers(server: WebServer) -> None:
    with serving({"/": redirect(f"{server.url}/json")}) as first:
        get(f"{first.url}/", headers={"Authorization": SECRET, "X-Key": SECRET, "Accept": "a/b"})
        ((_, _, given),) = first.asked
        assert (given["Authorization"], given["X-Key"], given["Accept"]) == (SECRET, SECRET, "a/b")
    ((_, _, passed_on),) = server.asked
    assert passed_on["Accept"] == "a/b"
    assert SECRET not in str(passed_on)


# what this node allows


def test_by_default_a_node_reaches_nothing_of_its_own(allow: Callable[..., None]) -> None:
    allow()
    with serving(PAGES) as server:
        with pytest.raises(AddressRefused, match=r"a loopback address: tasks\.allowed_networks"):
            get(f"{server.url}/json")
        # other spellings of the same
        for host in ("localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"):
            with pytest.raises(AddressRefused, match="loopback"):
                get(f"http://{host}:{server.server_port}/json")
        assert server.asked == []


def test_parameters_cannot_allow_what_the_node_does_not(allow: Callable[..., None]) -> None:
    allow()
    with serving(PAGES) as server, pytest.raises(AddressRefused):
        get(f"{server.url}/json", allowed_networks=LOOPBACK, allow_private=True)


def test_the_address_that_was_checked_is_the_one_that_is_asked(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo
    asked: list[str] = []

    def rebinding(host: str, port: int, **how: Any) -> Any:
        asked.append(host)
        # the first time an allowed address, another one whenever it is asked again
        return real("127.0.0.1" if len(asked) == 1 else "169.254.169.254", port, **how)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    found = get(f"http://rebinds.example:{server.server_port}/json")
    assert (found["status"], asked) == (200, ["rebinds.example"])
    ((_, _, headers),) = server.asked
    assert headers["Host"] == f"rebinds.example:{server.server_port}"


def test_a_name_with_one_refused_address_is_refused(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def both(host: str, port: int, **how: Any) -> Any:
        return real("127.0.0.1", port, **how) + real("10.0.0.1", port, **how)

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with pytest.raises(AddressRefused, match=r"10\.0\.0\.1, a private address"):
        get(f"http://both.example:{server.server_port}/json")
    assert server.asked == []


# parameters


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"url": None}, "url is missing"),
        ({"url": "ftp://example.org/"}, "url is no http or https URL"),
        ({"url": "http:///path"}, "url is no http or https URL"),
        ({"url": "http://example.org:99999/"}, "url is not a URL"),
        ({"url": "http://example.org:0/"}, "url has the port 0"),
        ({"url": "http://exa mple.org/"}, "url holds spaces"),
        ({"url": "http://example.org/\r\nX: y"}, "url holds spaces or control"),
        ({"url": f"http://u:{SECRET}@example.org/"}, "url holds a user or a password"),
        ({"url": f"http://{SECRET}{'x' * 70}/"}, "a host that is no name"),
        ({"method": "POST"}, "method is not one of GET, HEAD"),
        ({"timeout_s": 0}, "timeout_s is not from"),
        ({"max_bytes": 1.5}, "max_bytes is not a whole number"),
        ({"max_redirects": 21}, "max_redirects is not from 0 to 20"),
        ({"expect_status": "200"}, "expect_status is not a status"),
        ({"headers": [1]}, "headers is not an object"),
        ({"headers": {"Host": "other"}}, "'Host' is not a header that may be set"),
        ({"headers": {"X-A": f"{SECRET}\r\nX: y"}}, "the value of X-A is not a line"),
        ({"headers": {"X A": "b"}}, "'X A' is not a header"),
    ],
)
def test_wrong_parameters_are_named_and_not_repeated(parameters: dict[str, Any], reason: str) -> None:
    with pytest.raises(WrongParameters, match=reason) as refused:
        run_task(HttpGet, parameters={"url": "http://example.org/", **parameters})
    assert SECRET not in str(refused.value)
