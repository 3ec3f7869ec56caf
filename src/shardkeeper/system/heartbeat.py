"""A call to a URL while all is well; whoever watches it notices its silence (a dead man's switch)."""

from __future__ import annotations

import threading
import urllib.request

PERIOD_S = 15.0
TIMEOUT_S = 10.0


class UrlHeartbeat:
    """Calls ``url`` at most every ``period_s`` seconds, and only as long as ``beaten`` goes on being called."""

    def __init__(self, url: str, period_s: float = PERIOD_S) -> None:
        self._url = url
        self._period_s = period_s
        self._beaten = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def beaten(self) -> None:
        """PostgreSQL has answered a beat of this node."""
        self._beaten.set()

    def start(self) -> None:
        """Idempotent."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="heartbeat", daemon=True)
            self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Tolerates never-started and twice."""
        self._stopping.set()
        self._beaten.set()
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._beaten.wait()
            self._beaten.clear()
            if not self._stopping.is_set():
                self._call()
                self._stopping.wait(self._period_s)

    def _call(self) -> None:
        try:
            with urllib.request.urlopen(self._url, timeout=TIMEOUT_S):
                return
        except (OSError, ValueError):
            # the watcher notices the silence: that is what it is for
            return
