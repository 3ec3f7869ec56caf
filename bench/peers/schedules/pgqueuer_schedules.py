"""PgQueuer: a scheduler that asks PostgreSQL for what is due, and runs coroutines in its own loop.

A task is told when its schedule was taken up: the fire is the latest one before that, for what was due earlier is not
made up for.
"""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import asyncpg
import uvloop
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries
from pgqueuer.sm import SchedulerManager

from bench.beginnings import tell
from bench.peers.schedules.driver import ScheduleDriver, run, say_ready


class PgQueuerSchedules(ScheduleDriver):
    def run(self, role: str) -> None:
        uvloop.run(self._run())

    async def _run(self) -> None:
        queries = Queries(AsyncpgDriver(await asyncpg.connect(self.wanted.url)))
        await queries.install()
        scheduler = SchedulerManager(queries)
        for number in range(self.wanted.schedules):
            self._register(scheduler, number)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, scheduler.shutdown.set)
        say_ready()
        await scheduler.run()

    def _register(self, scheduler: Any, number: int) -> None:
        every_s = self.wanted.every_s

        @scheduler.schedule(f"begin-{number}", self.wanted.cron)
        async def begin(schedule: Any) -> None:
            taken_up_s = schedule.updated.timestamp()
            tell(number, taken_up_s - taken_up_s % every_s)


if __name__ == "__main__":
    run(PgQueuerSchedules)
