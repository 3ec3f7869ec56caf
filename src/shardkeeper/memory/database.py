"""The tables of the store in memory, shared by all nodes of a simulated cluster, and the lookups that go
over them.

Plain Python values, with an index for everything that is asked for often: no call goes over history. The
behaviour is in the
modules beside this one; each takes the database, changes rows in place, and is atomic because
``MemoryStore`` holds the lock.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import count

from shardkeeper.domain.runs import AttemptKey
from shardkeeper.domain.view import View
from shardkeeper.memory.history import Entry, History, What
from shardkeeper.memory.rows import (
    Alert,
    Attempt,
    Duty,
    ImplVersion,
    JobState,
    JobVersion,
    LeaseRow,
    PauseRecord,
    Run,
    Sweep,
)
from shardkeeper.memory.rules import Rules
from shardkeeper.ports.clock import Clock
from shardkeeper.ports.specs import Hint


class MemoryDatabase:
    """One store. ``clock`` is the server's own; windows are in seconds, with the meaning they have in
    DESIGN's rules."""

    def __init__(
        self,
        clock: Clock,
        *,
        rules: Rules | None = None,
        on_time_window_s: float = 30.0,
        statement_timeout_s: float = 10.0,
        duty_s: float = 15.0,
    ) -> None:
        self.clock = clock
        self.rules = rules or Rules()
        self.on_time_window = timedelta(seconds=on_time_window_s)
        self.sweep_lag = self.on_time_window + timedelta(seconds=statement_timeout_s)
        self.duty_time = timedelta(seconds=duty_s)
        self.lock = threading.RLock()
        self.history = History()
        self.listeners: list[Callable[[Hint], None]] = []
        self._numbers: defaultdict[str, Iterator[int]] = defaultdict(lambda: count(1))

        # specs
        self.jobs: dict[str, dict[str, object]] = {}
        self.impls: dict[str, dict[str, object]] = {}
        self.sources: dict[str, dict[str, dict[str, object]]] = {}
        self.job_versions: dict[str, list[JobVersion]] = {}
        self.impl_versions: dict[str, list[ImplVersion]] = {}
        self.job_version_by_no: dict[int, JobVersion] = {}
        self.impl_version_by_no: dict[int, ImplVersion] = {}
        self.pauses: dict[str, list[PauseRecord]] = {}
        self.job_changes: dict[str, int] = {}
        self.impl_changes: dict[str, int] = {}
        self.declined: dict[str, dict[str, str]] = {}

        # runs
        self.runs: dict[int, Run] = {}
        self.open_runs: dict[int, Run] = {}
        self.fires: dict[tuple[str, datetime], Run] = {}
        self.live_run: dict[str, Run] = {}
        self.waiting: dict[str, list[Run]] = {}
        self.claimable: dict[Attempt, None] = {}
        self.held: dict[str, dict[Attempt, None]] = {}
        self.job_states: dict[str, JobState] = {}

        # nodes
        self.leases: dict[str, LeaseRow] = {}
        self.newest_lease: dict[str, LeaseRow] = {}
        self.drain_orders: dict[str, bool] = {}
        self.worker_orders: dict[str, int] = {}
        self.mirrored: View | None = None

        # duties
        self.duties: dict[str, Duty] = {}
        self.sweep = Sweep(watermark=clock.now())
        self.alerts: dict[int, Alert] = {}
        self.unsent: dict[int, Alert] = {}
        self.alert_keys: dict[str, Alert] = {}
        self.audit: list[dict[str, object]] = []

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
        self.history.add(Entry(self.now(), what, **more))  # type: ignore[arg-type]

    def attempt(self, key: AttemptKey) -> Attempt | None:
        run = self.runs.get(key.run_id)
        if run is None:
            return None
        rows = run.attempts.get(key.item)
        return rows[key.attempt - 1] if rows and 0 < key.attempt <= len(rows) else None

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
