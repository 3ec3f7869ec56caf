"""Celery: beat sends a message to Redis for each fire, a worker with processes of its own takes them.

An interval of Celery counts from the last sending and drifts, a crontab knows minutes only: a schedule of ours fires
at whole seconds. A task is not told for which instant it runs; beat adds when it sent the message, whose whole second
is the fire's: beat makes up for no fire that it has missed.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from celery import Celery
from celery.beat import BeatLazyFunc
from celery.schedules import schedstate, schedule
from celery.signals import beat_init, worker_ready

from bench.beginnings import FOLDER, tell
from bench.peers.schedules.driver import ScheduleDriver, run, say_ready

TASK = "begin"
LONG = timedelta(days=1)


def begin(number: int, sent_s: float) -> None:
    """The task."""
    tell(number, sent_s)


class WholeSeconds(schedule):
    """Due at each whole second after the last run."""

    def is_due(self, last_run_at: datetime) -> Any:
        now = self.now()
        left_s = 1 - now.microsecond / 1e6
        if now.replace(microsecond=0) > self.maybe_make_aware(last_run_at):
            return schedstate(is_due=True, next=left_s)
        return schedstate(is_due=False, next=left_s)


class CelerySchedules(ScheduleDriver):
    def run(self, role: str) -> None:
        app = Celery(broker=self.wanted.url)
        app.conf.update(timezone="UTC", task_ignore_result=True, worker_redirect_stdouts=False)
        app.task(begin, name=TASK)
        if role == "beat":
            self._beat(app)
        else:
            worker_ready.connect(_say_ready, weak=False)
            app.worker_main(["--quiet", "worker", "--loglevel", "ERROR", *self.wanted.settings])

    def _beat(self, app: Any) -> None:
        app.conf.beat_schedule = {str(number): self._entry(number) for number in range(self.wanted.schedules)}
        beat_init.connect(_say_ready, weak=False)
        app.Beat(schedule=str(Path(os.environ[FOLDER]) / "beat-schedule"), loglevel="ERROR", quiet=True).run()

    def _entry(self, number: int) -> dict[str, Any]:
        entry = {"task": TASK, "args": (number, BeatLazyFunc(time.time))}
        if (at := self.wanted.at) is None:
            return entry | {"schedule": WholeSeconds(timedelta(seconds=1))}
        return entry | {"schedule": schedule(LONG), "last_run_at": at.astimezone(UTC) - LONG}


def _say_ready(**_: Any) -> None:
    say_ready()


if __name__ == "__main__":
    run(CelerySchedules)
