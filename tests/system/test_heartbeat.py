"""The heartbeat calls its URL while beats are answered, and is silent when they are not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from shardkeeper.system.heartbeat import UrlHeartbeat


class Watcher:
    """A server that counts calls."""

    def __init__(self) -> None:
        self._called = threading.Semaphore(0)
        watcher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
                watcher._called.release()

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/ping"

    def called(self, timeout_s: float) -> bool:
        return self._called.acquire(timeout=timeout_s)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def watcher() -> Iterator[Watcher]:
    server = Watcher()
    yield server
    server.close()


def test_each_answered_beat_is_passed_on_and_silence_too(watcher: Watcher) -> None:
    heartbeat = UrlHeartbeat(watcher.url, period_s=0.0)
    heartbeat.start()
    heartbeat.beaten()
    assert watcher.called(10)
    assert not watcher.called(0.3)
    heartbeat.beaten()
    assert watcher.called(10)
    heartbeat.stop(10)


def test_the_url_is_called_at_most_once_a_period(watcher: Watcher) -> None:
    heartbeat = UrlHeartbeat(watcher.url, period_s=3600.0)
    heartbeat.start()
    heartbeat.beaten()
    assert watcher.called(10)
    heartbeat.beaten()
    assert not watcher.called(0.3)
    heartbeat.stop(10)


def test_a_watcher_that_is_away_hurts_nobody(watcher: Watcher) -> None:
    away = Watcher()
    heartbeat = UrlHeartbeat(away.url, period_s=0.0)
    away.close()
    heartbeat.start()
    heartbeat.beaten()
    heartbeat.stop(15)
    heartbeat.stop(1)
