"""The store in memory, shared by all nodes of a simulated cluster: its tables, and the lookups over them.

The behaviour is in the modules beside this one. Each takes the database, changes rows in place, goes over
indexes and never over history, and is atomic because ``MemoryStore`` holds the lock.
"""

from __future__ import annotations

import threading
from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from shardkeeper.domain.runs import AttemptKey
from shardkeeper.memory.history import Entry, History, What
from shardkeeper.memory.rows import Attempt, Duty, ImplVersion, JobState, JobVersion, Run, Sweep
from shardkeeper.memory.rules import Rules
from shardkeeper.memory.tables import Tables
from shardkeeper.ports.clock import Clock
from shardkeeper.ports.specs import Hint

SchemaJudge = Callable[[Mapping[str, Any], Any], str | None]
"""Of a JSON Schema and a value: what does not fit, or None."""


def unjudged(schema: Mapping[str, Any], value: Any) -> str | None:
    """Every value fits."""
    return None


class MemoryDatabase(Tables):
    """One store. ``clock`` is the server's own.

    ``on_time_window_s``: how old a fire may be for its run to be created on time (rule 3); what
    is older is swept (rule 9). ``duty_s``: how long a duty is held without being renewed (rule 14).
    ``parameters_error``: what of merged parameters does not fit a JSON Schema, or None. This package knows no library
    that judges them, so whoever makes a database says who does.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        rules: Rules | None = None,
        on_time_window_s: float = 30.0,
        duty_s: float = 15.0,
        parameters_error: SchemaJudge = unjudged,
    ) -> None:
        super().__init__()
        self.clock = clock
        self.rules = rules or Rules()
        self.on_time_window = timedelta(seconds=on_time_window_s)
        self.duty_time = timedelta(seconds=duty_s)
        self.parameters_error = parameters_error
        self.lock = threading.RLock()
        self.history = History()
        self.listeners: list[Callable[[Hint], None]] = []
        self._numbers: defaultdict[str, Iterator[int]] = defaultdict(lambda: count(1))

        self.sweep = Sweep(watermark=clock.now())
        self.lateness_told_until = clock.now()

    def now(self) -> datetime:
        return self.clock.now()

    def number(self, sequence: str) -> int:
        """The next number of a sequence, from 1; never given twice."""
        return next(self._numbers[sequence])

    def tell(self, hint: Hint) -> None:
        """Let listeners know after a change, as NOTIFY does."""
        for listener in tuple(self.listeners):
            listener(hint)

    def note(self, what: What, run: Run | None = None, row: Attempt | None = None, **more: object) -> None:
        """Add to the history what happened to a run or to an attempt of it."""
        of = row.run if row is not None else run
        if of is not None:
            more.setdefault("job_name", of.job_name)
            more.setdefault("run_id", of.run_id)
            more.setdefault("fire_time", of.fire_time)
        if row is not None:
            more.setdefault("item", row.key.item)
            more.setdefault("attempt", row.key.attempt)
            more.setdefault("claim_no", row.claim_no)
            more.setdefault("incarnation", row.incarnation)
            more.setdefault("not_before", row.not_before)
        self.history.add(Entry(self.now(), what, **more))  # type: ignore[arg-type]

    def attempt(self, key: AttemptKey) -> Attempt | None:
        run = self.runs.get(key.run_id)
        if run is None:
            return None
        rows = run.attempts.get(key.item)
        return rows[key.attempt - 1] if rows and 0 < key.attempt <= len(rows) else None

    def add_fire(self, run: Run) -> None:
        """Make it known that the run stands for its fire (kinds schedule and misfire)."""
        self.fires[(run.job_name, run.fire_time)] = run
        insort(self.fires_of.setdefault(run.job_name, []), run.fire_time)

    def drop_fire(self, run: Run) -> None:
        """Forget the run's fire, which retention has dropped."""
        del self.fires[(run.job_name, run.fire_time)]
        self.fires_of[run.job_name].remove(run.fire_time)

    def job_in_force(self, name: str, at: datetime) -> JobVersion | None:
        """The latest version not marked invalid that was in force at ``at`` (a deletion has ``spec``
        None)."""
        for version in reversed(self.job_versions.get(name, ())):
            if version.in_force_from <= at and self.rules.counts(version):
                return version
        return None

    def impl_in_force(self, name: str, at: datetime) -> ImplVersion | None:
        """The same of an ImplSpec."""
        for version in reversed(self.impl_versions.get(name, ())):
            if version.in_force_from <= at and self.rules.counts(version):
                return version
        return None

    def job_state(self, name: str) -> JobState:
        state = self.job_states.get(name)
        if state is None:
            state = self.job_states[name] = JobState()
        return state

    def take_duty(self, duty: str, incarnation: str) -> bool:
        """Take a duty that is free, lapsed or held by a dead incarnation, or renew one's own; False:
        somebody else has it."""
        now = self.now()
        if not self.rules.may_create(self.leases.get(incarnation)):
            return False
        held = self.duties.get(duty)
        others = held is not None and held.holder != incarnation and held.until > now
        if others and held is not None and self.rules.may_create(self.leases.get(held.holder)):
            return False
        self.duties[duty] = Duty(incarnation, now + self.duty_time)
        return True
