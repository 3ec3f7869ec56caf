"""PgQueuer: coroutines in the worker's own loop; rows leave the queue for a log table when they end."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

import asyncpg
import psycopg
import uvloop
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver, PsycopgDriver, SyncPsycopgDriver
from pgqueuer.queries import Queries, SyncQueries
from pgqueuer.types import QueueExecutionMode

from bench.peers.driver import Driver, run
from bench.pings import ping

RECORDED = """
select extract(epoch from min(created) filter (where status = 'picked'))::float8,
       array_agg(extract(epoch from created)::float8) filter (where status = 'successful')
  from pgqueuer_log where created >= to_timestamp(%s)"""


class PgQueuerPeer(Driver):
    def __init__(self, url: str, settings: Any) -> None:
        super().__init__(url, settings)
        self._loop = uvloop.new_event_loop()
        asyncio.set_event_loop(self._loop)
        self._asynchronous: Queries | None = None
        self._synchronous: SyncQueries | None = None

    def install(self) -> None:
        async def made() -> None:
            await Queries(await self._driver()).install()

        self._loop.run_until_complete(made())

    def submit_ping(self, board: str) -> None:
        if self.settings.client == "asyncpg":
            self._wait(self._queries().enqueue("ping", board.encode()))
        else:
            self._sync_queries().enqueue("ping", board.encode())

    def submit(self, count: int) -> None:
        if self.settings.client == "asyncpg":
            queries = self._queries()

            async def all_of_them() -> None:
                for _ in range(count):
                    await queries.enqueue("noop", None)

            self._wait(all_of_them())
            return
        synchronous = self._sync_queries()
        for _ in range(count):
            synchronous.enqueue("noop", None)

    def submit_many(self, count: int) -> None:
        batch = (["noop"] * count, [None] * count, [0] * count)
        if self.settings.client == "asyncpg":
            self._wait(self._queries().enqueue(*batch))
        else:
            self._sync_queries().enqueue(*batch)

    def drain(self) -> tuple[float, list[float]]:
        self._wait(self._consume(QueueExecutionMode.drain))
        return 0.0, []

    def work(self) -> None:
        self._wait(self._consume(QueueExecutionMode.continuous))

    def recorded(self, since: float) -> tuple[float, list[float]]:
        with psycopg.connect(self.url) as connection:
            row = connection.execute(RECORDED, (since,)).fetchone()
        assert row is not None
        return row[0], row[1]

    async def _consume(self, mode: QueueExecutionMode) -> None:
        consumers = [PgQueuer(await self._driver()) for _ in range(self.settings.consumers)]
        for consumer in consumers:
            _register(consumer)

        def stop() -> None:
            for consumer in consumers:
                consumer.shutdown.set()

        self._loop.add_signal_handler(signal.SIGTERM, stop)
        await asyncio.gather(
            *(consumer.run(batch_size=self.settings.batch, mode=mode) for consumer in consumers)
        )

    async def _driver(self) -> Any:
        if self.settings.client == "asyncpg":
            return AsyncpgDriver(await asyncpg.connect(self.url))
        return PsycopgDriver(await psycopg.AsyncConnection.connect(self.url, autocommit=True))

    def _queries(self) -> Any:
        if self._asynchronous is None:
            self._asynchronous = Queries(self._wait(self._driver()))
        return self._asynchronous

    def _sync_queries(self) -> Any:
        if self._synchronous is None:
            self._synchronous = SyncQueries(
                SyncPsycopgDriver(psycopg.connect(self.url, autocommit=True, prepare_threshold=1))
            )
        return self._synchronous

    def _wait(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(work)


def _register(consumer: Any) -> None:
    @consumer.entrypoint("noop")
    async def noop(job: Any) -> None:
        return None

    @consumer.entrypoint("ping")
    async def send(job: Any) -> None:
        ping(job.payload.decode())


if __name__ == "__main__":
    run(PgQueuerPeer)
