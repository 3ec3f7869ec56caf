"""arq: coroutines in the worker's own loop, jobs and results in Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import arq
from arq.connections import RedisSettings
from arq.worker import Worker

from bench.peers.driver import Driver, run
from bench.pings import ping

AT_ONCE = 100
POLL_DELAY_S = 0.01


async def noop(context: Any) -> None:
    return None


async def send(context: Any, board: str) -> None:
    ping(board)


class ArqPeer(Driver):
    def __init__(self, url: str, settings: Any) -> None:
        super().__init__(url, settings)
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self._pool: Any = None
        self._began = 0.0
        self._ended: list[float] = []

    def submit_ping(self, board: str) -> None:
        self._wait(self._client().enqueue_job("send", board))

    def submit(self, count: int) -> None:
        client = self._client()

        async def all_of_them() -> None:
            for _ in range(count):
                await client.enqueue_job("noop")

        self._wait(all_of_them())

    def submit_many(self, count: int) -> None:
        client = self._client()

        async def all_of_them() -> None:
            for start in range(0, count, AT_ONCE):
                await asyncio.gather(
                    *(client.enqueue_job("noop") for _ in range(min(AT_ONCE, count - start)))
                )

        self._wait(all_of_them())

    def drain(self) -> tuple[float, list[float]]:
        self._wait(self._work(burst=True))
        return self._began, self._ended

    def work(self) -> None:
        try:
            self._wait(self._work(burst=False))
        except asyncio.CancelledError:
            return  # how it ends on SIGTERM

    async def _work(self, burst: bool) -> None:
        worker = Worker(
            functions=[noop, send],
            redis_settings=RedisSettings.from_dsn(self.url),
            burst=burst,
            max_jobs=self.settings.concurrency,
            poll_delay=POLL_DELAY_S,
            on_job_start=self._note_start,
            after_job_end=self._note_end,
        )
        await worker.main()

    async def _note_start(self, context: Any) -> None:
        self._began = self._began or time.time()

    async def _note_end(self, context: Any) -> None:
        self._ended.append(time.time())

    def _client(self) -> Any:
        if self._pool is None:
            self._pool = self._wait(arq.create_pool(RedisSettings.from_dsn(self.url)))
        return self._pool

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(work)


if __name__ == "__main__":
    run(ArqPeer)
