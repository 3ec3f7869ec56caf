"""procrastinate: coroutines in the worker's own loop; each start and end is an update of the job and an event row."""

from __future__ import annotations

import asyncio
from typing import Any

import procrastinate
import psycopg

from bench.peers.driver import Driver, run
from bench.pings import ping

RECORDED = """
select extract(epoch from min(at) filter (where type = 'started'))::float8,
       array_agg(extract(epoch from at)::float8) filter (where type = 'succeeded')
  from procrastinate_events where at >= to_timestamp(%s)"""


def app_with(connector: Any) -> Any:
    """The tasks, on that connector."""
    app = procrastinate.App(connector=connector)

    @app.task(name="noop")
    async def noop() -> None:
        return None

    @app.task(name="ping")
    async def send(board: str) -> None:
        ping(board)

    return app


class ProcrastinatePeer(Driver):
    def __init__(self, url: str, settings: Any) -> None:
        super().__init__(url, settings)
        self._app: Any = None

    def install(self) -> None:
        self._client().schema_manager.apply_schema()

    def submit_ping(self, board: str) -> None:
        self._client().tasks["ping"].defer(board=board)

    def submit(self, count: int) -> None:
        task = self._client().tasks["noop"]
        for _ in range(count):
            task.defer()

    def submit_many(self, count: int) -> None:
        self._client().tasks["noop"].batch_defer(*({} for _ in range(count)))

    def drain(self) -> tuple[float, list[float]]:
        asyncio.run(self._work(wait=False))
        return 0.0, []

    def work(self) -> None:
        asyncio.run(self._work(wait=True))

    def recorded(self, since: float) -> tuple[float, list[float]]:
        with psycopg.connect(self.url) as connection:
            row = connection.execute(RECORDED, (since,)).fetchone()
        assert row is not None
        return row[0], row[1]

    def _client(self) -> Any:
        if self._app is None:
            self._app = app_with(procrastinate.SyncPsycopgConnector(conninfo=self.url))
            self._app.open()
        return self._app

    async def _work(self, wait: bool) -> None:
        connector = procrastinate.PsycopgConnector(
            conninfo=self.url, min_size=2, max_size=self.settings.concurrency + 2
        )
        app = app_with(connector)
        async with app.open_async():
            await app.run_worker_async(wait=wait, concurrency=self.settings.concurrency)


if __name__ == "__main__":
    run(ProcrastinatePeer)
