"""The tables of the store in memory: plain Python values, with an index for everything that is asked for often."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from shardkeeper.domain.view import View
from shardkeeper.memory.rows import (
    Alert,
    Attempt,
    Duty,
    FollowGate,
    ImplVersion,
    JobState,
    JobVersion,
    LeaseRow,
    PauseRecord,
    Run,
)


@dataclass(slots=True, eq=False)
class Tables:
    """Dictionaries keep the order of insertion, and serve as ordered sets where the values are None."""

    # specs
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    impls: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    job_versions: dict[str, list[JobVersion]] = field(default_factory=dict)
    impl_versions: dict[str, list[ImplVersion]] = field(default_factory=dict)
    job_version_by_no: dict[int, JobVersion] = field(default_factory=dict)
    impl_version_by_no: dict[int, ImplVersion] = field(default_factory=dict)
    pauses: dict[str, list[PauseRecord]] = field(default_factory=dict)
    job_changes: dict[str, int] = field(default_factory=dict)
    impl_changes: dict[str, int] = field(default_factory=dict)
    unfinished: dict[int, None] = field(default_factory=dict)
    """Numbers of changes whose transactions have begun and are not committed."""
    declined: dict[str, dict[tuple[str, int, int], str]] = field(default_factory=dict)

    # runs
    runs: dict[int, Run] = field(default_factory=dict)
    open_runs: dict[int, Run] = field(default_factory=dict)
    fires: dict[tuple[str, datetime], Run] = field(default_factory=dict)
    fires_of: dict[str, list[datetime]] = field(default_factory=dict)
    live_run: dict[str, Run] = field(default_factory=dict)
    waiting: dict[str, list[Run]] = field(default_factory=dict)
    claimable: dict[Attempt, None] = field(default_factory=dict)
    held: dict[str, dict[Attempt, None]] = field(default_factory=dict)
    pools: dict[str, int] = field(default_factory=dict)
    paid_until: dict[str, datetime] = field(default_factory=dict)
    job_states: dict[str, JobState] = field(default_factory=dict)
    idempotency_keys: dict[tuple[str, str], int] = field(default_factory=dict)
    followers: dict[str, dict[str, None]] = field(default_factory=dict)
    """By job: those of which some version follows it."""
    gates: dict[tuple[str, str], FollowGate] = field(default_factory=dict)
    """By follower and flow."""
    closed: list[Run] = field(default_factory=list)
    """By the call under way: what follows them is started at its end."""

    # nodes
    leases: dict[str, LeaseRow] = field(default_factory=dict)
    newest_lease: dict[str, LeaseRow] = field(default_factory=dict)
    drain_orders: dict[str, bool] = field(default_factory=dict)
    worker_orders: dict[str, int] = field(default_factory=dict)
    mirrored: View | None = None

    # duties
    duties: dict[str, Duty] = field(default_factory=dict)
    alerts: dict[int, Alert] = field(default_factory=dict)
    unsent: dict[int, Alert] = field(default_factory=dict)
    alert_keys: dict[str, Alert] = field(default_factory=dict)
    audit: list[dict[str, object]] = field(default_factory=list)
