"""dramatiq: threads of the worker's process, messages in Redis; an acknowledged message leaves no record."""

from __future__ import annotations

import signal
import threading
import time
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from bench.peers.driver import Driver, run
from bench.pings import ping

POLL_S = 0.02
QUEUE = "default"


def noop() -> None:
    return None


class Stamps(dramatiq.Middleware):
    """When the first message was taken up, when each was acknowledged."""

    def __init__(self) -> None:
        self.began = 0.0
        self.ended: list[float] = []

    def before_process_message(self, broker: Any, message: Any) -> None:
        self.began = self.began or time.time()

    def after_ack(self, broker: Any, message: Any) -> None:
        self.ended.append(time.time())


class DramatiqPeer(Driver):
    def __init__(self, url: str, settings: Any) -> None:
        super().__init__(url, settings)
        self._broker = RedisBroker(url=url)
        self._stamps = Stamps()
        self._broker.add_middleware(self._stamps)
        dramatiq.set_broker(self._broker)
        self._noop = dramatiq.actor(noop)
        self._ping = dramatiq.actor(ping)

    def submit_ping(self, board: str) -> None:
        self._ping.send(board)

    def submit(self, count: int) -> None:
        for _ in range(count):
            self._noop.send()

    def submit_many(self, count: int) -> None:
        self.submit(count)

    def drain(self) -> tuple[float, list[float]]:
        worker = self._started()
        pause = threading.Event()
        # the hash holds each message until it is acknowledged
        while self._broker.client.hlen(f"dramatiq:{QUEUE}.msgs"):
            pause.wait(POLL_S)
        worker.stop()
        return self._stamps.began, self._stamps.ended

    def work(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        worker = self._started()
        signal.sigwait({signal.SIGTERM})
        worker.stop()

    def _started(self) -> Any:
        worker = dramatiq.Worker(self._broker, worker_threads=self.settings.concurrency)
        worker.start()
        return worker


if __name__ == "__main__":
    run(DramatiqPeer)
