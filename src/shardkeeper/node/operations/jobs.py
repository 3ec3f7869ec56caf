"""Jobs: what is known of them, when they are next due, and pausing them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime

from shardkeeper.domain.cron import parse_cron
from shardkeeper.domain.durations import DurationInvalid, parse_duration
from shardkeeper.domain.errors import NotFound, Refused
from shardkeeper.domain.problems import shown
from shardkeeper.domain.schedule import CronSchedule, EverySchedule, Schedule, fires_of
from shardkeeper.domain.specs import JobSpec
from shardkeeper.node.histories import HistoryReader
from shardkeeper.node.operations.answer import Answer
from shardkeeper.node.operations.flows import Step, followed_by, steps_after, steps_before
from shardkeeper.ports.operator import OperatorStore, Row
from shardkeeper.ports.specs import SpecStore

JOB_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
MOST_FIRES = 10_000
SHOWN_FIRES = 3


def is_job_name(text: str) -> bool:
    """Whether ``next`` takes it as a job's name, and not as an expression."""
    return JOB_NAME.fullmatch(text) is not None


def fires_of_expression(expression: str, start: datetime, count: int) -> list[datetime]:
    """The next ``count`` fires after ``start`` of a cron expression or of a duration, as ``every`` takes it. Needs no
    server. Raises CronInvalid; Refused for a duration that cannot be a period.
    """
    return _fires(_schedule(expression), start, count)


class JobOperations:
    """``now``: the wall clock."""

    def __init__(
        self, store: OperatorStore, specs: SpecStore, reader: HistoryReader, now: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._specs = specs
        self._reader = reader
        self._now = now

    def listing(self, labels: Mapping[str, str] | None = None) -> list[Row]:
        """job_spec's columns and job_status's."""
        return self._store.jobs(labels)

    def get(self, name: str) -> Row:
        """One of them, with its next fires, and who follows it directly. Raises NotFound."""
        rows = self._store.jobs(name=name)
        if not rows:
            raise _unknown(name)
        return rows[0] | {
            "next_fires": self.next_fires(name, self._now(), SHOWN_FIRES).value,
            "followed_by": followed_by(self._store.following(), name),
        }

    def before_and_after(self, name: str) -> tuple[list[Step], list[Step]]:
        """What the job follows, and what follows it, near and far."""
        following = self._store.following()
        return steps_before(following, name), steps_after(following, name)

    def next_fires(self, name: str, start: datetime, count: int) -> Answer[list[datetime]]:
        """The next ``count`` fires after ``start``, by the version that is in force now. Raises NotFound."""
        spec = self._in_force(name)
        if spec is None:
            if not self._store.jobs(name=name):
                raise _unknown(name)
            return Answer([], (f"no version of {name} is valid: `shardkeeper job {name}` says why",))
        if not spec.enabled:
            return Answer([], (f"{name} is disabled",))
        fires = fires_of(spec)
        if fires is None:
            return Answer([], (f"{name} runs on demand",))
        paused = [row["paused_reason"] for row in self._store.jobs(name=name) if row["paused"]]
        notes = tuple(f"{name} is paused{f': {why}' if why else ''}; these fires are held" for why in paused)
        return Answer(_fires(fires, start, count), notes)

    def pause(self, name: str, reason: str | None, until: datetime | None, by: str) -> None:
        """Hold scheduled fires. Raises OrderRefused."""
        self._store.pause(name, reason, until, by)

    def resume(self, name: str, by: str) -> bool:
        """False: it was not paused. Raises NotFound."""
        if not self._store.jobs(name=name):
            raise _unknown(name)
        return self._store.resume(name, by)

    def _in_force(self, name: str) -> JobSpec | None:
        history = self._reader.read(self._specs.named([name], [])).jobs.get(name)
        found = None if history is None else history.at(self._now())
        return None if found is None else found.spec


def _unknown(name: str) -> NotFound:
    return NotFound(f"there is no job {shown(name)}: `shardkeeper jobs` lists them")


def _schedule(expression: str) -> Schedule:
    try:
        period = parse_duration(expression)
    except DurationInvalid:
        return CronSchedule(parse_cron(expression, ""))
    try:
        return EverySchedule(period)
    except ValueError as error:
        raise Refused(f"{shown(expression)}: {error}") from error


def _fires(schedule: Schedule, start: datetime, count: int) -> list[datetime]:
    found: list[datetime] = []
    fire = schedule.next_after(start)
    while fire is not None and len(found) < min(count, MOST_FIRES):
        found.append(fire)
        fire = schedule.next_after(fire)
    return found
