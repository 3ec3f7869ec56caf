"""procrastinate: a worker that inserts a job for each fire, one by one, and runs it as a coroutine in its own loop."""

from __future__ import annotations

import asyncio
from typing import Any

import procrastinate

from bench.beginnings import tell
from bench.peers.schedules.driver import ScheduleDriver, run, say_ready


class ProcrastinateSchedules(ScheduleDriver):
    def run(self, role: str) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        concurrency = int(self.wanted.settings[0])
        connector = procrastinate.PsycopgConnector(
            conninfo=self.wanted.url, min_size=2, max_size=concurrency + 2
        )
        app = procrastinate.App(connector=connector)
        self._register(app)
        async with app.open_async():
            await app.schema_manager.apply_schema_async()
            say_ready()
            await app.run_worker_async(concurrency=concurrency, shutdown_graceful_timeout=1)

    def _register(self, app: Any) -> None:
        @app.task(name="begin")
        async def begin(timestamp: int, number: int) -> None:
            tell(number, timestamp)

        for number in range(self.wanted.schedules):
            app.periodic(cron=self.wanted.cron, periodic_id=str(number), task_kwargs={"number": number})(
                begin
            )


if __name__ == "__main__":
    run(ProcrastinateSchedules)
