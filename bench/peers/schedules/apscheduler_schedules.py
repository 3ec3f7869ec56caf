"""APScheduler 3: one process, tasks in a pool of threads, schedules in memory or in PostgreSQL.

A task is not told for which instant it runs; the event that the scheduler makes of its end is.
"""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from apscheduler.events import EVENT_JOB_EXECUTED
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from bench.beginnings import tell
from bench.peers.schedules.driver import ScheduleDriver, run, say_ready, wait_for_end

_began: defaultdict[str, list[float]] = defaultdict(list)


def begin(name: str) -> None:
    """The task."""
    _began[name].append(time.time())


def tell_of(event: Any) -> None:
    tell(int(event.job_id), event.scheduled_run_time.timestamp(), _began[event.job_id].pop(0))


class APSchedulerSchedules(ScheduleDriver):
    def run(self, role: str) -> None:
        scheduler = BackgroundScheduler(
            jobstores={"default": self._store(role)},
            # what is late runs late, and a fire that was missed is made up for: by default it would be dropped
            job_defaults={"misfire_grace_time": None, "coalesce": False},
            timezone=UTC,
        )
        scheduler.add_listener(tell_of, EVENT_JOB_EXECUTED)
        trigger = self._trigger()
        scheduler.start(paused=True)
        for number in range(self.wanted.schedules):
            scheduler.add_job(begin, trigger, args=(str(number),), id=str(number))
        scheduler.resume()
        say_ready()
        wait_for_end()
        scheduler.shutdown(wait=False)

    def _store(self, role: str) -> Any:
        if role == "memory":
            return MemoryJobStore()
        return SQLAlchemyJobStore(url=self.wanted.url.replace("postgresql://", "postgresql+psycopg://", 1))

    def _trigger(self) -> Any:
        if (at := self.wanted.at) is not None:
            return DateTrigger(at)
        return IntervalTrigger(seconds=self.wanted.every_s, start_date=datetime(2020, 1, 1, tzinfo=UTC))


if __name__ == "__main__":
    run(APSchedulerSchedules)
