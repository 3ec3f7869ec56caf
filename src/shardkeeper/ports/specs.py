"""Specs as the store has them: immutable versions, each with the instant from which it is in force."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class JobVersionRow:
    """One version of a job. ``spec`` is the job_spec row as JSON, or None where this version is the job's
    deletion."""

    job_name: str
    version: int
    spec: Mapping[str, Any] | None
    in_force_from: datetime


@dataclass(frozen=True, slots=True)
class ImplVersionRow:
    """One version of an ImplSpec with its sources; ``impl`` is None where it is the deletion."""

    impl_name: str
    version: int
    impl: Mapping[str, Any] | None
    sources: tuple[Mapping[str, Any], ...]
    in_force_from: datetime


@dataclass(frozen=True, slots=True)
class PauseRow:
    """One pause: fires at or after ``since`` and before ``until`` (None: until resumed) are SKIPPED."""

    job_name: str
    since: datetime
    until: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class SpecRows:
    """Versions and pauses, and the token from which the next ``changes`` goes on.

    Of each job and impl named here the rows are *all* versions not marked invalid that are in force at or
    after ``horizon`` (the one in force at the horizon, and all later), oldest first. ``jobs_named`` and
    ``impls_named`` list every name that the answer is complete for, so that a name without rows means:
    nothing is in force any more. ``declined``: with pinned versions, the refusals of all nodes to run their jobs.
    """

    jobs_named: frozenset[str]
    impls_named: frozenset[str]
    jobs: tuple[JobVersionRow, ...]
    impls: tuple[ImplVersionRow, ...]
    pauses: tuple[PauseRow, ...]
    horizon: datetime
    token: str
    declined: tuple[Declined, ...] = ()


@dataclass(frozen=True, slots=True)
class InvalidMark:
    """Version ``version`` of job or impl ``name`` can never run; ``problem`` says why and what mends it."""

    name: str
    version: int
    problem: str
    of_impl: bool = False


@dataclass(frozen=True, slots=True)
class Declined:
    """This node cannot run the job under these versions (of the job, of its ImplSpec), because they cannot be
    imported here; others may. ``versions`` None: whatever they are (a spec unknown here). ``reason`` None takes it
    back."""

    job_name: str
    node_id: str
    reason: str | None
    versions: tuple[int, int] | None = None


class SpecStore(Protocol):
    def load(self) -> SpecRows:
        """Everything in force now or within the on-time window before now."""

    def changes(self, token: str) -> SpecRows:
        """All names with a version, pause or validity mark that became visible since the token
        (pg_snapshot_xmin, not numbers)."""

    def named(self, jobs: Sequence[str], impls: Sequence[str]) -> SpecRows:
        """The same for these names only (a NOTIFY told them); the token is not to be used."""

    def pinned(self, job_versions: Sequence[int], impl_versions: Sequence[int]) -> SpecRows:
        """Exactly these versions, whether in force or not, marked or not, and who declines their jobs; the token and
        horizon mean nothing."""

    def mark_invalid(self, marks: Sequence[InvalidMark]) -> None:
        """Write validity and job_status.problem, and one alert per version; idempotent; no trigger of the
        change feed fires."""

    def decline(self, declined: Sequence[Declined]) -> None:
        """Write or take back this node's refusal to run a job; one alert per (job, version of the ImplSpec, reason)
        while it lasts."""

    def forget_declines(self, node_id: str) -> None:
        """Take back all refusals of a node: its code was renewed. What is refused again is not told again."""


@dataclass(frozen=True, slots=True)
class Hint:
    """Something changed: ``specs`` (jobs and impls; None: too many to name), ``orders`` or ``work``. Only
    ever a hint."""

    kind: str
    jobs: frozenset[str] | None = None
    impls: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class ListenerState:
    """Whether hints can arrive. After each ``listening=True`` the node reads all changes: what came between
    was lost."""

    listening: bool
    problem: str | None = None


class Listener(Protocol):
    def start(self, notify: Callable[[Hint | ListenerState], None]) -> None:
        """LISTEN, prove it by a self-test, reconnect for ever; calls ``notify`` from its own thread."""

    def stop(self) -> None:
        """End; tolerates never-started and twice."""
