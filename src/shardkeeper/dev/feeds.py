"""Price feeds for the sample jobs: a random walk per feed, region and symbol, over HTTP on loopback."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

SYMBOLS: Final = {"RICE": 52.0, "APPLE": 31.0, "KIMCHI": 88.0, "TANGERINE": 23.0}
"""What is traded, and about what it costs."""
FAILING: Final = "zeta"
"""The feed that is down now and then: the lightest, so that a quorum of weight stands without it."""
_UP_S, _DOWN_S = 20.0, 10.0
_STEP: Final = 0.004
_STRAY: Final = 0.25


class Market:
    """What each feed quotes: the price moves a little with every question, and stays within a quarter of where it
    began. Safe in threads."""

    def __init__(self, chance: random.Random, clock: Callable[[], float]) -> None:
        self._chance = chance
        self._clock = clock
        self._began = clock()
        self._factors: dict[tuple[str, str, str], float] = {}
        self._lock = threading.Lock()

    def is_down(self, feed: str) -> bool:
        """Whether that feed answers nothing now."""
        return feed == FAILING and (self._clock() - self._began) % (_UP_S + _DOWN_S) >= _UP_S

    def quote(self, feed: str, region: str) -> dict[str, float]:
        """Prices by symbol."""
        with self._lock:
            return {
                symbol: round(price * self._step((feed, region, symbol)), 2)
                for symbol, price in SYMBOLS.items()
            }

    def _step(self, key: tuple[str, str, str]) -> float:
        moved = self._factors.get(key, 1.0) + self._chance.gauss(0.0, _STEP)
        self._factors[key] = min(1.0 + _STRAY, max(1.0 - _STRAY, moved))
        return self._factors[key]


class FeedsServer:
    """GET /feeds/NAME?region=REGION answers {"prices": {...}}; a feed that is down answers 503."""

    def __init__(self, market: Market | None = None) -> None:
        self._market = market or Market(random.Random(), monotonic)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="feeds", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Idempotent."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, path: str) -> tuple[int, dict[str, Any]]:
        asked = urlsplit(path)
        folder, _, feed = asked.path.strip("/").partition("/")
        if folder != "feeds" or not feed or "/" in feed:
            return 404, {"error": "ask for /feeds/NAME?region=REGION"}
        if self._market.is_down(feed):
            return 503, {"error": f"{feed} is down for maintenance"}
        region = parse_qs(asked.query).get("region", [""])[0]
        return 200, {"feed": feed, "region": region, "prices": self._market.quote(feed, region)}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer = self._answer

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, said = answer(self.path)
                body = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                return

        return Handler
