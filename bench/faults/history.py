"""What a run of faults leaves behind. Times are seconds since the epoch by the machine's clock."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from bench.faults.bands import Band
from bench.faults.options import Options
from bench.faults.stream import Promise
from bench.faults.witness import Execution

ItemKey = tuple[int, int]
"""Run and item."""


@dataclass(frozen=True, slots=True)
class Version:
    """When a job is due from ``in_force_from`` on. ``every_us``: microseconds. Neither it nor ``cron``: on demand."""

    in_force_from: float
    cron: str | None = None
    every_us: int | None = None
    ends_at: float | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """``kind``: of bench/faults/kinds.py; ``versions``: the oldest first, the policies as the newest one has them."""

    name: str
    kind: str
    versions: Sequence[Version] = ()
    items: int = 1
    overlap: str = "skip"
    misfire: str = "once"
    on_lease_loss: str = "continue"
    max_attempts: int = 1
    max_takeovers: int = 3


@dataclass(frozen=True, slots=True)
class Run:
    """One row of job_run: a run, or a record of fires that did not run (MISSED, SKIPPED), from ``fire_time`` to
    ``fire_until`` where it stands for ``missed_count`` of them."""

    id: int
    job: str
    fire_time: float
    trigger_kind: str = "schedule"
    status: str = "COMPLETED"
    reason: str | None = None
    fire_until: float | None = None
    missed_count: int | None = None
    items: int = 1
    open_items: int = 0
    created_at: float = 0.0
    finished_at: float | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One row of shard_run. ``claimed_at``: of the last claim, by PostgreSQL's clock. ``finished_at``: by the clock of
    the node, which may be stepped; of LOST ones by PostgreSQL's. ``token``: of the execution whose result it has;
    ``done``: the step of its checkpoint."""

    run: int
    item: int
    number: int
    status: str = "COMPLETED"
    node: str | None = None
    incarnation: str | None = None
    claim_no: int = 1
    claimed_at: float | None = None
    finished_at: float | None = None
    error_type: str | None = None
    error_message: str | None = None
    token: str | None = None
    done: int | None = None
    compensable: bool = False
    compensates: bool = False


@dataclass(frozen=True, slots=True)
class Lease:
    """One life of a node. ``taken_over``: another has found it dead; ``running``: attempts RUNNING under it."""

    incarnation: str
    node: str
    pid: int
    state: str
    joined_at: float
    dead_at: float | None = None
    taken_over: bool = False
    running: int = 0


@dataclass(frozen=True, slots=True)
class Alert:
    """One event that people are told of. ``message_id``: what Slack has answered."""

    event_key: str
    kind: str
    job: str | None
    run: int | None
    created_at: float
    sent_at: float | None = None
    message_id: str | None = None
    gave_up: bool = False
    problem: str | None = None


@dataclass(frozen=True)
class History:
    """``attempts``: by run, in the order of items and numbers. ``values``: the tokens by key, by item. ``messages``:
    the first lines of what Slack received, in order, from the first on. ``executions``: as the tasks told.
    ``healed_at``: when the last fault was over. ``swept_until``: up to where the sweep has accounted for fires.
    ``left``: rows that there should be none of, by what they are."""

    options: Options
    jobs: Mapping[str, Job]
    runs: Mapping[int, Run]
    attempts: Mapping[int, Sequence[Attempt]]
    executions: Sequence[Execution]
    healed_at: float
    swept_until: float
    values: Mapping[ItemKey, Mapping[str, str]] = field(default_factory=dict)
    leases: Sequence[Lease] = ()
    alerts: Sequence[Alert] = ()
    messages: Sequence[str] = ()
    promises: Sequence[Promise] = ()
    bands: Sequence[Band] = ()
    left: Mapping[str, int] = field(default_factory=dict)

    @property
    def lease_s(self) -> float:
        """The nodes' lease, in seconds."""
        return self.options.session_timeout_s * 2 / 3

    @cached_property
    def all_up_at(self) -> float:
        """When each node had joined for the first time."""
        first: dict[str, float] = {}
        for lease in self.leases:
            first[lease.node] = min(lease.joined_at, first.get(lease.node, lease.joined_at))
        return max(first.values(), default=0.0)

    @cached_property
    def executions_of(self) -> Mapping[ItemKey, Sequence[Execution]]:
        """By item, in the order in which they began."""
        found: dict[ItemKey, list[Execution]] = defaultdict(list)
        for one in sorted(self.executions, key=lambda one: one.began):
            found[one.run, one.item].append(one)
        return found

    @cached_property
    def runs_of(self) -> Mapping[str, Sequence[Run]]:
        """Of each job those by the clock, records too, by fire time."""
        found: dict[str, list[Run]] = defaultdict(list)
        for run in sorted(self.runs.values(), key=lambda run: (run.fire_time, run.id)):
            if run.trigger_kind in ("schedule", "misfire"):
                found[run.job].append(run)
        return found

    def executions_by(self, attempt: Attempt) -> Sequence[Execution]:
        """Those of one attempt: one for each of its claims that came to begin it."""
        own = self.executions_of.get((attempt.run, attempt.item), ())
        return [one for one in own if one.attempt == attempt.number]
