"""A Slack that is not: takes messages on loopback and keeps them, for tests and ``shardkeeper dev``."""

from __future__ import annotations

import json
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs


@dataclass(frozen=True, slots=True)
class Received:
    """One message as Slack would have it."""

    channel: str | None
    text: str
    blocks: list[dict[str, Any]]
    thread: str | None
    authorization: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the next call is answered with, in place of success. ``hang`` True: nothing, until the server is closed."""

    status: int = 200
    body: str = '{"ok": true}'
    headers: dict[str, str] = field(default_factory=dict)
    hang: bool = False


class FakeSlack:
    """``url`` is the API's base (SHARDKEEPER_SLACK__API_URL), ``webhook_url`` an incoming webhook's."""

    def __init__(self, keep: int = 1_000) -> None:
        self._inbox: deque[Received] = deque(maxlen=keep)
        self._answers: deque[Answer] = deque()
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._count = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="fake-slack", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/api/"

    @property
    def webhook_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/services/T/B/x"

    @property
    def inbox(self) -> tuple[Received, ...]:
        """What arrived, oldest first."""
        with self._changed:
            return tuple(self._inbox)

    def answer_next(self, *answers: Answer) -> None:
        """Refuse, or otherwise mistreat, the next calls."""
        with self._changed:
            self._answers.extend(answers)

    def wait_for(self, count: int, timeout_s: float) -> bool:
        """Whether so many messages arrived in all, within the time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._count >= count, timeout_s)

    def close(self) -> None:
        """Idempotent."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _take(self, path: str, headers: Any, raw: bytes) -> Answer:
        with self._changed:
            answer = self._answers.popleft() if self._answers else None
        if answer is not None and answer.hang:
            self._closing.wait()
        if answer is not None:
            return answer
        message = _message(headers, raw)
        with self._changed:
            self._count += 1
            self._inbox.append(message)
            self._changed.notify_all()
            number = self._count
        if path.startswith("/services/"):
            return Answer(body="ok")
        return Answer(
            body=json.dumps({"ok": True, "ts": f"1700000000.{number:06d}", "channel": message.channel})
        )

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        slack = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                answer = slack._take(self.path, self.headers, raw)
                body = answer.body.encode()
                self.send_response(answer.status)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                return

        return Handler


def _message(headers: Any, raw: bytes) -> Received:
    if "json" in headers.get("Content-Type", ""):
        body: dict[str, Any] = json.loads(raw)
    else:
        body = {name: values[0] for name, values in parse_qs(raw.decode()).items()}
    blocks = body.get("blocks") or []
    if isinstance(blocks, str):
        blocks = json.loads(blocks)
    return Received(
        body.get("channel"),
        str(body.get("text", "")),
        blocks,
        body.get("thread_ts"),
        headers.get("Authorization"),
    )
