"""What people write down: what runs and when (JobSpec), how it runs (ImplSpec), and its inputs (SourceData).

Values only, named as the SQL columns are; what makes them right or wrong is in `validation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from shardkeeper.domain.frozen import EMPTY


class Kind(StrEnum):
    """How an ImplSpec's entrypoint is run."""

    PYTHON = "python"
    SCRIPT = "script"
    HTTP = "http"


class Isolation(StrEnum):
    """What an attempt shares with others: its own worker process, or a thread in a worker process of many."""

    PROCESS = "process"
    THREAD = "thread"


class Strategy(StrEnum):
    """Which node owns which sharding item."""

    BALANCED = "balanced"
    EACH_NODE = "each_node"
    AVERAGE = "average"
    ODEVITY = "odevity"
    ROUND_ROBIN = "round_robin"


class Misfire(StrEnum):
    """What becomes of due fires that nobody could run on time."""

    SKIP = "skip"
    ONCE = "once"
    ALL = "all"


class Overlap(StrEnum):
    """What a scheduled fire does while an older run of its job is live."""

    SKIP = "skip"
    QUEUE = "queue"
    REPLACE = "replace"
    ALLOW = "allow"


class OnLeaseLoss(StrEnum):
    """What a node does with a running task when its own lease has ended."""

    CONTINUE = "continue"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class ImplSpec:
    """How a job runs. `entrypoint` is `package.module:Class`, a script's file name, or a URL, by `kind`."""

    name: str
    kind: Kind
    entrypoint: str
    parameters: Mapping[str, Any] = EMPTY
    isolation: Isolation = Isolation.PROCESS
    description: str | None = None


@dataclass(frozen=True, slots=True)
class SourceData:
    """One weighted input of an ImplSpec, dealt to sharding items; `weight` is positive, in any unit."""

    key: str
    weight: float = 1.0
    location: str | None = None
    parameters: Mapping[str, Any] = EMPTY
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class ImplVersion:
    """An ImplSpec with its sources, as they were at one version. `sources` is sorted by key."""

    impl: ImplSpec
    sources: tuple[SourceData, ...]
    version: int


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What runs and when: the columns of `job_spec`, with the contract's defaults.

    Instants are aware, in UTC. At most one of `cron`, `every` and `run_at` is set; with none of them the job
    runs on demand. `timeout` None means no limit; `phase_timeouts` is by phase name.
    """

    name: str
    impl_spec: str
    cron: str | None = None
    every: timedelta | None = None
    run_at: datetime | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    sharding_total_count: int = 1
    sharding_item_parameters: Mapping[str, str] = EMPTY
    sharding_strategy: Strategy = Strategy.BALANCED
    parameters: Mapping[str, Any] = EMPTY
    misfire: Misfire = Misfire.ONCE
    misfire_grace: timedelta = timedelta(days=1)
    catch_up_limit: int = 100
    overlap: Overlap = Overlap.SKIP
    failover: bool = True
    on_lease_loss: OnLeaseLoss = OnLeaseLoss.CONTINUE
    max_attempts: int = 1
    max_takeovers: int = 3
    retry_delay: timedelta = timedelta(seconds=10)
    retry_backoff: float = 2.0
    retry_max_delay: timedelta = timedelta(hours=1)
    timeout: timedelta | None = timedelta(hours=1)
    phase_timeouts: Mapping[str, timedelta] = EMPTY
    late_after: timedelta | None = None
    finish_within: timedelta | None = None
    priority: int = 0
    pool: str | None = None
    max_running: int | None = None
    concurrency_key: str | None = None
    max_running_per_key: int = 1
    rate_limit: int | None = None
    rate_period: timedelta = timedelta(seconds=1)
    follows: Mapping[str, Any] = EMPTY
    retry_on: tuple[str, ...] = ()
    give_up_on: tuple[str, ...] = ()
    retention: timedelta | None = None
    parameters_schema: Mapping[str, Any] | None = None
    parameters_limit: int = 1_000_000
    node_selector: Mapping[str, str] = EMPTY
    alert: Mapping[str, Any] = EMPTY
    labels: Mapping[str, str] = EMPTY
    owner: str | None = None
    description: str | None = None
    enabled: bool = True

    @property
    def scheduled(self) -> bool:
        """Whether it runs by the clock; else it is on demand."""
        return any(times is not None for times in (self.cron, self.every, self.run_at))

    @property
    def limited(self) -> bool:
        """Whether any limit shared by nodes holds for its attempts."""
        limits = (self.pool, self.max_running, self.concurrency_key, self.rate_limit)
        return any(limit is not None for limit in limits)


@dataclass(frozen=True, slots=True)
class JobVersion:
    """A JobSpec at one version, in force at instants in_force_from <= t < in_force_until (None: no end)."""

    spec: JobSpec
    version: int
    in_force_from: datetime
    in_force_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Scheduled fires of `job_name` are held from `since` on, and before `until` where that is set."""

    job_name: str
    since: datetime
    until: datetime | None = None
    reason: str | None = None
