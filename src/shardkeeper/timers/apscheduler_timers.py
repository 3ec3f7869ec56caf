"""One APScheduler job per armed key.

Measured traps of APScheduler 3.11 and what is done about them: a job that is late is dropped after a grace time (none
is set); jobs run in a pool of threads, which costs a millisecond and loses the order (an inline executor is used,
since all a timer does is to post a letter); it waits by the wall clock, and so sleeps through a step back
(``rebuild`` wakes it, called when the loop notices the step).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from apscheduler.executors.debug import DebugExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.date import DateTrigger


class ApschedulerTimers:
    """See ``ports.clock.Timers``."""

    def __init__(self) -> None:
        self._scheduler = BackgroundScheduler(
            executors={"default": DebugExecutor()},
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
            timezone=UTC,
            daemon=True,
        )
        self._fired: Callable[[str], None] | None = None

    def start(self, fired: Callable[[str], None]) -> None:
        """See Timers."""
        if self._fired is None:
            self._fired = fired
            self._scheduler.start()

    def arm(self, key: str, at: datetime) -> None:
        """See Timers."""
        self._scheduler.add_job(self._due, DateTrigger(at, UTC), args=(key,), id=key, replace_existing=True)

    def disarm(self, key: str) -> None:
        """See Timers."""
        try:
            self._scheduler.remove_job(key)
        except JobLookupError:  # it has fired, or was never armed
            return

    def rebuild(self) -> None:
        """Its waits are computed anew when it is woken."""
        if self._scheduler.running:
            self._scheduler.wakeup()

    def stop(self) -> None:
        """See Timers."""
        if self._scheduler.running:
            # waits for what fires just now: its thread would not find again what it has to take out once it is shut
            # down, and end with a traceback
            self._scheduler.remove_all_jobs()
            self._scheduler.shutdown(wait=False)

    def _due(self, key: str) -> None:
        if self._fired is not None:
            self._fired(key)
