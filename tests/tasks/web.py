"""A real HTTP server on a free loopback port, with pages that behave in all the ways servers do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Page = Callable[["Handler"], object]


class Handler(BaseHTTPRequestHandler):
    """Answers by the server's pages."""

    server: WebServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append((self.command, self.path, dict(self.headers.items())))
        self.server.pages[self.path.partition("?")[0]](self)

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """``headers``: underscores stand for dashes; Content-Length is what it is unless it is given."""
        self.send_response(status)
        for name, text in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


class WebServer(ThreadingHTTPServer):
    """``asked``: method, path and headers of each request so far."""

    daemon_threads = True

    def __init__(self, pages: Mapping[str, Page]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages = pages
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.ended = threading.Event()
        """Set when the test is over: pages that hang wait for it."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are what is tested."""


@contextmanager
def serving(pages: Mapping[str, Page]) -> Iterator[WebServer]:
    """A running server."""
    server = WebServer(pages)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()


def redirect(to: str, status: int = 302) -> Page:
    """A page that leads elsewhere."""
    return lambda handler: handler.answer(status, Location=to)
