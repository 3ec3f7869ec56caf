"""The specs a node knows: which version was in force when, and the versions that attempts are pinned to.

The catalog is told whole histories of a name and never guesses: a name whose history is empty runs nothing.
A hundred thousand jobs fit, so a job costs one entry and its versions; schedules are looked up elsewhere
(`planner.timetable`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from shardkeeper.domain.sources import deal
from shardkeeper.domain.specs import ImplVersion, JobVersion, Pause, SourceData

_K = TypeVar("_K")
_V = TypeVar("_V")


@dataclass(frozen=True, slots=True)
class JobHistory:
    """Valid versions of one job, oldest first, each with its interval (a deletion ends the last one), and
    its pauses."""

    versions: tuple[JobVersion, ...]
    pauses: tuple[Pause, ...] = ()

    def at(self, instant: datetime) -> JobVersion | None:
        """The version in force at the instant; None where none is (yet, or any more)."""
        for version in reversed(self.versions):
            if version.in_force_from <= instant:
                until = version.in_force_until
                return version if until is None or instant < until else None
        return None

    def paused_at(self, instant: datetime) -> bool:
        """Whether a scheduled fire at the instant is held."""
        return bool(self.pauses) and any(
            pause.since <= instant and (pause.until is None or instant < pause.until) for pause in self.pauses
        )

    @property
    def last(self) -> JobVersion | None:
        """The version that is in force without end; None when the job is deleted."""
        if self.versions and self.versions[-1].in_force_until is None:
            return self.versions[-1]
        return None


@dataclass(frozen=True, slots=True)
class ImplInForce:
    since: datetime
    until: datetime | None
    version: ImplVersion


@dataclass(frozen=True, slots=True)
class ImplHistory:
    """Valid versions of one ImplSpec, oldest first."""

    versions: tuple[ImplInForce, ...]

    def at(self, instant: datetime) -> ImplVersion | None:
        """The version in force at the instant."""
        for held in reversed(self.versions):
            if held.since <= instant:
                return held.version if held.until is None or instant < held.until else None
        return None


class Catalog:
    """Histories by name, and a bounded store of pinned versions that are no longer in force."""

    PINNED_KEPT = 4096
    """Versions kept beside those in force; the oldest used goes first."""

    def __init__(self) -> None:
        self._jobs: dict[str, JobHistory] = {}
        self._impls: dict[str, ImplHistory] = {}
        self._edited: dict[str, None] = {}
        """Jobs with a version that has ended: few, and all that a look-back considers beside the last versions."""
        self._job_versions: dict[int, JobVersion] = {}
        self._impl_versions: dict[int, ImplVersion] = {}
        self._pinned_jobs: OrderedDict[int, JobVersion] = OrderedDict()
        self._pinned_impls: OrderedDict[int, ImplVersion] = OrderedDict()
        self._dealt: OrderedDict[tuple[int, int], tuple[tuple[SourceData, ...], ...]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._jobs)

    def job(self, name: str) -> JobHistory | None:
        """The job's history."""
        return self._jobs.get(name)

    def ended_after(self, instant: datetime) -> Iterator[tuple[str, JobVersion]]:
        """Each version that was superseded (or deleted) after the instant, with its job's name."""
        for name in tuple(self._edited):
            history = self._jobs.get(name)
            for version in history.versions if history else ():
                if version.in_force_until is not None and version.in_force_until > instant:
                    yield name, version

    def learn_job(self, name: str, history: JobHistory) -> None:
        """Replace what was known of the job; an empty history forgets it. Versions that leave stay among the
        pinned."""
        old = self._jobs.pop(name, None)
        for version in old.versions if old else ():
            self._job_versions.pop(version.version, None)
            self._keep(self._pinned_jobs, version.version, version)
        for version in history.versions:
            self._job_versions[version.version] = version
        self._edited.pop(name, None)
        if history.versions:
            self._jobs[name] = history
            if history.versions[0].in_force_until is not None:
                self._edited[name] = None

    def learn_impl(self, name: str, history: ImplHistory) -> None:
        """Replace what was known of the ImplSpec."""
        old = self._impls.pop(name, None)
        for held in old.versions if old else ():
            self._impl_versions.pop(held.version.version, None)
            self._keep(self._pinned_impls, held.version.version, held.version)
        for held in history.versions:
            self._impl_versions[held.version.version] = held.version
        if history.versions:
            self._impls[name] = history

    def forget_others(self, jobs: Mapping[str, object], impls: Mapping[str, object]) -> list[str]:
        """After a whole reading: drop every name that it did not have; the jobs dropped."""
        gone = [name for name in self._jobs if name not in jobs]
        for name in gone:
            self.learn_job(name, JobHistory(()))
        for name in [name for name in self._impls if name not in impls]:
            self.learn_impl(name, ImplHistory(()))
        return gone

    def impl_at(self, name: str, instant: datetime) -> ImplVersion | None:
        """The ImplSpec's version in force at the instant."""
        history = self._impls.get(name)
        return history.at(instant) if history else None

    def newest_impl(self, name: str) -> ImplVersion | None:
        """The ImplSpec's version that is in force without end; None when it is deleted."""
        history = self._impls.get(name)
        last = history.versions[-1] if history else None
        return last.version if last is not None and last.until is None else None

    def pin(self, jobs: tuple[JobVersion, ...], impls: tuple[ImplVersion, ...]) -> None:
        """Keep versions that attempts are pinned to."""
        for job in jobs:
            self._keep(self._pinned_jobs, job.version, job)
        for impl in impls:
            self._keep(self._pinned_impls, impl.version, impl)

    def job_version(self, version: int) -> JobVersion | None:
        """A version by its number, in force or pinned."""
        return self._job_versions.get(version) or self._pinned_jobs.get(version)

    def impl_version(self, version: int) -> ImplVersion | None:
        """An ImplSpec's version by its number, in force or pinned."""
        return self._impl_versions.get(version) or self._pinned_impls.get(version)

    def sources_of(self, impl: ImplVersion, total: int, item: int) -> tuple[SourceData, ...]:
        """The item's share of the sources."""
        if not impl.sources:
            return ()
        key = (impl.version, total)
        dealt = self._dealt.get(key)
        if dealt is None:
            dealt = deal(impl.sources, total)
            self._keep(self._dealt, key, dealt)
        return dealt[item]

    def _keep(self, store: OrderedDict[_K, _V], key: _K, value: _V) -> None:
        store[key] = value
        store.move_to_end(key)
        while len(store) > self.PINNED_KEPT:
            store.popitem(last=False)
